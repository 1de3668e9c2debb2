//! Looking around on the simulated server: children by pages, what is known of a node, search, what rules mean.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{
    Explore, ExploreCtx, ExploreError, Exploring, Secrets, SourceError, SourceKind,
    explore::{ChildrenAsk, ChildrenPage, LookAsk, NodeKind, SearchAsk},
};
use fieldgate_model::Quality;
use fieldgate_opcua::{
    OpcUa,
    sim::{self, Load, Sim},
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// A session for looking around, opened for the test.
struct Rig {
    _folder: TempDir,
    sim: Sim,
    session: Arc<dyn Explore>,
    exploring: Exploring,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
}

async fn start(load: Option<Load>) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let options = sim::Options {
        load,
        ..sim::Options::new(folder.path().join("server"))
    };
    let sim = sim::start(options).await.unwrap();
    let (exploring, shutdown) = (Exploring::default(), CancellationToken::new());
    let ctx = ExploreCtx {
        id: "press".into(),
        secrets: Secrets::new(folder.path().into(), folder.path().into()),
        state_dir: folder.path().join("state"),
        exploring: exploring.clone(),
        shutdown: shutdown.clone(),
    };
    let settings = settings(&sim.endpoint);
    let running =
        tokio::spawn(async move { SourceKind::of::<OpcUa>().explore(settings, ctx).await });
    let session = timeout(PATIENCE, exploring.session()).await.unwrap();
    Rig {
        _folder: folder,
        sim,
        session,
        exploring,
        shutdown,
        running,
    }
}

fn settings(endpoint: &str) -> Json {
    json!({ "endpoint": endpoint, "security": { "policy": "None" }, "select": ["Objects/**"] })
}

fn ask(node: &str, path: &str) -> ChildrenAsk {
    ChildrenAsk {
        node: node.into(),
        path: path.into(),
        more: None,
    }
}

fn names(page: &ChildrenPage) -> Vec<&str> {
    let mut names: Vec<&str> = page.nodes.iter().map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    names
}

