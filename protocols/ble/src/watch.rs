//! `Watch`: sees to it that something is heard. Pure: it is told what was heard and how the adapters are, and says what to do.
//!
//! A radio that says that it scans may hear nothing: a controller hangs, a driver lost it, another program changed something.
//! So only what is heard counts. Of each device that stays, how often it is heard is learnt; one that falls silent has an empty
//! battery, but when all do, it is the radio, and more and more is done about it: discovery is restarted, the adapter is switched off
//! and on, another adapter takes over, the radio is opened anew. How soon, and what in an empty room, `ladder.rs` says.

mod ladder;
mod population;
mod report;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use fieldgate_kit::scanner::{AdapterState, ScanMode};
use fieldgate_model::Timestamp;

use crate::{
    Address, Scan,
    radio::{AdapterFacts, RadioError},
};
use ladder::{Expected, Ladder, Step};
use population::{Population, Rate};

/// One moment, by the clock that nobody sets and by the one that people read.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: Instant,
    pub at: Timestamp,
}

/// What is to be done with the radio; one at a time. [`Watch::done`] is told how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask for the adapters, and pass them to [`Watch::adapters`].
    Look,
    Listen {
        adapter: Arc<str>,
        mode: ScanMode,
    },
    Rest {
        adapter: Arc<str>,
    },
    Power {
        adapter: Arc<str>,
        on: bool,
    },
    /// Open another radio, and tell [`Watch::opened`].
    Reopen,
}

/// See the module.
#[derive(Debug)]
pub struct Watch {
    preferred: Vec<String>,
    scan: Scan,
    /// Why there is no radio at all.
    trouble: Option<RadioError>,
    opened: Instant,
    adapters: BTreeMap<Arc<str>, Adapter>,
    /// This radio told its adapters.
    looked: bool,
    /// As the system lists them.
    order: Vec<Arc<str>>,
    chosen: Option<Chosen>,
    population: Population,
    ladder: Ladder,
    planned: VecDeque<Action>,
    under_way: Option<(Action, Instant)>,
    next_look: Instant,
    /// Connections are being made, and nothing is heard meanwhile.
    connecting: u32,
    failed_looks: u32,
}

#[derive(Debug)]
struct Adapter {
    facts: AdapterFacts,
    told: Instant,
    usable_since: Option<Instant>,
    /// It was deaf: until then others are tried first.
    shunned: Retry,
    power: Retry,
    /// Asking it to listen, which it does not do.
    listen: Retry,
    rate: Rate,
    steps: VecDeque<(Timestamp, String)>,
}

/// The adapter that listens.
#[derive(Debug)]
struct Chosen {
    id: Arc<str>,
    /// When it was asked to listen last, and how.
    asked: Option<(Instant, ScanMode)>,
    /// From when on silence counts.
    since: Instant,
}

/// Something that is tried again and again, with growing pauses.
#[derive(Debug, Clone, Copy)]
struct Retry {
    count: u32,
    next: Instant,
}

const LOOK: Duration = Duration::from_secs(10);
/// An action that takes longer failed.
const ACTION: Duration = Duration::from_secs(30);
/// How long an adapter has to be well before it takes over from one that works.
const RETURN: Duration = Duration::from_secs(30);
/// How long `auto` asks for names before it listens passively.
const ACTIVE: Duration = Duration::from_secs(600);
const RETRY: Duration = Duration::from_secs(2);
/// What is off may be on its way: a switch that is moved, a driver that loads.
const POWER: Duration = Duration::from_secs(5);
const RETRY_MOST: Duration = Duration::from_secs(120);
const SHUN: Duration = Duration::from_secs(300);
const SHUN_MOST: Duration = Duration::from_secs(3600);
/// After so long without a step, what happened before counts no more.
const FORGIVE: Duration = Duration::from_secs(600);
/// The steps that people are shown.
const STEPS: usize = 12;
/// The system does not answer: so often, then another radio is opened.
const LOOKS: u32 = 3;

// === impl Watch ===

impl Watch {
    /// `preferred`: the adapters that may be used, the first first; none: all. The radio is not opened yet.
    #[must_use]
    pub fn new(now: Instant, preferred: Vec<String>, scan: Scan) -> Self {
        Self {
            preferred,
            scan,
            trouble: None,
            opened: now,
            adapters: BTreeMap::new(),
            looked: false,
            order: Vec::new(),
            chosen: None,
            population: Population::default(),
            ladder: Ladder::new(now),
            planned: VecDeque::new(),
            under_way: None,
            next_look: now,
            connecting: 0,
            failed_looks: 0,
        }
    }

    /// There is a radio; or another one.
    pub fn opened(&mut self, moment: Moment) {
        self.trouble = None;
        self.looked = false;
        self.chosen = None;
        self.planned.clear();
        self.under_way = None;
        self.next_look = moment.now;
        self.connecting = 0;
        self.failed_looks = 0;
    }

