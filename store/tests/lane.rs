//! A lane from outside: accepted, read, acknowledged, reopened, full.

#![allow(clippy::unwrap_used)] // in a test a failed unwrap is the failure

mod support;

use std::time::Duration;

use fieldgate_store::{
    AppendError, EngineKind, Lane, LaneOptions, LaneStats, OnFull, OpenError, PeekLimits, RouteBit,
    RouteMask, Seq, StoreError, Tally, Urgency,
};
use support::{ENGINES, LONG, acked, append, balanced, body, entries, open, options, read_all};

#[tokio::test]
async fn what_is_accepted_is_read_back_in_order_also_after_a_reopen() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), options(engine));
        assert_eq!(lane.consumer("a").unwrap().through, Seq(0));
        let bit = lane.route_bit("r→a", "a").unwrap();
        assert_eq!(
            append(&lane, entries(bit.into(), 0, 1000, 100)).await,
            (1, 1000)
        );
        assert_eq!(
            append(&lane, entries(bit.into(), 1000, 1, 20_000)).await,
            (1001, 1001)
        );
        assert_eq!(
            append(&lane, Vec::new()).await,
            (1002, 1001),
            "an empty batch takes no number"
        );
        let before = read_all(&lane, Seq(0), bit.into()).await;
        assert_eq!(before.len(), 1001);
        assert!(
            before
                .iter()
                .zip(1..)
                .all(|(record, seq)| record.seq == Seq(seq))
        );
        assert!(
            before
                .iter()
                .all(|record| record.body == body(record.at.wall_ms as u64, record.body.len()))
        );
        lane.ack("a", Seq(300), acked(bit, 300));
        lane.close().await.unwrap();

        let lane = open(dir.path(), options(engine));
        assert_eq!(lane.consumer("a").unwrap().through, Seq(300));
        assert_eq!(
            read_all(&lane, Seq(0), bit.into()).await,
            before,
            "read from the disk"
        );
        assert_eq!((balanced(&lane).acked, balanced(&lane).pending), (300, 701));
        let stats = lane.stats();
        assert_eq!(
            (stats.blob_files, stats.records, stats.last),
            (0, 1001, Seq(1001))
        );
        assert_eq!(
            append(&lane, entries(bit.into(), 1001, 1, 10)).await,
            (1002, 1002)
        );
        lane.close().await.unwrap();
    }
}

/// Fills the lane until it has `generations` or has evicted something; returns the last number.
async fn fill(lane: &Lane, bit: RouteBit, until: impl Fn(&LaneStats) -> bool) -> u64 {
    let mut last = lane.stats().last.0;
    while !until(&lane.stats()) {
        (_, last) = append(lane, entries(bit.into(), last, 100, 1000)).await;
    }
    last
}

fn small(engine: EngineKind, on_full: OnFull) -> LaneOptions {
    LaneOptions {
        max_bytes: 12 << 20,
        on_full,
        tail_bytes: 256 << 10,
        ..options(engine)
    }
}

