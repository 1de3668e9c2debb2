//! `Profiles`: what is known of companion models, as data: how a server shows that it speaks one, and which values of it are
//! taken, under which names.
//!
//! Those that come with the gateway are in `profiles/`, one TOML file each, with an example of its own; a person's own ones are
//! read from the folder `profiles` beside the certificates, and one of the same name takes the place of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use fieldgate_kit::{explore::Suggestion, trust::shared_dir};
use fieldgate_model::Class;
use serde::Deserialize;
use serde_json::json;

use crate::{
    connection::Connection,
    glob::Glob,
    settings::Wishes,
    status::Status,
    types::{TypeName, Types},
};

/// Those that come with the gateway.
const OURS: [&str; 4] = [
    include_str!("../profiles/machinery.toml"),
    include_str!("../profiles/di.toml"),
    include_str!("../profiles/plcopen.toml"),
    include_str!("../profiles/packml.toml"),
];
/// Where a glob begins.
const TOP: &str = "Objects";
/// A person's own profiles that are read, and how large each may be.
const MOST_FILES: usize = 64;
const MOST_BYTES: u64 = 256 << 10;

/// The profiles there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profiles {
    all: Vec<Arc<Profile>>,
    /// Files that are no profiles, in words.
    remarks: Vec<String>,
}

/// One companion model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// As a rule names it: lower-case letters, digits and dashes.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it takes, in a few words.
    pub about: String,
    /// The URI of the model; a server that speaks it has it among its namespaces.
    pub namespace: String,
    /// The document that defines the model.
    pub specification: String,
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What a server has, and what the profile makes of it.
    pub example: Example,
}

/// What is taken of each instance of a type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// A type of the model by its browse name, or any type as a rule by type names it.
    #[serde(rename = "type", deserialize_with = "parsed")]
    type_name: TypeName,
    #[serde(default)]
    pub device: Holder,
    /// Names before the instance that are no part of the device's name.
    #[serde(default)]
    pub without: Vec<String>,
    /// The first that means a variable counts.
    pub points: Vec<PointRule>,
    #[serde(default)]
    publishing_ms: Option<u64>,
}

/// What is the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Holder {
    #[default]
    Instance,
    /// The object that the instance hangs on.
    Owner,
}

/// Variables of an instance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointRule {
    /// The way from the instance: `*` stands for one name, `**` for any depth. Properties have to be named.
    #[serde(deserialize_with = "below")]
    path: Glob,
    /// The point's name. Left out: the names of the way, joined by dots.
    pub name: Option<String>,
    #[serde(default)]
    take: Take,
    /// UCUM code, where the server tells none.
    pub unit: Option<Arc<str>>,
    #[serde(default)]
    class: Lane,
    publishing_ms: Option<u64>,
    sampling_ms: Option<u64>,
    deadband: Option<f64>,
    deadband_percent: Option<f64>,
    heartbeat_ms: Option<u64>,
}

/// Whether a variable is a point at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Take {
    #[default]
    Value,
    /// For what a later rule would mean as well.
    Nothing,
}

/// Whether its values wait their turn, or overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lane {
    #[default]
    Telemetry,
    Event,
}

/// A small server, and the points that come of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    /// Types of the example, each with the one that it is a subtype of.
    #[serde(default)]
    pub types: std::collections::BTreeMap<String, String>,
    /// `path: object`, `variable` or `property`, and its type where it has one of the model.
    pub nodes: Vec<String>,
    /// `device point`, then `[unit]` and `event` where it is so.
    pub points: Vec<String>,
}

// === impl Profiles ===

impl Profiles {
    /// Ours, and those in a source's shared folder.
    pub(crate) async fn of(state_dir: &Path) -> Arc<Self> {
        let folder = folder(state_dir);
        let read = tokio::task::spawn_blocking(move || Self::read(&folder)).await;
        let profiles = read.unwrap_or_else(|_| Self::ours());
        Arc::new(profiles)
    }

    /// Those that come with the gateway.
    pub(crate) fn ours() -> Self {
        // None is left out: a test parses each.
        let profile = |text: &&str| text.parse::<Profile>().ok();
        Self {
            all: OURS.iter().filter_map(profile).map(Arc::new).collect(),
            remarks: Vec::new(),
        }
    }

    /// Those whose model is among a server's namespaces.
    fn spoken(&self, namespaces: &[String]) -> Vec<Arc<Profile>> {
        let spoken = |profile: &&Arc<Profile>| namespaces.contains(&profile.namespace);
        self.all.iter().filter(spoken).cloned().collect()
    }

    /// Those that rules name, with what the rules wish for; and what is wrong, in words.
    pub(crate) fn chosen(
        &self,
        rules: &[(&str, Wishes)],
    ) -> (Vec<(Arc<Profile>, Wishes)>, Vec<String>) {
        let (mut chosen, mut remarks) = (Vec::new(), Vec::new());
        for (name, wishes) in rules {
            match self.named(name) {
                Some(profile) => chosen.push((Arc::clone(profile), *wishes)),
                None => remarks.push(format!(
                    "there is no profile `{name}`, there are {}",
                    self.names()
                )),
            }
        }
        if !rules.is_empty() {
            remarks.extend(self.remarks.iter().cloned());
        }
        (chosen, remarks)
    }

