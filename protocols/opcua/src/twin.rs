//! `Script`: a server that says what it is told to say, and remembers what it was asked. For tests only.

mod historian;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use fieldgate_kit::explore::Observation;
use fieldgate_model::{DeviceId, Quality, Value};
use futures::future::{pending, ready};

use crate::{
    connection::{
        Acknowledgement, BrowseName, Called, Change, Class, Connection, Direction, HistoryPage,
        HistoryRequest, ItemRequest, ItemRevised, Limits, Neighbour, Notification, Observed,
        Published, Subscription, SubscriptionRequest, Subtypes,
    },
    explore::asked::{Read, Reference, References},
    node_id::{Identifier, NodeId},
    select::Item,
    settings::{Discard, Sampling, Trigger},
    status::Status,
};

pub(crate) use self::historian::{Historian, historic};

/// Clones are the same server.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
pub(crate) struct Told {
    pub answers: VecDeque<Result<Published, Status>>,
    pub kept: Vec<Notification>,
    /// Subscription and number.
    pub acknowledged: Vec<(u32, u32)>,
    pub republished: Vec<(u32, u32)>,
    pub asked: usize,
    pub gone: bool,
    pub monitored: usize,
    /// The items of each subscription, by its number, which is the count of those before it.
    pub subscriptions: BTreeMap<u32, usize>,
    pub room: Room,
    /// How many cyclic reads there were, and how long each takes; each value is the count.
    pub reads: u64,
    /// Each value is this one instead.
    pub still: Option<u64>,
    pub read_takes: Duration,
    pub historian: Historian,
    /// What a transfer answers; nothing is not to have the service. How many times it was asked for one.
    pub transferred: Option<Vec<Result<Vec<u32>, Status>>>,
    pub transfers: usize,
    /// Why it answers no such call, for as long as this stands here.
    pub fails: Fails,
    /// The number of each new subscription, instead of the count of those before it.
    pub reuses: Option<u32>,
    /// The subscriptions whose conditions were asked for, and why it refuses that.
    pub refreshed: Vec<u32>,
    pub refreshes: Option<Status>,
    /// What hangs on each node.
    pub references: BTreeMap<NodeId, Vec<Reference>>,
    pub subtypes: BTreeMap<NodeId, Vec<(NodeId, BrowseName)>>,
}

/// Calls that fail as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fails {
    pub transfer: Option<&'static str>,
    pub republish: Option<&'static str>,
    pub monitor: Option<&'static str>,
}

/// What the server has room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub subscriptions: usize,
    pub items_per_subscription: usize,
    pub items: usize,
    /// Items of one call.
    pub per_call: usize,
    /// Refuses a call as a whole when not all of its items fit.
    pub all_or_none: bool,
    pub filters: Filters,
}

/// Which filters the server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Filters {
    #[default]
    All,
    Trigger,
    None,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            subscriptions: usize::MAX,
            items_per_subscription: usize::MAX,
            items: usize::MAX,
            per_call: usize::MAX,
            all_or_none: false,
            filters: Filters::All,
        }
    }
}

impl Script {
    pub fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub fn answer(&self, answer: Result<Published, Status>) {
        self.told(|told| told.answers.push_back(answer));
    }
}

impl Told {
    fn monitor(
        &mut self,
        subscription: u32,
        items: &[ItemRequest],
    ) -> Result<Vec<Result<ItemRevised, Status>>, Status> {
        if let Some(why) = self.fails.monitor {
            return Err(Status::named(why));
        }
        if items.len() > self.room.per_call {
            return Err(Status::named("BadTooManyOperations"));
        }
        let all: usize = self.subscriptions.values().sum();
        let of_this = self.subscriptions.entry(subscription).or_default();
        let mut room = (self.room.items_per_subscription - *of_this).min(self.room.items - all);
        if self.room.all_or_none && items.len() > room {
            return Err(Status::named("BadTooManyMonitoredItems"));
        }
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            results.push(if self.room.filters.refuse(item) {
                Err(Status::named("BadMonitoredItemFilterUnsupported"))
            } else if room == 0 {
                Err(Status::named("BadTooManyMonitoredItems"))
            } else {
                room -= 1;
                *of_this += 1;
                self.monitored += 1;
                Ok(revised())
            });
        }
        Ok(results)
    }
}

impl Filters {
    fn refuse(self, item: &ItemRequest) -> bool {
        match self {
            Self::All => false,
            Self::Trigger => item.deadband.is_some(),
            Self::None => item.deadband.is_some() || item.trigger != Trigger::default(),
        }
    }
}

