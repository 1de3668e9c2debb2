//! What an attempt leaves for the next one: the subscriptions that the server may still keep with their messages, and
//! each point's last value, so that a new session goes on where the lost one ended (OPC UA Part 4, 5.14.7).

mod custody;

use std::{collections::HashMap, time::Duration};

use fieldgate_model::{PointId, Timestamp};
use futures::{StreamExt, future::BoxFuture, stream::FuturesOrdered};
use tokio::time::timeout;

pub(crate) use self::custody::Custody;
use crate::{
    connection::Connection,
    events::{Events, conditions::Conditions},
    follow::Signals,
    history::{Gap, Series},
    last::Last,
    publish::{Feed, Kept},
    select::Item,
    status::Status,
    subscribe::Monitored,
};

/// How long is waited for what is on its way to the disk.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the same subscriptions are asked for: once more after an attempt that ended before it ran. A server that
/// breaks off over it each time would never be read otherwise.
const MAX_TRANSFERS: u32 = 2;

/// Left behind when an attempt is lost.
pub(crate) struct Remembered {
    /// The address of the server that has the subscriptions.
    pub server: String,
    pub items: Vec<Item>,
    pub monitored: Vec<Monitored>,
    /// None when they are of no use any more.
    pub feeds: Vec<Feed>,
    /// Messages that were handed over, and are durable by now, or soon, or never.
    pub undurable: FuturesOrdered<BoxFuture<'static, Kept>>,
    /// In the order of the items.
    pub last: Vec<Option<Last>>,
    /// What is missing, by the index of the item.
    pub gaps: Vec<(usize, Vec<Gap>)>,
    /// The last values are not known, because some were not accepted.
    pub is_forgotten: bool,
    /// The earliest value that was not accepted, by its own time; later ones may have been.
    pub refused_since: Option<Timestamp>,
    /// How far the points are is written down, too.
    pub is_written: bool,
    /// They come in the last of the subscriptions.
    pub events: Option<Events>,
    /// Which were open, where there are no events to ask.
    pub conditions: Conditions,
    /// What the server tells of changes in its address space.
    pub signals: Signals,
    /// How often the server was asked to hand these subscriptions over.
    pub transfers: u32,
    /// They are in this session.
    pub is_taken_over: bool,
}

/// What goes on in this session.
pub(crate) struct Resumed {
    pub feeds: Vec<Feed>,
    pub undurable: FuturesOrdered<BoxFuture<'static, Kept>>,
    pub refused_since: Option<Timestamp>,
    pub events: Option<Events>,
    pub signals: Signals,
}

// === impl Remembered ===

impl Remembered {
    /// Only which conditions are open: for an attempt that ends before it watches anything.
    pub(crate) fn only(conditions: Conditions) -> Self {
        Self {
            server: String::new(),
            items: Vec::new(),
            monitored: Vec::new(),
            feeds: Vec::new(),
            undurable: FuturesOrdered::new(),
            last: Vec::new(),
            gaps: Vec::new(),
            is_forgotten: true,
            refused_since: None,
            is_written: false,
            events: None,
            conditions,
            signals: Signals::default(),
            transfers: 0,
            is_taken_over: false,
        }
    }

    /// Which conditions are open, as far as it is known.
    pub(crate) fn conditions(&self) -> &Conditions {
        let events = self.events.as_ref();
        events.map_or(&self.conditions, Events::conditions)
    }

    /// The last values, in the order of these items.
    pub(crate) fn last_of(&self, items: &[Item]) -> Vec<Option<Last>> {
        let known: HashMap<&PointId, Last> = self
            .items
            .iter()
            .zip(&self.last)
            .filter_map(|(item, last)| Some((&item.point, (*last)?)))
            .collect();
        let find = |item: &Item| known.get(&item.point).copied();
        items.iter().map(find).collect()
    }

    /// The series, in the order of these items.
    pub(crate) fn series_of(&self, items: &[Item]) -> Vec<Series> {
        let gaps = self.gaps.iter();
        let gaps: HashMap<&PointId, &Vec<Gap>> = gaps
            .filter_map(|(at, gaps)| Some((&self.items.get(*at)?.point, gaps)))
            .collect();
        let series = |(item, last): (&Item, Option<Last>)| Series {
            last,
            gaps: gaps
                .get(&item.point)
                .map_or_else(Vec::new, |gaps| (*gaps).clone()),
        };
        items.iter().zip(self.last_of(items)).map(series).collect()
    }

