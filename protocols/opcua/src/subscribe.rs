//! Makes the subscriptions that the items need, and goes on with fewer where the server has no room for more.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    connection::{Connection, ItemRequest, ItemRevised, Limits, Subscription, SubscriptionRequest},
    gate::Filtered,
    select::Item,
    shares::{Share, shares},
    status::Status,
};

/// Intervals without news after which the server says that it lives; small, so that silence is noticed soon.
const KEEP_ALIVE_COUNT: u32 = 4;
/// How long the server keeps a subscription that nobody asks; time to get through a full queue.
const LIFETIME: Duration = Duration::from_secs(120);
/// Values in one message: some 150 kB of numbers, which stays within the limits of most servers, and of our own.
const MAX_NOTIFICATIONS: u32 = 4_000;
const FULL: Status = Status::named("BadTooManyMonitoredItems");
const NO_MORE: &str = "BadTooManySubscriptions";

/// What the server made of the selection.
pub(crate) struct Subscribed {
    pub subscriptions: Vec<Subscription>,
    /// One for each item.
    pub items: Vec<Monitored>,
}

/// One item on the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Monitored {
    /// The place of its subscription; where it would go if it has none.
    pub subscription: usize,
    pub result: Result<ItemRevised, Status>,
    /// What the server makes of the wishes for its values.
    pub filtered: Filtered,
}

/// One result an item: a node that cannot be monitored does not disturb its neighbours.
///
/// # Errors
/// When the server has not even one subscription, or breaks off.
pub(crate) async fn subscribe(
    connection: &dyn Connection,
    items: &[Item],
    limits: &Limits,
) -> Result<Subscribed, Status> {
    let known = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.node.is_some());
    let mut waiting: VecDeque<Share> = shares(
        known.map(|(at, item)| (at, item.sampling.publishing_ms)),
        limits,
    )
    .into();
    let mut making = Making::new(connection, items, limits.per_monitor);
    if waiting.is_empty() {
        // Nothing is there yet, but it may come; and silence of the server has to be noticed.
        let publishing_ms = items
            .first()
            .map_or(1000, |item| item.sampling.publishing_ms);
        making.open(publishing_ms).await?;
    }
    while let Some(share) = waiting.pop_front() {
        let left = match making.open(share.publishing_ms).await {
            Ok(at) => making.fill(at, share.items.clone()).await?,
            Err(why) if why.is(NO_MORE) && !making.subscriptions.is_empty() => {
                making.squeeze(share.items, &why).await?;
                continue;
            }
            Err(why) => return Err(why),
        };
        if left.len() == share.items.len() {
            // An empty subscription that takes nothing: it is the server that is full.
            making.close_last().await;
            making.squeeze(left, &FULL).await?;
        } else if !left.is_empty() {
            waiting.push_front(Share {
                items: left,
                ..share
            });
        }
    }
    Ok(making.done())
}

/// A subscription that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub id: u32,
    /// What it was asked for; none where it has no points, and is to have none.
    pub publishing_ms: Option<u64>,
}

/// Puts more items, the first of which has the handle `first`, into subscriptions that are there, and makes new ones where
/// none has their pace or takes more. The new subscriptions, and one result an item.
///
/// # Errors
/// When the server breaks off.
pub(crate) async fn extend(
    connection: &dyn Connection,
    places: Vec<Place>,
    items: &[Item],
    first: usize,
    per_monitor: usize,
) -> Result<(Vec<Subscription>, Vec<Monitored>), Status> {
    let mut making = Making::new(connection, items, per_monitor);
    making.first = first;
    making.full = places
        .iter()
        .map(|place| place.publishing_ms.is_none())
        .collect();
    let known = |place: &Place| Subscription {
        id: place.id,
        publishing_ms: 0.0,
        keep_alive_count: KEEP_ALIVE_COUNT,
    };
    making.subscriptions = places.iter().map(known).collect();
    let mut paces: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, item) in items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.node.is_some())
    {
        paces
            .entry(item.sampling.publishing_ms)
            .or_default()
            .push(at);
    }
    for (publishing_ms, mut items) in paces {
        for (at, place) in places.iter().enumerate() {
            if place.publishing_ms == Some(publishing_ms) {
                items = making.fill(at, items).await?;
            }
        }
        while !items.is_empty() {
            let left = match making.open(publishing_ms).await {
                Ok(at) => making.fill(at, items.clone()).await?,
                Err(why) if why.is(NO_MORE) => {
                    making.squeeze(items, &why).await?;
                    break;
                }
                Err(why) => return Err(why),
            };
            if left.len() == items.len() {
                making.close_last().await;
                making.squeeze(left, &FULL).await?;
                break;
            }
            items = left;
        }
    }
    let made = making.done();
    let new = made.subscriptions.into_iter().skip(places.len()).collect();
    Ok((new, made.items))
}

