//! `Announcer`: the devices as they were announced, and the problems of their points as values come and go.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fieldgate_kit::{Devices, Health};
use fieldgate_model::{Device, DeviceId, Point, Timestamp};

use crate::{
    connection::{ItemRevised, ValueType},
    facts::Facts,
    gate::{Filtered, Gate},
    select::Item,
    settings::Deadband,
    status::Status,
    subscribe::Monitored,
};

/// Begins the remark about a point that held something else.
const RETYPED: &str = "its data type was ";

/// Keeps announcements and health up to date. An item is known by its index in the plan.
pub(crate) struct Announcer {
    devices: Vec<Device>,
    /// Where each item's point is: its device, and its place there.
    places: Vec<(usize, usize)>,
    changed: BTreeSet<usize>,
    troubled: usize,
    /// The device of each id.
    known: HashMap<DeviceId, usize>,
    /// Whose facts were told.
    learned: Vec<bool>,
    /// What is said of changes in the address space.
    following: String,
    /// The end of the health sentence: `publishing every 500 ms`.
    pace: String,
    /// Which of several servers it is, and why.
    standing: String,
    lost_messages: u64,
    missed_cycles: u64,
    /// Subscriptions that were made anew while others went on, and values that were never told but found.
    remade: u64,
    untold: u64,
    /// How often the server's queue of events was too short.
    lost_events: u64,
    /// Why the open conditions are not told after a connect.
    no_refresh: Option<String>,
    /// What was missed and filled.
    history: Option<String>,
    server: String,
    /// How often each item's queue on the server was too short.
    overflows: BTreeMap<usize, u64>,
}

// === impl Announcer ===

impl Announcer {
    pub(crate) fn new(
        items: &[Item],
        types: &[ValueType],
        monitored: &[Monitored],
        server: &str,
        pace: String,
    ) -> Self {
        let mut announcer = Self {
            devices: Vec::new(),
            places: Vec::with_capacity(items.len()),
            changed: BTreeSet::new(),
            troubled: 0,
            known: HashMap::new(),
            learned: Vec::with_capacity(items.len()),
            following: String::new(),
            pace,
            standing: String::new(),
            lost_messages: 0,
            missed_cycles: 0,
            remade: 0,
            untold: 0,
            lost_events: 0,
            no_refresh: None,
            history: None,
            server: server.to_owned(),
            overflows: BTreeMap::new(),
        };
        for ((item, value_type), made) in items.iter().zip(types).zip(monitored) {
            announcer.push(item, value_type, made);
        }
        announcer.changed.clear();
        announcer
    }

    /// One item more.
    pub(crate) fn push(&mut self, item: &Item, value_type: &ValueType, made: &Monitored) {
        let at = match self.known.get(&item.device) {
            Some(at) => *at,
            None => {
                self.devices.push(device(item, &self.server));
                self.known
                    .insert(item.device.clone(), self.devices.len() - 1);
                self.devices.len() - 1
            }
        };
        let point = point(item, value_type.name.clone(), made);
        self.troubled += usize::from(point.problem.is_some());
        let points = &mut self.devices[at].points;
        self.places.push((at, points.len()));
        points.push(point);
        self.learned.push(false);
        self.changed.insert(at);
    }

    /// The item has another node from now on.
    pub(crate) fn readdress(&mut self, item: usize, address: &str) {
        let (device, point) = self.places[item];
        let point = &mut self.devices[device].points[point];
        if point.address != address {
            address.clone_into(&mut point.address);
            self.changed.insert(device);
        }
    }

    /// The name of the item's data type.
    pub(crate) fn data_type(&self, item: usize) -> Option<&str> {
        let (device, point) = self.places[item];
        self.devices[device].points[point].data_type.as_deref()
    }

    /// The item holds something else from now on. The last change of it is remarked.
    pub(crate) fn retype(&mut self, item: usize, data_type: &str, when: Timestamp) {
        let (device, point) = self.places[item];
        let point = &mut self.devices[device].points[point];
        let before = point
            .data_type
            .replace(data_type.to_owned())
            .unwrap_or_default();
        let remarks = point.remark.take().unwrap_or_default();
        let others = remarks
            .split("; ")
            .filter(|remark| !remark.is_empty() && !remark.starts_with(RETYPED));
        let now = format!("{RETYPED}{before} until {when}");
        point.remark = Some(others.chain([now.as_str()]).collect::<Vec<_>>().join("; "));
        self.changed.insert(device);
    }

    /// What is said of changes in the address space.
    pub(crate) fn follow(&mut self, words: String) {
        self.following = words;
    }

