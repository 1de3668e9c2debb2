//! Links to a web server in this process: what it is asked, and what its answers come to.

mod link;
mod security;
mod server;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use fieldgate_kit::{Refusal, SinkError};
use serde_json::json;

use link::{TestLink, batch, numbers, reading};
use server::{Reply, Server};

#[tokio::test]
async fn batches_arrive_in_order_and_are_acknowledged_by_2xx() {
    let server = Server::start(|_, _| Reply::of(204)).await;
    let settings = json!({ "url": server.url("/in/{device}"), "format": "json" });
    let mut link = TestLink::connect(settings).await.unwrap();
    for first in [1, 11, 21] {
        let readings =
            (first..first + 10).map(|seq| reading(seq, if seq % 2 == 0 { "A" } else { "B" }));
        let receipt = link.send(batch(readings)).await.unwrap();
        assert_eq!(receipt, fieldgate_kit::Receipt::default());
    }
    let seen = server.seen();
    for (device, first) in [("/in/A", 2), ("/in/B", 1)] {
        let of_device = seen.iter().filter(|seen| seen.target == device);
        let all: Vec<u64> = of_device.flat_map(|seen| numbers(&seen.body)).collect();
        assert_eq!(all, (first..=30).step_by(2).collect::<Vec<u64>>());
    }
    assert!(server.connections() <= 4, "{}", server.connections());
    let agent = seen[0].headers["user-agent"].to_str().unwrap();
    assert_eq!(agent, "fieldgate/0.1.0");
    assert!(
        seen[0].headers["idempotency-key"]
            .to_str()
            .unwrap()
            .starts_with("\"a1b2c3d4-n-")
    );
}

#[tokio::test]
async fn every_status_comes_to_what_the_table_says() {
    for (status, expected) in [
        (200, "taken"),
        (201, "taken"),
        (204, "taken"),
        (301, "denied"),
        (302, "denied"),
        (308, "denied"),
        (400, "one of these"),
        (401, "denied"),
        (403, "denied"),
        (404, "denied"),
        (405, "denied"),
        (408, "later"),
        (409, "later"),
        (415, "one of these"),
        (422, "one of these"),
        (425, "later"),
        (429, "later"),
        (500, "later"),
        (502, "later"),
        (503, "later"),
        (504, "later"),
        (507, "later"),
    ] {
        let server = Server::start(move |_, _| Reply::of(status)).await;
        let settings = json!({ "url": server.url("/in") });
        let mut link = TestLink::connect(settings).await.unwrap();
        let receipt = link
            .send(batch([reading(1, "A"), reading(2, "A").point("q")]))
            .await;
        let outcome = match &receipt {
            Err(SinkError::Denied(_)) => "denied",
            Err(_) => "another error",
            Ok(receipt) if receipt.throttled.is_some() => {
                assert_eq!(receipt.postponed, [1, 2]);
                "later"
            }
            Ok(receipt) => match receipt.rejected.as_slice() {
                [] => "taken",
                [one, other] => {
                    assert_eq!((one.seq, other.seq), (1, 2));
                    assert_eq!(one.refusal, Refusal::OneOfThese);
                    "one of these"
                }
                _ => "some",
            },
        };
        assert_eq!(outcome, expected, "{status}: {receipt:?}");
    }
}

#[tokio::test]
async fn a_single_reading_that_is_refused_may_pass_later() {
    let server = Server::start(|_, _| Reply {
        body: "{\"error\":\"no such unit\"}",
        ..Reply::of(422)
    })
    .await;
    let mut link = TestLink::connect(json!({ "url": server.url("/in") }))
        .await
        .unwrap();
    let receipt = link.send(batch([reading(7, "A")])).await.unwrap();
    assert_eq!(receipt.rejected.len(), 1);
    assert_eq!(receipt.rejected[0].refusal, Refusal::MayPass);
    let why = &receipt.rejected[0].why;
    assert!(
        why.contains("422 Unprocessable Content: {\"error\":\"no such unit\"}"),
        "{why}"
    );
}