impl Connection for Script {
    fn namespaces(&self) -> Called<'_, Vec<String>> {
        Box::pin(pending())
    }

    fn limits(&self) -> Called<'_, Limits> {
        Box::pin(pending())
    }

    fn browse(
        &self,
        _: Vec<NodeId>,
        _: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>> {
        Box::pin(pending())
    }

    fn data_types(&self, _: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(pending())
    }

    fn exist(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>> {
        let answer = match self.told(|told| told.gone) {
            true => Err(Status::named("BadNodeIdUnknown")),
            false => Ok(()),
        };
        Box::pin(ready(Ok(vec![answer; nodes.len()])))
    }

    fn subscribe(&self, request: SubscriptionRequest) -> Called<'_, Subscription> {
        let made = self.told(|told| {
            if told.subscriptions.len() >= told.room.subscriptions {
                return Err(Status::named("BadTooManySubscriptions"));
            }
            let count = u32::try_from(told.subscriptions.len()).unwrap();
            let id = told.reuses.unwrap_or(count);
            told.subscriptions.insert(id, 0);
            Ok(Subscription {
                id,
                publishing_ms: request.publishing_ms,
                keep_alive_count: request.keep_alive_count,
            })
        });
        Box::pin(ready(made))
    }

    fn unsubscribe(&self, subscription: u32) -> Called<'_, ()> {
        self.told(|told| told.subscriptions.remove(&subscription));
        Box::pin(ready(Ok(())))
    }

    fn transfer(&self, _: Vec<u32>) -> Called<'_, Vec<Result<Vec<u32>, Status>>> {
        let transferred = self.told(|told| {
            told.transfers += 1;
            let why = told.fails.transfer.unwrap_or("BadServiceUnsupported");
            let answer = told.transferred.clone();
            answer
                .filter(|_| told.fails.transfer.is_none())
                .ok_or(Status::named(why))
        });
        Box::pin(ready(transferred))
    }

    fn monitor(
        &self,
        subscription: u32,
        items: Vec<ItemRequest>,
    ) -> Called<'_, Vec<Result<ItemRevised, Status>>> {
        Box::pin(ready(self.told(|told| told.monitor(subscription, &items))))
    }

    fn refresh_conditions(&self, subscription: u32) -> Called<'_, ()> {
        let answer = self.told(|told| {
            told.refreshed.push(subscription);
            told.refreshes.clone()
        });
        Box::pin(ready(answer.map_or(Ok(()), Err)))
    }

    fn unmonitor(&self, _: u32, _: Vec<u32>) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn publish(&self, acknowledged: Vec<Acknowledgement>) -> Called<'static, Published> {
        self.told(|told| {
            let acknowledged = acknowledged.iter();
            told.acknowledged
                .extend(acknowledged.map(|kept| (kept.subscription, kept.sequence)));
            told.asked += 1;
        });
        let script = self.clone();
        Box::pin(async move {
            loop {
                if let Some(answer) = script.told(|told| told.answers.pop_front()) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }

    fn republish(&self, subscription: u32, sequence: u32) -> Called<'_, Notification> {
        let kept = self.told(|told| {
            if let Some(why) = told.fails.republish {
                return Err(Status::named(why));
            }
            told.republished.push((subscription, sequence));
            let kept = told.kept.iter().find(|kept| kept.sequence == sequence);
            kept.cloned().ok_or(Status::named("BadMessageNotAvailable"))
        });
        Box::pin(ready(kept))
    }

    fn read_values(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Read>> {
        let (count, takes, gone) = self.told(|told| {
            told.reads += 1;
            let count = told.still.unwrap_or(told.reads);
            (count, told.read_takes, told.gone)
        });
        let read = match gone {
            true => Err(Status::named("BadNodeIdUnknown")),
            false => Ok(Observation {
                value: Value::UInt(count),
                quality: Quality::Good,
                source_at: None,
                server_at: None,
            }),
        };
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            Ok(vec![read; nodes.len()])
        })
    }

    fn have_history(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<bool>> {
        let known = |told: &mut Told, node: &NodeId| match node.identifier {
            Identifier::Numeric(id) => told.historian.values.contains_key(&id),
            _ => false,
        };
        let have = self.told(|told| nodes.iter().map(|node| known(told, node)).collect());
        Box::pin(ready(Ok(have)))
    }

    fn history(&self, request: HistoryRequest) -> Called<'_, Vec<Result<HistoryPage, Status>>> {
        Box::pin(ready(self.told(|told| told.historian.answer(request))))
    }

    fn forget_history(&self, nodes: Vec<(NodeId, Vec<u8>)>) -> Called<'_, ()> {
        self.told(|told| told.historian.released += nodes.len());
        Box::pin(ready(Ok(())))
    }

    fn references(
        &self,
        nodes: Vec<NodeId>,
        _: u32,
    ) -> Called<'_, Vec<Result<References, Status>>> {
        let of = |node| References {
            found: self.told(|told| told.references.get(&node).cloned().unwrap_or_default()),
            left: None,
        };
        let all = nodes.into_iter().map(|node| Ok(of(node))).collect();
        Box::pin(ready(Ok(all)))
    }

    fn subtypes(&self, nodes: Vec<NodeId>) -> Called<'_, Vec<Result<Subtypes, Status>>> {
        let of = |node| self.told(|told| told.subtypes.get(&node).cloned().unwrap_or_default());
        let all = nodes.into_iter().map(|node| Ok(of(node))).collect();
        Box::pin(ready(Ok(all)))
    }

    fn close(&self) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

