//! What rules mean: how many points, how many of them the present rules mean already, and which of them change how often.

use std::{collections::HashSet, time::Duration};

use fieldgate_kit::{
    ExploreError, SourceError,
    explore::{Observation, Sample, SelectionPreview, Watched},
};
use serde_json::Value as Json;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::{Explorer, Owner};
use crate::{
    alias::KnownPaths,
    connection::{Acknowledgement, SubscriptionRequest},
    look::{self, Selection},
    select::Item,
    settings::{Select, Settings},
};

/// New points that are named.
const FIRST: usize = 50;
/// Points that are watched.
const MAX_WATCHED: usize = 500;
/// The longest that is watched; the console waits for an answer for 20 s.
const MAX_TIME: Duration = Duration::from_secs(12);
/// How often values are read where nothing can be subscribed.
const READ_EVERY: Duration = Duration::from_millis(250);
/// How often a subscription of a test sends what changed.
const PUBLISHING_MS: f64 = 250.0;

impl Explorer {
    pub(super) async fn previewed(
        &self,
        rules: Vec<Json>,
        present: Vec<Json>,
    ) -> Result<SelectionPreview, ExploreError> {
        let chosen = self.selected(rules).await?;
        let before = match present.is_empty() {
            true => Vec::new(),
            false => self.selected(present).await?.items,
        };
        let known: HashSet<_> = before
            .iter()
            .filter_map(|item| item.node.as_ref())
            .collect();
        let there = chosen.items.iter().filter(|item| item.node.is_some());
        let (covered, new): (Vec<&Item>, Vec<&Item>) =
            there.partition(|item| item.node.as_ref().is_some_and(|node| known.contains(node)));
        Ok(SelectionPreview {
            points: (covered.len() + new.len()) as u64,
            covered: covered.len() as u64,
            before: known.len() as u64,
            at_most_per_s: new.iter().map(|item| self.most_per_second(item)).sum(),
            first: new
                .iter()
                .take(FIRST)
                .map(|item| item.point.to_string())
                .collect(),
            cut: chosen.cut,
        })
    }

    pub(super) async fn sampled(
        &self,
        rules: Vec<Json>,
        time: Duration,
    ) -> Result<Sample, ExploreError> {
        let chosen = self.selected(rules).await?;
        let there: Vec<&Item> = chosen
            .items
            .iter()
            .filter(|item| item.node.is_some())
            .collect();
        let watched: Vec<&Item> = there.iter().copied().take(MAX_WATCHED).collect();
        if watched.is_empty() {
            return Err(ExploreError::Refused(
                "the rules mean nothing on this server".to_owned(),
            ));
        }
        let time = time.clamp(Duration::from_secs(1), MAX_TIME);
        let begun = Instant::now();
        let (seen, words) = match self.owner {
            Owner::Explorer => (
                self.subscribed(&watched, begun + time).await?,
                "a subscription of its own, removed again".to_owned(),
            ),
            Owner::Source => (
                self.read_again(&watched, begun + time).await?,
                format!(
                    "read every {} ms, beside the running source's subscription",
                    READ_EVERY.as_millis()
                ),
            ),
        };
        let mut watched: Vec<Watched> = watched
            .iter()
            .zip(seen)
            .map(|(item, seen)| seen.of(item))
            .collect();
        watched.sort_by_key(|watched| std::cmp::Reverse(watched.changes));
        Ok(Sample {
            seconds: begun.elapsed().as_secs_f64(),
            words,
            points: there.len() as u64,
            watched,
        })
    }

    async fn selected(&self, rules: Vec<Json>) -> Result<Selection, ExploreError> {
        let settings = with_rules(&self.settings, rules)?;
        let known = KnownPaths::new();
        let selected = look::select(
            &*self.connection,
            &settings,
            &self.profiles,
            &self.source,
            &known,
        )
        .await;
        selected.map_err(|error| match error {
            SourceError::Lost(words) => ExploreError::Gone(words),
            other => ExploreError::Refused(other.to_string()),
        })
    }

    /// As the server really would send them.
    async fn subscribed(&self, items: &[&Item], end: Instant) -> Result<Vec<Seen>, ExploreError> {
        let request = SubscriptionRequest {
            publishing_ms: PUBLISHING_MS,
            keep_alive_count: 10,
            lifetime_count: 100,
            max_notifications: 0,
        };
        let subscription = self.connection.subscribe(request).await?.id;
        let watched = self.watched(subscription, items, end).await;
        if let Err(why) = self.connection.unsubscribe(subscription).await {
            tracing::debug!(%why, "a subscription of a test was not deleted; it ends by itself");
        }
        watched
    }

