//! The lines of a small chart: numbers over time, gaps left as gaps.

/// Pieces of a line as the `points` of SVG polylines within `width` × `height`. A gap is where the time between two
/// numbers is over five times the median.
#[must_use]
pub fn pieces(history: &[(i64, f64)], width: f64, height: f64) -> Vec<String> {
    let finite: Vec<(i64, f64)> = history
        .iter()
        .copied()
        .filter(|(_, n)| n.is_finite())
        .collect();
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else {
        return Vec::new();
    };
    let (low, high) = range(&finite);
    let span = ((last.0 - first.0) as f64).max(1.0);
    let tall = if high > low { high - low } else { 1.0 };
    let limit = gap(&finite);
    let mut pieces: Vec<String> = Vec::new();
    let mut before: Option<i64> = None;
    for &(at, number) in &finite {
        let x = (at - first.0) as f64 / span * width;
        let y = if high > low {
            height - (number - low) / tall * height
        } else {
            height / 2.0
        };
        let joined = before.is_some_and(|before| at - before <= limit);
        match pieces.last_mut() {
            Some(piece) if joined => piece.push_str(&format!(" {x:.1},{y:.1}")),
            _ => pieces.push(format!("{x:.1},{y:.1}")),
        }
        before = Some(at);
    }
    pieces
}

/// The smallest and the largest number; zeros when there is none.
#[must_use]
pub fn range(history: &[(i64, f64)]) -> (f64, f64) {
    let mut numbers = history.iter().map(|(_, n)| *n).filter(|n| n.is_finite());
    let Some(first) = numbers.next() else {
        return (0.0, 0.0);
    };
    numbers.fold((first, first), |(low, high), n| (low.min(n), high.max(n)))
}

fn gap(history: &[(i64, f64)]) -> i64 {
    let mut steps: Vec<i64> = history
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .collect();
    steps.sort_unstable();
    steps
        .get(steps.len() / 2)
        .map_or(i64::MAX, |median| (median * 5).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_starts_a_new_piece() {
        let history = [(0, 0.0), (10, 1.0), (20, 2.0), (120, 0.0), (130, 2.0)];
        let pieces = pieces(&history, 130.0, 20.0);
        assert_eq!(
            pieces,
            ["0.0,20.0 10.0,10.0 20.0,0.0", "120.0,20.0 130.0,0.0"]
        );
    }

    #[test]
    fn what_never_moves_is_a_line_in_the_middle() {
        assert_eq!(
            pieces(&[(0, 7.0), (10, 7.0)], 10.0, 20.0),
            ["0.0,10.0 10.0,10.0"]
        );
        assert!(pieces(&[(0, f64::NAN)], 10.0, 20.0).is_empty());
    }
}
