//! Nodes from which nothing is heard: whether they still exist, and what is done about it.

use fieldgate_kit::SourceError;
use futures::future::BoxFuture;

use super::{Answers, MAX_ASKED, Publishing, lost};
use crate::status::Status;

impl<'a> Publishing<'a> {
    /// Asks the server whether silent points still exist; `None` when nobody is silent.
    pub(super) fn ask_silent(&mut self) -> Option<BoxFuture<'a, Answers>> {
        let (asked, nodes) = self.points.silent(MAX_ASKED);
        if asked.is_empty() {
            return None;
        }
        let call = self.connection.exist(nodes);
        Some(Box::pin(async move { (asked, call.await) }))
    }

    /// A node that is gone gets a bad reading; one that came back gets a monitored item again.
    pub(super) async fn roll_called(
        &mut self,
        (asked, answers): Answers,
    ) -> Result<(), SourceError> {
        let Ok(answers) = answers else {
            // A server that is too busy to answer is the watchdog's business.
            return Ok(());
        };
        let called = self.points.roll_called(asked.into_iter().zip(answers));
        for feed in 0..self.feeds.len() {
            let back = called.back.iter().copied();
            let back: Vec<usize> = back
                .filter(|handle| self.points.subscription(*handle) == feed)
                .collect();
            self.monitor_again(self.feeds[feed].id, back)
                .await
                .map_err(|why| lost(&why.to_string()))?;
        }
        if !called.gone.is_empty() {
            self.points.tell();
            self.ctx.readings.send(called.gone).await?;
        }
        Ok(())
    }

    /// Their nodes are back; their first values will say so.
    async fn monitor_again(&mut self, subscription: u32, back: Vec<usize>) -> Result<(), Status> {
        let stale: Vec<u32> = back
            .iter()
            .filter_map(|handle| self.points.take_id(*handle))
            .collect();
        if !stale.is_empty() {
            self.connection.unmonitor(subscription, stale).await?;
        }
        let (back, requests): (Vec<usize>, Vec<_>) = back
            .into_iter()
            .filter_map(|handle| Some((handle, self.points.request(handle)?)))
            .unzip();
        if requests.is_empty() {
            return Ok(());
        }
        let results = self.connection.monitor(subscription, requests).await?;
        for (handle, result) in back.into_iter().zip(results) {
            self.points.made_again(handle, result);
        }
        Ok(())
    }
}
