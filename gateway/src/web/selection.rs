//! A source's selection as a file: export, and import with a dry run. What is written is a revision like any other.

use fieldgate_api::{
    config::{Draft, Item},
    endpoint::{ExportSelection, ImportSelection},
    selection::{
        SelectionChange, SelectionFile, SelectionFormat, SelectionImport, SelectionMode,
        SelectionPlan,
    },
};
use serde_json::Value as Json;

use super::{
    Shared,
    config::WHO,
    error::Failure,
    mount::{Answer, Call, Mounts},
    trial::good_source,
};
use crate::{
    config::{Desired, Section},
    selection::{self, Mode, SELECT, Shape, parse_csv, parse_json, write_csv},
};

/// Differences that are told one by one.
const TOLD: usize = 200;
/// Problems of a file that are told one by one.
const MOST_PROBLEMS: usize = 20;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts
        .mount::<ExportSelection, _, _>(|call: Call<ExportSelection>| async move { export(&call) });
    mounts.mount::<ImportSelection, _, _>(import);
}

fn export(call: &Call<ExportSelection>) -> Answer<ExportSelection> {
    let (item, shape) = source(&call.shared, &call.place)?;
    let rules = rules(&item);
    let text = match call.body.format {
        SelectionFormat::Csv => write_csv(&shape, &rules),
        SelectionFormat::Json => serde_json::to_string_pretty(&rules).unwrap_or_default(), // it was JSON before
    };
    Ok(SelectionFile {
        rules: rules.len() as u64,
        text,
    })
}

async fn import(call: Call<ImportSelection>) -> Answer<ImportSelection> {
    let (item, shape) = source(&call.shared, &call.place)?;
    let file = read(&shape, &call.body)?;
    let mode = match call.body.mode {
        SelectionMode::Merge => Mode::Merge,
        SelectionMode::Replace => Mode::Replace,
    };
    let plan = selection::plan(&shape, &rules(&item), &file, mode);
    let mut told = SelectionPlan {
        added: plan.added.len() as u64,
        changed: plan.changed.len() as u64,
        removed: plan.removed.len() as u64,
        same: plan.same as u64,
        changes: changes(&plan),
        conflicts: plan.conflicts,
        saved: None,
    };
    let mut settings = item.draft.settings.clone();
    settings[SELECT] = Json::from(plan.rules);
    let draft = Draft {
        settings,
        ..item.draft
    };
    // What the rules say is checked in a dry run, too.
    drop(good_source(&call.shared, &call.place, draft.clone()).await?);
    let differs = told.added + told.changed + told.removed > 0;
    if !call.body.dry_run && told.conflicts.is_empty() && differs {
        let (id, base) = (call.place.clone(), call.base);
        let change = move |desired: &Desired| desired.put(Section::Source, &id, &draft, base, WHO);
        told.saved = Some(call.shared.block(change).await?.1);
    }
    Ok(told)
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

fn read(shape: &Shape, file: &SelectionImport) -> Result<Vec<Json>, Failure> {
    let rules = match file.format {
        SelectionFormat::Csv => parse_csv(shape, &file.text),
        SelectionFormat::Json => parse_json(&file.text).map_err(|words| vec![words]),
    };
    rules.map_err(|mut problems| {
        let more = problems.len().saturating_sub(MOST_PROBLEMS);
        problems.truncate(MOST_PROBLEMS);
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        Failure::Malformed(format!(
            "the file cannot be read: {}{more}",
            problems.join("; ")
        ))
    })
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
