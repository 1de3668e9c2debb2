//! Settings: reading them from a table with all problems at once, and the value types that several protocols share.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned};
use serde_json::Value as Json;

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as the keys and list indices that lead there: `["select", "0", "node"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Everything that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SettingsError(pub Vec<Problem>);

/// A number of bytes, written `2 GiB` or `64 MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A span of time, written `30 d`, `500 ms` or `1 h 30 min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

// === impl Problem ===

impl Problem {
    #[must_use]
    pub fn new<S: Into<String>>(
        path: impl IntoIterator<Item = S>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path.join("."))?;
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Reads settings from a table, and reports every problem that can be told apart, not just the first.
///
/// serde stops at the first problem. So the offending key is taken out, and the rest is read again, until
/// the rest is good or nothing more can be taken out.
///
/// # Errors
/// All problems, in the order in which they were met.
pub fn read<S: DeserializeOwned>(mut table: Json) -> Result<S, SettingsError> {
    let mut problems = Vec::new();
    let mut taken_out: Vec<Vec<String>> = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, S>(table.clone()) {
            Ok(settings) if problems.is_empty() => return Ok(settings),
            Ok(_) => return Err(SettingsError(problems)),
            Err(error) => {
                let what = error.inner().to_string();
                let now_at = locate(error.path(), &what);
                let removed = remove(&mut table, &now_at);
                let path = originally(&now_at, &taken_out);
                let remedy = remedy(&what);
                let problem = Problem {
                    path: path.clone(),
                    what,
                    remedy,
                };
                if problems.contains(&problem) {
                    return Err(SettingsError(problems));
                }
                problems.push(problem);
                taken_out.push(path);
                if !removed {
                    return Err(SettingsError(problems));
                }
            }
        }
    }
}

/// Where a path of the thinned table was in the whole one: list elements taken out before have moved the later ones up.
fn originally(path: &[String], taken_out: &[Vec<String>]) -> Vec<String> {
    let mut original: Vec<String> = Vec::with_capacity(path.len());
    for key in path {
        let Ok(mut index) = key.parse::<usize>() else {
            original.push(key.clone());
            continue;
        };
        let gone = |out: &Vec<String>| {
            out.split_last()
                .filter(|(_, parent)| *parent == original)
                .and_then(|(last, _)| last.parse().ok())
        };
        let mut gone: Vec<usize> = taken_out.iter().filter_map(gone).collect();
        gone.sort_unstable();
        for out in gone {
            if out <= index {
                index += 1;
            }
        }
        original.push(index.to_string());
    }
    original
}

/// The path of the error, down to the unknown key itself.
fn locate(path: &serde_path_to_error::Path, what: &str) -> Vec<String> {
    use serde_path_to_error::Segment;
    let mut keys: Vec<String> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    if let Some(key) = what
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next())
        && keys.last().map(String::as_str) != Some(key)
    {
        keys.push(key.to_owned());
    }
    keys
}

/// Takes the value at `path` out of the table; false when it is not there.
fn remove(table: &mut Json, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut at = table;
    for key in parents {
        let next = match at {
            Json::Object(map) => map.get_mut(key),
            Json::Array(list) => key
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get_mut(index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    match at {
        Json::Object(map) => map.remove(last).is_some(),
        Json::Array(list) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => {
                list.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn remedy(what: &str) -> String {
    if what.starts_with("unknown field") {
        "correct the spelling or remove the key".to_owned()
    } else if what.starts_with("missing field") {
        "add it".to_owned()
    } else {
        "give a value of the kind that is expected".to_owned()
    }
}

// === impl ByteSize and Span ===

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_| format!("`{text}` is no size; write for instance \"2 GiB\""))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", bytesize::ByteSize(self.0).display().iec())
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map(Self).map_err(|_| {
            format!("`{text}` is no span of time; write for instance \"30 d\" or \"500 ms\"")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

macro_rules! written_as_text {
    ($type:ty, $name:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

written_as_text!(ByteSize, "ByteSize", r"^\s*[0-9.]+\s*[kKMGT]?i?B\s*$");
written_as_text!(Span, "Span", r"^(\s*[0-9]+\s*[a-zA-Z]+)+\s*$");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read, to see what reading reports")]
    struct Sample {
        name: String,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read, to see what reading reports")]
    struct Inner {
        #[serde(default)]
        wait: Option<Span>,
    }

    #[test]
    fn all_problems_are_reported_with_their_paths() {
        let table = json!({ "name": "x", "port": "y", "inner": { "wait": "soon", "colour": 1 }, "prot": 2 });
        let SettingsError(problems) = read::<Sample>(table).unwrap_err();
        let mut paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
        paths.sort();
        assert_eq!(paths, ["inner.colour", "inner.wait", "port", "prot"]);
    }

    #[test]
    fn a_list_element_keeps_its_number() {
        let table = json!([1, "a", 2, "b", "c", 3]);
        let SettingsError(problems) = read::<Vec<u16>>(table).unwrap_err();
        let paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
        assert_eq!(paths, ["1", "3", "4"]);
    }

    #[test]
    fn a_missing_key_is_named() {
        let SettingsError(problems) = read::<Sample>(json!({})).unwrap_err();
        assert_eq!(problems[0].what, "missing field `name`");
    }

    #[test]
    fn sizes_and_spans_read_as_people_write_them() {
        for (text, bytes) in [("2 GiB", 2 << 30), ("64MiB", 64 << 20), ("1 MB", 1_000_000)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
        for (text, seconds) in [("30 d", 2_592_000), ("1 h 30 min", 5400), ("90s", 90)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))));
        }
        assert!("soon".parse::<Span>().is_err());
        assert_eq!(ByteSize(2 << 30).to_string().parse(), Ok(ByteSize(2 << 30)));
        assert_eq!(
            Span(Duration::from_secs(5400)).to_string().parse(),
            Ok(Span(Duration::from_secs(5400)))
        );
    }
}
