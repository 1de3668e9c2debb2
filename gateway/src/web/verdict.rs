//! The verdict: one sentence that answers "is data flowing?", from the facts of all parts. Pure.

use fieldgate_api::state::{Level, Status};
use fieldgate_model::Timestamp;

use super::words::{count, is_wrong, span, wrong};

/// All that the verdict depends on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub now: Timestamp,
    pub sources: Vec<UnitFacts>,
    pub destinations: Vec<UnitFacts>,
    /// Routes that are not paused.
    pub routes: usize,
    /// Lanes that are full and hold new readings back.
    pub full_lanes: Vec<String>,
    /// Refused readings that nobody has decided about.
    pub dead_letters: u64,
    /// Why the disk does not take what the queue should write, in words.
    pub disk: Option<String>,
    pub unaccounted: i64,
}

/// One source or destination.
#[derive(Debug, Clone, Default)]
pub struct UnitFacts {
    pub id: String,
    pub status: Status,
    /// Readings a second: from a source, or acknowledged by a destination.
    pub rate: f64,
    /// Readings that a destination still has to take.
    pub pending: u64,
    /// Seconds until it has caught up; none when it is not catching up.
    pub catch_up_s: Option<f64>,
    /// Readings a second that a destination refuses for their own sake.
    pub refused: f64,
    /// In its most frequent words.
    pub why: Option<String>,
}

/// What is on its way at this rate is not worth mentioning.
const ON_ITS_WAY_S: f64 = 3.0;

/// The sentence.
pub fn verdict(facts: &Facts) -> Status {
    let mut troubles = troubles(facts);
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.level));
    let Some(worst) = troubles.first() else {
        return untroubled(facts);
    };
    let more = match troubles.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more problem)".to_owned(),
        more => format!(" (and {more} more problems)"),
    };
    Status {
        words: format!("{}{more}", worst.words),
        ..worst.clone()
    }
}

/// Everything that a person should look at.
fn troubles(facts: &Facts) -> Vec<Status> {
    let mut troubles = Vec::new();
    if facts.unaccounted != 0 {
        troubles.push(said(
            Level::Bad,
            "ledger",
            format!(
                "The ledger does not balance: {} unaccounted for; please report it",
                count(facts.unaccounted.unsigned_abs(), "reading")
            ),
        ));
    }
    if let Some(words) = &facts.disk {
        troubles.push(said(Level::Bad, "disk", super::words::capital(words)));
    }
    for unit in facts
        .destinations
        .iter()
        .filter(|unit| is_wrong(&unit.status))
    {
        let kept = match unit.pending {
            0 => String::new(),
            1 => "; 1 reading is kept safe in the queue".into(),
            pending => format!("; {} are kept safe in the queue", count(pending, "reading")),
        };
        troubles.push(of_unit("Destination", unit, facts.now, &kept));
    }
    for unit in facts.destinations.iter().filter(|unit| unit.refused > 0.0) {
        troubles.push(refusing(unit));
    }
    for unit in facts.sources.iter().filter(|unit| is_wrong(&unit.status)) {
        troubles.push(of_unit("Source", unit, facts.now, ""));
    }
    for lane in &facts.full_lanes {
        let words = format!(
            "The {lane} lane of the queue is full and holds new readings back; look at why its destinations do not take them"
        );
        troubles.push(said(Level::Bad, "queue full", words));
    }
    troubles
}

fn of_unit(what: &str, unit: &UnitFacts, now: Timestamp, kept: &str) -> Status {
    Status {
        words: format!("{what} {} {}{kept}", unit.id, wrong(&unit.status, now)),
        ..unit.status.clone()
    }
}

/// A destination that takes nothing, or not all, for the readings' own sake.
fn refusing(unit: &UnitFacts) -> Status {
    let (level, what) = match unit.rate > 0.0 {
        true => (Level::Warning, "some readings"),
        false => (Level::Bad, "every reading"),
    };
    let why = unit.why.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let words = format!(
        "Destination {} refuses {what}{why}; they are kept among the dead letters",
        unit.id
    );
    said(level, "refusing", words)
}

