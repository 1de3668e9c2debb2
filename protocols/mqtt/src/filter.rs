//! `Filter`: a topic filter (MQTT 5 §4.7.1), parsed once: `hmi/+/answers`, `hmi/#`. Pure.

use std::{borrow::Cow, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// `+` stands for one level, `#` at the end for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Vec<String>);

/// Why a text is no topic filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("the topic filter is empty; write for instance \"hmi/#\"")]
    Empty,
    #[error("`{0}` has control characters, which no topic has; leave them out")]
    Control(String),
    #[error(
        "in `{0}` a `+` or `#` stands beside something else, or a `#` before the end; write them like a/+/b and a/#"
    )]
    Wildcard(String),
}

// === impl Filter ===

impl Filter {
    /// Whether it means this topic, which is none of the broker's own: a wildcard in front does not mean those (§4.7.2).
    pub(crate) fn takes(&self, topic: &str) -> bool {
        let mut levels = topic.split('/');
        for filter in &self.0 {
            match (filter.as_str(), levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (text, Some(level)) if text == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.is_empty() {
            return Err(FilterError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(FilterError::Control(text.escape_debug().to_string()));
        }
        let levels: Vec<String> = text.split('/').map(str::to_owned).collect();
        let alone = |level: &String| level.len() == 1 || !level.contains(['+', '#']);
        let before_end = &levels[..levels.len() - 1];
        if !levels.iter().all(alone) || before_end.iter().any(|level| level == "#") {
            return Err(FilterError::Wildcard(text.to_owned()));
        }
        Ok(Self(levels))
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Filter {
    fn schema_name() -> Cow<'static, str> {
        "TopicFilter".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_what_it_says() {
        for (filter, topic, expected) in [
            ("hmi/#", "hmi/3/answers", true),
            ("hmi/#", "hmi", true),
            ("hmi/#", "hmi-3/answers", false),
            ("hmi/+/answers", "hmi/3/answers", true),
            ("hmi/+/answers", "hmi/3/4/answers", false),
            ("hmi/+", "hmi", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("#", "a", true),
        ] {
            let parsed: Filter = filter.parse().unwrap();
            assert_eq!(parsed.takes(topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told() {
        for (text, part) in [
            ("", "is empty"),
            ("a\nb", "control characters"),
            ("a/#/b", "before the end"),
            ("a/b#", "beside something else"),
            ("a+/b", "beside something else"),
        ] {
            let words = text.parse::<Filter>().unwrap_err().to_string();
            assert!(words.contains(part), "{words}");
        }
    }
}