#[tokio::test]
async fn drop_oldest_evicts_and_counts_for_each_consumer_what_it_had_not_finished() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), small(engine, OnFull::DropOldest));
        lane.consumer("slow").unwrap();
        lane.consumer("fast").unwrap();
        let slow = lane.route_bit("r→slow", "slow").unwrap();
        let fast = lane.route_bit("r→fast", "fast").unwrap();
        let both: RouteMask = [slow, fast].into_iter().collect();
        let mut last = 0;
        while lane.stats().first < Seq(5000) {
            (_, last) = append(&lane, entries(both, last, 100, 1000)).await;
            lane.ack("fast", Seq(last), acked(fast, 100));
            if last == 300 {
                lane.ack("slow", Seq(250), acked(slow, 250));
            }
        }
        let first = lane.stats().first.0;
        let balance = lane.balance();
        balanced(&lane);
        assert_eq!(
            (balance[0].acked, balance[0].evicted),
            (250, first - 1 - 250)
        );
        assert_eq!(balance[0].pending as u64, last - first + 1);
        assert_eq!(
            (balance[1].acked, balance[1].evicted, balance[1].pending),
            (last, 0, 0)
        );
        let stats = lane.stats();
        assert!(stats.disk_bytes <= stats.max_bytes, "{stats:?}");
        let left = read_all(&lane, Seq(0), slow.into()).await;
        assert_eq!(left.first().map(|record| record.seq.0), Some(first));
        assert_eq!(left.len() as u64, last - first + 1);
        lane.close().await.unwrap();

        let lane = open(dir.path(), small(engine, OnFull::DropOldest));
        assert_eq!(lane.balance(), balance, "the same after a reopen");
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_acknowledgement_that_crosses_an_eviction_counts_as_acked() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), small(engine, OnFull::DropOldest));
        lane.consumer("a").unwrap();
        let bit = lane.route_bit("r→a", "a").unwrap();
        let last = fill(&lane, bit, |stats| stats.first > Seq(1)).await;
        let first = lane.stats().first.0;
        assert_eq!(balanced(&lane).evicted, first - 1);
        // In flight since before the eviction: the first ten, then a window across its edge, then the rest.
        lane.ack("a", Seq(10), acked(bit, 10));
        lane.ack("a", Seq(first + 4), acked(bit, first + 4 - 10));
        lane.ack("a", Seq(first + 14), acked(bit, 10));
        lane.close().await.unwrap();
        let lane = open(dir.path(), small(engine, OnFull::DropOldest));
        let balance = balanced(&lane);
        assert_eq!(
            (balance.acked, balance.evicted),
            (first + 14, 0),
            "everything was delivered after all"
        );
        assert_eq!(balance.pending as u64, last - first - 14);
        lane.close().await.unwrap();
    }
}

#[tokio::test]
async fn refuse_newest_holds_appends_until_there_is_room() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(dir.path(), small(engine, OnFull::RefuseNewest));
        lane.consumer("a").unwrap();
        let bit = lane.route_bit("r→a", "a").unwrap();
        let mut last = 0;
        let held = loop {
            let mut ticket = lane
                .append(entries(bit.into(), last, 100, 1000), Urgency::Waiting)
                .await
                .unwrap();
            tokio::select! {
                appended = &mut ticket => last = appended.unwrap().last.0,
                () = held_back(&lane) => break ticket,
            }
        };
        assert_eq!(lane.stats().first, Seq(1), "nothing was dropped");
        assert!(lane.stats().disk_bytes <= lane.stats().max_bytes);
        lane.ack("a", Seq(last), acked(bit, last));
        let appended = tokio::time::timeout(LONG, held).await.unwrap().unwrap();
        assert_eq!(appended.first.0, last + 1);
        assert_eq!(balanced(&lane).pending, 100);
        lane.close().await.unwrap();
    }
}

/// With `patience` at hand the healthy consumer gets everything, and only the one that lags loses, each reading counted.
#[tokio::test]
async fn a_consumer_that_lags_holds_another_back_no_longer_than_the_patience() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let lane = open(
            dir.path(),
            LaneOptions {
                patience: Duration::from_millis(50),
                ..small(engine, OnFull::RefuseNewest)
            },
        );
        for consumer in ["dead", "well", "idle"] {
            lane.consumer(consumer).unwrap();
        }
        let dead = lane.route_bit("r→dead", "dead").unwrap();
        let well = lane.route_bit("r→well", "well").unwrap();
        let both: RouteMask = [dead, well].into_iter().collect();
        let mut last = 0;
        while last < 20_000 {
            (_, last) = append(&lane, entries(both, last, 100, 1000)).await;
            lane.ack("well", Seq(last), acked(well, 100));
        }
        let balance = lane.balance();
        let of = |key: &str| balance.iter().find(|route| route.key == key).unwrap();
        assert!(balance.iter().all(|route| route.unaccounted() == 0));
        assert_eq!((of("r→well").acked, of("r→well").evicted), (last, 0));
        assert!(of("r→dead").evicted > 5_000, "{balance:?}");
        assert!(lane.stats().disk_bytes <= lane.stats().max_bytes);

        // Alone, or with everybody behind, nobody loses anything.
        let held = loop {
            let mut ticket = lane
                .append(entries(both, last, 100, 1000), Urgency::Waiting)
                .await
                .unwrap();
            tokio::select! {
                appended = &mut ticket => last = appended.unwrap().last.0,
                () = held_back(&lane) => break ticket,
            }
        };
        let evicted = |key: &str| {
            let balance = lane.balance();
            balance
                .iter()
                .find(|route| route.key == key)
                .unwrap()
                .evicted
        };
        assert_eq!(evicted("r→well"), 0);
        lane.ack("well", Seq(last), acked(well, last - of("r→well").acked));
        tokio::time::timeout(LONG, held).await.unwrap().unwrap();
        assert_eq!(evicted("r→well"), 0);
        lane.close().await.unwrap();
    }
}

