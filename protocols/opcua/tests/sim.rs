//! The source against the simulated server: sign-in, selection, values, isolation, loss, acknowledgement.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fieldgate_kit::{
    AddressBook, Commands, Delivery, Devices, DropCounters, Exploring, Health, HealthReport,
    ProbeCtx, Readings, Reviews, RungState, Secrets, SourceCtx, SourceError, SourceKind,
    explore::LookAsk,
};
use fieldgate_model::{Class, Device, Quality, Reading, Value};
use fieldgate_opcua::{
    OpcUa,
    sim::{self, Sim},
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running source with all its ends in the test's hands.
struct Rig {
    readings: mpsc::Receiver<Delivery>,
    devices: watch::Receiver<Vec<Arc<Device>>>,
    health: watch::Receiver<HealthReport>,
    exploring: Exploring,
    reviews: Reviews,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
}

fn run(folder: &TempDir, settings: Json) -> Rig {
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
    let (sender, readings) = Readings::channel(4, DropCounters::default());
    let (devices_sender, devices) = Devices::channel();
    let (health_sender, health) = Health::channel();
    let (exploring, shutdown) = (Exploring::default(), CancellationToken::new());
    let reviews = Reviews::default();
    let ctx = SourceCtx {
        id: "press".into(),
        readings: sender,
        devices: devices_sender,
        health: health_sender,
        commands: Commands::default(),
        alarms: Default::default(),
        exploring: exploring.clone(),
        scanning: fieldgate_kit::Scanning::default(),
        showing: fieldgate_kit::Showing::default(),
        reviews: reviews.clone(),
        shutdown: shutdown.clone(),
        secrets: Secrets::new(folder.path().into(), folder.path().into()),
        state_dir: folder.path().join("state"),
        memory: fieldgate_kit::Memory::default(),
        accepted: fieldgate_kit::Accepted::default(),
        latest: fieldgate_kit::Latest::default(),
    };
    let running = tokio::spawn(async move { SourceKind::of::<OpcUa>().run(settings, ctx).await });
    Rig {
        readings,
        devices,
        health,
        exploring,
        reviews,
        shutdown,
        running,
    }
}

impl Rig {
    /// The next readings, confirmed as durable.
    async fn next(&mut self) -> Vec<Reading> {
        let delivery = timeout(PATIENCE, self.readings.recv())
            .await
            .expect("readings in time");
        let Some(Delivery { readings, durable }) = delivery else {
            panic!("the source ended: {:?}", (&mut self.running).await);
        };
        if let Some(durable) = durable {
            durable.send(Ok(())).unwrap();
        }
        readings
    }

    /// Collects readings until one of each point is there.
    async fn each(&mut self, points: usize) -> BTreeMap<String, Reading> {
        let mut seen = BTreeMap::new();
        let collect = async {
            while seen.len() < points {
                for reading in self.next().await {
                    seen.entry(reading.point.to_string()).or_insert(reading);
                }
            }
        };
        timeout(PATIENCE, collect).await.expect("all in time");
        seen
    }

    /// Waits for a reading that fits.
    async fn find(&mut self, fits: impl Fn(&Reading) -> bool) -> Reading {
        let search = async {
            loop {
                let readings = self.next().await;
                if let Some(reading) = readings.into_iter().find(|reading| fits(reading)) {
                    return reading;
                }
            }
        };
        timeout(PATIENCE, search)
            .await
            .expect("such a reading in time")
    }

    async fn connected(&mut self) -> String {
        let report = timeout(PATIENCE, self.health.wait_for(|report| report.connected)).await;
        report
            .expect("connected in time")
            .expect("the source runs")
            .words
            .clone()
    }

    async fn end(self) -> Result<(), SourceError> {
        timeout(PATIENCE, self.running)
            .await
            .expect("an end in time")
            .unwrap()
    }

    async fn stop(self) -> Result<(), SourceError> {
        self.shutdown.cancel();
        self.end().await
    }
}

async fn server(folder: &TempDir) -> Sim {
    sim::start(sim::Options::new(folder.path().join("server")))
        .await
        .unwrap()
}

#[tokio::test]
async fn every_instance_of_a_type_is_a_device() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder).await;
    let settings = |select: Json| {
        json!({
            "endpoint": server.endpoint,
            "security": { "policy": "None" },
            "select": select,
            "publishing_ms": 50,
        })
    };
    let named = json!([{ "type": "DeviceType", "sampling_ms": 20 }]);
    let mut rig = run(&folder, settings(named));
    rig.connected().await;
    let names = |rig: &Rig| -> Vec<String> {
        let devices = rig.devices.borrow();
        let mut names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&rig), ["Demo/Oven", "Demo/Press", "Demo/Tank"]);
    let devices = rig.devices.borrow().clone();
    let alarms: Vec<String> = devices
        .iter()
        .flat_map(|device| &device.points)
        .map(|point| point.id.to_string())
        .filter(|id| id.contains("Alarm"))
        .collect();
    assert!(!alarms.is_empty());
    let own = |id: &String| id.starts_with("press/Demo%2FOven/HighTemperatureAlarm.");
    assert!(alarms.iter().all(own), "{alarms:?}");
    rig.find(|reading| reading.point.to_string() == "press/Demo%2FPress/Temperature")
        .await;
    rig.stop().await.unwrap();

    let by_id = json!([
        { "type": format!("nsu={};s=PressType", server.namespace) },
        { "type": "nsu=urn:other;DeviceType" },
    ]);
    let mut rig = run(&folder, settings(by_id));
    let words = rig.connected().await;
    assert_eq!(names(&rig), ["Demo/Press"]);
    assert!(
        words.contains("no type `nsu=urn:other;DeviceType`"),
        "{words}"
    );
    rig.stop().await.unwrap();

    let nothing = run(&folder, settings(json!([{ "type": "MotorType" }])));
    let why = nothing.end().await.unwrap_err().to_string();
    assert!(why.contains("no type `MotorType`"), "{why}");
    server.stop().await;
}