    /// There is no radio, for this reason.
    pub fn lost(&mut self, why: RadioError) {
        self.trouble = Some(why);
        self.chosen = None;
        self.planned.clear();
        self.under_way = None;
    }

    /// An advertisement. `lasting`: its address will be the same tomorrow.
    pub fn heard(&mut self, now: Instant, adapter: &str, address: Address, lasting: bool) {
        if let Some(adapter) = self.adapters.get_mut(adapter) {
            adapter.rate.count(now);
        }
        if let Some(before) = self.population.heard(now, address, lasting)
            && self.ladder.met_again(now, before)
        {
            self.population.begin(now);
        }
    }

    /// Who is connected right now: a connected device does not advertise, and is not waited for.
    pub fn connected(&mut self, now: Instant, addresses: impl IntoIterator<Item = Address>) {
        let somebody_left = self.population.connected(addresses);
        if somebody_left && let Some(chosen) = &mut self.chosen {
            chosen.since = now;
        }
    }

    /// A connection begins to be made, or is done with: nothing is heard in between, and that is no silence.
    pub fn connecting(&mut self, now: Instant, begins: bool) {
        self.connecting = if begins {
            self.connecting + 1
        } else {
            self.connecting.saturating_sub(1)
        };
        if let Some(chosen) = &mut self.chosen {
            chosen.since = now;
        }
    }

    /// Something about the adapters changed: they are asked for at once.
    pub fn look_soon(&mut self, now: Instant) {
        self.next_look = now;
    }

    /// How the adapters are.
    pub fn adapters(&mut self, moment: Moment, facts: &[AdapterFacts]) {
        self.failed_looks = 0;
        self.looked = true;
        if matches!(self.under_way, Some((Action::Look, _))) {
            self.under_way = None;
        }
        self.order = facts.iter().map(|facts| facts.id.clone()).collect();
        for id in self.gone(facts) {
            self.adapters.remove(&id);
        }
        for facts in facts {
            let new = || Adapter::new(facts.clone(), moment.now);
            let adapter = self.adapters.entry(facts.id.clone()).or_insert_with(new);
            adapter.told(facts.clone(), moment);
        }
        let well = |chosen: &Chosen| {
            self.adapters
                .get(&chosen.id)
                .is_some_and(Adapter::is_usable)
        };
        if self.chosen.as_ref().is_some_and(|chosen| !well(chosen)) {
            self.chosen = None;
            self.planned.clear();
        }
    }

    /// An action is done, or failed.
    pub fn done(&mut self, moment: Moment, action: &Action, result: &Result<(), RadioError>) {
        self.under_way = None;
        let now = moment.now;
        if let Err(error) = result {
            self.planned.clear();
            self.next_look = self.next_look.min(now + RETRY);
            if let Some(adapter) = action.adapter().and_then(|id| self.adapters.get_mut(id)) {
                adapter.step(moment.at, error.to_string());
            }
        }
        match (action, result) {
            (Action::Look, Err(_)) => {
                self.failed_looks += 1;
                if self.failed_looks >= LOOKS {
                    self.failed_looks = 0;
                    self.planned.push_back(Action::Reopen);
                }
            }
            (Action::Listen { adapter, mode }, Ok(())) => {
                if let Some(chosen) = self.chosen.as_mut().filter(|chosen| chosen.id == *adapter) {
                    chosen.asked = Some((now, *mode));
                    self.next_look = self.next_look.min(now + RETRY);
                }
            }
            (Action::Listen { adapter, .. }, Err(_)) => {
                if let Some(adapter) = self.adapters.get_mut(adapter) {
                    adapter.listen.later(now, RETRY, RETRY_MOST);
                }
            }
            _ => {}
        }
    }

    /// What is to be done now; to be asked about once a second.
    pub fn tick(&mut self, moment: Moment) -> Option<Action> {
        if self.trouble.is_some() {
            return None;
        }
        if let Some((action, since)) = &self.under_way {
            if moment.now.duration_since(*since) < ACTION {
                return None;
            }
            let action = action.clone();
            let late = Err(RadioError::Busy(format!(
                "no answer in {} s",
                ACTION.as_secs()
            )));
            self.done(moment, &action, &late);
        }
        if self.planned.is_empty() {
            self.plan(moment);
        }
        let action = self.planned.pop_front()?;
        self.under_way = Some((action.clone(), moment.now));
        Some(action)
    }

