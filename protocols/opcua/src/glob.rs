//! `Glob`: a pattern over browse paths, matched name by name while browsing, so that nothing is browsed in vain.
//!
//! `/` separates browse names, `*` stands for one name or for any part of one, `**` for any number of names.
//! A name's own `/`, `*` and `%` are percent-escaped. `nsu=urn:plant;Name` pins the name's namespace (the URI
//! stands as it is, only its own `;` and `%` escaped); a name without one matches in any namespace.

use std::str::FromStr;

use fieldgate_model::unescape_segment;

use crate::node_id::unescape_uri;

/// States are bits of a `u64`, and one bit is for the end.
const MAX_SEGMENTS: usize = 63;

/// A pattern over browse paths that start below the root: `Objects/Line/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    segments: Vec<Segment>,
}

/// How far a browse path has come within a glob. Bit n: the first n segments are behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Progress(u64);

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no browse path: {why}")]
pub struct GlobError {
    text: String,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    AnyDepth,
    Name {
        namespace: Option<String>,
        /// The literal parts between the stars; a single one means no star.
        parts: Vec<String>,
    },
}

// === impl Glob ===

impl Glob {
    /// The beginning: no name is behind yet.
    #[must_use]
    pub fn start(&self) -> Progress {
        self.skip_any_depth(1)
    }

    /// One browse name further.
    #[must_use]
    pub fn step(&self, progress: Progress, namespace: &str, name: &str) -> Progress {
        let next = self
            .waiting(progress)
            .fold(0, |next, (at, segment)| match segment {
                Segment::AnyDepth => next | 1 << at,
                segment if segment.matches(namespace, name) => next | 1 << (at + 1),
                Segment::Name { .. } => next,
            });
        self.skip_any_depth(next)
    }

    /// The path so far is one that the glob means.
    #[must_use]
    pub fn matched(&self, progress: Progress) -> bool {
        progress.0 & 1 << self.segments.len() != 0
    }

    /// Whether it means this whole path below `Objects`, each name with its namespace's URI.
    pub(crate) fn means<'n>(&self, names: impl Iterator<Item = (&'n str, &'n str)>) -> bool {
        let objects = self.step(self.start(), "", "Objects");
        let end = names.fold(objects, |at, (namespace, name)| {
            self.step(at, namespace, name)
        });
        self.matched(end)
    }

    /// A longer path could still match.
    #[must_use]
    pub fn wants_more(&self, progress: Progress) -> bool {
        self.waiting(progress).next().is_some()
    }

    /// The glob spells this very name at this place, without a star.
    #[must_use]
    pub fn spells(&self, progress: Progress, namespace: &str, name: &str) -> bool {
        self.waiting(progress)
            .any(|(_, segment)| segment.is_literal() && segment.matches(namespace, name))
    }

    fn waiting(&self, progress: Progress) -> impl Iterator<Item = (usize, &Segment)> {
        self.segments
            .iter()
            .enumerate()
            .filter(move |(at, _)| progress.0 & 1 << at != 0)
    }

    /// `**` may also stand for no name at all.
    fn skip_any_depth(&self, mut states: u64) -> Progress {
        for (at, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::AnyDepth && states & 1 << at != 0 {
                states |= 1 << (at + 1);
            }
        }
        Progress(states)
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let refuse = |why| GlobError {
            text: text.to_owned(),
            why,
        };
        let mut segments = Vec::new();
        let mut rest = Some(text);
        while let Some(at) = rest {
            let (segment, after) = read_segment(at).map_err(refuse)?;
            segments.push(segment);
            rest = after;
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(refuse("it has more than 63 names"));
        }
        let glob = Self { segments };
        if !glob.wants_more(glob.step(glob.start(), "", "Objects")) {
            return Err(refuse("a browse path starts with Objects/"));
        }
        Ok(glob)
    }
}

// === impl Progress ===

impl Progress {
    /// Nothing can match any more.
    #[must_use]
    pub fn is_dead(self) -> bool {
        self.0 == 0
    }
}

// === impl Segment ===

impl Segment {
    fn is_literal(&self) -> bool {
        matches!(self, Self::Name { parts, .. } if parts.len() == 1)
    }

    fn matches(&self, in_namespace: &str, name: &str) -> bool {
        match self {
            Self::AnyDepth => true,
            Self::Name { namespace, parts } => {
                namespace.as_ref().is_none_or(|uri| uri == in_namespace)
                    && matches_parts(parts, name)
            }
        }
    }
}

