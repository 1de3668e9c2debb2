//! Tests of settings: a probe of a source or destination, and what a route would do with what is live. Nothing is saved.

use fieldgate_api::{
    config::{Draft, RouteSample, RouteTest, TestReport, TestRung},
    endpoint::{TestDestination, TestRoute, TestSource},
    trouble::ConfigProblem,
};
use fieldgate_kit::{ProbeCtx, Problem, Rung, RungState, SettingsError, SourceKind, settings};
use fieldgate_model::{Pattern, Reading};
use serde_json::Value as Json;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call},
    points,
    routes::taken,
    value::text_with_unit,
};
use crate::config::{ChangeError, RouteSettings, Section, Trial, plain};

/// How many points a test of a route shows.
const SAMPLES: usize = 10;

/// `TestSource`
pub async fn source(call: Call<TestSource>) -> Answer<TestSource> {
    let _turn = turn(&call.shared)?;
    let (kind, trial) = good_source(&call.shared, &call.place, call.body).await?;
    let ctx = context(&call.shared, "source", &call.place, &trial);
    Ok(report(kind.probe(trial.settings.clone(), ctx).await))
}

/// Settings of a source that nobody saved, and their kind; what is wrong in them is told at its field.
pub async fn good_source(
    shared: &Shared,
    id: &str,
    draft: Draft,
) -> Result<(SourceKind, Trial), Failure> {
    let trial = trial(shared, Section::Source, id, draft).await?;
    let kind = shared.gateway.registry.source(&trial.kind).cloned();
    let kind = kind.ok_or_else(|| unknown_kind(Section::Source, id, &trial.kind))?;
    let checked = kind.check(trial.settings.clone());
    expect_good(checked, Section::Source, id, &trial)?;
    Ok((kind, trial))
}

/// `TestDestination`
pub async fn destination(call: Call<TestDestination>) -> Answer<TestDestination> {
    let _turn = turn(&call.shared)?;
    let trial = trial(&call.shared, Section::Destination, &call.place, call.body).await?;
    let gateway = &call.shared.gateway;
    let kind = gateway.registry.destination(&trial.kind).cloned();
    let kind = kind.ok_or_else(|| unknown_kind(Section::Destination, &call.place, &trial.kind))?;
    let checked = kind.limits(trial.settings.clone()).map(drop);
    expect_good(checked, Section::Destination, &call.place, &trial)?;
    let ctx = context(&call.shared, "destination", &call.place, &trial);
    Ok(report(kind.probe(trial.settings.clone(), ctx).await))
}

/// `TestRoute`
pub async fn route(call: Call<TestRoute>) -> Answer<TestRoute> {
    let trial = trial(&call.shared, Section::Route, &call.place, call.body).await?;
    let read = read_route(trial.settings.clone());
    let (settings, patterns) =
        read.map_err(|problems| invalid(Section::Route, &call.place, problems, &trial.settings))?;
    Ok(tried(&call.shared, &settings, &patterns))
}

/// One of the few places for what asks others; held while it does.
pub fn turn(shared: &Shared) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
    shared.trials.try_acquire().map_err(|_| {
        Failure::Unavailable("other tests are under way; try again in ten seconds".into())
    })
}

async fn trial(
    shared: &Shared,
    section: Section,
    id: &str,
    draft: Draft,
) -> Result<Trial, Failure> {
    expect_id(section, id)?;
    let id = id.to_owned();
    shared
        .block(move |desired| desired.trial(section, &id, &draft))
        .await
}

/// An id becomes part of a folder's name, so a test takes no other ids than a change does.
fn expect_id(section: Section, id: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.chars().all(plain) {
        return Ok(());
    }
    let problem = Problem::new(
        ["id"],
        format!("`{}` is no id", id.escape_debug()),
        "use up to 64 letters, digits, `-`, `_` and `.`",
    );
    Err(problems_of(
        format!("{} {id}", section.word()),
        vec![problem],
    ))
}

/// Settings that are wrong in themselves are told at their fields, before anything is tried.
fn expect_good(
    checked: Result<(), SettingsError>,
    section: Section,
    id: &str,
    trial: &Trial,
) -> Result<(), Failure> {
    checked.map_err(|SettingsError(problems)| invalid(section, id, problems, &trial.settings))
}

fn context(shared: &Shared, what: &str, id: &str, trial: &Trial) -> ProbeCtx {
    ProbeCtx {
        id: id.into(),
        secrets: trial.secrets.clone(),
        state_dir: shared.gateway.unit_dir(what, id),
        book: shared.gateway.book(),
        common: shared.gateway.common.beside(),
    }
}

