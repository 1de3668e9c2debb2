//! The publish loop as the address space changes: only what differs is made or taken away, so that everything else flows on
//! under its own monitored item.

use fieldgate_kit::SourceError;
use fieldgate_model::Reading;
use tokio::time::Instant;

use super::{Feed, Publishing, lost};
use crate::{
    connection::ValueType,
    facts,
    follow::{Changed, Difference, Step, TOO_MANY},
    select::Item,
    status::Status,
    subscribe::{self, Place},
};

impl<'a> Publishing<'a> {
    pub(super) async fn follow(&mut self, step: Step) -> Result<(), SourceError> {
        let Some(following) = &mut self.following else {
            return Ok(());
        };
        let began = Instant::now();
        let change = following.turn(step, &self.points).await;
        let (words, limits) = (following.words(), following.limits);
        self.keep_within(&limits);
        match change {
            Some(change) => {
                self.apply(change).await?;
                self.points.changed(words);
            }
            None => self.points.follow(words),
        }
        // The server was not silent meanwhile, we did not listen.
        for feed in &mut self.feeds {
            feed.pass_over(began.elapsed());
        }
        Ok(())
    }

    /// Points whose node is back under its number are made again once a look has seen them in their place; those that a rule
    /// names by their number at once.
    pub(super) fn suspect(&mut self, back: &mut Vec<usize>) {
        let Some(following) = &mut self.following else {
            return;
        };
        let items = self.points.items();
        let waits = |at: &usize| !items[*at].named;
        if back.iter().any(waits) && following.suspect() {
            back.retain(|at| items[*at].named);
        }
    }

    async fn apply(&mut self, change: Changed) -> Result<(), SourceError> {
        let broken = |why: Status| lost(&why.to_string());
        let Changed {
            difference,
            whole,
            fits,
        } = change;
        if !fits {
            self.spoiled = true;
            return Err(SourceError::Lost(TOO_MANY.to_owned()));
        }
        let Difference {
            added,
            remade,
            retyped,
            missing,
        } = difference;
        let gone = self.part(&missing, whole).await.map_err(broken)?;
        for (at, value_type) in &retyped {
            self.points.retype(*at, value_type);
        }
        self.remake(remade).await.map_err(broken)?;
        let failed = self.join(added).await.map_err(broken)?;
        let readings: Vec<Reading> = gone.into_iter().chain(failed).collect();
        self.send_again(readings).await
    }

    /// Points that were not found: those whose node is gone say so, and those that no rule means any more are left out.
    async fn part(&mut self, missing: &[usize], whole: bool) -> Result<Vec<Reading>, Status> {
        let Some(following) = &mut self.following else {
            return Ok(Vec::new());
        };
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let answers = following.exist(&self.points, missing).await?;
        let there = answers.iter().filter(|(_, answer)| answer.is_ok());
        let there: Vec<usize> = there.map(|(at, _)| *at).collect();
        let gone = answers.into_iter().filter(|(_, answer)| answer.is_err());
        let mut readings = self.points.roll_called(gone).gone;
        if whole {
            self.take_out(&there).await?;
            readings.extend(there.iter().map(|at| self.points.leave_out(*at)));
        }
        Ok(readings)
    }

    /// Takes the monitored items of points away.
    async fn take_out(&mut self, points: &[usize]) -> Result<(), Status> {
        for feed in 0..self.feeds.len() {
            let of_feed = points.iter().copied();
            let of_feed: Vec<usize> = of_feed
                .filter(|at| self.points.subscription(*at) == feed)
                .collect();
            let ids: Vec<u32> = of_feed
                .into_iter()
                .filter_map(|at| self.points.take_id(at))
                .collect();
            let spoiled = std::mem::replace(&mut self.spoiled, true);
            for chunk in ids.chunks(self.per_monitor) {
                let subscription = self.feeds[feed].id;
                self.connection
                    .unmonitor(subscription, chunk.to_vec())
                    .await?;
            }
            self.spoiled = spoiled;
        }
        Ok(())
    }

    /// Points that go on with another node, or whose node is back.
    async fn remake(&mut self, remade: Vec<(usize, Item)>) -> Result<(), Status> {
        let places: Vec<usize> = remade.iter().map(|(at, _)| *at).collect();
        for (at, item) in remade {
            tracing::info!(source = %self.ctx.id, point = %item.point, address = item.address, "a point goes on with its node as it is now");
            self.points.renew(at, item);
        }
        for feed in 0..self.feeds.len() {
            let of_feed = places.iter().copied();
            let of_feed: Vec<usize> = of_feed
                .filter(|at| self.points.subscription(*at) == feed)
                .collect();
            self.monitor_again(feed, of_feed).await?;
        }
        Ok(())
    }

    /// Points that are new; a reading for each that cannot be monitored.
    async fn join(&mut self, added: Vec<(Item, ValueType)>) -> Result<Vec<Reading>, Status> {
        if added.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.points.items().len();
        let items: Vec<Item> = added.iter().map(|(item, _)| item.clone()).collect();
        // The events' subscription stays the last one.
        let of_values = self.feeds.len() - usize::from(self.points.events().is_some());
        let places: Vec<Place> = (0..of_values).map(|feed| self.place(feed)).collect();
        let extended = subscribe::extend(self.connection, places, &items, first, self.per_monitor);
        // Cut off in the middle, the server has items that nobody knows: then the subscriptions are of no use any more.
        let spoiled = std::mem::replace(&mut self.spoiled, true);
        let (subscriptions, made) = extended.await?;
        self.spoiled = spoiled;
        let now = Instant::now();
        for (at, subscription) in (of_values..).zip(&subscriptions) {
            self.feeds.insert(at, Feed::new(subscription, now));
        }
        self.count_requests();
        self.points.join(added, made);
        tracing::info!(source = %self.ctx.id, points = items.len(), "new points are read");
        if let Some(following) = &self.following {
            let wanted = facts::wanted(&items);
            let learning = facts::learn(self.connection, wanted, following.limits);
            self.learning.push(Box::pin(learning));
        }
        Ok(self.points.failed(first))
    }

    /// A subscription as a place for more points: with what pace it was asked for, as the points in it say.
    fn place(&self, feed: usize) -> Place {
        let of_feed = (0..self.points.items().len()).filter(|at| self.points.is_in(*at, feed));
        let paces = of_feed.map(|at| self.points.items()[at].sampling.publishing_ms);
        Place {
            id: self.feeds[feed].id,
            publishing_ms: paces.min(),
        }
    }
}