async fn secure_server(folder: &TempDir, port: u16, pki: &str) -> Sim {
    let options = sim::Options {
        port,
        secure: true,
        user: Some(("operator".to_owned(), "secret".to_owned())),
        ..sim::Options::new(folder.path().join(pki))
    };
    sim::start(options).await.unwrap()
}

fn open(server: &Sim, select: Json) -> Json {
    json!({
        "endpoint": server.endpoint,
        "security": { "policy": "None" },
        "select": select,
        "publishing_ms": 100,
    })
}

fn refused(outcome: Result<(), SourceError>, part: &str) {
    match outcome {
        Err(SourceError::Refused(words)) => assert!(words.contains(part), "{words}"),
        other => panic!("expected a refusal with `{part}`, got {other:?}"),
    }
}

#[tokio::test]
async fn a_server_tells_who_it_is_and_which_ways_lead_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let kind = SourceKind::of::<OpcUa>();
    for secure in [false, true] {
        let server = match secure {
            false => server(&folder).await,
            true => secure_server(&folder, 0, "secure").await,
        };
        let address = server.endpoint.trim_start_matches("opc.tcp://").to_owned();
        let found = kind
            .discover(address.trim_end_matches('/').to_owned())
            .await;
        let found = found.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].identity.starts_with("urn:"), "{found:?}");
        let best = &found[0].ways[0];
        // The simulator lets anonymous in, with security too.
        assert_eq!(best.needs, None);
        let strongest = best.words.contains("SignAndEncrypt");
        assert_eq!(strongest, secure, "{best:?}");
        for way in &found[0].ways {
            kind.check(way.settings.clone()).unwrap();
        }
    }
}