    fn plan(&mut self, moment: Moment) {
        let now = moment.now;
        self.population.prune(now);
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.planned.push_back(Action::Look);
            return;
        }
        self.choose(moment);
        if self.planned.is_empty() {
            self.power_up(moment);
        }
        if self.planned.is_empty() {
            self.keep_listening(moment);
        }
        if self.planned.is_empty() {
            self.climb(moment);
        }
    }

    /// Another adapter listens, if another one should.
    fn choose(&mut self, moment: Moment) {
        let now = moment.now;
        let current = self.chosen.as_ref().map(|chosen| chosen.id.clone());
        let Some(best) = self.best(now, current.as_ref()) else {
            return;
        };
        if current.as_ref() == Some(&best) {
            return;
        }
        if let Some(current) = &current {
            self.planned.push_back(Action::Rest {
                adapter: current.clone(),
            });
            self.step(moment.at, current, format!("{best} listens instead"));
        }
        self.listen_with(moment, best);
    }

    fn listen_with(&mut self, moment: Moment, id: Arc<str>) {
        let mode = self.mode(moment.now, &id);
        self.chosen = Some(Chosen {
            id: id.clone(),
            asked: None,
            since: moment.now,
        });
        self.step(moment.at, &id, "begins to listen".to_owned());
        self.planned.push_back(Action::Listen { adapter: id, mode });
    }

    /// The first that is well and was not deaf lately; else the first that is well. The current one is kept unless a better one
    /// has been well for a while.
    fn best(&self, now: Instant, current: Option<&Arc<str>>) -> Option<Arc<str>> {
        let well: Vec<_> = self
            .allowed()
            .into_iter()
            .filter(|id| self.adapters.get(id).is_some_and(Adapter::is_usable))
            .collect();
        let good = |id: &&Arc<str>| {
            let adapter = &self.adapters[*id];
            let steady = adapter
                .usable_since
                .is_some_and(|since| now.duration_since(since) >= RETURN);
            now >= adapter.shunned.next && (current.is_none_or(|current| current == *id) || steady)
        };
        well.iter()
            .find(good)
            .or_else(|| well.iter().find(|id| Some(*id) == current))
            .or_else(|| well.first())
            .cloned()
    }

    /// Those that may be used, the preferred first.
    fn allowed(&self) -> Vec<Arc<str>> {
        if self.preferred.is_empty() {
            return self.order.clone();
        }
        let preferred = self.preferred.iter();
        preferred
            .filter_map(|id| self.adapters.get_key_value(id.as_str()))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Switches on an adapter that is off: where none listens, and where it is preferred to the one that does.
    fn power_up(&mut self, moment: Moment) {
        let current = self.chosen.as_ref().map(|chosen| chosen.id.clone());
        for id in self.allowed() {
            if Some(&id) == current.as_ref() || (current.is_some() && self.preferred.is_empty()) {
                return;
            }
            let adapter = self
                .adapters
                .get_mut(&id)
                .expect("it is allowed, so it is there");
            if adapter.facts.state == AdapterState::Off && moment.now >= adapter.power.next {
                adapter.power.later(moment.now, POWER, RETRY_MOST);
                adapter.step(moment.at, "is off and is switched on".to_owned());
                self.planned.push_back(Action::Power {
                    adapter: id,
                    on: true,
                });
                self.planned.push_back(Action::Look);
                return;
            }
        }
    }

    /// Asks again where the system does not do what it was asked.
    fn keep_listening(&mut self, moment: Moment) {
        let now = moment.now;
        let Some(id) = self.chosen.as_ref().map(|chosen| chosen.id.clone()) else {
            return;
        };
        let mode = self.mode(now, &id);
        let Some(adapter) = self.adapters.get_mut(&id) else {
            return;
        };
        if now < adapter.listen.next {
            return;
        }
        let why = match self.chosen.as_ref().and_then(|chosen| chosen.asked) {
            None => "is asked to listen again",
            Some((_, asked)) if asked != mode => "changes how it listens",
            Some((since, _)) if adapter.told > since && !adapter.facts.scanning => {
                adapter.listen.later(now, RETRY, RETRY_MOST);
                "does not scan although it was asked to; it is asked again"
            }
            Some((since, _)) => {
                if now.duration_since(since) > FORGIVE {
                    adapter.listen = Retry::new(now);
                }
                return;
            }
        };
        self.step(moment.at, &id, why.to_owned());
        self.planned.push_back(Action::Listen { adapter: id, mode });
    }

    /// One rung of the ladder, if it is silent and time for it.
    fn climb(&mut self, moment: Moment) {
        let now = moment.now;
        let Some(id) = self.chosen.as_ref().map(|chosen| chosen.id.clone()) else {
            return;
        };
        if self.connecting > 0 {
            return;
        }
        let Some((silent, expected)) = self.silence(now) else {
            self.hears(moment, &id);
            return;
        };
        if !self.ladder.is_due(now) {
            return;
        }
        let words = format!("nothing heard for {} s", silent.as_secs());
        let mode = self.mode(now, &id);
        let listen = Action::Listen {
            adapter: id.clone(),
            mode,
        };
        let others = self.has_other(&id);
        let connections = self
            .adapters
            .get(&id)
            .is_some_and(|adapter| adapter.facts.connections > 0);
        let what = match self.ladder.climb(now, expected, others, connections) {
            Step::Discovery => {
                self.planned.push_back(listen);
                "discovery is restarted"
            }
            Step::Power => {
                for on in [false, true] {
                    self.planned.push_back(Action::Power {
                        adapter: id.clone(),
                        on,
                    });
                }
                self.planned.push_back(listen);
                "it is switched off and on"
            }
            Step::Other => {
                self.shun(now, &id);
                self.choose(moment);
                "another one takes over"
            }
            Step::Reopen => {
                self.shun(now, &id);
                self.planned.push_back(Action::Reopen);
                "the radio is opened anew"
            }
        };
        self.step(moment.at, &id, format!("{words}: {what}"));
    }

    /// It hears: what was done is over.
    fn hears(&mut self, moment: Moment, id: &Arc<str>) {
        let last = self.population.last();
        if self.ladder.is_over(moment.now, last) {
            self.step(moment.at, id, "hears again".to_owned());
        }
    }

    /// How long nothing was heard, when that is too long, and who should be heard.
    fn silence(&self, now: Instant) -> Option<(Duration, Expected)> {
        let since = self.chosen.as_ref()?.since;
        let last = self.population.last().map_or(since, |last| last.max(since));
        let silent = now.duration_since(last);
        let (patience, expected) = self.population.patience();
        (silent >= patience).then_some((silent, expected))
    }

    fn has_other(&self, id: &Arc<str>) -> bool {
        self.allowed()
            .iter()
            .any(|other| other != id && self.adapters[other].is_usable())
    }

    fn shun(&mut self, now: Instant, id: &Arc<str>) {
        if let Some(adapter) = self.adapters.get_mut(id) {
            adapter.shunned.later(now, SHUN, SHUN_MOST);
        }
    }

    fn mode(&self, now: Instant, id: &str) -> ScanMode {
        let passive = self
            .adapters
            .get(id)
            .is_some_and(|adapter| adapter.facts.passive);
        match self.scan {
            Scan::Active => ScanMode::Active,
            Scan::Passive if passive => ScanMode::Passive,
            Scan::Auto if passive && now.duration_since(self.opened) >= ACTIVE => ScanMode::Passive,
            Scan::Passive | Scan::Auto => ScanMode::Active,
        }
    }

    fn step(&mut self, at: Timestamp, id: &str, words: String) {
        if let Some(adapter) = self.adapters.get_mut(id) {
            adapter.step(at, words);
        }
    }

    fn gone(&self, facts: &[AdapterFacts]) -> Vec<Arc<str>> {
        self.adapters
            .keys()
            .filter(|id| !facts.iter().any(|facts| facts.id == **id))
            .cloned()
            .collect()
    }
}

