//! The live WebSocket: what a tab watches and nothing else, when it changes and not before.

use fieldgate_api::{
    config::Draft,
    live::{Update, Watch},
};
use serde_json::json;

use crate::{
    client::{CLOSE, PING, PONG, Socket, TEXT, ask},
    rig::Rig,
};

async fn open(rig: &Rig) -> Socket {
    let origin = format!("http://{}", rig.address);
    Socket::open(rig.address, &origin).await.ok().unwrap()
}

async fn watch(tab: &mut Socket, overview: bool, points: &[&str]) {
    let watch = Watch {
        overview,
        points: points.iter().map(|point| (*point).to_owned()).collect(),
        ..Watch::default()
    };
    tab.send(TEXT, &serde_json::to_vec(&watch).unwrap()).await;
}

async fn values(tab: &mut Socket) -> Vec<(String, String)> {
    match tab.text().await {
        Update::Values(values) => values
            .into_iter()
            .map(|value| (value.point, value.text))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_is_sent_what_it_watches_when_it_changes() {
    let rig = Rig::start().await;
    let mut tab = open(&rig).await;
    rig.observe("press/Line/a", 1.0);
    rig.observe("press/Line/b", 2.0);
    watch(&mut tab, false, &["press/Line/a", "press/Line/later"]).await;
    assert_eq!(
        values(&mut tab).await,
        [("press/Line/a".into(), "1".into())]
    );
    // Only what is watched and new: `b` is not watched, `a` is known.
    rig.observe("press/Line/b", 3.0);
    rig.observe("press/Line/later", "hello");
    assert_eq!(
        values(&mut tab).await,
        [("press/Line/later".into(), "hello".into())]
    );
    rig.observe("press/Line/a", 4.0);
    assert_eq!(
        values(&mut tab).await,
        [("press/Line/a".into(), "4".into())]
    );
    // Watching `b` too tells of `b` alone.
    watch(&mut tab, false, &["press/Line/a", "press/Line/b"]).await;
    assert_eq!(
        values(&mut tab).await,
        [("press/Line/b".into(), "3".into())]
    );
    watch(&mut tab, true, &[]).await;
    let Update::Overview(overview) = tab.text().await else {
        panic!("no overview");
    };
    assert_eq!(overview.gateway, "line-4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_is_told_of_a_new_revision() {
    let rig = Rig::start().await;
    let mut tab = open(&rig).await;
    let draft = Draft {
        kind: "mqtt".into(),
        paused: true,
        settings: json!({ "url": "mqtt://other:1883" }),
    };
    ask::<fieldgate_api::endpoint::PutDestination>(rig.address, &["other"], &draft).await;
    assert_eq!(tab.text::<Update>().await, Update::Revision(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_and_what_is_too_long_ends_it() {
    let rig = Rig::start().await;
    let mut tab = open(&rig).await;
    tab.send(TEXT, b"nonsense").await;
    assert!(matches!(tab.text::<Update>().await, Update::Refused(_)));
    let many: Vec<&str> = vec!["a/b/c"; 1001];
    watch(&mut tab, false, &many).await;
    let Update::Refused(words) = tab.text().await else {
        panic!("a watch of 1001 points was taken");
    };
    assert!(words.contains("at most 1000"), "{words}");
    tab.send(PING, b"there?").await;
    loop {
        let frame = tab.next().await.unwrap();
        if frame.opcode == PONG {
            assert_eq!(frame.payload, b"there?");
            break;
        }
    }
    tab.send(TEXT, &vec![b' '; (64 << 10) + 1]).await;
    while let Some(frame) = tab.next().await {
        assert_ne!(frame.opcode, TEXT);
        if frame.opcode == CLOSE {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixty_fifth_tab_is_refused_until_one_is_closed() {
    let rig = Rig::start().await;
    let mut tabs = Vec::new();
    for _ in 0..64 {
        tabs.push(open(&rig).await);
    }
    let origin = format!("http://{}", rig.address);
    assert_eq!(Socket::open(rig.address, &origin).await.err(), Some(503));
    let mut last = tabs.pop().unwrap();
    last.send(CLOSE, b"").await;
    while last.next().await.is_some() {}
    open(&rig).await;
}