    async fn watched(
        &self,
        subscription: u32,
        items: &[&Item],
        end: Instant,
    ) -> Result<Vec<Seen>, ExploreError> {
        let mut seen: Vec<Seen> = items.iter().map(|_| Seen::default()).collect();
        let limits = self.connection.limits().await?;
        let requests: Vec<_> = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| item.request(at))
            .collect();
        for chunk in requests.chunks(limits.per_monitor.max(1)) {
            let results = self
                .connection
                .monitor(subscription, chunk.to_vec())
                .await?;
            for (request, result) in chunk.iter().zip(results) {
                if let (Err(why), Some(seen)) = (result, seen.get_mut(request.handle as usize)) {
                    seen.trouble = Some(why.to_string());
                }
            }
        }
        let mut acknowledged = Vec::new();
        loop {
            let publish = self.connection.publish(std::mem::take(&mut acknowledged));
            let Ok(published) = timeout_at(end, publish).await else {
                return Ok(seen);
            };
            let notification = published?.notification;
            if !notification.keep_alive {
                acknowledged.push(Acknowledgement {
                    subscription,
                    sequence: notification.sequence,
                });
            }
            for change in notification.changes {
                if let (Some(seen), Some(observed)) =
                    (seen.get_mut(change.handle as usize), change.observed)
                {
                    seen.see(Observation {
                        value: observed.value,
                        quality: observed.quality,
                        source_at: observed.at,
                        server_at: None,
                    });
                }
            }
        }
    }

    /// The running source's Publish answers are its own; so the values are read.
    async fn read_again(&self, items: &[&Item], end: Instant) -> Result<Vec<Seen>, ExploreError> {
        let mut seen: Vec<Seen> = items.iter().map(|_| Seen::default()).collect();
        let nodes: Vec<_> = items.iter().filter_map(|item| item.node.clone()).collect();
        let per_read = self.connection.limits().await?.per_read.max(1);
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            ticks.tick().await;
            let mut places = seen.iter_mut();
            for chunk in nodes.chunks(per_read) {
                for read in self.connection.read_values(chunk.to_vec()).await? {
                    match (places.next(), read) {
                        (Some(seen), Ok(observation)) => seen.see(observation),
                        (Some(seen), Err(why)) => seen.trouble = Some(why.to_string()),
                        (None, _) => {}
                    }
                }
            }
        }
        Ok(seen)
    }

    /// By its sampling interval; 0 is as fast as the server can, which shows once for each publishing at least.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of at most an hour"
    )]
    fn most_per_second(&self, item: &Item) -> f64 {
        match item.sampling.sampling_ms {
            0 => 1000.0 / self.settings.publishing_ms.max(1) as f64,
            sampling_ms => 1000.0 / sampling_ms as f64,
        }
    }
}

/// What was seen of one point.
#[derive(Debug, Default)]
struct Seen {
    changes: u64,
    last: Option<Observation>,
    trouble: Option<String>,
}

// === impl Seen ===

impl Seen {
    /// The first value is no change, and neither is the same one with the same time again.
    fn see(&mut self, observation: Observation) {
        self.trouble = None;
        if let Some(last) = &self.last {
            let same = last.value == observation.value && last.quality == observation.quality;
            self.changes += u64::from(!same);
        }
        self.last = Some(observation);
    }

    fn of(self, item: &Item) -> Watched {
        Watched {
            point: item.point.to_string(),
            changes: self.changes,
            last: self.last,
            trouble: self.trouble,
        }
    }
}

/// The settings with other rules, as if they were saved.
fn with_rules(settings: &Settings, rules: Vec<Json>) -> Result<Settings, ExploreError> {
    let read = |rule: Json| {
        serde_json::from_value::<Select>(rule.clone())
            .map_err(|error| ExploreError::Refused(format!("{rule} is no rule: {error}")))
    };
    let select = rules
        .into_iter()
        .map(read)
        .collect::<Result<Vec<Select>, _>>()?;
    let settings = Settings {
        select,
        ..settings.clone()
    };
    let problem = settings
        .check()
        .into_iter()
        .find(|problem| problem.path.first().is_some_and(|key| key == "select"));
    match problem {
        Some(problem) => Err(ExploreError::Refused(format!(
            "{}; {}",
            problem.what, problem.remedy
        ))),
        None => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Quality, Value};
    use serde_json::json;

    use super::*;
    use crate::publish::now;

    #[test]
    fn a_change_is_another_value_or_quality() {
        let seen = |values: &[(i64, Quality)]| {
            let mut seen = Seen::default();
            for (value, quality) in values {
                seen.see(Observation {
                    value: Value::Int(*value),
                    quality: quality.clone(),
                    source_at: Some(now()),
                    server_at: None,
                });
            }
            seen.changes
        };
        let good = || Quality::Good;
        assert_eq!(seen(&[]), 0);
        assert_eq!(seen(&[(1, good())]), 0);
        assert_eq!(seen(&[(1, good()), (1, good()), (2, good())]), 1);
        assert_eq!(seen(&[(1, good()), (1, Quality::Bad("gone".into()))]), 1);
    }

    #[test]
    fn rules_are_read_as_if_they_were_saved() {
        let settings = json!({ "endpoint": "opc.tcp://h", "select": ["Objects/**"] });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let good = with_rules(
            &settings,
            vec![json!("Objects/A/**"), json!({ "node": "i=2258" })],
        );
        assert_eq!(good.unwrap().select.len(), 2);
        for rules in [
            vec![],
            vec![json!("Line/**")],
            vec![json!({ "nod": 1 })],
            vec![json!(7)],
        ] {
            assert!(with_rules(&settings, rules.clone()).is_err(), "{rules:?}");
        }
    }
}
