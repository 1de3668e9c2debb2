//! The kinds of lines of a unified diff.

/// What a line of a unified diff says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Added,
    Removed,
    /// `@@ … @@`, `--- …`, `+++ …`.
    Place,
    Same,
}

/// Each line with its kind.
#[must_use]
pub fn lines(diff: &str) -> Vec<(Line, &str)> {
    diff.lines().map(|line| (kind(line), line)).collect()
}

/// How many lines were added and removed.
#[must_use]
pub fn sum(diff: &str) -> (usize, usize) {
    let count = |wanted| diff.lines().filter(|line| kind(line) == wanted).count();
    (count(Line::Added), count(Line::Removed))
}

fn kind(line: &str) -> Line {
    if line.starts_with("@@") || line.starts_with("+++ ") || line.starts_with("--- ") {
        Line::Place
    } else if line.starts_with('+') {
        Line::Added
    } else if line.starts_with('-') {
        Line::Removed
    } else {
        Line::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_told_apart() {
        let diff = "--- revision 1\n+++ revision 2\n@@ -1 +1 @@\n kept\n-old\n+new\n+more";
        let kinds: Vec<_> = lines(diff).into_iter().map(|(kind, _)| kind).collect();
        use Line::*;
        assert_eq!(kinds, [Place, Place, Place, Same, Removed, Added, Added]);
        assert_eq!(sum(diff), (2, 1));
    }
}
