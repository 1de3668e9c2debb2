//! What silent points are asked, in turns: whether their nodes still exist, and whether their values are those that were told.

use std::collections::BTreeSet;

use fieldgate_kit::SourceError;
use futures::future::{BoxFuture, OptionFuture};
use tokio::time::Instant;

use super::{Part, Publishing, lost};
use crate::{explore::asked::Read, status::Status};

/// How many at a time, so that it is no load for a small server; fewer where it takes fewer in one call.
const MAX_ASKED: usize = 200;

/// Which items were asked, and what became of each.
type Answers<T> = (Vec<usize>, Option<Result<Vec<T>, Status>>);

/// What the server answered of silent points.
pub(super) struct Answered {
    exist: Answers<Result<(), Status>>,
    values: Answers<Read>,
}

impl<'a> Publishing<'a> {
    /// Asks the server of silent points; `None` when nobody is silent.
    pub(super) fn ask_silent(&mut self) -> Option<BoxFuture<'a, Answered>> {
        let most = self.per_read.min(MAX_ASKED);
        let (silent, nodes) = self.points.silent(most);
        let (late, late_nodes) = self.points.late(most);
        if silent.is_empty() && late.is_empty() {
            return None;
        }
        let connection = self.connection;
        let exist: OptionFuture<_> = (!nodes.is_empty()).then(|| connection.exist(nodes)).into();
        let values: OptionFuture<_> = (!late_nodes.is_empty())
            .then(|| connection.read_values(late_nodes))
            .into();
        Some(Box::pin(async move {
            Answered {
                exist: (silent, exist.await),
                values: (late, values.await),
            }
        }))
    }

    /// A node that is gone gets a bad reading; one that came back gets a monitored item again; what the server never told
    /// is told now, and its subscription made anew.
    pub(super) async fn answered(&mut self, answered: Answered) -> Result<(), SourceError> {
        // A server that is too busy to answer is the watchdog's business.
        if let (asked, Some(Ok(answers))) = answered.exist {
            self.roll_called(asked.into_iter().zip(answers)).await?;
        }
        if let (asked, Some(Ok(values))) = answered.values {
            self.looked_at(asked.into_iter().zip(values)).await?;
        }
        Ok(())
    }

    async fn roll_called(
        &mut self,
        answers: impl Iterator<Item = (usize, Result<(), Status>)>,
    ) -> Result<(), SourceError> {
        let mut called = self.points.roll_called(answers);
        self.suspect(&mut called.back);
        for feed in 0..self.feeds.len() {
            let back = called.back.iter().copied();
            let back: Vec<usize> = back
                .filter(|handle| self.points.subscription(*handle) == feed)
                .collect();
            self.monitor_again(feed, back)
                .await
                .map_err(|why| lost(&why.to_string()))?;
        }
        if !called.gone.is_empty() {
            self.points.tell();
            self.hand_over(Part::Again, called.gone).await?;
        }
        Ok(())
    }

    async fn looked_at(
        &mut self,
        values: impl Iterator<Item = (usize, Read)>,
    ) -> Result<(), SourceError> {
        let (handles, readings): (Vec<usize>, Vec<_>) =
            self.points.untold(values).into_iter().unzip();
        if readings.is_empty() {
            return Ok(());
        }
        self.hand_over(Part::Again, readings).await?;
        let deaf: BTreeSet<usize> = handles
            .into_iter()
            .map(|handle| self.points.subscription(handle))
            .collect();
        for feed in deaf {
            if feed < self.feeds.len() && self.feeds[feed].may_be_deaf(Instant::now()) {
                self.make_anew(
                    feed,
                    "it does not tell what changes, while it says that it lives",
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Their nodes are back; their first values will say so.
    pub(super) async fn monitor_again(
        &mut self,
        feed: usize,
        back: Vec<usize>,
    ) -> Result<(), Status> {
        let subscription = self.feeds[feed].id;
        // Cut off in the middle, an item may be there that nobody knows, and its point would have two: then the subscriptions
        // are of no use any more.
        let spoiled = std::mem::replace(&mut self.spoiled, true);
        for chunk in back.chunks(self.per_monitor) {
            let stale = chunk.iter();
            let stale: Vec<u32> = stale
                .filter_map(|handle| self.points.take_id(*handle))
                .collect();
            if !stale.is_empty() {
                self.connection.unmonitor(subscription, stale).await?;
            }
            let wished = chunk.iter();
            let (handles, requests): (Vec<usize>, Vec<_>) = wished
                .filter_map(|handle| Some((*handle, self.points.request(*handle)?)))
                .unzip();
            if requests.is_empty() {
                continue;
            }
            let results = self.connection.monitor(subscription, requests).await?;
            for (handle, result) in handles.into_iter().zip(results) {
                self.points.made_again(handle, result);
            }
        }
        self.spoiled = spoiled;
        Ok(())
    }
}