#[tokio::test]
async fn of_a_partial_answer_only_what_it_names_is_not_taken() {
    let server = Server::start(|_, _| Reply {
        headers: vec![("content-type", "application/json".to_owned())],
        body: r#"{"rejected":[{"id":"a1b2c3d4-n-0000000000000002","why":"no unit"}],"retry":["a1b2c3d4-n-0000000000000003","of-another-0"]}"#,
        ..Reply::of(207)
    })
    .await;
    let settings = json!({ "url": server.url("/in"), "format": "json" });
    let mut link = TestLink::connect(settings).await.unwrap();
    let receipt = link
        .send(batch((1..=4).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    assert_eq!(receipt.postponed, [3]);
    assert_eq!(receipt.rejected.len(), 1);
    assert_eq!(
        (receipt.rejected[0].seq, &*receipt.rejected[0].why),
        (2, "no unit")
    );
}

#[tokio::test]
async fn what_is_too_large_is_halved_in_place_and_one_that_is_too_large_alone_is_final() {
    const MOST: usize = 700;
    let server =
        Server::start(|seen, _| Reply::of(if seen.body.len() > MOST { 413 } else { 200 })).await;
    let settings = json!({ "url": server.url("/in"), "format": "json" });
    let mut link = TestLink::connect(settings).await.unwrap();
    let large = || reading(13, "A").text(&"x".repeat(2 * MOST));
    let readings = (1..=20).map(|seq| {
        if seq == 13 {
            large()
        } else {
            reading(seq, "A")
        }
    });
    let receipt = link.send(batch(readings)).await.unwrap();
    assert_eq!(receipt.rejected.len(), 1, "{receipt:?}");
    assert_eq!(
        (receipt.rejected[0].seq, receipt.rejected[0].refusal),
        (13, Refusal::Final)
    );
    let taken = server
        .seen()
        .into_iter()
        .filter(|seen| seen.body.len() <= MOST);
    let taken: Vec<u64> = taken.flat_map(|seen| numbers(&seen.body)).collect();
    assert_eq!(
        taken,
        (1..=20).filter(|seq| *seq != 13).collect::<Vec<u64>>()
    );
    // It has learnt: the next batch is cut to what the server takes.
    let before = server.seen().len();
    link.send(batch((21..=40).map(|seq| reading(seq, "A"))))
        .await
        .unwrap();
    assert!(
        server.seen()[before..]
            .iter()
            .all(|seen| seen.body.len() <= MOST)
    );
}

#[tokio::test]
async fn after_a_word_of_less_nothing_overtakes_what_comes_again() {
    // The second request is refused; then all is well.
    let server = Server::start(|_, count| match count {
        1 => Reply {
            headers: vec![("retry-after", "7".to_owned())],
            after: Duration::from_millis(50),
            ..Reply::of(429)
        },
        _ => Reply::of(200),
    })
    .await;
    let settings = json!({ "url": server.url("/in"), "format": "json" });
    let mut link = TestLink::connect(settings).await.unwrap();
    link.send(batch([reading(1, "A")])).await.unwrap();
    // All of one device, under way at once.
    let batches = (2..=4).map(|seq| batch([reading(seq, "A")]));
    let receipts = link.send_all(batches.collect()).await;
    let receipts: Vec<_> = receipts.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        receipts[0].throttled.as_ref().unwrap().retry_after,
        Some(Duration::from_secs(7))
    );
    let postponed: Vec<u64> = receipts
        .iter()
        .flat_map(|receipt| receipt.postponed.clone())
        .collect();
    assert_eq!(postponed, [2, 3, 4]);
    for seq in 2..=4 {
        link.send(batch([reading(seq, "A")])).await.unwrap();
    }
    let all: Vec<u64> = server
        .seen()
        .iter()
        .flat_map(|seen| numbers(&seen.body))
        .collect();
    // 2 twice, since it was refused; 3 and 4 had never left.
    assert_eq!(all, [1, 2, 2, 3, 4]);
}

#[tokio::test]
async fn what_stops_one_stops_all_that_waits() {
    let server = Server::start(|_, _| Reply::of(401)).await;
    let mut link = TestLink::connect(json!({ "url": server.url("/in") }))
        .await
        .unwrap();
    let receipts = link
        .send_all((1..=3).map(|seq| batch([reading(seq, "A")])).collect())
        .await;
    for receipt in receipts {
        let Err(SinkError::Denied(words)) = receipt else {
            panic!("{receipt:?}");
        };
        assert!(words.contains("check user, bearer or headers"), "{words}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_followed_nowhere() {
    let inside = Server::start(|_, _| Reply::of(200)).await;
    let to = inside.url("/admin");
    let server = Server::start(move |_, _| Reply {
        headers: vec![("location", to.clone())],
        ..Reply::of(307)
    })
    .await;
    let mut link = TestLink::connect(json!({ "url": server.url("/in") }))
        .await
        .unwrap();
    let refused = link.send(batch([reading(1, "A")])).await;
    assert!(
        matches!(&refused, Err(SinkError::Denied(words)) if words.contains("/admin")),
        "{refused:?}"
    );
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_connection_that_the_server_ended_is_made_anew() {
    let server = Server::start(|_, _| Reply {
        last: true,
        ..Reply::of(200)
    })
    .await;
    let settings = json!({ "url": server.url("/in"), "connections": 1 });
    let mut link = TestLink::connect(settings).await.unwrap();
    for seq in 1..=5 {
        link.send(batch([reading(seq, "A")])).await.unwrap();
    }
    assert_eq!((server.seen().len(), server.connections()), (5, 5));
}

#[tokio::test]
async fn silence_ends_the_link() {
    let server = Server::start(|_, _| Reply {
        after: Duration::from_secs(60),
        ..Reply::of(200)
    })
    .await;
    let settings = json!({ "url": server.url("/in"), "timeout": "1 s" });
    let mut link = TestLink::connect(settings).await.unwrap();
    let lost = link.send(batch([reading(1, "A")])).await;
    let Err(SinkError::Unreachable(words)) = lost else {
        panic!("{lost:?}");
    };
    assert!(words.contains("gave no answer within 1 s"), "{words}");
}

#[tokio::test]
async fn secrets_go_out_as_they_are_kept() {
    let server = Server::start(|_, _| Reply::of(200)).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("password", "p:ä"),
        ("token", "t0"),
        ("key", "k1"),
        ("broken", "a\nb"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let secret = |name: &str| json!({ "file": folder.path().join(name) });
    for (more, header, expected) in [
        (
            json!({ "user": { "name": "me", "password": secret("password") } }),
            "authorization",
            "Basic bWU6cDrDpA==",
        ),
        (
            json!({ "bearer": secret("token") }),
            "authorization",
            "Bearer t0",
        ),
        (
            json!({ "headers": [{ "name": "X-Key", "secret": secret("key") }, { "name": "X-Site", "value": "a" }] }),
            "x-key",
            "k1",
        ),
    ] {
        let mut settings = json!({ "url": server.url("/in") });
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut link = TestLink::connect(settings).await.unwrap();
        link.send(batch([reading(1, "A")])).await.unwrap();
        assert_eq!(server.seen().last().unwrap().headers[header], expected);
    }
    let settings = json!({ "url": server.url("/in"), "bearer": secret("broken") });
    let Err(SinkError::Denied(words)) = TestLink::connect(settings).await.map(drop) else {
        panic!("a header of two lines was taken");
    };
    assert!(
        words.starts_with("bearer: ") && !words.contains("a\nb"),
        "{words}"
    );
}

#[tokio::test]
async fn pictures_and_clips_are_files_and_a_cut_upload_goes_on_where_it_was() {
    // The third part is refused once.
    let refusals = AtomicUsize::new(1);
    let server = Server::start(move |seen, _| {
        let refused = seen.target.ends_with("part0002")
            && refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
        Reply::of(if refused { 503 } else { 201 })
    })
    .await;
    let settings = json!({ "url": server.url("/in"), "files": server.url("/up/{point}/{name}") });
    let mut link = TestLink::connect(settings).await.unwrap();
    let clip = link::clip(10, 4, 1000);
    let mut readings = vec![reading(1, "A"), reading(2, "A").picture(b"jpeg")];
    readings.extend(clip.clone());
    let receipt = link.send(batch(readings)).await.unwrap();
    assert_eq!(receipt.postponed, [12, 13]);
    let receipt = link.send(batch(clip[2..].iter().cloned())).await.unwrap();
    assert_eq!(receipt, fieldgate_kit::Receipt::default());
    let targets = server.targets();
    let [picture, rest @ ..] = &targets[1..] else {
        panic!("{targets:?}");
    };
    assert!(
        targets[0] == "/in" && picture.ends_with("-a1b2c3d4-n-0000000000000002.jpg"),
        "{targets:?}"
    );
    let expected = [
        "part0000", "part0001", "part0002", "part0002", "part0003", "json",
    ];
    assert_eq!(rest, expected.map(|end| format!("/up/clip/gate.mp4.{end}")));
    let seen = server.seen();
    let parts = seen.iter().filter(|seen| seen.target.contains("part000"));
    let bytes: usize = parts.map(|seen| seen.body.len()).sum();
    assert_eq!(bytes, 5000);
    assert!(seen[1].method == "PUT" && seen[1].body[..] == *b"jpeg");
}

#[tokio::test]
async fn ranges_are_acknowledged_by_308_until_the_last() {
    let server = Server::start(|seen, _| {
        let range = seen.headers["content-range"].to_str().unwrap().to_owned();
        let last = range == "bytes 3000-3999/4000";
        Reply::of(if last { 201 } else { 308 })
    })
    .await;
    let settings =
        json!({ "url": server.url("/in"), "files": server.url("/up/{name}"), "parts": "ranges" });
    let mut link = TestLink::connect(settings).await.unwrap();
    let receipt = link.send(batch(link::clip(10, 4, 1000))).await.unwrap();
    assert_eq!(receipt, fieldgate_kit::Receipt::default());
    assert_eq!(server.targets(), ["/up/gate.mp4"; 4]);
}