    /// What the server says of the items is known now, of those that it says something of.
    pub(crate) fn learned(&mut self, items: &[Item]) {
        let places = self.places.iter().zip(&mut self.learned);
        for (item, ((device, point), learned)) in items.iter().zip(places) {
            if *learned {
                continue;
            }
            if let Some(facts) = item.facts.get() {
                *learned = true;
                let point = &mut self.devices[*device].points[*point];
                learn(point, facts);
                if facts.range.is_none()
                    && matches!(item.sampling.deadband, Some(Deadband::Percent(_)))
                {
                    let words = "the node has no EURange, so that a deadband in percent holds nothing back; write an absolute one";
                    add_remark(point, words);
                }
                self.changed.insert(*device);
            }
        }
    }

    /// Announces everything.
    pub(crate) fn announce_all(&self, devices: &Devices) {
        devices.announce_all(self.devices.clone());
    }

    /// The item has a problem from now on.
    pub(crate) fn trouble(&mut self, item: usize, problem: &str) {
        if self.set_problem(item, Some(problem)) {
            self.troubled += 1;
        }
    }

    /// The item has a value again; true when it had a problem.
    pub(crate) fn relief(&mut self, item: usize) {
        if self.set_problem(item, None) {
            self.troubled -= 1;
        }
    }

    /// Messages went missing between the server and us.
    pub(crate) fn lost_messages(&mut self, count: u64) {
        self.lost_messages += count;
    }

    /// A point that is no item of the plan; its device may be there or not.
    pub(crate) fn add(&mut self, device: &DeviceId, name: &str, point: &Point) {
        let there = self.known.get(device).copied();
        let at = there.unwrap_or_else(|| {
            self.known.insert(device.clone(), self.devices.len());
            self.devices.push(Device {
                id: device.clone(),
                name: name.to_owned(),
                model: None,
                address: format!("{} {name}", self.server),
                points: Vec::new(),
            });
            self.devices.len() - 1
        });
        let points = &mut self.devices[at].points;
        if points.iter().all(|there| there.id != point.id) {
            points.push(point.clone());
            self.changed.insert(at);
        }
    }

    /// The server says that its queue of events was too short so many times.
    pub(crate) fn lost_events(&mut self, times: u64) {
        self.lost_events += times;
    }

    /// The server does not tell which conditions are open.
    pub(crate) fn no_refresh(&mut self, why: &Status) {
        self.no_refresh = Some(why.name().to_owned());
    }

    /// It does tell them. True when that is news.
    pub(crate) fn refreshes(&mut self) -> bool {
        self.no_refresh.take().is_some()
    }

    /// What was missed, and what came of it.
    pub(crate) fn tell_of_history(&mut self, words: Option<String>) {
        self.history = words;
    }

    /// Which of several servers this is, in words.
    pub(crate) fn stands(&mut self, standing: String) {
        self.standing = standing;
    }

    /// A subscription was made anew while the others went on.
    pub(crate) fn remade(&mut self) {
        self.remade += 1;
    }

    /// The server had so many values that it never told.
    pub(crate) fn untold(&mut self, values: u64) {
        self.untold += values;
    }

    /// Cycles of reading came too late to be read.
    pub(crate) fn missed_cycles(&mut self, count: u64) {
        self.missed_cycles += count;
    }

    /// Values of the item were lost on the server. True when it is to be announced: at once, and then at each
    /// doubling, so that a point that always loses some does not announce itself with each message.
    pub(crate) fn overflow(&mut self, item: usize, queue_size: u32) -> bool {
        let times = self.overflows.entry(item).or_insert(0);
        *times += 1;
        if !times.is_power_of_two() {
            return false;
        }
        let (device, point) = self.places[item];
        let point = &mut self.devices[device].points[point];
        let before = overflow_advice(*times / 2, queue_size);
        let advice = overflow_advice(*times, queue_size);
        match &mut point.remark {
            Some(remark) if remark.contains(&before) => *remark = remark.replace(&before, &advice),
            _ => add_remark(point, &advice),
        }
        self.changed.insert(device);
        true
    }

    /// Announces what changed since the last time, and tells the health.
    pub(crate) fn tell(&mut self, devices: &Devices, health: &Health) {
        for at in std::mem::take(&mut self.changed) {
            devices.announce(self.devices[at].clone());
        }
        health.connected(self.words());
    }

