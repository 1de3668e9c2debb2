//! `Set`: the servers that have the same values, what is known of each, and which of them is the one to be on (OPC UA Part 4,
//! 6.6.2). Pure.

use std::time::Duration;

use fieldgate_kit::SourceError;
use tokio::time::Instant;

use super::Reach;
use crate::{dial::Target, settings::Settings};

/// A server is not left for one that is only better within so long after the last move.
const STAY: Duration = Duration::from_secs(30);
/// Within the same sub-range, so much better is worth a move.
const MUCH_BETTER: u8 = 50;
/// How old a level may be that a move rests on.
const FRESH: Duration = Duration::from_secs(15);
/// The others are looked at so often while the current one is healthy, and while it is not.
const LOOK: Duration = Duration::from_secs(60);
const LOOK_IN_NEED: Duration = Duration::from_secs(4);
/// The most servers of a set.
const MAX_MEMBERS: usize = 8;

/// What a ServiceLevel means (Part 4, 6.6.2.4.2), the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Maintenance,
    NoData,
    Degraded,
    Healthy,
}

/// What was seen of a server last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    Unknown,
    /// It can be reached, and says this ServiceLevel.
    Level(u8),
    /// It cannot be used, in words; trying again soon is of no use when it refused us.
    Failed {
        why: String,
        refused: bool,
    },
}

#[derive(Debug, Clone)]
struct Member {
    address: String,
    /// Its application URI, once it is known.
    uri: Option<String>,
    /// Where it may be.
    reach: Reach,
    /// It was not configured: another server named it.
    learned: bool,
    fact: Fact,
    at: Instant,
}

/// All servers of a source; most have one.
#[derive(Debug)]
pub(crate) struct Set {
    members: Vec<Member>,
    current: usize,
    /// Why the current one is not the first, and since when.
    moved: Option<(String, Instant)>,
    /// The attempt ends because it is better to be elsewhere.
    moving: bool,
    looked: Option<Instant>,
    /// What kind of set the server says that this is.
    kind: &'static str,
    /// Servers that another one named, and that are not asked: they are not near.
    only_named: Vec<String>,
}

// === impl Service ===

impl Service {
    fn of(level: u8) -> Self {
        match level {
            0 => Self::Maintenance,
            1 => Self::NoData,
            2..=199 => Self::Degraded,
            200..=255 => Self::Healthy,
        }
    }
}

/// `service level 100 (degraded)`
fn level_words(level: u8) -> String {
    let meaning = match Service::of(level) {
        Service::Maintenance => "in maintenance",
        Service::NoData => "no data",
        Service::Degraded => "degraded",
        Service::Healthy => "healthy",
    };
    format!("service level {level} ({meaning})")
}

// === impl Set ===

