//! A source's selection as a file: export, and import with a dry run. What is written is a revision like any other.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path, ServiceConfig},
};
use fieldgate_api::{
    config::{Draft, Item},
    endpoint::{ExportSelection, ImportSelection},
    selection::{
        SelectionChange, SelectionConflict, SelectionFile, SelectionFormat, SelectionMode,
        SelectionOutcome, SelectionPlan, SelectionProblem,
    },
    trouble::ConfigProblem,
};
use serde_json::Value as Json;

use super::{
    Shared,
    config::WHO,
    error::Failure,
    mount::{Answer, Call, Mounts},
    trial::good_source,
    value::shown,
};
use crate::{
    config::{ChangeError, Desired, Section},
    selection::{self, Mode, Row, RowProblem, SELECT, Shape, parse_csv, parse_json, write_csv},
};

/// Differences, and problems, that are told one by one.
const TOLD: usize = 200;

/// Where the file itself is, for a download.
pub const FILE_PATH: &str = "/api/v1/export/sources/{id}/selection.{format}";

/// The file of a selection, as it is downloaded.
pub fn mount_file(config: &mut ServiceConfig) {
    config.route(FILE_PATH, web::get().to(download));
}

async fn download(
    shared: Data<Shared>,
    place: Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (id, format) = place.into_inner();
    let (format, kind) = match format.as_str() {
        "csv" => (SelectionFormat::Csv, "text/csv; charset=utf-8"),
        "json" => (SelectionFormat::Json, "application/json"),
        other => return Err(Failure::no_such("format", other)),
    };
    let (item, shape) = source(&shared, &id)?;
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("content-disposition", "attachment"))
        .body(written(&shape, &rules(&item), format)))
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts
        .mount::<ExportSelection, _, _>(|call: Call<ExportSelection>| async move { export(&call) });
    mounts.mount::<ImportSelection, _, _>(import);
}

fn export(call: &Call<ExportSelection>) -> Answer<ExportSelection> {
    let (item, shape) = source(&call.shared, &call.place)?;
    let rules = rules(&item);
    Ok(SelectionFile {
        rules: rules.len() as u64,
        text: written(&shape, &rules, call.body.format),
    })
}

fn written(shape: &Shape, rules: &[Json], format: SelectionFormat) -> String {
    match format {
        SelectionFormat::Csv => write_csv(shape, rules),
        SelectionFormat::Json => serde_json::to_string_pretty(rules).unwrap_or_default(), // it was JSON before
    }
}

async fn import(call: Call<ImportSelection>) -> Answer<ImportSelection> {
    // Before the item is read: what others save meanwhile is not undone.
    let revision = call.shared.desired.current().config.revision;
    let (item, shape) = source(&call.shared, &call.place)?;
    let read = match call.body.format {
        SelectionFormat::Csv => parse_csv(&shape, &call.body.text),
        SelectionFormat::Json => parse_json(&call.body.text),
    };
    let file = match read {
        Ok(file) => file,
        Err(problems) => {
            return Ok(SelectionPlan {
                problems: told(problems),
                ..SelectionPlan::default()
            });
        }
    };
    let present = rules(&item);
    let plan = selection::plan(&shape, &present, &file, mode(call.body.mode));
    let mut answer = SelectionPlan {
        conflicts: conflicts(&shape, &present, &file),
        modes: Mode::ALL
            .map(|mode| outcome(&shape, &present, &file, mode))
            .to_vec(),
        ..answer(&plan)
    };
    let mut settings = item.draft.settings.clone();
    settings[SELECT] = Json::from(plan.rules);
    let draft = Draft {
        settings,
        ..item.draft
    };
    // What the rules say is checked in a dry run, too.
    match good_source(&call.shared, &call.place, draft.clone()).await {
        Ok(_) => {}
        Err(Failure::Change(ChangeError::Invalid(problems))) => {
            let problems = problems
                .into_iter()
                .map(|problem| of_rule(problem, &plan.lines));
            answer.problems.extend(told(problems.collect()));
        }
        Err(other) => return Err(other),
    }
    let differs = answer.added + answer.changed + answer.removed > 0;
    if !call.body.dry_run && answer.problems.is_empty() && differs {
        let (id, base) = (call.place.clone(), call.base.or(Some(revision)));
        let change = move |desired: &Desired| desired.put(Section::Source, &id, &draft, base, WHO);
        answer.saved = Some(call.shared.block(change).await?.1);
    }
    Ok(answer)
}