async fn held_back(lane: &Lane) {
    let mut pause = tokio::time::interval(Duration::from_millis(1));
    while !lane.stats().held_back {
        pause.tick().await;
    }
}

#[tokio::test]
async fn appends_that_a_full_lane_holds_back_resolve_as_closed_when_it_closes() {
    let dir = tempfile::tempdir().unwrap();
    let lane = open(
        dir.path(),
        small(EngineKind::PlainLog, OnFull::RefuseNewest),
    );
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let sender = lane.clone();
    let sending = tokio::spawn(async move {
        let mut tickets = Vec::new();
        for at in 0.. {
            match sender
                .append(entries(bit.into(), at * 100, 100, 1000), Urgency::Waiting)
                .await
            {
                Ok(ticket) => tickets.push(ticket),
                Err(closed) => return (tickets, closed),
            }
        }
        unreachable!("the lane closes first")
    });
    held_back(&lane).await;
    lane.clone().close().await.unwrap();
    let (tickets, _) = tokio::time::timeout(LONG, sending).await.unwrap().unwrap();
    let durable = lane.durable().borrow().0 / 100;
    for (index, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(
            ticket.await.is_ok(),
            (index as u64) < durable,
            "ticket {index}"
        );
    }
    assert!(lane.append(Vec::new(), Urgency::Waiting).await.is_err());
}

#[tokio::test]
async fn generations_that_everybody_passed_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let lane = open(dir.path(), small(EngineKind::Sled, OnFull::RefuseNewest));
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let last = fill(&lane, bit, |stats| stats.generations == 4).await;
    lane.ack("a", Seq(last), acked(bit, last));
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    while lane.stats().generations > 1 {
        pause.tick().await;
    }
    lane.close().await.unwrap();
    let left = std::fs::read_dir(dir.path()).unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("gen-"));
    assert_eq!(left.count(), 1);
}