fn report(rungs: Vec<Rung>) -> TestReport {
    let rung = |rung: Rung| TestRung {
        name: rung.name,
        ok: rung.state == RungState::Ok,
        words: super::value::shown(&rung.words),
        took_ms: u64::try_from(rung.took.as_millis()).unwrap_or(u64::MAX),
    };
    let rungs: Vec<TestRung> = rungs.into_iter().map(rung).collect();
    TestReport {
        ok: !rungs.is_empty() && rungs.iter().all(|rung| rung.ok),
        rungs,
    }
}

/// A route's settings and patterns, or everything that is wrong with them.
fn read_route(table: Json) -> Result<(RouteSettings, Vec<Pattern>), Vec<Problem>> {
    let settings: RouteSettings = settings::read(table).map_err(|SettingsError(all)| all)?;
    let mut problems = Vec::new();
    let mut patterns = Vec::new();
    for (index, text) in settings.from.iter().enumerate() {
        match text.parse::<Pattern>() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => problems.push(Problem::new(
                ["from".to_owned(), index.to_string()],
                error.to_string(),
                "write source/device/point, with `*` for any text within one of them and `**` for any number of them",
            )),
        }
    }
    for (index, step) in settings.steps.iter().enumerate() {
        problems.extend(step.check().into_iter().map(|problem| {
            let lead = ["steps".to_owned(), index.to_string()];
            let path = lead.into_iter().chain(problem.path).collect();
            Problem { path, ..problem }
        }));
    }
    match problems.is_empty() {
        true => Ok((settings, patterns)),
        false => Err(problems),
    }
}

fn tried(shared: &Shared, settings: &RouteSettings, patterns: &[Pattern]) -> RouteTest {
    let ids = points::ids(&shared.gateway);
    let live = &shared.gateway.live;
    let last = |id| live.find(id).and_then(|point| point.last());
    RouteTest {
        matches: taken(patterns, &ids).count() as u64,
        samples: taken(patterns, &ids)
            .filter_map(last)
            .take(SAMPLES)
            .map(|reading| sample(shared, settings, reading))
            .collect(),
    }
}

/// One reading through steps of its own, so that nothing that runs is touched.
fn sample(shared: &Shared, settings: &RouteSettings, reading: Reading) -> RouteSample {
    let (point, before) = (reading.point.clone(), text_with_unit(&reading));
    let mut steps = settings.steps.iter().map(|step| step.build());
    let after = steps.try_fold(reading, |reading, mut step| step.apply(reading));
    let gateway = &shared.gateway;
    let loaded = shared.desired.current();
    let mut destinations = loaded.config.destinations.iter();
    let to = destinations.find(|to| *to.id == *settings.to);
    let address = to.and_then(|to| {
        let kind = gateway.registry.destination(&to.kind)?;
        kind.address(to.settings.clone(), &gateway.book(), &point.device_id())
    });
    RouteSample {
        point: point.to_string(),
        before,
        after: after
            .iter()
            .map(|reading| format!("{} = {}", reading.point, text_with_unit(reading)))
            .collect(),
        address,
    }
}

fn unknown_kind(section: Section, id: &str, kind: &str) -> Failure {
    let what = format!("`{}` is no kind of {}", kind.escape_debug(), section.word());
    let problem = Problem::new(["kind"], what, "choose one of those in /api/v1/kinds");
    problems_of(format!("{} {id}", section.word()), vec![problem])
}

fn invalid(section: Section, id: &str, problems: Vec<Problem>, settings: &Json) -> Failure {
    let problems = problems.into_iter().map(|problem| plain(problem, settings));
    problems_of(format!("{} {id}", section.word()), problems.collect())
}

fn problems_of(item: String, problems: Vec<Problem>) -> Failure {
    let told = |problem: Problem| ConfigProblem {
        item: item.clone(),
        path: problem.path,
        what: problem.what,
        remedy: problem.remedy,
        origin: "console".into(),
    };
    ChangeError::Invalid(problems.into_iter().map(told).collect()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_cannot_leave_its_folder() {
        for (id, good) in [
            ("press", true),
            ("a.b-c_1", true),
            ("..", false),
            ("a/b", false),
            ("", false),
            ("a\0", false),
        ] {
            assert_eq!(expect_id(Section::Source, id).is_ok(), good, "{id:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_route_is_told() {
        let table = json!({ "from": ["a/**", "a//b"], "steps": [{ "deadband": -1.0 }], "to": "x" });
        let problems = read_route(table).unwrap_err();
        let paths: Vec<String> = problems
            .iter()
            .map(|problem| problem.path.join("."))
            .collect();
        assert_eq!(paths, ["from.1", "steps.0.deadband"]);
        assert_eq!(read_route(json!({ "from": [] })).unwrap_err().len(), 1);
    }
}