async fn searched(session: &dyn Explore, text: &str) -> Vec<String> {
    let mut more = None;
    let mut found = Vec::new();
    loop {
        let text = text.to_owned();
        let ask = SearchAsk {
            text,
            more,
            ..SearchAsk::default()
        };
        let page = session.search(ask).await.unwrap();
        found.extend(page.nodes.into_iter().map(|node| node.path));
        more = page.more;
        if more.is_none() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_read_folder_by_folder_and_a_node_is_told() {
    let rig = start(None).await;
    let about = rig.session.about().await.unwrap();
    assert!(about.words.contains("as anonymous"), "{}", about.words);
    assert!(!about.shared);
    assert!(about.facts.len() >= 3);

    let top = rig.session.children(ChildrenAsk::default()).await.unwrap();
    let demo = top.nodes.iter().find(|node| node.name == "Demo").unwrap();
    assert_eq!(
        (demo.kind, demo.branch, demo.path.as_str()),
        (NodeKind::Object, true, "Objects/Demo")
    );
    assert_eq!(demo.type_name, "FolderType");

    let below = rig.session.children(ask(&demo.address, &demo.path)).await;
    let below = below.unwrap();
    assert_eq!(names(&below), ["Oven", "Press", "Tank"]);
    let press = below.nodes.iter().find(|node| node.name == "Press");
    let press = press.unwrap();
    assert_eq!(press.address, "nsu=urn:fieldgate:demo;s=Demo/Press");
    let page = rig.session.children(ask(&press.address, &press.path)).await;
    let page = page.unwrap();
    let temperature = page.nodes.iter().find(|node| node.name == "Temperature");
    let temperature = temperature.unwrap();
    assert_eq!(temperature.kind, NodeKind::Variable);
    assert!(!temperature.branch);
    assert_eq!(temperature.path, "Objects/Demo/Press/Temperature");

    let look = |node: &str| LookAsk {
        node: node.to_owned(),
        ..LookAsk::default()
    };
    let detail = rig.session.look(look(&temperature.address)).await.unwrap();
    assert_eq!(detail.node.path, temperature.path);
    assert_eq!(detail.node.type_name, "BaseDataVariableType");
    let permit = detail.permit.unwrap();
    assert_eq!(permit.rule["node"], temperature.address.as_str());
    let value = detail.value.unwrap();
    assert_eq!(value.quality, Quality::Good);
    assert!(value.source_at.is_some());
    let fact = |name: &str| {
        let fact = detail.facts.iter().find(|fact| fact.name == name);
        fact.map(|fact| fact.text.as_str())
    };
    assert!(fact("Data type").is_some_and(|text| ["Double", "Float"].contains(&text)));
    assert!(fact("Access").is_some_and(|text| text.contains("read")));

    let leaf = ask(&temperature.address, &temperature.path);
    let nothing = rig.session.children(leaf).await.unwrap();
    assert!(nothing.nodes.is_empty());
    let words = nothing.words.unwrap();
    assert!(words.contains("anonymous"), "{words}");

    for address in [
        "nsu=urn:gone;s=x",
        "nonsense",
        "nsu=urn:fieldgate:demo;s=gone",
    ] {
        let error = rig.session.look(look(address)).await.unwrap_err();
        assert!(matches!(error, ExploreError::Refused(_)), "{error}");
    }
    rig.shutdown.cancel();
    timeout(PATIENCE, rig.running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(rig.exploring.offered().is_none());
    rig.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_folder_comes_by_pages_and_each_mark_is_good_once() {
    let load = Load {
        nodes: 1000,
        every: Duration::from_secs(3600),
    };
    let rig = start(Some(load)).await;
    let mut page = ask("nsu=urn:fieldgate:demo;s=Load", "Objects/Load");
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let answer = rig.session.children(page.clone()).await.unwrap();
        seen.extend(answer.nodes.into_iter().map(|node| node.name));
        pages += 1;
        match answer.more {
            Some(more) => page.more = Some(more),
            None => break,
        }
    }
    assert_eq!((seen.len(), pages), (1000, 5));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1000);
    let again = rig.session.children(page).await.unwrap_err();
    assert!(again.to_string().contains("open it again"), "{again}");
    // Pages that nobody goes on with make room for others.
    for _ in 0..20 {
        let first = ask("nsu=urn:fieldgate:demo;s=Load", "Objects/Load");
        let first = rig.session.children(first).await.unwrap();
        assert_eq!(first.nodes.len(), 200);
    }
    assert_eq!(searched(&*rig.session, "n99").await.len(), 11);
    rig.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_names_and_addresses_below_a_node() {
    let rig = start(None).await;
    let found = searched(&*rig.session, "TEMPERATURE").await;
    assert!(
        found.contains(&"Objects/Demo/Press/Temperature".to_owned()),
        "{found:?}"
    );
    let by_address = searched(
        &*rig.session,
        "nsu=urn:fieldgate:demo;s=Demo/Press/Temperature",
    );
    assert_eq!(by_address.await, ["Objects/Demo/Press/Temperature"]);
    assert!(searched(&*rig.session, "nsu=urn:gone;s=x").await.is_empty());
    assert!(searched(&*rig.session, "no such name").await.is_empty());
    let below = SearchAsk {
        node: "nsu=urn:fieldgate:demo;s=Demo/Tank".into(),
        path: "Objects/Demo/Tank".into(),
        text: "temperature".into(),
        more: None,
    };
    let below = rig.session.search(below).await.unwrap();
    assert!(
        below
            .nodes
            .iter()
            .all(|node| node.path.starts_with("Objects/Demo/Tank/"))
    );
    let empty = rig.session.search(SearchAsk::default()).await.unwrap_err();
    assert!(empty.to_string().contains("search for"), "{empty}");
    rig.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_counted_compared_and_watched() {
    let rig = start(None).await;
    let press = || vec![json!("Objects/Demo/Press/**")];
    let all = rig.session.preview(press(), Vec::new()).await.unwrap();
    assert!(
        all.points > 3 && all.covered == 0 && all.before == 0,
        "{all:?}"
    );
    assert!(
        all.first
            .contains(&"press/Demo%2FPress/Temperature".to_owned())
    );
    #[expect(clippy::cast_precision_loss, reason = "a few points")]
    let twice_a_second = all.points as f64 * 2.0;
    assert!((all.at_most_per_s - twice_a_second).abs() < 0.01);

    let node = json!({ "node": "nsu=urn:fieldgate:demo;s=Demo/Press/Temperature" });
    let covered = rig
        .session
        .preview(vec![node.clone()], press())
        .await
        .unwrap();
    assert_eq!((covered.points, covered.covered), (1, 1));
    assert_eq!(covered.before, all.points);
    let error = rig
        .session
        .preview(vec![json!("Line/**")], Vec::new())
        .await;
    assert!(error.unwrap_err().to_string().contains("Objects/"));

    let seen = rig
        .session
        .sample(vec![node], Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!((seen.points, seen.watched.len()), (1, 1));
    let watched = &seen.watched[0];
    assert!(watched.changes >= 3, "{seen:?}");
    assert!(watched.last.is_some() && watched.trouble.is_none());
    rig.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_server_ends_the_session_and_the_offer() {
    let rig = start(None).await;
    rig.sim.stop().await;
    let ended = timeout(PATIENCE, rig.running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(SourceError::Lost(_))), "{ended:?}");
    assert!(rig.exploring.offered().is_none());
    let error = timeout(PATIENCE, rig.session.about()).await.unwrap();
    assert!(error.is_err());
}
