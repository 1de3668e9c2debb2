//! `Conditions`: which conditions are open, so that a refresh tells what changed while nobody listened, and nothing twice. Pure.
//!
//! A condition is open as long as the server retains it (OPC UA Part 9, 5.5.2). After each connect the server is asked to
//! tell all of them (ConditionRefresh, 5.5.7), between a RefreshStart and a RefreshEnd: what is known and unchanged is not
//! told again, what is not told any more is over.

use std::collections::HashMap;

use fieldgate_model::{Alarm, PointId, Timestamp};

/// Open conditions of one source. What comes on top is told like any event, and not kept.
const MAX_OPEN: usize = 10_000;
/// What they may take in memory together: ten thousand with long texts would be a hundred times of what they usually are.
const MAX_BYTES: usize = 16 << 20;
/// A condition whose ids are longer is not kept either.
const MAX_ID_BYTES: usize = 4_096;
/// Texts are kept up to this length; they are told whole.
const MAX_TEXT_CHARS: usize = 1_000;
/// A refresh whose end did not come by then is over, and closes nothing.
const LONGEST_REFRESH_NANOS: i64 = 60_000_000_000;

/// The open conditions of all rules of events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    known: HashMap<Key, Known>,
    /// What all that is known takes.
    bytes: usize,
    /// Changes of conditions for which there was no room.
    not_kept: u64,
    /// The refreshes that are under way, by their rule.
    refreshes: HashMap<usize, Refresh>,
    /// Counts on with each beginning of a refresh.
    turn: u64,
}

/// A condition's state as an event told it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The place of the rule that wanted it.
    pub rule: usize,
    pub alarm: Alarm,
    pub retain: bool,
    /// Of all that is told but what each event has anew.
    pub print: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: usize,
    point: PointId,
    condition: String,
    branch: Option<String>,
}

#[derive(Debug, Clone)]
struct Known {
    alarm: Alarm,
    /// With its key.
    bytes: usize,
    print: u64,
    /// When it was told last.
    turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Refresh {
    /// What was told before this turn and not since is over.
    turn: u64,
    until: Timestamp,
}

/// What an event about a condition is.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken {
    /// To be told; the alarm is open in this state.
    Opened(Alarm),
    /// To be told; the alarm is over.
    Closed(Alarm),
    /// Told already; only its event is another one, maybe.
    Unchanged(Alarm),
    /// To be told, and not kept: if it was, it is not any more.
    NotKept(Alarm),
}

// === impl Conditions ===

impl Conditions {
    /// The server was asked to refresh these rules' conditions.
    pub(crate) fn asked(&mut self, rules: impl Iterator<Item = usize>, now: Timestamp) {
        for rule in rules {
            self.started(rule, now);
        }
    }

    /// RefreshStart: from here on everything that is open is told.
    pub(crate) fn started(&mut self, rule: usize, now: Timestamp) {
        self.turn += 1;
        let until = now.nanos().saturating_add(LONGEST_REFRESH_NANOS);
        let refresh = Refresh {
            turn: self.turn,
            until: Timestamp::from_nanos(until),
        };
        self.refreshes.insert(rule, refresh);
    }

    /// RefreshEnd: the conditions that are over, because they were not told.
    pub(crate) fn ended(&mut self, rule: usize, now: Timestamp) -> Vec<Alarm> {
        let refresh = self.refreshes.remove(&rule);
        let Some(refresh) = refresh.filter(|refresh| now <= refresh.until) else {
            return Vec::new();
        };
        let (mut over, mut freed) = (Vec::new(), 0);
        self.known.retain(|key, known| {
            let stays = key.rule != rule || known.turn >= refresh.turn;
            if !stays {
                freed += known.bytes;
                over.push(known.alarm.clone());
            }
            stays
        });
        self.bytes -= freed;
        over.sort_by_key(|alarm| alarm.since);
        over
    }

    /// Some of what this refresh told was lost, so that nothing can be said of what was not told.
    pub(crate) fn spoil(&mut self, rule: usize) {
        self.refreshes.remove(&rule);
    }

    /// The server refreshes nothing, or its connection is lost.
    pub(crate) fn abandon(&mut self) {
        self.refreshes.clear();
    }

