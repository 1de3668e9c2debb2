//! A camera with an ONVIF service: found in the network, signed in although its clock is wrong, moved, heard of, and followed to another address.

use std::{fs, net::Ipv4Addr, time::Instant};

use fieldgate_api::{
    command::{CommandAnswer, CommandDraft},
    discovery::SearchDraft,
    endpoint::{GetCamera, GetSearch, SendCommand, StartSearch},
    state::Level,
};
use fieldgate_model::Outcome;
use fieldgate_onvif::sim::{SimSettings, Simulator};
use fieldgate_tests::{
    broker::Broker,
    gateway::{self, Gateway},
    line,
    rtsp_server::{Options, RtspServer},
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};

const IDENTITY: &str = "urn:uuid:0b7a4b3c-51a6-4d4e-9b5f-6f6e6f6e6f6e";

fn device(camera: &RtspServer) -> SimSettings {
    SimSettings {
        endpoint: IDENTITY.to_owned(),
        name: "Gate".to_owned(),
        drift_seconds: 1_200,
        stream_uris: [camera.url(), camera.url()],
        ..SimSettings::default()
    }
}

fn config(service: &str, more: &str, broker: Option<&Broker>) -> (tempfile::TempDir, String) {
    let folder = gateway::folder();
    let password = folder.path().join("password");
    fs::write(&password, "secret").unwrap();
    let mut text = format!(
        "[gateway]\nname = \"test\"\n[[source]]\nid = \"gate\"\nkind = \"camera\"\nonvif = \"{service}\"\nallow_local = true\n\
         user = {{ name = \"admin\", password = {{ file = {password:?} }} }}\n{more}\n"
    );
    if let Some(broker) = broker {
        text += "[[route]]\nid = \"all\"\nfrom = [\"gate/**\"]\nto = \"out\"\n";
        text += &line::destination("out", &broker.url());
    }
    (folder, text)
}

