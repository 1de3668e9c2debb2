//! Subscriptions against servers with little room: as much as fits is delivered, and the rest is told.

use super::*;
use crate::{
    settings::{Deadband, Trigger},
    twin::{Filters, Room, Script, item},
};

const LIMITS: Limits = Limits {
    per_read: 100,
    per_browse: 100,
    per_monitor: 4,
    per_history: 1,
    items_per_subscription: None,
    subscriptions: None,
    sessions: None,
};

/// Ten items on a server with this room, of which the gateway is told nothing: items in each subscription, and the words.
async fn check(room: Room, expected: &[usize], words: &str) {
    let script = Script::default();
    script.told(|told| told.room = room);
    let items: Vec<_> = (0..10).map(item).collect();
    let made = subscribe(&script, &items, &LIMITS).await.unwrap();
    let monitored: Vec<usize> = (0..made.subscriptions.len())
        .map(|at| {
            let of_this = |item: &&Monitored| item.subscription == at && item.result.is_ok();
            made.items.iter().filter(of_this).count()
        })
        .collect();
    assert_eq!(monitored, expected, "{room:?}");
    let there: Vec<usize> = script.told(|told| told.subscriptions.values().copied().collect());
    assert_eq!(there, expected, "{room:?}");
    assert_eq!(made.words(), words, "{room:?}");
}

#[tokio::test]
async fn a_full_subscription_is_followed_by_another() {
    let plain = "publishing every 500 ms";
    check(Room::default(), &[10], plain).await;
    let room = Room {
        per_call: 3,
        ..Room::default()
    };
    check(room, &[10], plain).await;
    for all_or_none in [false, true] {
        let room = Room {
            items_per_subscription: 3,
            all_or_none,
            ..Room::default()
        };
        let words = "in 4 subscriptions publishing every 500 ms";
        check(room, &[3, 3, 3, 1], words).await;
    }
}

#[tokio::test]
async fn a_full_server_gets_what_fits_and_the_rest_is_told() {
    let told = |count: usize| {
        format!(
            "; {count} are left out because the server takes no more: select fewer, or raise its limits of monitored items and subscriptions"
        )
    };
    let two = "in 2 subscriptions publishing every 500 ms";
    for all_or_none in [false, true] {
        let room = Room {
            items_per_subscription: 3,
            subscriptions: 2,
            all_or_none,
            ..Room::default()
        };
        check(room, &[3, 3], &(two.to_owned() + &told(4))).await;
        let room = Room {
            items: 7,
            all_or_none,
            ..Room::default()
        };
        check(
            room,
            &[7],
            &("publishing every 500 ms".to_owned() + &told(3)),
        )
        .await;
    }
}

#[tokio::test]
async fn without_a_second_subscription_another_interval_goes_into_the_first() {
    let script = Script::default();
    script.told(|told| told.room.subscriptions = 1);
    let mut items: Vec<_> = (0..3).map(item).collect();
    items[1].sampling.publishing_ms = 100;
    let made = subscribe(&script, &items, &LIMITS).await.unwrap();
    assert_eq!(made.words(), "publishing every 100 ms");
    assert!(made.items.iter().all(|item| item.result.is_ok()));
}

#[tokio::test]
async fn a_server_without_any_subscription_is_an_error_and_a_missing_namespace_is_none() {
    let script = Script::default();
    let mut items = [item(0)];
    items[0].node = None;
    let made = subscribe(&script, &items, &LIMITS).await.unwrap();
    assert_eq!(made.subscriptions.len(), 1);
    assert!(made.items[0].result.is_err());
    script.told(|told| told.room.subscriptions = 0);
    let outcome = subscribe(&script, &items, &LIMITS).await;
    assert_eq!(outcome.err(), Some(Status::named(NO_MORE)));
}

#[tokio::test]
async fn a_filter_that_the_server_does_not_take_is_left_out_and_the_neighbours_keep_theirs() {
    use Filtered::{AsAsked, NotAtAll, WithoutDeadband};
    for (filters, expected) in [
        (Filters::All, [AsAsked, AsAsked, AsAsked]),
        (Filters::Trigger, [AsAsked, AsAsked, WithoutDeadband]),
        (Filters::None, [AsAsked, NotAtAll, NotAtAll]),
    ] {
        let script = Script::default();
        script.told(|told| told.room.filters = filters);
        let mut items: Vec<_> = (0..3).map(item).collect();
        items[1].sampling.trigger = Trigger::Status;
        items[2].sampling.trigger = Trigger::StatusValueTimestamp;
        items[2].sampling.deadband = Some(Deadband::Percent(1.0));
        let made = subscribe(&script, &items, &LIMITS).await.unwrap();
        let filtered: Vec<Filtered> = made.items.iter().map(|item| item.filtered).collect();
        assert_eq!(filtered, expected, "{filters:?}");
        assert!(made.items.iter().all(|item| item.result.is_ok()));
        assert_eq!(script.told(|told| told.monitored), 3);
    }
}

/// Three items are there, and a subscription that is for events; four more come. How many each subscription has then.
async fn check_more(room: Room, paces: [u64; 4], expected: &[usize], places: [Option<usize>; 4]) {
    let script = Script::default();
    script.told(|told| told.room = room);
    let known: Vec<_> = (0..3).map(item).collect();
    let made = subscribe(&script, &known, &LIMITS).await.unwrap();
    let events = script.subscribe(request(500)).await.unwrap();
    let more: Vec<_> = paces
        .iter()
        .zip(3..)
        .map(|(pace, at)| {
            let mut more = item(at);
            more.sampling.publishing_ms = *pace;
            more
        })
        .collect();
    let place = |id, publishing_ms| Place { id, publishing_ms };
    let there = vec![
        place(made.subscriptions[0].id, Some(500)),
        place(events.id, None),
    ];
    let (new, made) = extend(&script, there, &more, 3, 4).await.unwrap();
    let items: Vec<usize> = script.told(|told| told.subscriptions.values().copied().collect());
    assert_eq!(items, expected, "{room:?}");
    assert_eq!(new.len() + 2, expected.len(), "{room:?}");
    let made = made
        .iter()
        .map(|made| made.result.is_ok().then_some(made.subscription));
    assert_eq!(made.collect::<Vec<_>>(), places, "{room:?}");
}

#[tokio::test]
async fn more_items_go_where_their_pace_is_and_into_new_subscriptions_when_there_is_no_room() {
    let same = [500; 4];
    check_more(Room::default(), same, &[7, 0], [Some(0); 4]).await;
    let other = [500, 100, 500, 100];
    let places = [Some(0), Some(2), Some(0), Some(2)];
    check_more(Room::default(), other, &[5, 0, 2], places).await;
    for all_or_none in [false, true] {
        let small = Room {
            items_per_subscription: 4,
            all_or_none,
            ..Room::default()
        };
        let places = [Some(0), Some(2), Some(2), Some(2)];
        check_more(small, same, &[4, 0, 3], places).await;
        let full = Room {
            subscriptions: 2,
            ..small
        };
        // The events' subscription takes no values: they would wait behind them.
        check_more(full, same, &[4, 0], [Some(0), None, None, None]).await;
        let nothing = Room { items: 4, ..small };
        check_more(nothing, same, &[4, 0], [Some(0), None, None, None]).await;
    }
}
