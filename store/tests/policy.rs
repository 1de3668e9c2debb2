//! What the lane decides by itself or is told to: keep what was delivered, let age go, empty a queue; each under its reason.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fieldgate_store::{
    Ages, EvictedBy, Keep, Lane, LaneOptions, OnFull, RouteMask, Seq, Stamp, StoreError, Tools,
};
use support::{ENGINES, acked, append, balanced, entries, open, options, read_all, until};

const MIB: u64 = 1 << 20;

fn small(engine: fieldgate_store::EngineKind) -> LaneOptions {
    LaneOptions {
        max_bytes: 16 * MIB,
        generation_bytes: MIB,
        tail_bytes: 64 << 10,
        ..options(engine)
    }
}

#[tokio::test]
async fn delivered_generations_are_kept_up_to_a_limit_and_go_first_when_room_is_needed() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let keep_delivered = Keep {
            bytes: 6 * MIB,
            age: Duration::from_secs(3600),
        };
        let lane = open(
            dir.path(),
            LaneOptions {
                keep_delivered,
                ..small(engine)
            },
        );
        lane.consumer("a").unwrap();
        let bit = lane.route_bit("r→a", "a").unwrap();
        let mut last = 0;
        while lane.stats().first == Seq(1) {
            (_, last) = append(&lane, entries(bit.into(), last, 100, 1000)).await;
            lane.ack("a", Seq(last), acked(bit, 100));
        }
        let stats = lane.stats();
        assert!(stats.generations > 3, "some are kept: {stats:?}");
        assert!(
            stats.disk_bytes <= 10 * MIB,
            "not more than that: {stats:?}"
        );

        // Nobody acknowledges any more: what was delivered goes before anything is evicted.
        let passed = last;
        while lane.stats().first.0 <= passed {
            (_, last) = append(&lane, entries(bit.into(), last, 100, 1000)).await;
            let kept = lane.stats().first.0 <= passed;
            assert!(!kept || balanced(&lane).evicted == 0);
        }
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_purge_empties_one_queue_and_what_was_in_flight_still_counts_as_delivered() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), small(engine));
        lane.consumer("a").unwrap();
        lane.consumer("b").unwrap();
        let a = lane.route_bit("r→a", "a").unwrap();
        let b = lane.route_bit("r→b", "b").unwrap();
        let both: RouteMask = [a, b].into_iter().collect();
        append(&lane, entries(both, 0, 100, 100)).await;
        lane.ack("a", Seq(10), acked(a, 10));
        assert_eq!(lane.purge("a").await.unwrap(), 90);
        assert!(matches!(
            lane.purge("nobody").await,
            Err(StoreError::NoConsumer { .. })
        ));
        assert_eq!(lane.cursor("a"), Some(Seq(100)));
        append(&lane, entries(both, 100, 100, 100)).await;
        // In flight when it was purged: 11 to 30; and a page that was read across the purge.
        lane.ack("a", Seq(30), acked(a, 20));
        lane.ack("a", Seq(110), acked(a, 80));
        lane.close().await.unwrap();

        let lane = open(dir.path(), small(engine));
        let balance = balanced(&lane);
        assert_eq!((balance.acked, balance.evicted), (110, 0));
        assert_eq!(balance.pending, 90);
        assert_eq!(lane.purge("a").await.unwrap(), 90);
        assert_eq!(lane.purge("a").await.unwrap(), 0);
        let balance = balanced(&lane);
        let purged = EvictedBy {
            purged: 90,
            ..EvictedBy::default()
        };
        assert_eq!((balance.pending, balance.evicted_by), (0, purged));
        assert_eq!(lane.balance()[1].pending, 200, "the other has all of it");
        lane.close().await.unwrap();
    }
}

/// A clock that the test sets: ages are told from `wall_ms`, or not at all.
#[derive(Default)]
struct Clock(Mutex<Option<i64>>);

impl Clock {
    fn set(&self, now_ms: Option<i64>) {
        *self.0.lock().unwrap() = now_ms;
    }
}

impl Ages for Clock {
    fn age(&self, at: Stamp) -> Option<Duration> {
        let now_ms = (*self.0.lock().unwrap())?;
        Some(Duration::from_millis(
            now_ms.saturating_sub(at.wall_ms).max(0) as u64,
        ))
    }
}

#[tokio::test]
async fn what_is_too_old_expires_by_whole_generations_and_never_by_a_clock_that_is_not_believed() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Clock::default());
        let tools = Tools {
            ages: clock.clone(),
            thinner: None,
        };
        let aging = LaneOptions {
            max_age: Some(Duration::from_millis(1600)),
            on_full: OnFull::RefuseNewest,
            ..small(engine)
        };
        let (lane, _) = Lane::open_with(dir.path(), aging, tools).unwrap();
        lane.consumer("a").unwrap();
        let bit = lane.route_bit("r→a", "a").unwrap();
        // Entries are stamped with their number: two generations of "milliseconds" 0..=999, and then some.
        append(&lane, entries(bit.into(), 0, 500, 10)).await;
        clock.set(Some(700));
        until("the first generation is sealed", || {
            lane.stats().generations == 2
        })
        .await;
        append(&lane, entries(bit.into(), 700, 10, 10)).await;
        lane.ack("a", Seq(100), acked(bit, 100));
        clock.set(None);
        append(&lane, entries(bit.into(), 710, 10, 10)).await;
        assert_eq!(balanced(&lane).expired, 0);

        clock.set(Some(2200));
        until("the old generation expired", || balanced(&lane).expired > 0).await;
        let balance = balanced(&lane);
        assert_eq!(
            (balance.acked, balance.expired, balance.pending),
            (100, 400, 20)
        );
        assert_eq!(read_all(&lane, Seq(100), bit.into()).await.len(), 20);
        // It was in flight when it expired, and arrived.
        lane.ack("a", Seq(101), acked(bit, 1));
        until("the late one is counted", || balanced(&lane).acked == 101).await;
        assert_eq!(balanced(&lane).expired, 399);
        lane.close().await.unwrap();
    }
}
