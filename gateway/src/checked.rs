//! What a check of a lane found, as the API and the command line tell it.

use fieldgate_api::queue::{CheckFinding, LaneCheck};
use fieldgate_store::CheckReport;

/// The report on a lane.
#[must_use]
pub fn checked(lane: &str, report: &CheckReport) -> LaneCheck {
    let generations = &report.generations;
    let finding = |finding: &fieldgate_store::Finding| CheckFinding {
        place: finding.place.to_string_lossy().into_owned(),
        what: finding.what.clone(),
        lost: finding.lost,
        advice: finding.advice.to_owned(),
    };
    LaneCheck {
        lane: lane.to_owned(),
        generations: generations.len() as u64,
        records: generations.iter().map(|one| one.records).sum(),
        spooled: generations.iter().map(|one| one.spooled).sum(),
        lost: report.lost_records,
        findings: report.findings.iter().map(finding).collect(),
        more_findings: report.more_findings,
        unaccounted: report.routes.iter().map(|route| route.unaccounted()).sum(),
        seconds: report.took.as_secs_f64(),
    }
}