// === impl Action ===

impl Action {
    fn adapter(&self) -> Option<&Arc<str>> {
        match self {
            Self::Listen { adapter, .. } | Self::Rest { adapter } | Self::Power { adapter, .. } => {
                Some(adapter)
            }
            Self::Look | Self::Reopen => None,
        }
    }
}

// === impl Adapter ===

impl Adapter {
    fn new(facts: AdapterFacts, now: Instant) -> Self {
        Self {
            facts,
            told: now,
            usable_since: None,
            shunned: Retry::new(now),
            power: Retry::new(now),
            listen: Retry::new(now),
            rate: Rate::new(now),
            steps: VecDeque::new(),
        }
    }

    fn told(&mut self, facts: AdapterFacts, moment: Moment) {
        let before = std::mem::replace(&mut self.facts, facts);
        self.told = moment.now;
        if before.state != self.facts.state
            && let Some(words) = report::change(self.facts.state)
        {
            self.step(moment.at, words.to_owned());
        }
        if !self.is_usable() {
            self.usable_since = None;
        } else if self.usable_since.is_none() {
            self.usable_since = Some(moment.now);
        }
    }

    fn is_usable(&self) -> bool {
        matches!(
            self.facts.state,
            AdapterState::Starting | AdapterState::Listening
        )
    }

    fn step(&mut self, at: Timestamp, words: String) {
        if self.steps.len() >= STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back((at, words));
    }
}

// === impl Retry ===

impl Retry {
    fn new(now: Instant) -> Self {
        Self {
            count: 0,
            next: now,
        }
    }

    fn later(&mut self, now: Instant, first: Duration, most: Duration) {
        let pause = first
            .saturating_mul(2u32.saturating_pow(self.count))
            .min(most);
        self.count = self.count.saturating_add(1);
        self.next = now + pause;
    }
}

#[cfg(test)]
mod tests;
