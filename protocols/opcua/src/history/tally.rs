//! `Tally`: what was filled and what stays missing, in words for people. Pure.

use std::collections::{BTreeMap, BTreeSet};

use fieldgate_model::Timestamp;

use super::gaps::Gap;
use crate::status::Status;

/// One filling: of all gaps that wait at the same time.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    values: u64,
    points: BTreeSet<usize>,
    /// From the earliest to the latest moment that is filled.
    span: Option<(Timestamp, Timestamp)>,
    /// Gaps that stay, by the reason.
    left: BTreeMap<String, usize>,
    refused: BTreeMap<String, BTreeSet<usize>>,
    /// Why gaps have to wait now.
    waits: Option<String>,
    /// Nothing was being filled.
    at_rest: bool,
}

// === impl Tally ===

impl Tally {
    /// A gap begins to be filled; the first after some rest begins a new count.
    pub(super) fn begun(&mut self, gap: &Gap) {
        if std::mem::take(&mut self.at_rest) {
            (self.values, self.span) = (0, None);
            self.points.clear();
        }
        self.cover(gap.after);
        if let Some(before) = gap.before {
            self.cover(before);
        }
    }

    /// All are filled, or given up. True when that is news, and something was filled.
    pub(super) fn rest(&mut self) -> bool {
        self.waits = None;
        let news = !std::mem::replace(&mut self.at_rest, true);
        news && self.values > 0
    }

    pub(super) fn filled(&mut self, point: usize, at: Option<Timestamp>) {
        self.values += 1;
        self.points.insert(point);
        if let Some(at) = at {
            self.cover(at);
        }
    }

    /// So many gaps stay, for this reason.
    pub(super) fn left(&mut self, gaps: usize, why: &str) {
        if gaps > 0 {
            *self.left.entry(why.to_owned()).or_insert(0) += gaps;
        }
    }

    /// The server does not answer for good; it is asked again.
    pub(super) fn waits(&mut self, why: &Status) {
        self.waits = Some(why.to_string());
    }

    pub(super) fn waits_no_longer(&mut self) {
        self.waits = None;
    }

    /// The point has no history for us.
    pub(super) fn refused(&mut self, point: usize, why: &Status) {
        let points = self.refused.entry(why.to_string()).or_default();
        points.insert(point);
    }

    fn cover(&mut self, at: Timestamp) {
        let (from, to) = self.span.unwrap_or((at, at));
        self.span = Some((from.min(at), to.max(at)));
    }

    /// `filled a gap of 10 min: 1,200 values for 20 points`
    pub(super) fn words(&self, under_way: bool) -> Option<String> {
        let mut parts = Vec::new();
        if let (true, Some((from, to))) = (self.values > 0, self.span) {
            let (span, values) = (length(from, to), thousands(self.values));
            parts.push(match under_way {
                true => format!(
                    "is filling a gap of {span} from the server's history: {values} values so far"
                ),
                false => format!(
                    "filled a gap of {span}: {values} values for {} points",
                    thousands(self.points.len() as u64)
                ),
            });
        }
        if let (true, Some(why)) = (under_way, &self.waits) {
            parts.push(format!(
                "the server's history is not to be had now, and is asked again: {why}"
            ));
        }
        for (why, points) in &self.refused {
            parts.push(format!(
                "the history of {} points is not to be had: {why}",
                points.len()
            ));
        }
        for (why, gaps) in &self.left {
            parts.push(format!("{gaps} gaps were not filled: {why}"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// `10 min`
fn length(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.nanos().saturating_sub(from.nanos()) / 1_000_000_000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `1,200`
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_and_what_was_not_is_told() {
        let at = Timestamp::from_millis;
        let mut tally = Tally::default();
        assert_eq!(tally.words(true), None);
        tally.begun(&Gap {
            after: at(0),
            before: Some(at(600_000)),
        });
        assert_eq!(tally.words(true), None, "nothing came yet");
        for second in 1..=1200 {
            tally.filled(second % 20, Some(at(second as i64 * 500)));
        }
        let words = |tally: &Tally, under_way| tally.words(under_way).unwrap();
        assert_eq!(
            words(&tally, true),
            "is filling a gap of 10 min from the server's history: 1,200 values so far"
        );
        assert!(tally.rest());
        assert!(!tally.rest());
        assert_eq!(
            words(&tally, false),
            "filled a gap of 10 min: 1,200 values for 20 points"
        );
        tally.refused(3, &Status::named("BadUserAccessDenied"));
        tally.left(2, "they are older than `max_age`");
        assert_eq!(
            words(&tally, false),
            "filled a gap of 10 min: 1,200 values for 20 points; the history of 1 points is not to be had: \
             BadUserAccessDenied: this user may not do that; 2 gaps were not filled: they are older than `max_age`"
        );
        tally.begun(&Gap {
            after: at(0),
            before: None,
        });
        tally.filled(1, Some(at(90_000)));
        assert!(words(&tally, false).starts_with("filled a gap of 90 s: 1 values"));
    }

    #[test]
    fn thousands_are_told_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(count), text);
        }
    }
}