    /// Nothing that was told counts.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
        self.abandon();
    }

    /// It is open, so that its end is wanted whatever a filter says.
    pub(crate) fn knows(&self, rule: usize, alarm: &Alarm) -> bool {
        self.known.contains_key(&Key::of(rule, alarm))
    }

    pub(crate) fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// Takes a state over, and says whether it is to be told.
    pub(crate) fn take(&mut self, told: Told, now: Timestamp) -> Taken {
        let Told {
            rule,
            mut alarm,
            retain,
            print,
        } = told;
        let key = Key::of(rule, &alarm);
        shorten(&mut alarm);
        let before = self.known.remove(&key);
        self.bytes -= before.as_ref().map_or(0, |known| known.bytes);
        if !retain {
            return Taken::Closed(alarm);
        }
        if let Some(known) = &before
            && known.alarm.active == Some(true)
            && alarm.active == Some(true)
        {
            alarm.since = known.alarm.since;
        }
        let bytes = key.bytes() + bytes_of(&alarm);
        let fits = self.known.len() < MAX_OPEN && self.bytes + bytes <= MAX_BYTES;
        if !fits || !key.fits() || alarm.event.len() > MAX_ID_BYTES {
            self.not_kept += 1;
            return Taken::NotKept(alarm);
        }
        let refresh = self.refreshes.get(&rule);
        let refreshing = refresh.is_some_and(|refresh| now <= refresh.until);
        let same =
            before.is_some_and(|known| known.alarm.event == alarm.event || known.print == print);
        let known = Known {
            alarm: alarm.clone(),
            bytes,
            print,
            turn: self.turn,
        };
        self.bytes += bytes;
        self.known.insert(key, known);
        match refreshing && same {
            true => Taken::Unchanged(alarm),
            false => Taken::Opened(alarm),
        }
    }
}

// === impl Key ===

impl Key {
    fn of(rule: usize, alarm: &Alarm) -> Self {
        Self {
            rule,
            point: alarm.point.clone(),
            condition: alarm.condition.clone(),
            branch: alarm.branch.clone(),
        }
    }

    fn bytes(&self) -> usize {
        let branch = self.branch.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.point.as_str().len() + self.condition.len() + branch
    }

    fn fits(&self) -> bool {
        let branch = self.branch.as_ref().map_or(0, String::len);
        self.condition.len().max(branch) <= MAX_ID_BYTES
    }
}

/// What an alarm takes in memory, about.
fn bytes_of(alarm: &Alarm) -> usize {
    let whole = [
        &alarm.condition,
        &alarm.event,
        &alarm.name,
        &alarm.source,
        &alarm.kind,
        &alarm.message,
    ];
    let maybe = [
        &alarm.branch,
        &alarm.shelving,
        &alarm.quality,
        &alarm.comment,
        &alarm.user,
    ];
    let texts = whole.into_iter().chain(maybe.into_iter().flatten());
    size_of::<Known>() + texts.map(String::len).sum::<usize>()
}