    fn named(&self, name: &str) -> Option<&Arc<Profile>> {
        self.all.iter().find(|profile| profile.name == name)
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self
            .all
            .iter()
            .map(|profile| profile.name.as_str())
            .collect();
        names.join(", ")
    }

    fn read(folder: &Path) -> Self {
        let mut profiles = Self::ours();
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = files.map(|file| file.path());
        let toml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
        let mut files: Vec<PathBuf> = files.filter(toml).take(MOST_FILES).collect();
        files.sort();
        for file in files {
            match read(&file) {
                Ok(profile) => {
                    profiles.all.retain(|known| known.name != profile.name);
                    profiles.all.push(Arc::new(profile));
                }
                Err(why) => profiles
                    .remarks
                    .push(format!("{} is no profile: {why}", file.display())),
            }
        }
        profiles
    }
}

/// Where a person puts own profiles.
fn folder(state_dir: &Path) -> PathBuf {
    shared_dir(state_dir, "opcua").join("profiles")
}

fn read(file: &Path) -> Result<Profile, String> {
    let about = fs::metadata(file).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes"));
    }
    fs::read_to_string(file)
        .map_err(|error| error.to_string())?
        .parse()
}

// === impl Profile ===

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let profile: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if !is_name(&profile.name) {
            return Err(format!(
                "`{}` is no name; use up to 64 lower-case letters, digits and dashes",
                profile.name.escape_debug()
            ));
        }
        Ok(profile)
    }
}

/// The profiles that a server speaks: it has the model's namespace, and a type of it. Servers without one are asked nothing more.
///
/// # Errors
/// When the server stops answering.
pub(crate) async fn spoken(
    connection: &dyn Connection,
    profiles: &Profiles,
    namespaces: &[String],
    per_browse: usize,
) -> Result<Vec<Arc<Profile>>, Status> {
    let mut spoken = profiles.spoken(namespaces);
    if !spoken.is_empty() {
        let types = Types::of(connection, per_browse).await?;
        let has = |profile: &Profile, rule: &Rule| {
            !types
                .meant(&rule.type_in(&profile.namespace), namespaces)
                .is_empty()
        };
        spoken.retain(|profile| profile.rules.iter().any(|rule| has(profile, rule)));
    }
    Ok(spoken)
}

/// Whether a text can be a profile's name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain)
}

impl Profile {
    /// As a person may take it.
    pub(crate) fn offer(&self) -> Suggestion {
        Suggestion {
            title: self.title.clone(),
            about: format!("{} ({})", self.about, self.specification),
            rule: json!({ "profile": self.name }),
        }
    }
}

// === impl Rule ===

impl Rule {
    /// The type, in the model's namespace where it names none.
    pub(crate) fn type_in(&self, namespace: &str) -> TypeName {
        match &self.type_name {
            TypeName::Named {
                namespace: None,
                name,
            } => TypeName::Named {
                namespace: Some(namespace.to_owned()),
                name: name.clone(),
            },
            other => other.clone(),
        }
    }

    /// What is wished for of a point's values.
    pub(crate) fn wishes(&self, point: &PointRule) -> Wishes {
        let general = Wishes {
            publishing_ms: self.publishing_ms,
            ..Wishes::default()
        };
        let own = Wishes {
            publishing_ms: point.publishing_ms,
            sampling_ms: point.sampling_ms,
            deadband: point.deadband,
            deadband_percent: point.deadband_percent,
            heartbeat_ms: point.heartbeat_ms,
            ..Wishes::default()
        };
        own.or(general)
    }
}

// === impl PointRule ===

impl PointRule {
    /// Whether it means the variable at the end of this way from the instance, each name with its namespace's URI.
    pub(crate) fn means<'n>(
        &self,
        names: impl ExactSizeIterator<Item = (&'n str, &'n str)>,
        is_property: bool,
    ) -> bool {
        let last = names.len().saturating_sub(1);
        let mut at = self.path.step(self.path.start(), "", TOP);
        let mut spelled = false;
        for (place, (namespace, name)) in names.enumerate() {
            spelled = place == last && self.path.spells(at, namespace, name);
            at = self.path.step(at, namespace, name);
        }
        self.path.matched(at) && (spelled || !is_property)
    }

    /// It is a point.
    pub(crate) fn is_taken(&self) -> bool {
        self.take == Take::Value
    }

    pub(crate) fn class(&self) -> Class {
        match self.class {
            Lane::Telemetry => Class::Telemetry,
            Lane::Event => Class::Event,
        }
    }
}

/// A glob begins where everything does; here that is the instance.
fn below<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Glob, D::Error> {
    let text = String::deserialize(deserializer)?;
    format!("{TOP}/{text}")
        .parse()
        .map_err(serde::de::Error::custom)
}

/// Read by its own rules, so that what is wrong is told with its place in the file.
fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: std::fmt::Display>,
    D: serde::Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