#[tokio::test]
async fn values_of_every_type_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut rig = run(&folder, open(&server, json!(["Objects/Demo/**"])));
    assert_eq!(
        rig.connected().await,
        "27 of 27 monitored items, publishing every 100 ms; without security: everybody on the way can read along"
    );
    let devices = rig.devices.borrow().clone();
    let ids: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(
        ids.contains(&"press/Demo%2FOven%2FHighTemperatureAlarm"),
        "{ids:?}"
    );
    let points: Vec<_> = devices.iter().flat_map(|device| &device.points).collect();
    let forces = points.iter().find(|point| point.name == "Forces").unwrap();
    assert_eq!(forces.data_type.as_deref(), Some("Double[]"));
    assert_eq!(forces.address, "nsu=urn:fieldgate:demo;s=Demo/Press/Forces");
    assert_eq!(forces.problem, None);
    let first: Vec<Reading> = rig.each(27).await.into_values().collect();
    let value = |name: &str| {
        let suffix = format!("/{name}");
        let found = first
            .iter()
            .find(|reading| reading.point.as_str().ends_with(&suffix));
        found.unwrap_or_else(|| panic!("{name}")).value.clone()
    };
    assert!(matches!(value("Temperature"), Value::Float(_)));
    assert!(matches!(value("Pressure"), Value::Float(bar) if bar.to_string().len() <= 6));
    assert!(matches!(value("Cycles"), Value::UInt(_)));
    assert_eq!(value("Running"), Value::Bool(true));
    assert!(matches!(value("Total"), Value::UInt(total) if total > u64::MAX - 1_000_001));
    assert!(matches!(value("Balance"), Value::Int(balance) if balance < i64::MIN + 1000));
    assert!(matches!(value("Forces"), Value::List(forces) if forces.len() == 8));
    assert!(matches!(value("Profile"), Value::List(rows) if rows.len() == 2));
    assert!(matches!(value("LastCycle"), Value::Text(at) if at.ends_with('Z')));
    assert!(matches!(value("Sample"), Value::Bytes(bytes) if bytes.len() == 4));
    assert_eq!(value("Recipe"), Value::from("bread"));
    assert_eq!(value("Sensor"), Value::from("Good"));
    assert_eq!(value("Label"), Value::from("<tank>1</tank>"));
    assert!(first.iter().all(|reading| reading.at <= reading.seen));
    assert_eq!(rig.stop().await, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn a_missing_node_leaves_its_neighbours_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let select = json!([
        { "node": "nsu=urn:fieldgate:demo;s=Demo/Press/Temperature", "point": "heat", "sampling_ms": 100 },
        { "node": "nsu=urn:fieldgate:demo;s=Demo/Press/None", "point": "none" },
        { "node": "nsu=urn:nobody;s=None", "point": "nobody" },
    ]);
    let mut rig = run(&folder, open(&server, select));
    let first = rig.each(3).await;
    for point in ["press/press/none", "press/press/nobody"] {
        let bad = &first[point];
        let why = bad.quality.why().unwrap();
        assert!(why.starts_with("BadNodeIdUnknown"), "{bad:?}");
        assert_eq!(bad.value, Value::Null);
    }
    let good = first["press/Demo%2FPress/heat"].clone();
    assert_eq!(good.quality, Quality::Good);
    rig.find(|reading| reading.point == good.point && reading.value != good.value)
        .await;
    let words = rig.connected().await;
    assert!(words.starts_with("1 of 3"), "{words}");
    assert_eq!(rig.stop().await, Ok(()));
}

#[tokio::test]
async fn a_node_deleted_while_running_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut rig = run(&folder, open(&server, json!(["Objects/Demo/Press/*"])));
    rig.connected().await;
    rig.next().await;
    server.remove("Demo/Press/Temperature");
    let id = "press/Demo%2FPress/Temperature";
    let bad = rig
        .find(|reading| reading.point.as_str() == id && reading.quality != Quality::Good)
        .await;
    let why = "BadNodeIdUnknown: the server no longer has this node";
    assert_eq!(bad.quality, Quality::Bad(why.into()));
    let devices = rig.devices.borrow().clone();
    let point = devices[0]
        .points
        .iter()
        .find(|point| point.id.as_str() == id)
        .unwrap();
    assert_eq!(point.problem.as_deref(), Some(why));
    let words = rig.connected().await;
    let expected = "7 of 8 monitored items, publishing every 100 ms; without security: everybody on the way can read along";
    assert_eq!(words, expected);
    rig.find(|reading| reading.point.as_str().ends_with("/Forces"))
        .await;
    assert_eq!(rig.stop().await, Ok(()));
}

/// 5,000 nodes on a server that has this room.
async fn small_server(folder: &TempDir, room: sim::Room) -> Sim {
    let options = sim::Options {
        load: Some(sim::Load {
            nodes: 5_000,
            every: Duration::from_millis(500),
        }),
        room: Some(room),
        ..sim::Options::new(folder.path().join("server"))
    };
    sim::start(options).await.unwrap()
}