/// The first segment of `text`, and what follows its `/`.
fn read_segment(text: &str) -> Result<(Segment, Option<&str>), &'static str> {
    let (namespace, text) = match text.strip_prefix("nsu=") {
        Some(pinned) => {
            let (uri, name) = pinned
                .split_once(';')
                .ok_or("after nsu=… a `;` and the name must follow")?;
            (Some(unescape_uri(uri)), name)
        }
        None => (None, text),
    };
    let (name, after) = match text.split_once('/') {
        Some((name, after)) => (name, Some(after)),
        None => (text, None),
    };
    let segment = match name {
        "" => return Err("a name between two `/` is empty"),
        "**" if namespace.is_none() => Segment::AnyDepth,
        name if name.contains("**") => return Err("`**` stands alone between two `/`"),
        name => Segment::Name {
            namespace,
            parts: name.split('*').map(unescape_segment).collect(),
        },
    };
    Ok((segment, after))
}

/// The parts between stars, in their order.
pub(crate) fn matches_parts(parts: &[String], name: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| only == name);
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path's names are all of namespace `urn:plant`.
    fn check(glob: &str, path: &str, expected: bool) {
        let glob: Glob = glob.parse().unwrap();
        let end = path.split('/').fold(glob.start(), |progress, name| {
            glob.step(progress, "urn:plant", &unescape_segment(name))
        });
        assert_eq!(glob.matched(end), expected, "{glob:?} on {path}");
        assert!(!end.is_dead() || !expected);
    }

    #[test]
    fn paths_match_as_written() {
        for (glob, path, expected) in [
            ("Objects/Line/Temp", "Objects/Line/Temp", true),
            ("Objects/Line/Temp", "Objects/Line", false),
            ("Objects/Line/Temp", "Objects/Line/Temp/Raw", false),
            ("Objects/*/Temp", "Objects/Line/Temp", true),
            ("Objects/*/Temp", "Objects/Temp", false),
            ("Objects/*/Temp", "Objects/a/b/Temp", false),
            ("Objects/**", "Objects/a/b/c", true),
            ("Objects/**/Temp", "Objects/Temp", true),
            ("Objects/**/Temp", "Objects/a/b/Temp", true),
            ("Objects/**/Temp", "Objects/Temp/x", false),
            ("Objects/**/a/**/b", "Objects/a/a/x/b", true),
            ("**", "Objects/a", true),
            ("Objects/T*", "Objects/Temp", true),
            ("Objects/T*p", "Objects/Tp", true),
            ("Objects/T*m*p", "Objects/Temp", true),
            ("Objects/T*m*p", "Objects/Tamp", true),
            ("Objects/T*m*p", "Objects/Tap", false),
            ("Objects/*a*a", "Objects/a", false),
            ("Objects/a%2Fb", "Objects/a%2Fb", true),
            ("Objects/50%25", "Objects/50%25", true),
            ("Objects/%2A", "Objects/%2A", true),
            ("Objects/%2A", "Objects/x", false),
            ("Objects/nsu=urn:plant;Temp", "Objects/Temp", true),
            ("Objects/nsu=urn:plant;T*", "Objects/Temp", true),
            ("Objects/nsu=urn:other;Temp", "Objects/Temp", false),
            ("Objects/nsu=http://plant/x;Temp/y", "Objects/Temp/y", false),
        ] {
            check(glob, path, expected);
        }
    }

    #[test]
    fn a_uri_keeps_its_slashes() {
        let glob: Glob = "Objects/nsu=http://plant/x;Temp/y".parse().unwrap();
        let end = [("", "Objects"), ("http://plant/x", "Temp"), ("", "y")]
            .into_iter()
            .fold(glob.start(), |at, (uri, name)| glob.step(at, uri, name));
        assert!(glob.matched(end));
        assert!(!glob.wants_more(end));
    }

    #[test]
    fn only_a_spelled_name_is_literal() {
        let glob: Glob = "Objects/**/EngineeringUnits".parse().unwrap();
        let at = glob.step(glob.start(), "", "Objects");
        assert!(glob.spells(at, "", "EngineeringUnits"));
        assert!(!glob.spells(at, "", "EURange"));
        let star: Glob = "Objects/**".parse().unwrap();
        assert!(!star.spells(star.step(star.start(), "", "Objects"), "", "EURange"));
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for text in [
            "",
            "/",
            "Objects//x",
            "Objects/",
            "Objects/a**",
            "Objects",
            "Line/Temp",
            "Objects/nsu=urn:x",
            "Objects/nsu=urn:x;",
            "Objects/nsu=urn:x;**",
        ] {
            assert!(text.parse::<Glob>().is_err(), "{text:?}");
        }
        assert!(
            format!("Objects/{}x", "a/".repeat(63))
                .parse::<Glob>()
                .is_err()
        );
    }
}
