//! Every row of the endpoint table answers what its types say, and every failure is a `Trouble`.

use std::time::{Duration, Instant};

use fieldgate_api::{
    config::Draft, dead::DeadQuery, discovery::DiscoverDraft, endpoint::*, state::Level,
    trouble::Trouble,
};
use serde_json::json;

use crate::{
    client::{Socket, ask, call, get, request},
    rig::Rig,
};

fn source(endpoint: &str) -> Draft {
    Draft {
        kind: "opcua".into(),
        paused: true,
        settings: json!({ "endpoint": endpoint, "select": ["Objects/**"] }),
    }
}

fn route(from: &str) -> Draft {
    Draft {
        kind: "route".into(),
        paused: false,
        settings: json!({ "from": [from], "to": "broker", "steps": [{ "scale": { "by": 2.0, "unit": "K" } }] }),
    }
}

#[track_caller]
fn trouble(response: &crate::client::Response, status: u16, code: &str) -> Trouble {
    let found: Trouble = response.json();
    assert_eq!(
        (response.status, found.status, found.code.as_str()),
        (status, status, code),
        "{found:?}"
    );
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    assert!(!found.detail.is_empty());
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_names_its_kind_and_says_who_does_not_answer() {
    let rig = Rig::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap().to_string();
    drop(closed);
    for (kind, address, status, code, part) in [
        (
            "opcua",
            address.as_str(),
            503,
            "FG-UNAVAILABLE",
            "refuses the connection",
        ),
        ("opcua", " ", 400, "FG-REQUEST", "say where to look"),
        ("smoke", "plc", 404, "FG-NOT-FOUND", "smoke"),
    ] {
        let draft = DiscoverDraft {
            kind: kind.into(),
            address: address.into(),
        };
        let answer = call::<DiscoverSources>(rig.address, &[], &draft, None).await;
        let told = trouble(&answer, status, code);
        assert!(told.detail.contains(part), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_is_what_its_types_say() {
    let rig = Rig::start().await;
    let at = rig.address;
    rig.announce(&["press/Line%2F1/temp", "press/Line%2F1/silent"]);
    rig.observe("press/Line%2F1/temp", 21.5);

    assert_eq!(ask::<GetHealth>(at, &[], &()).await.status, "alive");
    assert!(ask::<GetReady>(at, &[], &()).await.ready);
    let overview = ask::<GetOverview>(at, &[], &()).await;
    assert_eq!(overview.gateway, "line-4");
    assert_eq!(overview.verdict.level, Level::Idle);
    assert_eq!(overview.sources[0].to, ["everything"]);
    assert_eq!(overview.routes[0].to, ["broker"]);
    assert_eq!(overview.ledger.total.unaccounted, 0);
    assert_eq!(ask::<GetKinds>(at, &[], &()).await.sources[0].kind, "opcua");

    let sources = ask::<GetSources>(at, &[], &()).await;
    assert_eq!((sources[0].devices, sources[0].points), (1, 2));
    assert_eq!(ask::<GetSource>(at, &["press"], &()).await, sources[0]);
    let destinations = ask::<GetDestinations>(at, &[], &()).await;
    assert_eq!(destinations[0].status.state, "paused");
    assert_eq!(
        ask::<GetDestination>(at, &["broker"], &()).await.item.id,
        "broker"
    );
    let routes = ask::<GetRoutes>(at, &[], &()).await;
    assert_eq!(
        (routes[0].matches, routes[0].status.state.as_str()),
        (2, "waiting")
    );
    assert_eq!(ask::<GetRoute>(at, &["everything"], &()).await.matches, 2);
    assert!(ask::<GetRules>(at, &[], &()).await.is_empty());

    let devices = ask::<GetDevices>(at, &[], &()).await;
    let device = devices
        .iter()
        .find(|device| device.source == "press")
        .unwrap();
    assert_eq!(
        (device.id.as_str(), device.name.as_str()),
        ("press/Line%2F1", "Line \\u{202e}1")
    );
    let page = ask::<GetDevice>(at, &[&device.id], &()).await;
    assert_eq!(page.points.len(), 2);
    assert_eq!(page.addresses[0].route, "everything");
    assert!(
        page.addresses[0].address.contains("line-4"),
        "{:?}",
        page.addresses
    );
    let point = ask::<GetPoint>(at, &["press/Line%2F1/temp"], &()).await;
    let live = point.live.unwrap();
    assert_eq!((live.value, live.text.as_str()), (json!(21.5), "21.5"));
    assert_eq!(
        (point.count, point.history),
        (1, vec![(1_700_000_000_000, 21.5)])
    );

    let queue = ask::<GetQueue>(at, &[], &()).await;
    let lanes: Vec<&str> = queue.lanes.iter().map(|lane| lane.lane.as_str()).collect();
    assert_eq!(lanes, ["normal", "critical", "dead"]);
    assert!(queue.disk_free_bytes > 0);
    assert_eq!(queue.backlogs[0].drain_s, Some(0.0));
    assert!(
        ask::<GetDeadLetters>(at, &[], &DeadQuery::default())
            .await
            .letters
            .is_empty()
    );
    let config = ask::<GetConfig>(at, &[], &()).await;
    assert!(config.effective.contains("opc.tcp://127.0.0.1:1"));
    assert!(ask::<GetRevisions>(at, &[], &()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_revisions_and_can_be_reverted() {
    let rig = Rig::start().await;
    let at = rig.address;
    let saved = ask::<PutSource>(at, &["oven"], &source("opc.tcp://oven:4840")).await;
    assert_eq!(saved.revision, 1);
    assert!(
        saved.diff.contains("+endpoint = \"opc.tcp://oven:4840\""),
        "{}",
        saved.diff
    );
    let item = ask::<GetSource>(at, &["oven"], &()).await.item;
    assert!(item.removable);

    let stale = call::<PutSource>(at, &["oven"], &source("opc.tcp://other:4840"), Some(0)).await;
    trouble(&stale, 409, "FG-CONFLICT");
    let based = call::<PutSource>(at, &["oven"], &source("opc.tcp://other:4840"), Some(1)).await;
    assert_eq!(based.status, 200);
    let saved = ask::<PutRoute>(at, &["hot"], &route("oven/**")).await;
    assert_eq!(saved.revision, 3);

    let needed = call::<DeleteSource>(at, &["oven"], &(), None).await;
    assert_eq!(trouble(&needed, 422, "FG-CONFIG").problems.len(), 1);
    assert_eq!(ask::<DeleteRoute>(at, &["hot"], &()).await.revision, 4);
    assert_eq!(ask::<DeleteSource>(at, &["oven"], &()).await.revision, 5);
    trouble(
        &call::<GetSource>(at, &["oven"], &(), None).await,
        404,
        "FG-NOT-FOUND",
    );

    assert_eq!(ask::<RevertTo>(at, &["1"], &()).await.revision, 6);
    let endpoint = ask::<GetSource>(at, &["oven"], &())
        .await
        .item
        .draft
        .settings["endpoint"]
        .clone();
    assert_eq!(endpoint, "opc.tcp://oven:4840");
    let revisions = ask::<GetRevisions>(at, &[], &()).await;
    assert_eq!(revisions[0].what, "revert to revision 1");
    assert_eq!(
        ask::<GetRevision>(at, &["1"], &()).await.revision.what,
        "add source oven"
    );
    for place in ["99", "x", "-1", "../1"] {
        trouble(
            &call::<GetRevision>(at, &[place], &(), None).await,
            404,
            "FG-NOT-FOUND",
        );
    }
}

fn rule(target: &str, settings: serde_json::Value) -> Draft {
    let mut all = json!({ "when": ["press/Line/Level"], "do": { "target": target, "write": 1 } });
    let fields = settings.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(fields);
    Draft {
        kind: "rule".into(),
        paused: false,
        settings: all,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_items_like_the_others() {
    let rig = Rig::start().await;
    let at = rig.address;
    let kind = ask::<GetKinds>(at, &[], &()).await.rules;
    let keys = kind.schema["properties"].as_object().unwrap();
    assert!(
        ["when", "if", "do", "pause"]
            .iter()
            .all(|key| keys.contains_key(*key))
    );

    let hot = rule(
        "press/Line/Valve",
        json!({ "if": { "above": 80 }, "pause": "30 s" }),
    );
    let saved = ask::<PutRule>(at, &["hot"], &hot).await;
    assert!(saved.diff.contains("[[rule]]"), "{}", saved.diff);
    rig.apply().await;
    rig.observe("press/Line/Level", 1.0);
    let view = ask::<GetRule>(at, &["hot"], &()).await;
    assert_eq!(
        ask::<GetRules>(at, &[], &()).await,
        std::slice::from_ref(&view)
    );
    assert!(view.item.removable);
    assert_eq!((view.watches, view.fired, view.rests_until), (1, 0, None));
    assert_eq!(view.status.words, "watches 1 point");

    let bad = rule(
        "oven/Line",
        json!({ "if": { "abov": 80 }, "pause": "0 s", "when": ["pres/**"] }),
    );
    let found = trouble(
        &call::<PutRule>(at, &["bad"], &bad, None).await,
        422,
        "FG-CONFIG",
    );
    let mut paths: Vec<String> = found
        .problems
        .iter()
        .map(|problem| problem.path.join("."))
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        ["do.target", "if.abov", "pause", "when.0"],
        "{found:?}"
    );
    let needed = call::<DeleteSource>(at, &["press"], &(), None).await;
    trouble(&needed, 423, "FG-LOCKED");
    let removed = ask::<DeleteRule>(at, &["hot"], &()).await;
    assert_eq!(removed.revision, saved.revision + 1);
    trouble(
        &call::<GetRule>(at, &["hot"], &(), None).await,
        404,
        "FG-NOT-FOUND",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_place() {
    let rig = Rig::start().await;
    let at = rig.address;
    let bad = Draft {
        settings: json!({ "endpiont": "opc.tcp://oven:4840" }),
        ..source("")
    };
    let found = trouble(
        &call::<PutSource>(at, &["oven"], &bad, None).await,
        422,
        "FG-CONFIG",
    );
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.path == ["endpiont"]),
        "{found:?}"
    );
    let locked = call::<PutSource>(at, &["press"], &source("opc.tcp://other:1"), None).await;
    assert!(
        trouble(&locked, 423, "FG-LOCKED")
            .detail
            .contains("fieldgate.toml")
    );
    trouble(
        &call::<DeleteSource>(at, &["press"], &(), None).await,
        423,
        "FG-LOCKED",
    );
    trouble(
        &call::<DeleteSource>(at, &["nothing"], &(), None).await,
        404,
        "FG-NOT-FOUND",
    );
    trouble(
        &call::<RetrySource>(at, &["nothing"], &(), None).await,
        404,
        "FG-NOT-FOUND",
    );
    for id in ["..", "../../x", "a/b", "a\0", "/etc/passwd"] {
        assert!(
            call::<PutSource>(at, &[id], &source("opc.tcp://a:1"), None)
                .await
                .status
                >= 400,
            "{id:?}"
        );
        assert!(
            call::<TestSource>(at, &[id], &source("opc.tcp://a:1"), None)
                .await
                .status
                >= 400,
            "{id:?}"
        );
        assert_eq!(
            call::<GetSource>(at, &[id], &(), None).await.status,
            404,
            "{id:?}"
        );
        assert_eq!(
            call::<GetDevice>(at, &[id], &(), None).await.status,
            404,
            "{id:?}"
        );
    }
    assert!(!rig.state.path().join("state/units").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_of_the_contract_is_refused() {
    let rig = Rig::start().await;
    let (at, host) = (rig.address, rig.address.to_string());
    let write = [
        ("host", host.as_str()),
        ("x-fieldgate", "1"),
        ("content-type", "application/json"),
    ];
    let path = "/api/v1/sources/oven";
    let found = request(at, "PUT", path, &write, b"{\"kind\": 1}").await;
    assert!(trouble(&found, 400, "FG-REQUEST").detail.contains("`kind`"));
    trouble(
        &request(at, "PUT", path, &write, b"").await,
        400,
        "FG-REQUEST",
    );
    let large = vec![b' '; (1 << 20) + 1];
    trouble(
        &request(at, "PUT", path, &write, &large).await,
        413,
        "FG-REQUEST",
    );
    let long = "x".repeat(20 << 10);
    let cookie = [("host", host.as_str()), ("cookie", &long)];
    trouble(
        &request(at, "GET", "/", &cookie, b"").await,
        431,
        "FG-REQUEST",
    );
    let stale = [write[0], write[1], write[2], ("if-match", "W/\"x\"")];
    trouble(
        &request(at, "PUT", path, &stale, b"{}").await,
        400,
        "FG-REQUEST",
    );
    for (method, path) in [
        ("GET", "/api/v1/nothing"),
        ("GET", "/api"),
        ("POST", "/api/v1/overview"),
        ("DELETE", "/"),
        ("GET", "/../../../../etc/passwd.txt"),
        ("GET", "/api/v1/schemas/..%2f..%2fx.json"),
    ] {
        trouble(
            &request(at, method, path, &write[..2], b"").await,
            404,
            "FG-NOT-FOUND",
        );
    }
    assert_eq!(get(at, "/api/v1/schemas/aio-json.json").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_tested_without_being_saved() {
    let rig = Rig::start().await;
    let at = rig.address;
    let report = ask::<TestSource>(at, &["oven"], &source("opc.tcp://127.0.0.1:1")).await;
    assert!(!report.ok);
    assert!(!report.rungs.last().unwrap().words.is_empty(), "{report:?}");
    let broker = Draft {
        kind: "mqtt".into(),
        paused: false,
        settings: json!({ "url": "mqtt://127.0.0.1:1" }),
    };
    assert!(!ask::<TestDestination>(at, &["new"], &broker).await.ok);
    let unknown = Draft {
        kind: "carrier-pigeon".into(),
        ..broker
    };
    trouble(
        &call::<TestDestination>(at, &["new"], &unknown, None).await,
        422,
        "FG-CONFIG",
    );

    rig.announce(&["press/Line/temp", "press/Line/silent"]);
    rig.observe("press/Line/temp", 21.5);
    let test = ask::<TestRoute>(at, &["new"], &route("press/**")).await;
    assert_eq!((test.matches, test.samples.len()), (2, 1));
    let sample = &test.samples[0];
    assert_eq!(
        (sample.before.as_str(), sample.after.as_slice()),
        ("21.5", &["press/Line/temp = 43 K".to_owned()][..])
    );
    assert!(sample.address.as_ref().unwrap().contains("line-4"));
    trouble(
        &call::<TestRoute>(at, &["new"], &route("a//b"), None).await,
        422,
        "FG-CONFIG",
    );
    assert_eq!(rig.desired.current().config.revision, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_the_configuration_is_applied() {
    let rig = Rig::start_unready().await;
    let response = get(rig.address, "/readyz").await;
    trouble(&response, 503, "FG-UNAVAILABLE");
    assert_eq!(get(rig.address, "/healthz").await.status, 200);
    rig.apply().await;
    assert_eq!(get(rig.address, "/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_soon_although_tabs_are_open() {
    let rig = Rig::start().await;
    let mut tab = Socket::open(rig.address, &format!("http://{}", rig.address))
        .await
        .ok()
        .unwrap();
    let since = Instant::now();
    rig.shutdown.cancel();
    while tab.next().await.is_some() {}
    rig.serving.await.unwrap().unwrap();
    assert!(
        since.elapsed() < Duration::from_secs(3),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_there_for_each_of_its_pages() {
    let rig = Rig::start().await;
    let (at, host) = (rig.address, rig.address.to_string());
    let page = get(at, "/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("vary"), Some("accept-encoding"));
    assert_eq!(get(at, "/devices/press%2FLine").await.body, page.body);
    let etag = page.header("etag").unwrap();
    let again = request(
        at,
        "GET",
        "/",
        &[("host", &host), ("if-none-match", etag)],
        b"",
    )
    .await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = request(at, "HEAD", "/", &[("host", &host)], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}