#[tokio::test]
async fn five_thousand_items_on_a_server_that_allows_two_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let room = sim::Room {
        sessions: 2,
        subscriptions_per_session: 10,
        items_per_subscription: 1_000,
    };
    let server = small_server(&folder, room).await;
    let settings = open(&server, json!(["Objects/Load/*"]));
    let mut rig = run(&folder, settings.clone());
    let words = rig.connected().await;
    let expected = "5000 of 5000 monitored items, in 5 subscriptions publishing every 100 ms";
    assert!(words.starts_with(expected), "{words}");
    rig.each(5_000).await;
    // The other session is free for somebody else, and a third is told why not.
    let mut other = run(&folder, open(&server, json!(["Objects/Demo/**"])));
    other.connected().await;
    refused(
        run(&folder, settings).end().await,
        "is full (BadTooManySessions",
    );
    assert_eq!(other.stop().await, Ok(()));
    rig.each(5_000).await;
    assert_eq!(rig.stop().await, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn what_a_full_server_does_not_take_is_told_and_the_rest_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let room = sim::Room {
        sessions: 1,
        subscriptions_per_session: 2,
        items_per_subscription: 700,
    };
    let server = small_server(&folder, room).await;
    let mut rig = run(&folder, open(&server, json!(["Objects/Load/*"])));
    let words = rig.connected().await;
    let expected = "1400 of 5000 monitored items, in 2 subscriptions publishing every 100 ms; 3600 are left out because the server takes no more";
    assert!(words.starts_with(expected), "{words}");
    rig.each(5_000).await;
    let refused = rig.devices.borrow().clone();
    let refused = refused.iter().flat_map(|device| &device.points);
    let why = "BadTooManySubscriptions: the server takes no more subscriptions";
    let problems = refused.filter(|point| point.problem.as_deref() == Some(why));
    assert_eq!(problems.count(), 3600);
    assert_eq!(rig.stop().await, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn a_node_with_a_pace_of_its_own_is_in_a_subscription_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let select = json!([
        "Objects/Demo/**",
        { "node": "nsu=urn:fieldgate:demo;s=Demo/Press/Temperature", "publishing_ms": 1000, "sampling_ms": 100 },
    ]);
    let mut rig = run(&folder, open(&server, select));
    let words = rig.connected().await;
    let expected = "27 of 27 monitored items, in 2 subscriptions publishing every 100 to 1000 ms";
    assert!(words.starts_with(expected), "{words}");
    rig.each(27).await;
    assert_eq!(rig.stop().await, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn values_can_be_read_in_cycles_instead() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut settings = open(&server, json!(["Objects/Demo/**"]));
    settings["mode"] = json!("read");
    settings["sampling_ms"] = json!(200);
    let mut rig = run(&folder, settings);
    let words = rig.connected().await;
    let expected = "27 of 27 monitored items, read every 200 ms";
    assert!(words.starts_with(expected), "{words}");
    let first = rig.each(27).await;
    let temperature = &first["press/Demo%2FPress/Temperature"];
    assert!(temperature.at <= temperature.seen);
    rig.find(|reading| reading.point == temperature.point && reading.value != temperature.value)
        .await;
    server.remove("Demo/Press/Temperature");
    let bad = rig
        .find(|reading| reading.point == temperature.point && reading.quality != Quality::Good)
        .await;
    assert!(bad.quality.why().unwrap().starts_with("BadNodeIdUnknown"));
    let words = rig.connected().await;
    let expected = "26 of 27 monitored items, read every 200 ms; without security: everybody on the way can read along";
    assert_eq!(words, expected);
    assert_eq!(rig.stop().await, Ok(()));
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_server_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let settings = open(&server, json!(["Objects/Demo/**"]));
    let mut rig = run(&folder, settings.clone());
    rig.next().await;
    server.stop().await;
    let drained = async { while rig.readings.recv().await.is_some() {} };
    timeout(PATIENCE, drained).await.unwrap();
    let outcome = rig.end().await;
    assert!(matches!(outcome, Err(SourceError::Lost(_))), "{outcome:?}");
    let outcome = run(&folder, settings).end().await;
    let Err(SourceError::Lost(words)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(words.contains("refuses the connection"), "{words}");
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut rig = run(
        &folder,
        open(&server, json!(["Objects/Demo/Press/Temperature"])),
    );
    let mut held = Vec::new();
    // The subscription's numbers go on, but the source stops asking once too much is not durable.
    let stalled = loop {
        match timeout(Duration::from_secs(3), rig.readings.recv()).await {
            Ok(Some(delivery)) => held.push(delivery),
            Ok(None) => panic!("the source ended: {:?}", rig.end().await),
            Err(_) => break held.len(),
        }
    };
    assert!(
        (32..=35).contains(&stalled),
        "{stalled} messages not durable"
    );
    let order: Vec<_> = held
        .iter()
        .map(|delivery| delivery.readings[0].at)
        .collect();
    assert!(order.is_sorted());
    for delivery in held {
        delivery.durable.unwrap().send(Ok(())).unwrap();
    }
    rig.next().await;
    assert_eq!(rig.stop().await, Ok(()));
}

#[tokio::test]
async fn security_users_and_trust() {
    let folder = tempfile::tempdir().unwrap();
    let server = secure_server(&folder, 0, "one").await;
    let port = server
        .endpoint
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    std::fs::write(folder.path().join("good"), "secret\n").unwrap();
    std::fs::write(folder.path().join("wrong"), "guess\n").unwrap();
    let settings = |password: &str| {
        json!({
            "endpoint": server.endpoint,
            "user": { "name": "operator", "password": { "file": password } },
            "select": ["Objects/Demo/**"],
        })
    };
    refused(run(&folder, settings("wrong")).end().await, "operator");
    let mut rig = run(&folder, settings("good"));
    rig.each(27).await;
    assert_eq!(rig.stop().await, Ok(()));
    let probe_ctx = ProbeCtx {
        id: "press".into(),
        secrets: Secrets::new(folder.path().into(), folder.path().into()),
        state_dir: folder.path().join("state"),
        common: fieldgate_kit::Memory::default(),
        book: AddressBook {
            gateway: "line-4".into(),
            gateway_id: "00000000".into(),
            version: "0".into(),
            config_revision: 0,
        },
    };
    let rungs = SourceKind::of::<OpcUa>()
        .probe(settings("good"), probe_ctx)
        .await;
    let names: Vec<&str> = rungs.iter().map(|rung| rung.name.as_str()).collect();
    let all = [
        "DNS",
        "TCP",
        "Endpoints",
        "Security",
        "Sign-in",
        "Selection",
        "First value",
    ];
    assert_eq!(names, all, "{rungs:#?}");
    assert!(
        rungs.iter().all(|rung| rung.state == RungState::Ok),
        "{rungs:#?}"
    );
    assert!(
        rungs[3].words.starts_with("Basic256Sha256 SignAndEncrypt"),
        "{rungs:#?}"
    );
    let good = settings("good");
    server.stop().await;
    let renewed = secure_server(&folder, port, "two").await;
    refused(run(&folder, good).end().await, "another certificate");
    renewed.stop().await;
}

#[tokio::test]
async fn an_endpoint_without_security_is_never_taken_silently() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut settings = open(&server, json!(["Objects/Demo/**"]));
    settings["security"] = Json::Null;
    refused(
        run(&folder, settings.clone()).end().await,
        "offers no security",
    );
    settings["security"] = json!({ "policy": "Basic256Sha256" });
    refused(run(&folder, settings).end().await, "it offers None");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_source_lets_people_look_around_in_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let sim = server(&folder).await;
    let mut rig = run(
        &folder,
        json!({ "endpoint": sim.endpoint, "security": { "policy": "None" }, "select": ["Objects/Demo/Press/**"] }),
    );
    rig.connected().await;
    let session = rig.exploring.offered().expect("it is up");
    assert!(session.about().await.unwrap().shared);
    let look = |node: &'static str| {
        session.look(LookAsk {
            node: format!("nsu={};s={node}", sim::NAMESPACE),
            ..LookAsk::default()
        })
    };
    // Readings flow while it is asked.
    let asking = async {
        for _ in 0..20 {
            look("Demo/Oven/Temperature").await.unwrap();
        }
        let rules = vec![json!("Objects/Demo/Oven/**")];
        session.sample(rules, Duration::from_secs(2)).await.unwrap()
    };
    let flowing = async {
        loop {
            rig.next().await;
        }
    };
    let seen = tokio::select! {
        seen = asking => seen,
        () = flowing => unreachable!("it flows on"),
    };
    assert!(
        seen.words.contains("beside the running source"),
        "{}",
        seen.words
    );
    assert!(seen.watched[0].changes >= 2, "{seen:?}");
    let exploring = rig.exploring.clone();
    rig.stop().await.unwrap();
    assert!(exploring.offered().is_none());
    sim.stop().await;
}

#[tokio::test]
async fn events_arrive_in_the_critical_lane_and_only_those_that_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let settings = json!({
        "endpoint": server.endpoint, "security": { "policy": "None" }, "select": [],
        "events": [{ "types": ["BaseEventType"], "where": { "min_severity": 500, "source_name": "Press*" } }],
    });
    let mut rig = run(&folder, settings);
    let words = rig.connected().await;
    assert!(words.contains("events of Server"), "{words}");
    server.event("Press 1", 499, "not severe");
    server.event("Oven", 900, "of another");
    server.event("Press 1", 500, "too hot");
    let readings = rig.next().await;
    let [reading] = &readings[..] else {
        panic!("{readings:?}");
    };
    assert_eq!(reading.point.to_string(), "press/Server/BaseEventType");
    assert_eq!(reading.class, Class::Event);
    let Value::Struct(fields) = &reading.value else {
        panic!("{reading:?}");
    };
    let message = ("Message".to_owned(), Value::Text("too hot".to_owned()));
    assert!(fields.contains(&message), "{fields:?}");
    let announced = timeout(
        PATIENCE,
        rig.devices.wait_for(|devices| !devices.is_empty()),
    );
    let announced = announced.await.unwrap().unwrap().clone();
    assert_eq!(announced[0].points[0].id, reading.point);
    rig.stop().await.unwrap();
    server.stop().await;
}