/// When nothing is wrong: what is missing, what is on its way, or that all is well.
fn untroubled(facts: &Facts) -> Status {
    let running = |units: &[UnitFacts]| {
        let running = units.iter().filter(|unit| unit.status.level == Level::Good);
        running.count() as u64
    };
    let (sources, destinations) = (running(&facts.sources), running(&facts.destinations));
    if facts.sources.is_empty() {
        return said(Level::Idle, "empty", "No source yet. Add one to see data.");
    }
    if facts.destinations.is_empty() {
        let words = "No destination yet. Add one to send data somewhere.";
        return said(Level::Idle, "empty", words);
    }
    if facts.routes == 0 {
        let words = "No route yet. Add one, so that readings go from a source to a destination.";
        return said(Level::Idle, "empty", words);
    }
    let units = || facts.sources.iter().chain(&facts.destinations);
    if let Some(unit) =
        units().find(|unit| !matches!(unit.status.state.as_str(), "running" | "paused"))
    {
        let words = format!("Starting: {} is {}.", unit.id, unit.status.state);
        return said(Level::Idle, "starting", words);
    }
    if sources == 0 || destinations == 0 {
        let what = if sources == 0 {
            "source"
        } else {
            "destination"
        };
        let words = format!("Nothing flows: every {what} is paused. Resume one to go on.");
        return said(Level::Idle, "paused", words);
    }
    flowing(facts, sources, destinations)
}

fn flowing(facts: &Facts, sources: u64, destinations: u64) -> Status {
    let parts = format!(
        "{}, {}",
        count(sources, "source"),
        count(destinations, "destination")
    );
    let delivered = delivered(facts);
    let level = match facts.dead_letters {
        0 => Level::Good,
        _ => Level::Warning,
    };
    if facts.sources.iter().all(|unit| unit.rate <= 0.0) {
        let words = format!(
            "Connected, but no value has changed in the last seconds: {parts}, {delivered}."
        );
        return said(level, "quiet", words);
    }
    said(
        level,
        "flowing",
        format!("Data is flowing: {parts}, {delivered}."),
    )
}

/// What became of the readings: on their way and for how long, refused, or all delivered.
fn delivered(facts: &Facts) -> String {
    let late: Vec<&UnitFacts> = facts
        .destinations
        .iter()
        .filter(|unit| behind(unit) > 0)
        .collect();
    let readings: u64 = late.iter().map(|unit| unit.pending).sum();
    let slowest = late
        .iter()
        .map(|unit| unit.catch_up_s)
        .try_fold(0.0, |slowest: f64, next| Some(slowest.max(next?)));
    let refused = match facts.dead_letters {
        0 => String::new(),
        1 => "; 1 refused reading waits for your decision among the dead letters".to_owned(),
        more => format!(
            "; {} wait for your decision among the dead letters",
            count(more, "refused reading")
        ),
    };
    let rest = match (readings, slowest) {
        (0, _) if facts.dead_letters > 0 => "nothing waits".to_owned(),
        (0, _) => "everything delivered".to_owned(),
        (1, _) => "1 reading still on its way".to_owned(),
        (more, Some(seconds)) if seconds >= 1.0 => {
            format!(
                "{} still on their way, caught up in about {}",
                count(more, "reading"),
                span(seconds)
            )
        }
        (more, _) => format!("{} still on their way", count(more, "reading")),
    };
    format!("{rest}{refused}")
}

/// Readings beyond those that are always on their way.
#[expect(clippy::cast_precision_loss, reason = "a comparison of magnitudes")]
fn behind(unit: &UnitFacts) -> u64 {
    if unit.pending as f64 <= unit.rate * ON_ITS_WAY_S {
        0
    } else {
        unit.pending
    }
}