fn call(gateway: &Gateway, method: &str, arguments: Json) -> CommandAnswer {
    let draft = CommandDraft {
        action: "call".to_owned(),
        arguments: Some(arguments),
        ..CommandDraft::default()
    };
    let target = format!("gate/camera/{method}");
    gateway.api.call::<SendCommand>(&[&target], &draft).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_moved_by_commands_and_its_events_save_clips_although_its_clock_is_wrong() {
    let camera = RtspServer::start(Options::default());
    let sim = Simulator::start(device(&camera)).await.unwrap();
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let more = "clips = { before = \"2 s\", after = \"1 s\" }\ncommands = [\"move\", \"imaging\", \"encoder\", \"reboot\"]\n";
    let (_folder, text) = config(&sim.url(), more, Some(&broker));
    let gateway = Gateway::start(&text);
    gateway
        .api
        .source_is("gate", |status| status.level == Level::Good);
    let view = gateway.api.get::<GetCamera>(&["gate"]);
    let ahead = view.clock_ahead_ms.unwrap();
    assert!((1_190_000..1_210_000).contains(&ahead), "{ahead}");
    assert!(view.streams.len() >= 2 && view.streams.iter().any(|stream| stream.used));
    assert!(
        view.facts.iter().any(|fact| fact.name == "Maker"),
        "{:?}",
        view.facts
    );
    assert!(!view.address.contains("secret"));

    let moved = call(&gateway, "move_to", json!({ "pan": 0.5, "tilt": 0.25 }));
    assert_eq!(moved.outcome, Outcome::Done, "{}", moved.words);
    until_true("it to look there", SOON, || {
        // Its tilt goes from -1 to 0.5, and a quarter of the upper half is meant.
        let (pan, tilt, _) = sim.position();
        (pan - 0.5).abs() < 0.05 && (tilt + 0.0625).abs() < 0.05
    });
    let odd = call(&gateway, "move_to", json!({ "pan": "left" }));
    assert_eq!(odd.outcome, Outcome::Refused, "{}", odd.words);
    for method in ["keep_preset", "preset", "remove_preset"] {
        let answer = call(&gateway, method, json!({ "preset": "Dock" }));
        assert_eq!(answer.outcome, Outcome::Done, "{method}: {}", answer.words);
    }
    let none = call(&gateway, "preset", json!({ "preset": "Dock" }));
    assert_eq!(none.outcome, Outcome::Refused, "{}", none.words);
    let encoder = call(&gateway, "encoder", json!({ "key_every": 50 }));
    assert_eq!(encoder.outcome, Outcome::Done, "{}", encoder.words);
    assert!(sim.asked("SetVideoEncoderConfiguration") > 0);
    let changed = call(
        &gateway,
        "imaging",
        json!({ "setting": "Brightness", "value": 60 }),
    );
    assert_eq!(changed.outcome, Outcome::Done, "{}", changed.words);

    until_true("its events to be followed", SOON, || {
        sim.subscriptions() > 0
    });
    sim.set_motion(true);
    let value = |point: &'static str, wanted: fn(&Json) -> bool| {
        subscriber.message(point, 0, |message| {
            let value = message.json().get(point)?["Value"].clone();
            wanted(&value).then_some(value)
        })
    };
    let event = value("event", |event| event["active"] == json!(true));
    assert!(
        event["topic"].as_str().unwrap().contains("Motion"),
        "{event}"
    );
    let saved = value("clip_saved", |_| true);
    assert!(saved["seconds"].as_f64().unwrap() > 1.0, "{saved}");

    // It restarts and has forgotten who listens: the state that it has then is told anew.
    sim.forget_subscriptions();
    sim.set_motion(false);
    value("event", |event| event["active"] == json!(false));
    let answer = call(&gateway, "reboot", json!({}));
    assert_eq!(
        (answer.outcome, sim.reboots()),
        (Outcome::Done, 1),
        "{}",
        answer.words
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_found_in_the_network_and_found_again_at_another_address() {
    let mut camera = RtspServer::start(Options {
        address: "0.0.0.0",
        ..Options::default()
    });
    let mut sim = Simulator::start_at(Ipv4Addr::new(127, 0, 0, 2), device(&camera))
        .await
        .unwrap();
    sim.discoverable_to_all().unwrap();
    let nothing = Gateway::start("[gateway]\nname = \"test\"\n");
    let draft = SearchDraft {
        kind: "camera".to_owned(),
        range: None,
        ports: Vec::new(),
        public: false,
    };
    let started = nothing.api.call::<StartSearch>(&[], &draft).unwrap();
    let found = until("the camera", SOON, || {
        let view = nothing.api.get::<GetSearch>(&[&started.id]);
        let ours = view.found.iter().find(|one| one.identity == IDENTITY);
        ours.cloned().ok_or(view.state)
    });
    assert_eq!(found.title, "Gate");
    assert_eq!(found.ways[0].settings["onvif"], json!(sim.url()));
    assert_eq!(found.ways[0].settings["identity"], json!(IDENTITY));
    drop(nothing);

    let (_folder, text) = config(&sim.url(), &format!("identity = \"{IDENTITY}\"\n"), None);
    let gateway = Gateway::start(&text);
    gateway
        .api
        .source_is("gate", |status| status.level == Level::Good);
    let before = gateway.api.get::<GetCamera>(&["gate"]).address;
    assert!(before.contains("127.0.0.2"), "{before}");

    drop(sim);
    camera.kill();
    gateway
        .api
        .source_is("gate", |status| status.level != Level::Good);
    let mut sim = Simulator::start_at(Ipv4Addr::new(127, 0, 0, 3), device(&camera))
        .await
        .unwrap();
    sim.discoverable_to_all().unwrap();
    camera.restart();
    let begin = Instant::now();
    gateway
        .api
        .source_is("gate", |status| status.level == Level::Good);
    println!(
        "another address: back after {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    let after = gateway.api.get::<GetCamera>(&["gate"]).address;
    assert!(after.contains("127.0.0.3"), "{after}");
}
