//! Problems in plain words: one line each, the parser's English turned into what a person does next.

use fieldgate_api::{config::Origin, trouble::ConfigProblem};
use fieldgate_kit::Problem;
use serde_json::Value as Json;

use super::{
    keys::{list, nearest},
    tree::SECRET_KEYS,
};

/// A problem as one line: `file:line: item path: what; remedy`.
#[must_use]
pub fn line(problem: &ConfigProblem) -> String {
    let place = [problem.item.clone(), problem.path.join(".")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let lead = if place.is_empty() {
        place
    } else {
        format!("{place}: ")
    };
    format!(
        "{}: {lead}{}; {}",
        problem.origin, problem.what, problem.remedy
    )
}

/// A problem of an item, at a place.
pub(super) fn problem(
    item: &str,
    path: &[&str],
    origin: &Origin,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> ConfigProblem {
    ConfigProblem {
        item: item.to_owned(),
        path: path.iter().map(|key| (*key).to_owned()).collect(),
        what: what.into(),
        remedy: remedy.into(),
        origin: origin.place.clone(),
    }
}

/// A key that nobody knows.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> (String, String) {
    let remedy = match nearest(key, known) {
        Some(meant) => format!("did you mean `{meant}`? else remove it"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("remove it, or use {}", list(known)),
    };
    (format!("unknown key `{key}`"), remedy)
}

/// By file and line, so that a person can work through them from top to bottom.
pub(super) fn sort(problems: &mut [ConfigProblem]) {
    problems.sort_by_cached_key(|problem| match problem.origin.rsplit_once(':') {
        Some((file, line)) => (file.to_owned(), line.parse().unwrap_or(0_usize)),
        None => (problem.origin.clone(), 0),
    });
}

/// Turns serde's words into ours, and never repeats a secret that was written in clear.
#[must_use]
pub fn plain(problem: Problem, settings: &Json) -> Problem {
    let Problem {
        mut path,
        what,
        remedy,
    } = problem;
    if let Some((key, known)) = named(&what, "unknown field `") {
        let (what, remedy) = unknown_key(key, &known);
        return Problem { path, what, remedy };
    }
    if let Some((word, known)) = named(&what, "unknown variant `") {
        let (what, remedy) = unknown_word(word, &known, value_at(settings, &path));
        return Problem { path, what, remedy };
    }
    if let Some((key, _)) = named(&what, "missing field `") {
        path.push(key.to_owned());
        return Problem {
            what: format!("`{key}` is missing"),
            remedy: format!("add `{key} = …`"),
            path,
        };
    }
    let (what, remedy) = in_plain_words(&what).unwrap_or((what, remedy));
    Problem { path, what, remedy }
}

/// Without `missing` where the key stands, or was misspelt: reading goes on without what could not be read.
pub(super) fn without_consequences(problems: Vec<Problem>, settings: &Json) -> Vec<Problem> {
    let meant: Vec<String> = problems
        .iter()
        .filter(|problem| problem.what.starts_with("unknown key"))
        .map(|problem| problem.remedy.clone())
        .collect();
    let is_consequence = |problem: &Problem| {
        let missing = problem.what.strip_suffix(" is missing");
        missing.is_some_and(|key| {
            let slip = format!("did you mean {key}?");
            value_at(settings, &problem.path).is_some()
                || meant.iter().any(|remedy| remedy.starts_with(&slip))
        })
    };
    problems
        .into_iter()
        .filter(|problem| !is_consequence(problem))
        .collect()
}

/// serde's other messages. Values are not repeated, as they may be secrets in the wrong place.
fn in_plain_words(what: &str) -> Option<(String, String)> {
    let owned = |what: &str, remedy: &str| Some((what.to_owned(), remedy.to_owned()));
    if what == "invalid value: map, expected map with a single key" {
        return owned("this is a choice of one", "leave exactly one of the keys");
    }
    if what.starts_with("invalid type: unit variant") {
        return owned("this is a name without a value", "write { name = value }");
    }
    if let Some(kinds) = what.strip_prefix("invalid type: ") {
        let (found, expected) = kinds.rsplit_once(", expected ")?;
        let what = format!("this is {}", kind_of(found));
        return Some((what, format!("write {}", kind_of(expected))));
    }
    // The types of ours say what to do in the same breath.
    let (what, remedy) = what.split_once("; ")?;
    owned(what, remedy)
}

/// A word of serde's for a kind of value, as people say it.
fn kind_of(word: &str) -> &str {
    let starts = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
    if starts(&["a string", "string or map"]) {
        if word == "string or map" {
            "a table with one key"
        } else {
            "a text in quotes"
        }
    } else if starts(&["string", "character", "a character"]) {
        "a text"
    } else if starts(&["sequence", "a sequence"]) {
        "a list"
    } else if starts(&["map", "a map", "struct", "internally", "adjacently"]) {
        "a table"
    } else if starts(&["boolean", "a boolean"]) {
        "true or false"
    } else if starts(&["integer"])
        || matches!(word.as_bytes(), [b'u' | b'i', b'0'..=b'9', ..])
        || word == "usize"
    {
        "a whole number"
    } else if starts(&["floating point", "f32", "f64"]) {
        "a number"
    } else if starts(&["null", "unit", "Option"]) {
        "nothing"
    } else {
        word
    }
}

fn unknown_word(word: &str, known: &[&str], value: Option<&Json>) -> (String, String) {
    if known == SECRET_KEYS && !value.is_some_and(Json::is_object) {
        return (
            "a secret is written here in clear".to_owned(),
            "keep it in a file of its own and write { file = \"path\" }, or use { env = \"NAME\" } or { credential = \"name\" }"
                .to_owned(),
        );
    }
    let remedy = match nearest(word, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("use {}", list(known)),
    };
    (format!("`{word}` is not known here"), remedy)
}

/// The name in backticks after `prefix`, and the names that were expected.
fn named<'a>(what: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = what.strip_prefix(prefix)?;
    // A name may hold backticks of its own, the list of what was expected does not.
    let (name, expected) = match rest.rfind("`, expected ") {
        Some(at) => (&rest[..at], &rest[at + "`, expected ".len()..]),
        None => (rest.split('`').next().unwrap_or(rest), ""),
    };
    Some((name, expected.split('`').skip(1).step_by(2).collect()))
}

fn value_at<'a>(value: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(value, |at, key| match at {
        Json::Object(map) => map.get(key),
        Json::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(what: &str, settings: &Json, expected: &str) {
        let problem = plain(Problem::new(["p"], what, "fix it"), settings);
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn serde_speaks_plainly() {
        let none = json!({});
        check(
            "unknown field `endpiont`, expected `endpoint` or `user`",
            &none,
            "p: unknown key `endpiont`; did you mean `endpoint`? else remove it",
        );
        check(
            "unknown field `x`, there are no fields",
            &none,
            "p: unknown key `x`; remove it",
        );
        check(
            "missing field `url`",
            &none,
            "p.url: `url` is missing; add `url = …`",
        );
        check(
            "unknown variant `thick`, expected one of `drop_oldest`, `thin`",
            &none,
            "p: `thick` is not known here; did you mean `thin`?",
        );
        for (what, expected) in [
            (
                "invalid type: integer `1`, expected a string",
                "p: this is a whole number; write a text in quotes",
            ),
            (
                "invalid type: string \"x, expected y\", expected u16",
                "p: this is a text; write a whole number",
            ),
            (
                "invalid type: boolean `true`, expected struct User",
                "p: this is true or false; write a table",
            ),
            (
                "`soon` is no span; write \"1 s\"",
                "p: `soon` is no span; write \"1 s\"",
            ),
            ("something else", "p: something else; fix it"),
        ] {
            check(what, &none, expected);
        }
    }

    #[test]
    fn a_secret_in_clear_is_not_repeated() {
        let settings = json!({ "p": "hunter2" });
        let expected = "expected one of `file`, `env`, `credential`, `secret`";
        let what = format!("unknown variant `hunter2`, {expected}");
        let problem = plain(Problem::new(["p"], what, ""), &settings);
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        let what = "invalid type: integer `1234`, expected string or map";
        let problem = plain(Problem::new(["p"], what, ""), &json!({ "p": 1234 }));
        assert!(!problem.to_string().contains("1234"), "{problem}");
    }
}