/// What is made so far.
struct Making<'a> {
    connection: &'a dyn Connection,
    items: &'a [Item],
    /// The handle of the first item.
    first: usize,
    per_monitor: usize,
    subscriptions: Vec<Subscription>,
    /// Whether each takes no more.
    full: Vec<bool>,
    made: Vec<Monitored>,
}

// === impl Making ===

impl<'a> Making<'a> {
    fn new(connection: &'a dyn Connection, items: &'a [Item], per_monitor: usize) -> Self {
        let none = |item: &Item| Monitored {
            subscription: 0,
            result: Err(match item.node {
                Some(_) => FULL,
                None => Status::named("BadNodeIdUnknown"),
            }),
            filtered: Filtered::default(),
        };
        Self {
            connection,
            items,
            first: 0,
            per_monitor: per_monitor.max(1),
            subscriptions: Vec::new(),
            full: Vec::new(),
            made: items.iter().map(none).collect(),
        }
    }

    async fn open(&mut self, publishing_ms: u64) -> Result<usize, Status> {
        let made = self.connection.subscribe(request(publishing_ms)).await?;
        self.subscriptions.push(made);
        self.full.push(false);
        Ok(self.subscriptions.len() - 1)
    }

    /// Takes the last one back, unless it is the only one.
    async fn close_last(&mut self) {
        if self.subscriptions.len() > 1
            && let Some(last) = self.subscriptions.pop()
        {
            self.full.pop();
            // If it stays, it only costs its place.
            let _deleted = self.connection.unsubscribe(last.id).await;
        }
    }

    /// Puts items where there still is room; the others are refused for this reason.
    async fn squeeze(&mut self, mut items: Vec<usize>, why: &Status) -> Result<(), Status> {
        for at in 0..self.subscriptions.len() {
            if !self.full[at] && !items.is_empty() {
                items = self.fill(at, items).await?;
            }
        }
        for item in items {
            self.made[item].result = Err(why.clone());
        }
        Ok(())
    }

    /// Monitors items until the subscription is full; what it does not take is returned.
    async fn fill(&mut self, at: usize, items: Vec<usize>) -> Result<Vec<usize>, Status> {
        let subscription = self.subscriptions[at].id;
        let mut left = VecDeque::from(items);
        let mut most = self.per_monitor;
        while !left.is_empty() && !self.full[at] {
            let chunk: Vec<usize> = left.iter().take(most).copied().collect();
            match self.monitor(subscription, &chunk).await {
                Ok(results) => {
                    left.drain(..chunk.len());
                    for (item, (result, filtered)) in chunk.into_iter().zip(results).rev() {
                        if result.as_ref().is_err_and(|why| *why == FULL) {
                            self.full[at] = true;
                            left.push_front(item);
                        } else {
                            self.made[item] = Monitored {
                                subscription: at,
                                result,
                                filtered,
                            };
                        }
                    }
                }
                // Some servers refuse the call as a whole when not all of its items fit.
                Err(why) if fewer_may_do(&why) && most > 1 => {
                    most = chunk.len().div_ceil(2).min(most - 1)
                }
                Err(why) if why == FULL => self.full[at] = true,
                Err(why) => return Err(why),
            }
        }
        Ok(left.into())
    }

