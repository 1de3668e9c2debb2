//! A source's selection as a file over the wire, and what an import changes.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::Saved;

/// How a file of rules is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SelectionFormat {
    /// A line a rule, a column a setting.
    #[default]
    Csv,
    /// The list of rules as it stands in the settings.
    Json,
}

/// Which file is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SelectionQuery {
    #[serde(default)]
    pub format: SelectionFormat,
}

/// The rules of a source as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionFile {
    pub rules: u64,
    pub text: String,
}

/// What a file does to the rules that are there. Two rules about the same path or node are the same, or differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SelectionMode {
    /// New rules are added, those that differ become the file's, the others stay.
    #[default]
    Merge,
    /// New rules are added; everything that is there stays as it is.
    Skip,
    /// New rules are added; when one differs from what is there, nothing is taken over.
    Create,
    /// The file is everything: rules that are not in it go.
    Overwrite,
    /// The rules that the file is about go, the others stay.
    Delete,
}

/// A file of rules to be taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SelectionImport {
    pub format: SelectionFormat,
    pub text: String,
    #[serde(default)]
    pub mode: SelectionMode,
    /// Only tell what would be done.
    pub dry_run: bool,
}

/// What an import does, or would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionPlan {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    pub same: u64,
    /// Rules of the file that come to nothing: what is there stays, or there is nothing to take out.
    #[serde(default)]
    pub ignored: u64,
    /// The first 200 differences.
    pub changes: Vec<SelectionChange>,
    /// Rules of the file that differ from what is there, whatever the mode does with them. The first 200.
    #[serde(default)]
    pub conflicts: Vec<SelectionConflict>,
    /// What each mode would come to with this file; empty when it cannot be read.
    #[serde(default)]
    pub modes: Vec<SelectionOutcome>,
    /// What is wrong with the file, and what has to be decided in it first; nothing is taken over as long as there is one. The
    /// first 200.
    pub problems: Vec<SelectionProblem>,
    /// The revision that was written; none for a dry run, with problems, or when nothing differs.
    pub saved: Option<Saved>,
}

/// What stands against a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionProblem {
    /// Where in the file, from 1; none when it is about the whole file, or about a rule that is there already.
    pub line: Option<u64>,
    pub words: String,
}

/// A rule of the file that is about the same as one that is there, and says something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionConflict {
    /// Where in the file, from 1.
    pub line: u64,
    pub present: Json,
    pub file: Json,
}

/// What a mode would come to, as far as the two lists of rules tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionOutcome {
    pub mode: SelectionMode,
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    pub same: u64,
    pub ignored: u64,
    /// What would have to be decided in the file first.
    pub problems: u64,
}

/// One difference: no `before` is added, no `after` is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectionChange {
    pub before: Option<Json>,
    pub after: Option<Json>,
}