    /// Whether the last values are durable: waits a while for those that are on their way. Those of subscriptions that were
    /// taken over are waited for by whoever goes on with them.
    pub(crate) async fn is_sure(&mut self) -> bool {
        if self.is_taken_over {
            return !self.is_forgotten;
        }
        // Also where it is known already that some were not accepted: which was the earliest is not.
        let all = async {
            while let Some(kept) = self.undurable.next().await {
                if !kept.is_durable() {
                    self.is_forgotten = true;
                    self.refused_since = earliest(self.refused_since, kept.earliest());
                }
            }
        };
        match timeout(PATIENCE, all).await {
            Ok(()) => !self.is_forgotten,
            // Where nothing is written down, what was handed over is all that is known.
            Err(_) => !self.is_forgotten && !self.is_written,
        }
    }

    /// Takes the subscriptions into this session; false when the server does not have all of them any more, or what was found
    /// now has other nodes or wishes, or they were asked for too often. What came or went besides is for the following to
    /// find.
    ///
    /// # Errors
    /// When the server breaks off.
    pub(crate) async fn take_over(
        &mut self,
        connection: &dyn Connection,
        found: &[Item],
    ) -> Result<bool, Status> {
        if self.feeds.is_empty() || !self.same_wishes(found) {
            return Ok(false);
        }
        if self.transfers >= MAX_TRANSFERS {
            tracing::debug!("the subscriptions were asked for often enough, and are made anew");
            self.feeds.clear();
            return Ok(false);
        }
        self.transfers += 1;
        let ids: Vec<u32> = self.feeds.iter().map(|feed| feed.id).collect();
        let transferred = match connection.transfer(ids.clone()).await {
            Ok(transferred) => transferred,
            Err(why) if is_lost(&why) => return Err(why),
            // Many small servers do not have the service.
            Err(why) => {
                tracing::debug!(%why, "no subscription is taken over");
                self.feeds.clear();
                return Ok(false);
            }
        };
        let mut all = transferred.len() == self.feeds.len();
        for (feed, transferred) in self.feeds.iter_mut().zip(&transferred) {
            match transferred {
                Ok(available) => feed.resume(available),
                Err(why) => {
                    tracing::debug!(%why, id = feed.id, "a subscription is not taken over");
                    all = false;
                }
            }
        }
        if all {
            self.is_taken_over = true;
            return Ok(true);
        }
        self.feeds.clear();
        for (id, transferred) in ids.into_iter().zip(transferred) {
            if transferred.is_ok() {
                // If it stays, it only costs its place until it expires.
                let _deleted = connection.unsubscribe(id).await;
            }
        }
        Ok(false)
    }

    /// What was taken over, for whoever goes on with it.
    pub(crate) fn into_resumed(self) -> Resumed {
        Resumed {
            feeds: self.feeds,
            undurable: self.undurable,
            refused_since: self.refused_since,
            events: self.events,
            signals: self.signals,
        }
    }

    /// The server would be asked for what was found under the same handles.
    fn same_wishes(&self, found: &[Item]) -> bool {
        let known: HashMap<&PointId, &Item> =
            self.items.iter().map(|item| (&item.point, item)).collect();
        let same = |is: &Item| match known.get(&is.point) {
            Some(was) => was.request(0) == is.request(0) && was.sampling == is.sampling,
            None => true,
        };
        let any = found.iter().any(|item| known.contains_key(&item.point));
        any != self.items.is_empty() && found.iter().all(same)
    }
}

/// The earlier of two moments, where there are two.
pub(crate) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// The session itself is of no use, whatever is asked of it.
fn is_lost(why: &Status) -> bool {
    [
        "BadTimeout",
        "BadConnectionClosed",
        "BadSessionIdInvalid",
        "BadSessionClosed",
        "BadSecureChannelClosed",
    ]
    .contains(&why.name())
}

#[cfg(test)]
mod tests;