impl Set {
    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let configured = std::iter::once(&settings.endpoint).chain(&settings.alternates);
        let member = |address: &String| Member {
            address: address.clone(),
            uri: None,
            reach: Reach::Named,
            learned: false,
            fact: Fact::Unknown,
            at: now,
        };
        Self {
            members: configured.map(member).take(MAX_MEMBERS).collect(),
            current: 0,
            moved: None,
            moving: false,
            looked: None,
            kind: "",
            only_named: Vec::new(),
        }
    }

    /// Where the next session is opened: where it was if that did not fail, else the best that did not, else the one that
    /// failed the longest ago.
    pub(crate) fn choose(&mut self, now: Instant) -> &str {
        let next = self.next();
        if next != self.current {
            let left = &self.members[self.current];
            let why = format!("because {} {}", left.address, left.fact_words());
            self.moved = Some((why, now));
            self.current = next;
        }
        &self.members[self.current].address
    }

    fn next(&self) -> usize {
        let here = self.current;
        if !self.members[here].is_failed() {
            return here;
        }
        let usable = (0..self.members.len()).filter(|at| !self.members[*at].is_failed());
        // Of equal ones the first that is configured.
        let best = usable.min_by_key(|at| std::cmp::Reverse(self.members[*at].level()));
        best.unwrap_or_else(|| {
            let oldest = (0..self.members.len()).min_by_key(|at| self.members[*at].at);
            oldest.unwrap_or(here)
        })
    }

    pub(crate) fn is_single(&self) -> bool {
        self.members.len() == 1
    }

    pub(crate) fn current(&self) -> usize {
        self.current
    }

    pub(crate) fn address(&self, member: usize) -> &str {
        &self.members[member].address
    }

    /// The others, which are looked at when it is time.
    pub(crate) fn others(&self) -> Vec<usize> {
        let all = 0..self.members.len();
        all.filter(|member| *member != self.current).collect()
    }

    /// Whether the others are to be looked at now: sooner when the current one is not what it should be.
    pub(crate) fn is_look_due(&self, now: Instant) -> bool {
        let here = &self.members[self.current];
        let healthy =
            matches!(here.fact, Fact::Level(level) if Service::of(level) == Service::Healthy);
        let pause = if healthy { LOOK } else { LOOK_IN_NEED };
        !self.is_single() && self.looked.is_none_or(|looked| now >= looked + pause)
    }

    pub(crate) fn looked(&mut self, now: Instant) {
        self.looked = Some(now);
    }

    /// What kind of set it is, as the server says.
    pub(crate) fn is_of_kind(&mut self, kind: &'static str) {
        self.kind = kind;
    }

    /// Which application a member is: one that was learned under another address is the same then.
    pub(crate) fn is_application(&mut self, member: usize, uri: &str) {
        self.members[member].uri = Some(uri.to_owned());
        let current = self.members[self.current].address.clone();
        let mut at = 0;
        self.members.retain(|other| {
            at += 1;
            let same = at - 1 != member && other.uri.as_deref() == Some(uri);
            !(same && other.learned && other.address != current)
        });
        let found = self.members.iter().position(|of| of.address == current);
        self.current = found.unwrap_or(0);
    }

    /// The application URIs that a server names and nobody here knows.
    pub(crate) fn unknown<'u>(&self, uris: &'u [String]) -> Vec<&'u String> {
        let known = |uri: &String| {
            let known = |member: &Member| member.uri.as_ref() == Some(uri);
            self.members.iter().any(known)
        };
        uris.iter().filter(|uri| !known(uri)).collect()
    }

    /// Whether a member is at one of these addresses.
    pub(crate) fn knows(&self, addresses: &[String]) -> bool {
        let known = |address: &String| self.members.iter().any(|member| member.address == *address);
        addresses.iter().any(known)
    }

    /// Whether a person named this host.
    pub(crate) fn is_at_named_host(&self, address: &str) -> bool {
        let host = |address: &str| Target::of(address).map(|target| target.host).ok();
        let Some(named) = host(address) else {
            return false;
        };
        let mut configured = self.members.iter().filter(|member| !member.learned);
        configured.any(|member| {
            host(&member.address).is_some_and(|host| host.eq_ignore_ascii_case(&named))
        })
    }

    /// Where a member may be.
    pub(crate) fn reach(&self, member: usize) -> &Reach {
        &self.members[member].reach
    }

    /// A server that another one named.
    pub(crate) fn learn(&mut self, uri: &str, address: &str, reach: Reach, now: Instant) {
        self.only_named.retain(|named| named != address);
        if self.members.len() < MAX_MEMBERS {
            self.members.push(Member {
                address: address.to_owned(),
                uri: Some(uri.to_owned()),
                reach,
                learned: true,
                fact: Fact::Unknown,
                at: now,
            });
        }
    }

    /// A server that another one named, and that is only shown.
    pub(crate) fn only_name(&mut self, address: &str) {
        let address: String = address
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect();
        if self.only_named.len() < MAX_MEMBERS && !self.only_named.contains(&address) {
            self.only_named.push(address);
        }
    }

    /// `it names opc.tcp://d:4840 as one of its set, which …`; nothing where there is none.
    pub(crate) fn only_named(&self) -> String {
        match self.only_named.as_slice() {
            [] => String::new(),
            named => format!(
                "the server names {} as of its redundant set, which is in no private network and is not asked; add it to `alternates` if it is one of yours",
                named.join(", ")
            ),
        }
    }

    /// A member says this ServiceLevel; one that says none is taken for healthy.
    pub(crate) fn serves(&mut self, member: usize, level: Option<u8>, now: Instant) {
        self.note(member, Fact::Level(level.unwrap_or(200)), now);
    }

    /// A member was looked at in vain.
    pub(crate) fn fails(&mut self, member: usize, why: String, now: Instant) {
        let refused = false;
        self.note(member, Fact::Failed { why, refused }, now);
    }

    fn note(&mut self, member: usize, fact: Fact, now: Instant) {
        if let Some(member) = self.members.get_mut(member) {
            (member.fact, member.at) = (fact, now);
        }
    }

    /// Moves to another one if that is better, by what was seen of it just now; says why.
    ///
    /// A higher sub-range is better, and so is a far higher level within the degraded one. After a move nothing is left for
    /// a while but for one that has no data at all, so that two that take turns do not make us flap.
    pub(crate) fn move_to_better(&mut self, now: Instant) -> Option<String> {
        let here = self.members[self.current].level()?;
        let stay = self.moved.as_ref().is_some_and(|(_, at)| now < *at + STAY);
        if stay && Service::of(here) > Service::NoData {
            return None;
        }
        let is_better = |member: &usize| {
            let member = &self.members[*member];
            let Some(there) = member.level().filter(|_| now <= member.at + FRESH) else {
                return false;
            };
            let (of_here, of_there) = (Service::of(here), Service::of(there));
            of_there > of_here
                || (of_here == Service::Degraded
                    && of_there == Service::Degraded
                    && there >= here.saturating_add(MUCH_BETTER))
        };
        let better = self.others().into_iter().filter(is_better);
        let best = better.min_by_key(|member| std::cmp::Reverse(self.members[*member].level()))?;
        let (left, to) = (&self.members[self.current], &self.members[best]);
        let why = format!("because {} has {}", left.address, level_words(here));
        let words = format!(
            "moves to {} of the redundant set, which has {}, {why}",
            to.address,
            level_words(to.level().unwrap_or_default())
        );
        (self.moved, self.moving, self.current) = (Some((why, now)), true, best);
        Some(words)
    }

    /// The attempt is over. Where it failed, another one is next; only when all of a set refuse us it is tried slowly.
    pub(crate) fn ended(
        &mut self,
        outcome: Result<(), SourceError>,
        now: Instant,
    ) -> Result<(), SourceError> {
        let Err(error) = &outcome else {
            return outcome;
        };
        if std::mem::take(&mut self.moving) || self.is_single() {
            return outcome;
        }
        let fact = Fact::Failed {
            why: error.to_string(),
            refused: matches!(error, SourceError::Refused(_)),
        };
        self.note(self.current, fact, now);
        let all_refuse = self.members.iter().all(Member::is_refusing);
        let next = &self.members[self.next()].address;
        match outcome {
            Err(SourceError::Lost(why)) => Err(lost(&why, next)),
            Err(SourceError::Refused(why)) if !all_refuse => Err(lost(&why, next)),
            outcome => outcome,
        }
    }

    /// `on opc.tcp://b:4840 of a hot redundant set of 2 servers, with service level 255 (healthy), because opc.tcp://a:4840
    /// cannot be used: …`
    pub(crate) fn words(&self) -> String {
        let here = &self.members[self.current];
        let mut words = format!(
            "on {} of a {}redundant set of {} servers",
            here.address,
            self.kind,
            self.members.len(),
        );
        if let Fact::Level(level) = here.fact {
            words.push_str(&format!(", with {}", level_words(level)));
        }
        if let Some((why, _)) = &self.moved {
            words.push_str(&format!(", {why}"));
        }
        for other in self.others() {
            let other = &self.members[other];
            let of_other = format!("{} {}", other.address, other.fact_words());
            // Why it was left is told already.
            if !words.contains(&of_other) {
                words.push_str(&format!("; {of_other}"));
            }
        }
        let only_named = self.only_named();
        if !only_named.is_empty() {
            words.push_str(&format!("; {only_named}"));
        }
        words
    }
}

fn lost(why: &str, next: &str) -> SourceError {
    SourceError::Lost(format!("{why}; {next} of the redundant set is next"))
}

// === impl Member ===

impl Member {
    fn is_failed(&self) -> bool {
        matches!(self.fact, Fact::Failed { .. })
    }

    fn is_refusing(&self) -> bool {
        matches!(self.fact, Fact::Failed { refused: true, .. })
    }

    /// One that nobody looked at yet may be as good as any.
    fn level(&self) -> Option<u8> {
        match self.fact {
            Fact::Level(level) => Some(level),
            Fact::Unknown => Some(200),
            Fact::Failed { .. } => None,
        }
    }

    fn fact_words(&self) -> String {
        match &self.fact {
            Fact::Unknown => "was not looked at yet".to_owned(),
            Fact::Level(level) => format!("has {}", level_words(*level)),
            Fact::Failed { why, .. } => format!("cannot be used: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