/// The point `s/d/p0` and so on.
pub(crate) fn item(at: usize) -> Item {
    let device = DeviceId::new("s", "d").unwrap();
    let name = format!("p{at}");
    Item {
        node: Some(NodeId::numeric(2, u32::try_from(at).unwrap())),
        point: device.point(&name).unwrap(),
        device,
        device_name: "d".to_owned(),
        name,
        identity: at as u64,
        named: false,
        address: format!("ns=2;i={at}"),
        sampling: Sampling {
            publishing_ms: 500,
            sampling_ms: 100,
            queue_size: 10,
            trigger: Trigger::default(),
            discard: Discard::default(),
            deadband: None,
            heartbeat_ms: None,
        },
        usual_unit: None,
        class: fieldgate_model::Class::Telemetry,
        enumeration: None,
        facts: Arc::default(),
    }
}

pub(crate) fn revised() -> ItemRevised {
    ItemRevised {
        id: 1,
        sampling_ms: 100.0,
        queue_size: 10,
    }
}

/// A message whose one value is its own number.
pub(crate) fn message(sequence: u32) -> Notification {
    let observed = Observed {
        value: Value::UInt(sequence.into()),
        quality: Quality::Good,
        at: None,
        overflow: false,
    };
    Notification {
        sequence,
        changes: vec![Change {
            handle: 0,
            observed: Some(observed),
        }],
        ..Notification::default()
    }
}

/// An address space of references between numbered nodes; the node 85 is `Objects`.
pub(crate) struct Tree(Vec<(NodeId, NodeId)>);

impl Tree {
    pub fn new(references: &[(u32, u32)]) -> Self {
        let node = |id: u32| NodeId::numeric(if id == 85 { 0 } else { 2 }, id);
        let references = references.iter();
        Self(
            references
                .map(|(from, to)| (node(*from), node(*to)))
                .collect(),
        )
    }

    pub fn name(id: u32) -> BrowseName {
        BrowseName {
            namespace: 2,
            name: id.to_string(),
        }
    }

    fn neighbour(node: &NodeId) -> Neighbour {
        let Identifier::Numeric(id) = node.identifier else {
            panic!("numbered nodes");
        };
        Neighbour {
            node: node.clone(),
            name: Self::name(id),
            class: Class::Object,
        }
    }
}

impl Connection for Tree {
    fn browse(
        &self,
        nodes: Vec<NodeId>,
        direction: Direction,
    ) -> Called<'_, Vec<Result<Vec<Neighbour>, Status>>> {
        let next_to = |node: &NodeId| {
            let ends = self.0.iter().filter_map(|(from, to)| match direction {
                Direction::Children => (from == node).then_some(to),
                Direction::Parents => (to == node).then_some(from),
            });
            Ok(ends.map(Self::neighbour).collect())
        };
        Box::pin(ready(Ok(nodes.iter().map(next_to).collect())))
    }

    fn namespaces(&self) -> Called<'_, Vec<String>> {
        Box::pin(pending())
    }

    fn limits(&self) -> Called<'_, Limits> {
        Box::pin(pending())
    }

    fn data_types(&self, _: Vec<NodeId>) -> Called<'_, Vec<Option<String>>> {
        Box::pin(pending())
    }

    fn exist(&self, _: Vec<NodeId>) -> Called<'_, Vec<Result<(), Status>>> {
        Box::pin(pending())
    }

    fn subscribe(&self, _: SubscriptionRequest) -> Called<'_, Subscription> {
        Box::pin(pending())
    }

    fn monitor(&self, _: u32, _: Vec<ItemRequest>) -> Called<'_, Vec<Result<ItemRevised, Status>>> {
        Box::pin(pending())
    }

    fn unmonitor(&self, _: u32, _: Vec<u32>) -> Called<'_, ()> {
        Box::pin(pending())
    }

    fn publish(&self, _: Vec<Acknowledgement>) -> Called<'static, Published> {
        Box::pin(pending())
    }

    fn republish(&self, _: u32, _: u32) -> Called<'_, Notification> {
        Box::pin(pending())
    }

    fn close(&self) -> Called<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}