fn shorten(alarm: &mut Alarm) {
    let whole = [
        &mut alarm.name,
        &mut alarm.source,
        &mut alarm.kind,
        &mut alarm.message,
    ];
    let maybe = [
        &mut alarm.shelving,
        &mut alarm.quality,
        &mut alarm.comment,
        &mut alarm.user,
    ];
    for text in whole.into_iter().chain(maybe.into_iter().flatten()) {
        if let Some((at, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
            text.truncate(at);
            text.push('…');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(5_000_000_000);

    fn told(name: &str, event: &str, active: bool) -> Told {
        let alarm = Alarm {
            point: format!("s/Server/{name}").parse().unwrap(),
            condition: format!("ns=2;s={name}"),
            branch: None,
            event: event.to_owned(),
            name: name.to_owned(),
            source: "Press".to_owned(),
            kind: "AlarmConditionType".to_owned(),
            severity: 700,
            message: "too hot".to_owned(),
            active: Some(active),
            acked: Some(false),
            confirmed: None,
            suppressed: None,
            shelving: None,
            quality: None,
            comment: None,
            user: None,
            since: NOW,
            at: NOW,
            allow: Vec::new(),
        };
        Told {
            rule: 0,
            print: u64::from(active),
            alarm,
            retain: true,
        }
    }

    /// What a state is: `opened`, `closed`, `unchanged`, `not kept`.
    fn check(conditions: &mut Conditions, told: Told, expected: &str) {
        let event = told.alarm.event.clone();
        let said = match conditions.take(told, NOW) {
            Taken::Opened(_) => "opened",
            Taken::Closed(_) => "closed",
            Taken::Unchanged(_) => "unchanged",
            Taken::NotKept(_) => "not kept",
        };
        assert_eq!(said, expected, "{event}");
    }

    fn names(alarms: &[Alarm]) -> Vec<&str> {
        alarms.iter().map(|alarm| &*alarm.name).collect()
    }

    #[test]
    fn a_refresh_tells_what_is_new_and_closes_what_is_gone() {
        let mut conditions = Conditions::default();
        for name in ["same", "changed", "gone"] {
            check(&mut conditions, told(name, "1", true), "opened");
        }
        conditions.asked([0].into_iter(), NOW);
        conditions.started(0, NOW);
        check(&mut conditions, told("same", "1", true), "unchanged");
        check(&mut conditions, told("changed", "2", false), "opened");
        check(&mut conditions, told("new", "3", true), "opened");
        assert_eq!(names(&conditions.ended(0, NOW)), ["gone"]);
        assert_eq!(names(&conditions.ended(0, NOW)), [""; 0], "it is over once");
        check(&mut conditions, told("gone", "4", true), "opened");
    }

    #[test]
    fn a_server_that_makes_new_events_for_a_refresh_tells_nothing_twice_either() {
        let mut conditions = Conditions::default();
        check(&mut conditions, told("a", "1", true), "opened");
        conditions.asked([0].into_iter(), NOW);
        let Taken::Unchanged(alarm) = conditions.take(told("a", "2", true), NOW) else {
            panic!("it is told twice");
        };
        assert_eq!(alarm.event, "2", "this is the one to be acknowledged");
        conditions.ended(0, NOW);
        check(&mut conditions, told("a", "3", true), "opened");
    }

    #[test]
    fn what_was_told_before_the_refresh_started_does_not_count() {
        let mut conditions = Conditions::default();
        conditions.asked([0].into_iter(), NOW);
        check(&mut conditions, told("queued", "1", true), "opened");
        conditions.started(0, NOW);
        assert_eq!(names(&conditions.ended(0, NOW)), ["queued"]);
    }

    #[test]
    fn a_refresh_that_does_not_end_or_is_refused_closes_nothing() {
        let mut conditions = Conditions::default();
        check(&mut conditions, told("a", "1", true), "opened");
        conditions.started(0, NOW);
        let late = Timestamp::from_nanos(NOW.nanos() + LONGEST_REFRESH_NANOS + 1);
        assert_eq!(conditions.ended(0, late), []);
        conditions.asked([0].into_iter(), NOW);
        conditions.abandon();
        assert_eq!(conditions.ended(0, NOW), []);
        check(&mut conditions, told("a", "1", true), "opened");
    }

    #[test]
    fn a_rule_closes_only_its_own() {
        let mut conditions = Conditions::default();
        check(&mut conditions, told("a", "1", true), "opened");
        conditions.started(1, NOW);
        assert_eq!(conditions.ended(1, NOW), []);
    }

    #[test]
    fn a_condition_that_is_not_retained_is_over() {
        let mut conditions = Conditions::default();
        let opened = told("a", "1", true);
        check(&mut conditions, opened.clone(), "opened");
        assert!(conditions.knows(0, &opened.alarm) && !conditions.knows(1, &opened.alarm));
        let over = Told {
            retain: false,
            ..told("a", "2", false)
        };
        check(&mut conditions, over, "closed");
        assert!(!conditions.knows(0, &opened.alarm));
    }

    #[test]
    fn since_is_when_it_became_active() {
        let mut conditions = Conditions::default();
        check(&mut conditions, told("a", "1", true), "opened");
        let mut acked = told("a", "2", true);
        acked.alarm.since = Timestamp::from_nanos(9_000_000_000);
        let Taken::Opened(alarm) = conditions.take(acked, NOW) else {
            panic!("it is told");
        };
        assert_eq!(alarm.since, NOW);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut conditions = Conditions::default();
        for at in 0..MAX_OPEN {
            conditions.take(told(&at.to_string(), "1", true), NOW);
        }
        check(&mut conditions, told("more", "1", true), "not kept");
        let mut long = told("0", "2", true);
        long.alarm.message = "x".repeat(5_000);
        let Taken::Opened(alarm) = conditions.take(long, NOW) else {
            panic!("it is told");
        };
        assert_eq!(alarm.message.chars().count(), MAX_TEXT_CHARS + 1);
        let mut conditions = Conditions::default();
        let long = told("0", &"x".repeat(5_000), true);
        check(&mut conditions, long, "not kept");
    }

    #[test]
    fn the_table_is_bounded_in_bytes_too_and_what_goes_makes_room() {
        let wordy = |name: &str, event: &str| {
            let mut told = told(name, event, true);
            for text in [
                &mut told.alarm.message,
                &mut told.alarm.source,
                &mut told.alarm.kind,
            ] {
                *text = "ü".repeat(MAX_TEXT_CHARS);
            }
            told
        };
        let mut conditions = Conditions::default();
        let mut kept = 0;
        while let Taken::Opened(_) = conditions.take(wordy(&kept.to_string(), "1"), NOW) {
            kept += 1;
        }
        assert!(kept < MAX_OPEN / 2, "{kept}");
        assert!(conditions.bytes <= MAX_BYTES && conditions.not_kept() == 1);
        // One that is known and becomes larger than there is room for is not kept either.
        check(&mut conditions, told("0", "2", true), "opened");
        let mut more = 0;
        while let Taken::Opened(_) = conditions.take(told(&format!("m{more}"), "1", true), NOW) {
            more += 1;
        }
        let Taken::NotKept(alarm) = conditions.take(wordy("0", "5"), NOW) else {
            panic!("there is no room for it");
        };
        assert!(!conditions.knows(0, &alarm));
        let over = Told {
            retain: false,
            ..wordy("1", "2")
        };
        check(&mut conditions, over, "closed");
        check(&mut conditions, wordy("0", "6"), "opened");
        conditions.started(0, NOW);
        conditions.ended(0, NOW);
        assert_eq!(conditions.bytes, 0);
    }
}