    /// One result an item, and what became of its filter: where the server refuses it, the item is made without.
    async fn monitor(
        &self,
        subscription: u32,
        chunk: &[usize],
    ) -> Result<Vec<(Result<ItemRevised, Status>, Filtered)>, Status> {
        let request = |item: &usize, filtered| self.request(*item, filtered);
        let first = chunk
            .iter()
            .filter_map(|item| request(item, Filtered::AsAsked));
        let first = self
            .connection
            .monitor(subscription, first.collect())
            .await?;
        let mut results: Vec<_> = first
            .into_iter()
            .map(|result| (result, Filtered::AsAsked))
            .collect();
        for less in [Filtered::WithoutDeadband, Filtered::NotAtAll] {
            let refused: Vec<usize> = (0..results.len())
                .filter(|at| results[*at].0.as_ref().is_err_and(is_about_the_filter))
                .collect();
            if refused.is_empty() {
                break;
            }
            let requests = refused.iter().filter_map(|at| request(&chunk[*at], less));
            let again = match self
                .connection
                .monitor(subscription, requests.collect())
                .await
            {
                Err(why) if why == FULL => vec![Err(FULL); refused.len()],
                again => again?,
            };
            for (at, result) in refused.into_iter().zip(again) {
                results[at] = (result, less);
            }
        }
        Ok(results)
    }

    fn request(&self, item: usize, filtered: Filtered) -> Option<ItemRequest> {
        let mut request = self.items[item].request(self.first + item)?;
        filtered.leave_out(&mut request);
        Some(request)
    }

    fn done(self) -> Subscribed {
        Subscribed {
            subscriptions: self.subscriptions,
            items: self.made,
        }
    }
}

fn is_about_the_filter(why: &Status) -> bool {
    [
        "BadFilterNotAllowed",
        "BadMonitoredItemFilterUnsupported",
        "BadMonitoredItemFilterInvalid",
        "BadDeadbandFilterInvalid",
    ]
    .iter()
    .any(|name| why.is(name))
}

fn fewer_may_do(why: &Status) -> bool {
    *why == FULL
        || [
            "BadTooManyOperations",
            "BadRequestTooLarge",
            "BadResponseTooLarge",
            "BadEncodingLimitsExceeded",
        ]
        .iter()
        .any(|name| why.is(name))
}

pub(crate) fn request(publishing_ms: u64) -> SubscriptionRequest {
    let lifetime = LIFETIME.as_millis() / u128::from(publishing_ms.max(1));
    SubscriptionRequest {
        publishing_ms: Duration::from_millis(publishing_ms).as_secs_f64() * 1000.0,
        keep_alive_count: KEEP_ALIVE_COUNT,
        lifetime_count: u32::try_from(lifetime)
            .unwrap_or(u32::MAX)
            .max(KEEP_ALIVE_COUNT * 3),
        max_notifications: MAX_NOTIFICATIONS,
    }
}

// === impl Subscribed ===

impl Subscribed {
    /// `in 3 subscriptions, publishing every 100 to 500 ms; 12 left out: …`
    pub(crate) fn words(&self) -> String {
        let paces = self.subscriptions.iter().map(|made| made.publishing_ms);
        words(paces, &self.items)
    }
}

/// As [`Subscribed::words`], of subscriptions that publish every so many milliseconds.
pub(crate) fn words(
    paces: impl ExactSizeIterator<Item = f64> + Clone,
    items: &[Monitored],
) -> String {
    let subscriptions = paces.len();
    let fastest = paces.clone().fold(f64::INFINITY, f64::min);
    let slowest = paces.fold(0.0, f64::max);
    let mut words = if fastest < slowest {
        format!("publishing every {fastest} to {slowest} ms")
    } else {
        format!("publishing every {slowest} ms")
    };
    if subscriptions > 1 {
        words.insert_str(0, &format!("in {subscriptions} subscriptions "));
    }
    let refused = |status: &str| {
        let why = |item: &&Monitored| item.result.as_ref().is_err_and(|why| why.is(status));
        items.iter().filter(why).count()
    };
    let left_out = refused(FULL.name()) + refused(NO_MORE);
    if left_out > 0 {
        words.push_str(&format!(
                "; {left_out} are left out because the server takes no more: select fewer, or raise its limits of monitored items and subscriptions"
            ));
    }
    words
}

#[cfg(test)]
mod tests;