    pub(crate) fn words(&self) -> String {
        let all = self.places.len();
        let mut words = format!(
            "{} of {all} monitored items, {}",
            all - self.troubled,
            self.pace
        );
        words.push_str(&self.following);
        if !self.standing.is_empty() {
            words.push_str(&format!("; {}", self.standing));
        }
        if self.lost_messages > 0 {
            words.push_str(&format!(
                "; {} messages were lost between the server and the gateway",
                self.lost_messages
            ));
        }
        if self.remade > 0 {
            words.push_str(&format!(
                "; a subscription that fell silent was made anew ({} times)",
                self.remade
            ));
        }
        if self.untold > 0 {
            words.push_str(&format!(
                "; {} values were found by asking, because the server's subscription did not tell them",
                self.untold
            ));
        }
        if self.missed_cycles > 0 {
            words.push_str(&format!(
                "; {} cycles were missed, because the server did not answer in time or the readings had to wait: read less often",
                self.missed_cycles
            ));
        }
        if self.lost_events > 0 {
            words.push_str(&format!(
                "; the server's queue of events was too short {} times: events were lost; publish more often, or take fewer",
                self.lost_events
            ));
        }
        if let Some(why) = &self.no_refresh {
            words.push_str(&format!(
                "; alarms that changed while it was away are not told, since the server has no refresh of conditions ({why})"
            ));
        }
        if let Some(history) = &self.history {
            words.push_str(&format!("; {history}"));
        }
        words
    }

    /// True when the item went from problem to none, or the other way.
    fn set_problem(&mut self, item: usize, problem: Option<&str>) -> bool {
        let (device, point) = self.places[item];
        let point = &mut self.devices[device].points[point];
        if point.problem.as_deref() == problem {
            return false;
        }
        let turned = point.problem.is_some() != problem.is_some();
        point.problem = problem.map(str::to_owned);
        self.changed.insert(device);
        turned
    }
}

fn device(item: &Item, server: &str) -> Device {
    Device {
        id: item.device.clone(),
        name: item.device_name.clone(),
        model: None,
        address: format!("{server} {}", item.device_name),
        points: Vec::new(),
    }
}

fn point(item: &Item, data_type: Option<String>, made: &Monitored) -> Point {
    Point {
        id: item.point.clone(),
        name: item.name.clone(),
        unit: item.unit().as_deref().map(str::to_owned),
        range: None,
        description: None,
        data_type,
        address: item.address.clone(),
        remark: made
            .result
            .as_ref()
            .ok()
            .and_then(|revised| remark(item, revised, made.filtered)),
        problem: made.result.as_ref().err().map(ToString::to_string),
    }
}

fn learn(point: &mut Point, facts: &Facts) {
    if let Some(name) = &facts.name {
        point.name.clone_from(name);
    }
    point.description.clone_from(&facts.description);
    if let Some(unit) = &facts.unit {
        point.unit = Some(unit.to_string());
    }
    point.range = facts.range;
    if let Some(states) = &facts.states {
        add_remark(point, states);
    }
}

fn add_remark(point: &mut Point, words: &str) {
    point.remark = Some(match point.remark.take() {
        Some(remark) => format!("{remark}; {words}"),
        None => words.to_owned(),
    });
}

/// What to do about values that the server's queue of a point did not hold.
fn overflow_advice(times: u64, queue_size: u32) -> String {
    format!(
        "values were lost between two publishings on the server ({times} times): raise queue_size (now {queue_size}), or publish more often"
    )
}

/// What the server made of our wishes, where it made something else.
fn remark(item: &Item, revised: &ItemRevised, filtered: Filtered) -> Option<String> {
    let sampling = &item.sampling;
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of at most an hour"
    )]
    let asked = sampling.sampling_ms as f64;
    let mut remarks = Vec::new();
    if (revised.sampling_ms - asked).abs() >= 1.0 {
        remarks.push(format!(
            "sampled every {} ms, asked for {asked} ms",
            revised.sampling_ms
        ));
    }
    if revised.queue_size < sampling.queue_size {
        remarks.push(format!(
            "the server keeps {} values between publishings, asked for {}",
            revised.queue_size, sampling.queue_size
        ));
    }
    if Gate::after(filtered, sampling.trigger, sampling.deadband).is_some()
        && matches!(filtered, Filtered::WithoutDeadband | Filtered::NotAtAll)
    {
        remarks.push(
            "the server does not take this filter, so that the gateway applies it".to_owned(),
        );
    } else if filtered == Filtered::NotAtAll {
        remarks.push(
            "the server does not take this trigger, and reports changes of status and value"
                .to_owned(),
        );
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}
