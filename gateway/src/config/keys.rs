//! Names: what an id may look like, and which known name someone may have meant.

/// The longest id, in bytes.
const MAX_ID_LEN: usize = 64;

/// What is wrong with an id; `None` when it is a good one.
pub(super) fn id_fault(id: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() {
        Some("the id is empty".to_owned())
    } else if id.len() > MAX_ID_LEN {
        Some(format!("the id is {} bytes long", id.len()))
    } else if id.starts_with('.') || !id.chars().all(plain) {
        Some(format!("`{}` is no id", id.escape_debug()))
    } else {
        None
    }
}

/// The candidate that differs least from `word`, when it differs little enough to be a slip.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` or `c` ``
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Levenshtein's distance, where two neighbours that changed places count once.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    rows[0] = (0..=right.len()).collect();
    for i in 1..=left.len() {
        rows[i][0] = i;
        for j in 1..=right.len() {
            let differ = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + differ);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        for (word, meant) in [
            ("endpiont", Some("endpoint")),
            ("sources", Some("source")),
            ("Kind", Some("kind")),
            ("colour", None),
            ("", None),
        ] {
            let found = nearest(word, &["endpoint", "source", "kind", "to"]);
            assert_eq!(found, meant, "{word}");
        }
    }

    #[test]
    fn ids_are_slugs() {
        for id in ["press", "Line-4_b.2", "0"] {
            assert_eq!(id_fault(id), None, "{id}");
        }
        for id in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "a b",
            "ä",
            "a\0",
            &"a".repeat(65),
        ] {
            assert!(id_fault(id).is_some(), "{id:?}");
        }
    }
}
