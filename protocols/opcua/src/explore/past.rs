//! What a node's value was, from the server's own history: some pages of it, the newest values first (OPC UA Part 11, 6.4.3).

use fieldgate_kit::{
    ExploreError,
    explore::{HistoryAsk, Observation, Past},
};

use super::Explorer;
use crate::connection::{HistoryRequest, Observed};

/// The most values of one answer.
const MOST: u32 = 1000;
/// A server is never trusted to end.
const MAX_PAGES: usize = 200;

impl Explorer {
    pub(super) async fn past(&self, ask: HistoryAsk) -> Result<Past, ExploreError> {
        let node = self.node(&ask.node).await?;
        let most = ask.most.clamp(1, MOST);
        let room = most as usize;
        let mut past = Past::default();
        let mut mark = Vec::new();
        for _ in 0..MAX_PAGES {
            let left = room - past.values.len();
            let request = HistoryRequest {
                // From the end backwards, so that of too many the newest are told.
                start: ask.to,
                end: Some(ask.from),
                // One more than is told: not every server says that there is more.
                most: most + 1,
                nodes: vec![(node.clone(), mark)],
            };
            let answers = self.connection.history(request).await?;
            let page = answers.into_iter().next();
            let page = page.unwrap_or_else(|| Ok(Default::default()))?;
            past.more = !page.mark.is_empty() || page.values.len() > left;
            let values = page.values.into_iter().take(left).map(observation);
            past.values.extend(values);
            mark = page.mark;
            if mark.is_empty() || past.values.len() >= room {
                break;
            }
        }
        if !mark.is_empty()
            && let Err(why) = self.connection.forget_history(vec![(node, mark)]).await
        {
            tracing::debug!(%why, "a continuation point was not given back");
        }
        Ok(past)
    }
}

fn observation(observed: Observed) -> Observation {
    Observation {
        value: observed.value,
        quality: observed.quality,
        source_at: observed.at,
        server_at: None,
    }
}
