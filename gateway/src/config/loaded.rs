//! `Loaded`: a valid configuration with the provenance of its values, assembled from all layers. Pure but for `check`.

use std::{collections::BTreeMap, path::PathBuf};

use fieldgate_api::{
    config::{Draft, Item, Layer},
    trouble::ConfigProblem,
};

use super::{
    Config, Section, edit, files,
    files::Files,
    layers::{Entry, Merged, Override, Text},
    problems::sort,
    validate::{own_settings, paused, validate},
};
use crate::registry::Registry;

/// A valid configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    pub sources: Vec<Item>,
    pub destinations: Vec<Item>,
    pub routes: Vec<Item>,
    pub rules: Vec<Item>,
    /// The files that were read, the weakest first.
    pub files: Vec<String>,
    /// The effective configuration as TOML; secrets are references only.
    pub effective: String,
    /// What a person should look at, although everything works.
    pub notes: Vec<ConfigProblem>,
    /// What relative paths of secrets are taken from.
    pub folder: PathBuf,
}

/// Everything but the console's layer.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// The text of `--demo`.
    pub demo: Option<String>,
    pub files: Files,
    /// From the environment, then from the command line.
    pub overrides: Vec<Override>,
}

/// Reads and validates files alone, without a state folder and without the environment.
///
/// # Errors
/// Every problem, ordered by file and line.
pub fn check(files: &[PathBuf], registry: &Registry) -> Result<Loaded, Vec<ConfigProblem>> {
    let files = files::read(files)?;
    let surroundings = Surroundings {
        files,
        ..Surroundings::default()
    };
    assemble(&surroundings, "", "console", 0, registry)
}

/// Lays the console's text between the other layers. `place` is what problems in it are said to be at.
///
/// # Errors
/// Every problem, ordered by file and line.
pub(super) fn assemble(
    surroundings: &Surroundings,
    console: &str,
    place: &str,
    revision: u64,
    registry: &Registry,
) -> Result<Loaded, Vec<ConfigProblem>> {
    let mut merged = Merged::built_in();
    if let Some(demo) = &surroundings.demo {
        merged.lay(&text(Layer::Demo, "demo", demo));
    }
    merged.lay(&text(Layer::Console, place, console));
    surroundings
        .files
        .texts
        .iter()
        .for_each(|text| merged.lay(text));
    surroundings
        .overrides
        .iter()
        .for_each(|value| merged.lay_override(value));
    let notes = merged.take_left_overs();
    let config = validate(&merged, registry, revision).map_err(|mut problems| {
        sort(&mut problems);
        problems
    })?;
    Ok(loaded(config, &merged, notes, &surroundings.files))
}

// === impl Loaded ===

impl Loaded {
    /// The items of a section, in the order of the configuration.
    #[must_use]
    pub fn items(&self, section: Section) -> &[Item] {
        match section {
            Section::Source => &self.sources,
            Section::Destination => &self.destinations,
            Section::Route => &self.routes,
            Section::Rule => &self.rules,
        }
    }

    /// One item.
    #[must_use]
    pub fn item(&self, section: Section, id: &str) -> Option<&Item> {
        self.items(section).iter().find(|item| item.id == id)
    }
}

fn text(layer: Layer, name: &str, text: &str) -> Text {
    Text {
        layer,
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn loaded(config: Config, merged: &Merged, notes: Vec<ConfigProblem>, files: &Files) -> Loaded {
    let items = |section| {
        let entries = merged
            .entries
            .iter()
            .filter(move |entry| entry.section == section);
        entries.map(item).collect()
    };
    let mut entries: Vec<_> = merged
        .entries
        .iter()
        .map(|entry| (entry.section, &entry.node))
        .collect();
    entries.sort_by_key(|(section, _)| *section);
    Loaded {
        config,
        sources: items(Section::Source),
        destinations: items(Section::Destination),
        routes: items(Section::Route),
        rules: items(Section::Rule),
        files: files.texts.iter().map(|text| text.name.clone()).collect(),
        effective: edit::render(&merged.gateway, &merged.queue, &entries),
        notes,
        folder: files.folder.clone(),
    }
}

/// An item for the API, with what the console cannot change in it.
fn item(entry: &Entry) -> Item {
    let locked: BTreeMap<_, _> = entry
        .node
        .leaves()
        .into_iter()
        .filter(|(path, leaf)| leaf.origin.layer > Layer::Console && *path != ["id"])
        .map(|(path, leaf)| (path.join("."), (*leaf.origin).clone()))
        .collect();
    let kind = match entry.section.has_kinds() {
        true => entry.node.get("kind").and_then(|kind| kind.as_str()),
        false => Some(entry.section.word()),
    };
    Item {
        id: entry.id.clone(),
        draft: Draft {
            kind: kind.unwrap_or_default().to_owned(),
            paused: paused(&entry.node),
            settings: own_settings(entry),
        },
        removable: entry.is_of_console_alone(),
        locked,
        origin: (*entry.node.origin).clone(),
    }
}
