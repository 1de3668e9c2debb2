//! Dead letters over the API and the control socket: listed by groups, shown, exported, purged.

use fieldgate::{dead::Refused, pipeline::frame};
use fieldgate_api::{
    dead::{DeadChoice, DeadPurge, DeadQuery},
    endpoint::{GetDeadLetter, GetDeadLetters, PurgeDeadLetters, RetryDeadLetters},
};
use fieldgate_kit::Origin;
use fieldgate_model::Timestamp;
use fieldgate_store::{PeekLimits, RouteMask, Seq};
use serde_json::Value as Json;

use crate::{
    client::{ask, call, get, local},
    rig::Rig,
};

async fn refuse(rig: &Rig, numbers: std::ops::Range<u64>, why: &str) {
    let refused = |number| Refused {
        message_id: format!("00c0ffee-n-{number:016x}"),
        destination: "broker".into(),
        routes: RouteMask::ALL,
        why: why.into(),
        refused_at: Timestamp::from_millis(1_700_000_000_000),
        frame: rig.frame("press/Line/temp", 21.5),
    };
    let refused: Vec<_> = numbers.map(refused).collect();
    let lanes = &rig.gateway.lanes;
    lanes.dead.bury(&lanes.normal, &refused).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_grouped_paged_shown_and_exported() {
    let rig = Rig::start().await;
    let at = rig.address;
    refuse(&rig, 1..4, "not authorized (0x87)").await;
    refuse(&rig, 4..5, "too large").await;
    let letters = ask::<GetDeadLetters>(at, &[], &DeadQuery::default()).await;
    assert_eq!((letters.shelf.letters, letters.matching), (4, 4));
    let groups: Vec<_> = letters
        .groups
        .iter()
        .map(|group| (group.reason.as_str(), group.letters))
        .collect();
    assert_eq!(groups, [("not authorized (0x87)", 3), ("too large", 1)]);
    let newest = &letters.letters[0];
    assert_eq!((newest.why.as_str(), newest.attempts), ("too large", 1));
    assert_eq!(
        (newest.routes.as_slice(), newest.lane.as_str()),
        (&["everything".to_owned()][..], "normal")
    );

    let mut query = DeadQuery {
        reason: Some("not authorized (0x87)".into()),
        limit: Some(2),
        ..DeadQuery::default()
    };
    let page = ask::<GetDeadLetters>(at, &[], &query).await;
    query.before = page.next;
    let rest = ask::<GetDeadLetters>(at, &[], &query).await;
    let ids: Vec<u64> = page
        .letters
        .iter()
        .chain(&rest.letters)
        .map(|letter| letter.id)
        .collect();
    assert_eq!((ids, rest.next), (vec![3, 2, 1], None));

    let shown = ask::<GetDeadLetter>(at, &["3"], &()).await;
    assert_eq!(shown.reading["value"], 21.5);
    assert_eq!(shown.frame.len() as u64, shown.frame_bytes * 2);
    for unknown in ["99", "x", "-1"] {
        assert_eq!(
            call::<GetDeadLetter>(at, &[unknown], &(), None)
                .await
                .status,
            404
        );
    }
    let lines = get(at, "/api/v1/export/dead.jsonl?destination=broker").await;
    let lines: Vec<Json> = lines
        .text()
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<_> = lines
        .iter()
        .map(|line| line["letter"]["message_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], "00c0ffee-n-0000000000000001");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_is_chosen_and_confirmed_and_counted() {
    let rig = Rig::start().await;
    let at = rig.address;
    refuse(&rig, 1..4, "no").await;
    let purge = |which: DeadChoice, confirm: &str| DeadPurge {
        which,
        confirm: confirm.into(),
    };
    let all = || DeadChoice {
        all: true,
        ..DeadChoice::default()
    };
    for refused in [purge(all(), "yes"), purge(DeadChoice::default(), "purge")] {
        assert_eq!(
            call::<PurgeDeadLetters>(at, &[], &refused, None)
                .await
                .status,
            400
        );
    }
    let two = DeadChoice {
        ids: vec![1, 3, 99],
        ..DeadChoice::default()
    };
    assert_eq!(
        ask::<PurgeDeadLetters>(at, &[], &purge(two, "purge"))
            .await
            .done,
        2
    );
    assert_eq!(
        ask::<PurgeDeadLetters>(at, &[], &purge(all(), "purge"))
            .await
            .done,
        1
    );
    let left = ask::<GetDeadLetters>(at, &[], &DeadQuery::default()).await;
    assert_eq!((left.shelf.letters, left.shelf.purged), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_many_goes_on_where_it_ended_and_no_further() {
    const MANY: u64 = 4100;
    let rig = Rig::start().await;
    let at = rig.address;
    refuse(&rig, 1..MANY + 1, "no").await;
    let mut choice = DeadChoice {
        all: true,
        ..DeadChoice::default()
    };
    let (mut done, mut steps) = (0, 0);
    loop {
        let step = ask::<RetryDeadLetters>(at, &[], &choice).await;
        (done, steps) = (done + step.done, steps + 1);
        assert_eq!(done + step.left, MANY);
        // What is refused once more meanwhile waits for the next retry.
        refuse(&rig, 1..2, "still no").await;
        choice.within = step.next;
        if step.next.is_none() {
            break;
        }
    }
    assert_eq!((done, steps), (MANY, 3));
    let letters = ask::<GetDeadLetters>(at, &[], &DeadQuery::default()).await;
    assert_eq!((letters.shelf.letters, letters.shelf.retried), (3, MANY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_back_into_the_lane_under_its_own_id() {
    let rig = Rig::start().await;
    let at = rig.address;
    refuse(&rig, 7..10, "no").await;
    let none = DeadChoice::default();
    assert_eq!(
        call::<RetryDeadLetters>(at, &[], &none, None).await.status,
        400
    );
    let choice = DeadChoice {
        reason: Some("no".into()),
        ..DeadChoice::default()
    };
    let done = ask::<RetryDeadLetters>(at, &[], &choice).await;
    assert_eq!(
        (done.done, done.left, done.stuck),
        (3, 0, 0),
        "{}",
        done.words
    );
    let letters = ask::<GetDeadLetters>(at, &[], &DeadQuery::default()).await;
    assert_eq!((letters.shelf.letters, letters.shelf.retried), (0, 3));
    let lane = &rig.gateway.lanes.normal;
    let limits = PeekLimits {
        records: 10,
        bytes: 1 << 20,
    };
    let page = lane.peek(Seq(0), RouteMask::ALL, limits).await.unwrap();
    let origins: Vec<_> = page
        .records
        .iter()
        .map(|record| frame::open(record.body.bytes().unwrap()).unwrap().origin)
        .collect();
    let origin = |seq| Some(Origin { lane: 'n', seq });
    assert_eq!(origins, [origin(7), origin(8), origin(9)]);
    assert_eq!(lane.balance()[0].pending, 3);
    let export = get(at, "/api/v1/export/queue.jsonl").await;
    assert!(
        export.text().contains("-n-0000000000000009\""),
        "{}",
        export.text()
    );

    // What is refused once more is the second time, and still known by its first.
    refuse(&rig, 7..8, "no").await;
    let letters = ask::<GetDeadLetters>(at, &[], &DeadQuery::default()).await;
    assert_eq!(letters.letters[0].attempts, 2);
    lane.retire_route("everything→broker");
    let done = ask::<RetryDeadLetters>(at, &[], &choice).await;
    assert_eq!((done.done, done.stuck), (0, 1), "{}", done.words);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_needs_no_host_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::start().await;
    let socket = rig.control();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let answer = local(
        &socket,
        "GET",
        "/api/v1/queue",
        &[("host", "anything.example")],
        b"",
    )
    .await;
    assert_eq!(answer.status, 200);
    let body = br#"{"which":{"all":true},"confirm":"purge"}"#;
    let answer = local(
        &socket,
        "POST",
        "/api/v1/dead/purge",
        &[("host", "x")],
        body,
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
