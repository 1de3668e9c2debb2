//! What can be done to the queue: a purge that is confirmed and counted, a replay that is previewed, listed and stopped.

use fieldgate_api::{
    endpoint::{GetQueue, GetReplays, PreviewReplay, PurgeQueue, StartReplay, StopReplay},
    queue::{Purge, ReplayDraft},
};
use fieldgate_model::Timestamp;

use crate::{
    client::{ask, call},
    receipts::accept,
    rig::Rig,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_wants_the_destinations_name_and_is_counted() {
    let rig = Rig::start().await;
    let at = rig.address;
    accept(&rig, &[0, 1, 2]).await;
    let purge = |destination: &str, confirm: &str| Purge {
        destination: destination.into(),
        confirm: confirm.into(),
    };
    for (wrong, status) in [
        (purge("broker", "purge"), 400),
        (purge("other", "other"), 404),
    ] {
        assert_eq!(
            call::<PurgeQueue>(at, &[], &wrong, None).await.status,
            status
        );
    }
    let done = ask::<PurgeQueue>(at, &[], &purge("broker", "broker")).await;
    assert_eq!(done.readings, 3, "{}", done.words);
    let total = ask::<GetQueue>(at, &[], &()).await.ledger.total;
    assert_eq!((total.pending, total.unaccounted), (0, 0));
    assert_eq!((total.evicted, total.evicted_by.purged), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_previewed_started_listed_and_stopped() {
    let rig = Rig::start().await;
    let at = rig.address;
    accept(&rig, &[0, 10, 20]).await;
    let time = |text: &str| Timestamp::parse(text).unwrap();
    let draft = ReplayDraft {
        destination: "broker".into(),
        of: None,
        lane: None,
        from: time("2026-11-25T20:05:00Z"),
        to: time("2026-11-25T21:00:00Z"),
        rate: 2,
    };
    let preview = ask::<PreviewReplay>(at, &[], &draft).await;
    assert_eq!((preview.readings, preview.seconds), (2, Some(1.0)));
    assert!(preview.words.contains("ids unchanged"), "{}", preview.words);

    let started = ask::<StartReplay>(at, &[], &draft).await;
    assert_eq!((started.accepted, started.rate), (2, 2));
    assert_eq!((started.first_seq, started.last_seq), (2, 3));
    let listed = ask::<GetReplays>(at, &[], &()).await;
    assert_eq!(listed, std::slice::from_ref(&started));
    let stopped = ask::<StopReplay>(at, &[&started.id], &()).await;
    assert_eq!((stopped.state.as_str(), stopped.evicted), ("stopped", 2));
    assert_eq!(stopped.unaccounted, 0);

    let never = ReplayDraft {
        to: draft.from,
        ..draft.clone()
    };
    assert_eq!(ask::<PreviewReplay>(at, &[], &never).await.readings, 0);
    assert_eq!(call::<StartReplay>(at, &[], &never, None).await.status, 400);
    let nobody = ReplayDraft {
        destination: "nobody".into(),
        ..draft
    };
    assert_eq!(
        call::<StartReplay>(at, &[], &nobody, None).await.status,
        404
    );
    for unknown in ["normal.9@1", "7", "other.1@1"] {
        assert_eq!(
            call::<StopReplay>(at, &[unknown], &(), None).await.status,
            404
        );
    }
}