fn answer(plan: &selection::Plan) -> SelectionPlan {
    SelectionPlan {
        added: plan.added.len() as u64,
        changed: plan.changed.len() as u64,
        removed: plan.removed.len() as u64,
        same: plan.same as u64,
        ignored: plan.ignored as u64,
        changes: changes(plan),
        problems: told(plan.problems.clone()),
        ..SelectionPlan::default()
    }
}

/// What another mode would come to, so that it can be chosen with open eyes.
fn outcome(shape: &Shape, present: &[Json], file: &[Row], mode: Mode) -> SelectionOutcome {
    let plan = selection::plan(shape, present, file, mode);
    SelectionOutcome {
        mode: of_mode(mode),
        added: plan.added.len() as u64,
        changed: plan.changed.len() as u64,
        removed: plan.removed.len() as u64,
        same: plan.same as u64,
        ignored: plan.ignored as u64,
        problems: plan.problems.len() as u64,
    }
}

fn conflicts(shape: &Shape, present: &[Json], file: &[Row]) -> Vec<SelectionConflict> {
    let conflicts = selection::conflicts(shape, present, file).into_iter();
    let conflict = |conflict: selection::Conflict| SelectionConflict {
        line: conflict.line as u64,
        present: conflict.present,
        file: conflict.file,
    };
    conflicts.take(TOLD).map(conflict).collect()
}

fn mode(mode: SelectionMode) -> Mode {
    match mode {
        SelectionMode::Merge => Mode::Merge,
        SelectionMode::Skip => Mode::Skip,
        SelectionMode::Create => Mode::Create,
        SelectionMode::Overwrite => Mode::Overwrite,
        SelectionMode::Delete => Mode::Delete,
    }
}

fn of_mode(mode: Mode) -> SelectionMode {
    match mode {
        Mode::Merge => SelectionMode::Merge,
        Mode::Skip => SelectionMode::Skip,
        Mode::Create => SelectionMode::Create,
        Mode::Overwrite => SelectionMode::Overwrite,
        Mode::Delete => SelectionMode::Delete,
    }
}

/// A problem of the settings, at the line of the file where its rule stands.
fn of_rule(problem: ConfigProblem, lines: &[Option<usize>]) -> RowProblem {
    let words = format!("{}; {}", problem.what, problem.remedy);
    let place = match &problem.path[..] {
        [select, rule, ..] if select == SELECT => rule.parse::<usize>().ok(),
        _ => None,
    };
    let line = place.and_then(|rule| lines.get(rule).copied().flatten());
    let words = match line {
        Some(_) => words,
        None => format!("{}: {words}", problem.path.join(".")),
    };
    RowProblem { line, words }
}

fn told(problems: Vec<RowProblem>) -> Vec<SelectionProblem> {
    let problems = problems.into_iter().take(TOLD);
    let problem = |problem: RowProblem| SelectionProblem {
        line: problem.line.map(|line| line as u64),
        words: shown(&problem.words),
    };
    problems.map(problem).collect()
}

fn source(shared: &Shared, id: &str) -> Result<(Item, Shape), Failure> {
    let loaded = shared.desired.current();
    let item = loaded.item(Section::Source, id);
    let item = item.ok_or_else(|| Failure::no_such("source", id))?.clone();
    let kind = shared.gateway.registry.source(&item.draft.kind);
    let shape = kind.and_then(|kind| Shape::of(&kind.schema()));
    let shape =
        shape.ok_or_else(|| Failure::NotFound(format!("the source `{id}` has no selection")))?;
    Ok((item, shape))
}

fn rules(item: &Item) -> Vec<Json> {
    item.draft.settings[SELECT]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn changes(plan: &selection::Plan) -> Vec<SelectionChange> {
    let change = |before: Option<&Json>, after: Option<&Json>| SelectionChange {
        before: before.cloned(),
        after: after.cloned(),
    };
    let removed = plan.removed.iter().map(|rule| change(Some(rule), None));
    let changed = plan
        .changed
        .iter()
        .map(|(before, after)| change(Some(before), Some(after)));
    let added = plan.added.iter().map(|rule| change(None, Some(rule)));
    removed.chain(changed).chain(added).take(TOLD).collect()
}