#[tokio::test]
async fn a_route_lives_until_it_is_drained_and_its_bit_until_no_record_carries_it() {
    let dir = tempfile::tempdir().unwrap();
    let lane = open(dir.path(), small(EngineKind::PlainLog, OnFull::DropOldest));
    assert!(matches!(
        lane.route_bit("r→a", "a"),
        Err(StoreError::NoConsumer { .. })
    ));
    lane.consumer("a").unwrap();
    lane.consumer("b").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    assert_eq!(lane.route_bit("r→a", "a").unwrap(), bit);
    assert!(matches!(
        lane.route_bit("r→a", "b"),
        Err(StoreError::RouteTaken { .. })
    ));
    for index in 1..64 {
        lane.route_bit(&format!("r{index}→b"), "b").unwrap();
    }
    assert!(matches!(
        lane.route_bit("one more", "b"),
        Err(StoreError::NoRouteBit)
    ));

    append(&lane, entries(bit.into(), 0, 10, 10)).await;
    lane.retire_route("r→a");
    assert_eq!(lane.routes_of("a"), vec![("r→a".to_owned(), bit, true)]);
    lane.ack("a", Seq(10), acked(bit, 10));
    // The open generation still carries the bit: drained, but not free.
    lane.close().await.unwrap();
    let lane = open(dir.path(), small(EngineKind::PlainLog, OnFull::DropOldest));
    assert!(matches!(
        lane.route_bit("one more", "b"),
        Err(StoreError::NoRouteBit)
    ));
    assert_eq!(lane.routes_of("a").len(), 1);
    let other = lane.routes_of("b")[0].1;
    lane.ack("b", Seq(10), Tally::new());
    let mut last = 10;
    while !lane.routes_of("a").is_empty() {
        (_, last) = append(&lane, entries(other.into(), last, 100, 1000)).await;
        lane.ack("a", Seq(last), Tally::new());
        lane.ack("b", Seq(last), acked(other, 100));
    }
    assert_eq!(lane.route_bit("one more", "b").unwrap(), bit);
    balanced(&lane);
    lane.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_consumer_leaves_evicted_behind_and_holds_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let lane = open(dir.path(), options(EngineKind::PlainLog));
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    append(&lane, entries(bit.into(), 0, 10, 10)).await;
    lane.ack("a", Seq(4), acked(bit, 4));
    lane.drop_consumer("a");
    append(&lane, entries(bit.into(), 10, 5, 10)).await;
    lane.ack("a", Seq(9), acked(bit, 5)); // a late one changes nothing
    let balance = balanced(&lane);
    assert_eq!(
        (
            balance.acked,
            balance.evicted,
            balance.pending,
            balance.retiring
        ),
        (4, 11, 0, true)
    );
    assert_eq!(lane.consumers(), Vec::<String>::new());
    lane.close().await.unwrap();
    let lane = open(dir.path(), options(EngineKind::PlainLog));
    assert_eq!(balanced(&lane), balance);
    assert_eq!(
        lane.consumer("a").unwrap().through,
        Seq(15),
        "registered again, it starts at the end"
    );
    lane.close().await.unwrap();
}

#[tokio::test]
async fn a_record_that_never_fits_is_refused_and_one_in_many_values_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let lane = open(dir.path(), options(EngineKind::Sled));
    lane.consumer("a").unwrap();
    let bit = lane.route_bit("r→a", "a").unwrap();
    let ticket = lane
        .append(entries(bit.into(), 0, 1, (16 << 20) + 1), Urgency::Waiting)
        .await
        .unwrap();
    assert!(matches!(ticket.await, Err(AppendError::TooLarge { .. })));
    append(&lane, entries(bit.into(), 1, 1, 6 << 20)).await;
    let page = lane
        .peek(
            Seq(0),
            bit.into(),
            PeekLimits {
                records: 10,
                bytes: 10,
            },
        )
        .await
        .unwrap();
    assert_eq!(
        page.records[0].body,
        body(1, 6 << 20),
        "one record is read whatever its size"
    );
    assert_eq!(lane.stats().blob_files, 0);
    lane.close().await.unwrap();
}

#[tokio::test]
async fn below_the_reserve_appends_fail_in_words_and_the_lane_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let full = LaneOptions {
        reserve_bytes: u64::MAX,
        ..options(EngineKind::PlainLog)
    };
    let lane = open(dir.path(), full);
    for _ in 0..2 {
        let ticket = lane
            .append(entries(RouteMask(1), 0, 1, 10), Urgency::Waiting)
            .await
            .unwrap();
        let error = ticket.await.unwrap_err().to_string();
        assert!(
            error.contains("reserve") && error.contains("free space"),
            "{error}"
        );
    }
    lane.close().await.unwrap();
    let lane = open(dir.path(), options(EngineKind::PlainLog));
    assert_eq!(append(&lane, entries(RouteMask(1), 0, 1, 10)).await, (1, 1));
    lane.close().await.unwrap();
}

#[test]
fn a_lane_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), options(EngineKind::PlainLog));
    assert!(matches!(
        Lane::open(dir.path(), options(EngineKind::PlainLog)),
        Err(OpenError::Locked { .. })
    ));
    drop(first);
    open(dir.path(), options(EngineKind::PlainLog));
}