/// Devices once each point of them is as wanted.
async fn points(rig: &mut Rig, wanted: impl Fn(&[(String, Option<String>)]) -> bool) {
    let told = |devices: &Vec<Arc<Device>>| -> Vec<(String, Option<String>)> {
        let points = devices.iter().flat_map(|device| &device.points);
        points
            .map(|point| (point.id.to_string(), point.problem.clone()))
            .collect()
    };
    let waiting = async {
        loop {
            let now = told(&rig.devices.borrow_and_update());
            if wanted(&now) {
                return;
            }
            // Readings flow meanwhile.
            let delivery = tokio::select! {
                changed = rig.devices.changed() => {
                    changed.unwrap();
                    continue;
                }
                delivery = rig.readings.recv() => delivery.expect("the source runs"),
            };
            if let Some(durable) = delivery.durable {
                durable.send(Ok(())).unwrap();
            }
        }
    };
    let in_time = timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "{:?}", told(&rig.devices.borrow()));
}

fn press(sim: &Sim, more: Json) -> Json {
    let mut settings = json!({
        "endpoint": sim.endpoint, "security": { "policy": "None" },
        "select": ["Objects/Demo/Press/Temperature", "Objects/Demo/Press/Ex*"], "publishing_ms": 50,
    });
    let (Json::Object(all), Json::Object(more)) = (&mut settings, more) else {
        panic!("two tables");
    };
    all.extend(more);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_tells_its_changes_is_followed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let sim = server(&folder).await;
    let mut rig = run(&folder, press(&sim, json!({})));
    rig.connected().await;
    let words = rig.reviews.board().unwrap().list.words.clone();
    assert!(words.contains("model change events"), "{words}");
    sim.add("Demo/Press/Extra", 7001);
    sim.tell_change();
    points(&mut rig, |points| points.len() == 2).await;
    let extra = |reading: &Reading| reading.point.point() == "Extra";
    assert_eq!(rig.find(extra).await.value, Value::Float(7001.0));
    // Another number in the same place.
    sim.remove("Demo/Press/Temperature");
    sim.add("Demo/Press/Temperature", 7002);
    sim.tell_change();
    let renumbered = |reading: &Reading| {
        reading.point.point() == "Temperature" && reading.value == Value::Float(7002.0)
    };
    rig.find(renumbered).await;
    points(&mut rig, |points| {
        points.len() == 2 && points.iter().all(|(_, problem)| problem.is_none())
    })
    .await;
    rig.stop().await.unwrap();
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_waits_for_a_person_who_may_look_now() {
    use fieldgate_kit::review::{Chosen, Decision};
    let folder = tempfile::tempdir().unwrap();
    let sim = server(&folder).await;
    let settings = press(&sim, json!({ "new_nodes": "review" }));
    let mut rig = run(&folder, settings.clone());
    rig.connected().await;
    sim.add("Demo/Press/Extra", 7001);
    sim.add("Demo/Press/Excess", 7002);
    let board = rig.reviews.board().unwrap();
    board.decide(Decision::Look).await.unwrap();
    let waits = rig
        .health
        .wait_for(|report| report.words.contains("2 new nodes wait for review"));
    let flowing = async {
        while let Some(delivery) = rig.readings.recv().await {
            if let Some(durable) = delivery.durable {
                durable.send(Ok(())).unwrap();
            }
        }
    };
    let told = async {
        timeout(PATIENCE, waits).await.expect("in time").unwrap();
        let list = rig.reviews.board().unwrap().list;
        let names: Vec<&str> = list.waiting.iter().map(|new| new.point.point()).collect();
        assert_eq!(names, ["Excess", "Extra"]);
        assert_eq!(list.waiting[0].data_type.as_deref(), Some("Double"));
        let one = |at: usize| Chosen::Points(vec![list.waiting[at].point.clone()]);
        board.decide(Decision::Decline(one(0))).await.unwrap();
        board.decide(Decision::Accept(one(1))).await.unwrap();
        assert!(board.decide(Decision::Decline(one(1))).await.is_err());
    };
    tokio::select! {
        () = told => {}
        () = flowing => panic!("it flows on"),
    }
    points(&mut rig, |points| points.len() == 2).await;
    rig.stop().await.unwrap();
    // The next attempt knows what was decided.
    let mut rig = run(&folder, settings);
    rig.connected().await;
    points(&mut rig, |points| points.len() == 2).await;
    let list = rig.reviews.board().unwrap().list;
    assert_eq!((list.waiting.len(), list.declined.len()), (0, 1));
    rig.stop().await.unwrap();
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_values_are_read_in_cycles_changes_are_followed_as_well() {
    use fieldgate_kit::review::Decision;
    let folder = tempfile::tempdir().unwrap();
    let sim = server(&folder).await;
    let mut rig = run(&folder, press(&sim, json!({ "mode": "read" })));
    rig.connected().await;
    let board = rig.reviews.board().unwrap();
    assert!(
        board.list.words.contains("tells no changes"),
        "{}",
        board.list.words
    );
    sim.add("Demo/Press/Extra", 7001);
    sim.remove("Demo/Press/Temperature");
    sim.add("Demo/Press/Temperature", 7002);
    board.decide(Decision::Look).await.unwrap();
    let value = |reading: &Reading, point: &str, value: f64| {
        reading.point.point() == point && reading.value == Value::Float(value)
    };
    rig.find(|reading| value(reading, "Extra", 7001.0)).await;
    sim.remove_added(7001);
    let gone = |reading: &Reading| {
        reading.point.point() == "Extra" && matches!(&reading.quality, Quality::Bad(_))
    };
    rig.find(gone).await;
    points(&mut rig, |points| {
        let troubled = points.iter().filter(|(_, problem)| problem.is_some());
        let troubled: Vec<&str> = troubled.map(|(id, _)| id.as_str()).collect();
        troubled == ["press/Demo%2FPress/Extra"]
    })
    .await;
    rig.stop().await.unwrap();
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_version_that_changes_leads_to_a_look() {
    let folder = tempfile::tempdir().unwrap();
    let sim = server(&folder).await;
    sim.add_version("Demo/Press", 7100);
    let mut rig = run(&folder, press(&sim, json!({})));
    rig.connected().await;
    let words = rig.reviews.board().unwrap().list.words.clone();
    assert!(words.contains("node versions"), "{words}");
    sim.add("Demo/Press/Extra", 7001);
    // The first version that is heard is no change, so that there have to be several.
    let extra = async {
        for version in 2.. {
            sim.set_version(7100, &version.to_string());
            for _ in 0..10 {
                let readings = rig.next().await;
                let mut extra = readings
                    .iter()
                    .filter(|reading| reading.point.point() == "Extra");
                if let Some(extra) = extra.next() {
                    return extra.value.clone();
                }
            }
        }
        Value::Null
    };
    assert_eq!(
        timeout(PATIENCE, extra).await.unwrap(),
        Value::Float(7001.0)
    );
    rig.stop().await.unwrap();
    sim.stop().await;
}