fn said(level: Level, state: &str, words: impl Into<String>) -> Status {
    Status {
        level,
        state: state.into(),
        words: words.into(),
        ..Status::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str, level: Level, state: &str, rate: f64, pending: u64) -> UnitFacts {
        UnitFacts {
            id: id.into(),
            status: Status {
                level,
                state: state.into(),
                words: format!("the words of {id}"),
                since: Timestamp::parse("2026-11-23T09:12:30Z"),
                ..Status::default()
            },
            rate,
            pending,
            ..UnitFacts::default()
        }
    }

    fn facts(sources: &[UnitFacts], destinations: &[UnitFacts]) -> Facts {
        Facts {
            now: Timestamp::parse("2026-11-23T10:00:00Z").unwrap(),
            sources: sources.to_vec(),
            destinations: destinations.to_vec(),
            routes: 1,
            ..Facts::default()
        }
    }

    fn check(facts: &Facts, level: Level, expected: &str) {
        let verdict = verdict(facts);
        assert_eq!((verdict.level, verdict.words.as_str()), (level, expected));
    }

    #[test]
    fn all_is_well() {
        let press = unit("press", Level::Good, "running", 20.0, 0);
        let oven = unit("oven", Level::Good, "running", 0.0, 0);
        let broker = unit("plant-broker", Level::Good, "running", 20.0, 40);
        check(
            &facts(&[press.clone(), oven.clone()], &[broker]),
            Level::Good,
            "Data is flowing: 2 sources, 1 destination, everything delivered.",
        );
        let late = unit("plant-broker", Level::Good, "running", 20.0, 12_345);
        check(
            &facts(&[press], &[late]),
            Level::Good,
            "Data is flowing: 1 source, 1 destination, 12,345 readings still on their way.",
        );
        check(
            &facts(&[oven], &[unit("b", Level::Good, "running", 0.0, 0)]),
            Level::Good,
            "Connected, but no value has changed in the last seconds: 1 source, 1 destination, everything delivered.",
        );
    }

    #[test]
    fn what_was_refused_is_not_delivered() {
        let press = unit("press", Level::Good, "running", 20.0, 0);
        let broker = unit("b", Level::Good, "running", 0.0, 0);
        let mut refused = facts(std::slice::from_ref(&press), std::slice::from_ref(&broker));
        refused.dead_letters = 1200;
        check(
            &refused,
            Level::Warning,
            "Data is flowing: 1 source, 1 destination, nothing waits; 1,200 refused readings wait for your decision among the dead letters.",
        );
        refused.destinations[0].refused = 20.0;
        refused.destinations[0].why = Some("not authorized (0x87)".into());
        let kept = "not authorized (0x87); they are kept among the dead letters";
        check(
            &refused,
            Level::Bad,
            &format!("Destination b refuses every reading: {kept}"),
        );
        refused.destinations[0].rate = 5.0;
        check(
            &refused,
            Level::Warning,
            &format!("Destination b refuses some readings: {kept}"),
        );
        let mut late = facts(&[press], &[broker]);
        late.destinations[0].pending = 12_345;
        late.destinations[0].catch_up_s = Some(130.0);
        check(
            &late,
            Level::Good,
            "Data is flowing: 1 source, 1 destination, 12,345 readings still on their way, caught up in about 2 min.",
        );
    }

    #[test]
    fn the_worst_is_said_first() {
        let press = unit("press", Level::Good, "running", 20.0, 0);
        let broker = unit(
            "plant-broker",
            Level::Warning,
            "waiting to retry",
            0.0,
            12_345,
        );
        check(
            &facts(std::slice::from_ref(&press), std::slice::from_ref(&broker)),
            Level::Warning,
            "Destination plant-broker is unreachable since 09:12 UTC: the words of plant-broker; 12,345 readings are kept safe in the queue",
        );
        let refused = unit("press", Level::Bad, "refused", 0.0, 0);
        check(
            &facts(&[refused], &[broker]),
            Level::Bad,
            "Source press refuses the gateway since 09:12 UTC: the words of press (and 1 more problem)",
        );
        let mut full = facts(&[press], &[unit("b", Level::Good, "running", 1.0, 0)]);
        full.full_lanes = vec!["critical".into()];
        assert_eq!(verdict(&full).level, Level::Bad);
        full.disk = Some("the queue cannot write to /q: no space".into());
        let words = "The queue cannot write to /q: no space (and 1 more problem)";
        check(&full, Level::Bad, words);
        full.unaccounted = -2;
        assert!(
            verdict(&full)
                .words
                .starts_with("The ledger does not balance: 2 readings")
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let press = unit("press", Level::Good, "running", 1.0, 0);
        let broker = unit("broker", Level::Good, "running", 1.0, 0);
        check(
            &facts(&[], &[]),
            Level::Idle,
            "No source yet. Add one to see data.",
        );
        check(
            &facts(std::slice::from_ref(&press), &[]),
            Level::Idle,
            "No destination yet. Add one to send data somewhere.",
        );
        let mut unrouted = facts(std::slice::from_ref(&press), std::slice::from_ref(&broker));
        unrouted.routes = 0;
        assert_eq!(verdict(&unrouted).state, "empty");
        let connecting = unit("oven", Level::Idle, "connecting", 0.0, 0);
        check(
            &facts(&[press, connecting], std::slice::from_ref(&broker)),
            Level::Idle,
            "Starting: oven is connecting.",
        );
        let paused = unit("press", Level::Idle, "paused", 0.0, 0);
        check(
            &facts(&[paused], &[broker]),
            Level::Idle,
            "Nothing flows: every source is paused. Resume one to go on.",
        );
    }
}
