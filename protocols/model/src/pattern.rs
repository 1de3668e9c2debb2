//! `Pattern`: a glob over `source/device/point`.
//!
//! `*` is any text within one segment, `**` as a whole segment any number of segments. Everything else is
//! literal, percent escapes included: patterns are written over escaped ids.

use std::{fmt, str::FromStr};

/// A glob over point ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the pattern is empty")]
    Empty,
    #[error("`{0}` has an empty segment")]
    EmptySegment(String),
    #[error("`{0}` has `**` within a segment; `**` stands alone between slashes")]
    DoubleStar(String),
    #[error("`{0}` has more than three segments, so it can match no source/device/point")]
    TooDeep(String),
}

impl Pattern {
    /// True when the pattern takes the point with this id.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let pattern: Vec<&str> = self.text.split('/').collect();
        let segments: Vec<&str> = id.split('/').collect();
        segments_match(&pattern, &segments)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let segments: Vec<&str> = text.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(PatternError::EmptySegment(text.to_owned()));
        }
        if segments
            .iter()
            .any(|segment| segment.contains("**") && *segment != "**")
        {
            return Err(PatternError::DoubleStar(text.to_owned()));
        }
        if segments.iter().filter(|segment| **segment != "**").count() > 3 {
            return Err(PatternError::TooDeep(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segments_match(pattern: &[&str], segments: &[&str]) -> bool {
    match pattern.split_first() {
        None => segments.is_empty(),
        Some((&"**", rest)) => {
            (0..=segments.len()).any(|skipped| segments_match(rest, &segments[skipped..]))
        }
        Some((first, rest)) => segments.split_first().is_some_and(|(segment, others)| {
            segment_matches(first, segment) && segments_match(rest, others)
        }),
    }
}

/// One segment, where `*` is any text; greedy from the left, linear in the text for each star.
fn segment_matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().expect("splitting yields at least one piece");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_people_expect() {
        for (pattern, id, expected) in [
            ("press/**", "press/a/b", true),
            ("press/**", "press2/a/b", false),
            ("**", "a/b/c", true),
            ("*/*/temperature", "press/a/temperature", true),
            ("*/temperature", "press/a/temperature", false),
            ("**/temperature", "press/a/temperature", true),
            ("press/Line*/t*e", "press/Line 1/temperature", true),
            ("press/Line*/t*e", "press/Line 1/temp", false),
            ("press/a/b", "press/a/b", true),
            ("press/*a*a/b", "press/aba/b", true),
            ("press/*a*a/b", "press/a/b", false),
        ] {
            let parsed: Pattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches(id), expected, "{pattern} over {id}");
        }
    }

    #[test]
    fn what_is_no_glob_says_why() {
        for text in ["", "a//b", "/a", "a/b**", "a/b/c/d"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }
}
