//! What a node's value was, from the server's own history: some pages of it, the newest values first (OPC UA Part 11, 6.4.3).

use fieldgate_kit::{
    ExploreError,
    explore::{HistoryAsk, Observation, Past},
};

use super::Explorer;
use crate::{
    connection::{HistoryRequest, Observed},
    room::{self, Room},
};

/// The most values of one answer; large ones are fewer.
const MOST: u32 = 1000;
/// A server is never trusted to end.
const MAX_PAGES: usize = 200;

impl Explorer {
    pub(super) async fn past(&self, ask: HistoryAsk) -> Result<Past, ExploreError> {
        self.past_within(ask, Room::of(room::OF_A_QUESTION)).await
    }

    async fn past_within(&self, ask: HistoryAsk, mut bytes: Room) -> Result<Past, ExploreError> {
        let node = self.node(&ask.node).await?;
        let most = ask.most.clamp(1, MOST);
        let places = most as usize;
        let mut past = Past::default();
        let mut mark = Vec::new();
        for _ in 0..MAX_PAGES {
            let left = places - past.values.len();
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
            past.values
                .extend(values.inspect(|one| bytes.take(room::of_value(&one.value))));
            mark = page.mark;
            if mark.is_empty() || past.values.len() >= places || bytes.is_over() {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fieldgate_model::Timestamp;

    use super::*;
    use crate::{explore::Owner, profiles::Profiles, twin::Script};

    #[tokio::test]
    async fn large_values_are_fewer() {
        let script = Script::default();
        script.told(|told| {
            told.historian.values.insert(85, (0..100).collect());
            told.historian.page = 10;
        });
        let folder = tempfile::tempdir().unwrap();
        let settings = serde_json::json!({ "endpoint": "opc.tcp://h", "select": ["Objects/**"] });
        let explorer = Explorer::new(
            Arc::new(script.clone()),
            Arc::new(serde_json::from_value(settings).unwrap()),
            "s".into(),
            Profiles::of(folder.path()).await,
            Owner::Source,
        );
        let ask = || HistoryAsk {
            node: String::new(),
            from: Timestamp::default(),
            to: Timestamp::from_millis(200_000),
            most: 1000,
        };
        let all = explorer.past(ask()).await.unwrap();
        assert_eq!((all.values.len(), all.more), (100, false));
        let few = explorer.past_within(ask(), Room::of(1_000)).await.unwrap();
        assert!(few.values.len() < 100 && few.more, "{}", few.values.len());
        assert_eq!(script.told(|told| told.historian.released), 1);
    }
}
