//! What happens to the machine and its files: crashes, standstills, damaged files, a clock that is wrong: F04, F05, F07, F18,
//! F22 to F25.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use fieldgate_api::{
    config::{ConfigView, Draft},
    dead::DeadQuery,
    endpoint::{GetConfig, GetDeadLetters, GetDestinations, PutDestination},
    state::Level,
};
use fieldgate_model::Timestamp;
use fieldgate_tests::{
    broker::Broker,
    gateway::{Gateway, folder},
    line,
    place::Place,
    received::{Reading, Received},
    scripted_broker::{Greeting, Script, ScriptedBroker},
    shim::{Shim, WallClock},
    subscriber::Subscriber,
    wait::{until, until_true},
};
use serde_json::json;

use crate::{
    crash::Disk,
    oplog,
    plant::{A_SECOND, ONE_BY_ONE, PATIENCE, PERIOD_MS, POINTS, Plant, drained, retry, server},
};

/// Cursors are saved once a second, and so much may be under way.
const MOST_REPEATED: u64 = 2 * A_SECOND + 256;

#[test]
fn f04_a_crash_between_acknowledgement_and_cursor_repeats_a_second_under_the_same_ids() {
    let mut plant = Plant::start(Script::default(), ONE_BY_ONE);
    for kills in 1..=3 {
        plant.flow(A_SECOND);
        plant.gateway.kill_and_restart();
        plant.flow(1);
        let repeated = plant.received().repeated as u64;
        assert!(
            repeated <= kills * MOST_REPEATED,
            "{repeated} after {kills}"
        );
    }
    // That an id never comes with another reading is checked with each that comes.
    let (received, sum) = plant.finish();
    println!("{} repeated of {}", received.repeated, sum.accepted);
    assert_eq!(sum.acked, sum.accepted);
}

/// The server has sent it, and hears of no acknowledgement: what it sends again is the value that a point has at that moment.
#[test]
fn f05_a_crash_between_commit_and_acknowledgement_of_a_notification_loses_no_value_and_repeats_the_latest()
 {
    let mut plant = Plant::start(Script::default(), "");
    for _ in 0..3 {
        plant.flow(A_SECOND);
        plant.gateway.kill_and_restart();
    }
    plant.flow(A_SECOND);
    let (received, _) = plant.finish();
    for (point, readings) in received.by_point() {
        let again = readings.windows(2).filter(|pair| pair[0].at == pair[1].at);
        assert!(again.count() <= 3, "{point}: once for each crash at most");
    }
}

/// Frozen for longer than the broker waits for a ping; the server's own queue holds what was not asked for.
#[test]
fn f07_a_gateway_that_stood_still_goes_on_and_nothing_is_lost() {
    let mut server = server();
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let config = line::config(&server.endpoint(), &broker.url()) + "keep_alive = \"5 s\"\n";
    let gateway = Gateway::start(&config);
    let mut received = Received::default();
    received.wait_for(&subscriber, POINTS, line::moment(0, PERIOD_MS));
    gateway.freeze();
    broker.logged("exceeded timeout");
    gateway.thaw();
    until_true("another connection", PATIENCE, || {
        retry(&gateway.api, "broker");
        gateway.api.destination_is("broker", |_| true).level == Level::Good
    });
    let last = line::moment(server.hold().last, PERIOD_MS);
    received.wait_for(&subscriber, POINTS, last);
    let sum = gateway.api.all_acknowledged(PATIENCE);
    received.update(&subscriber);
    received.assert_order();
    assert_eq!(received.assert_no_holes(), sum.accepted);
    Plant::assert_every_tick(&received);
}

#[test]
fn f18_a_large_value_whose_file_is_gone_is_one_dead_letter_and_the_rest_flows() {
    const STRINGS: i64 = 8;
    let away = Script::default().greeting(|_| Greeting::Silence);
    let mut plant = Plant::start(away, "");
    plant.backlog(A_SECOND);
    plant.server.hold();
    plant.server.large(STRINGS, 100_000);
    let file = until("a file for the large value", PATIENCE, || {
        spooled(&plant.gateway.state()).pop().ok_or("there is none")
    });
    plant.gateway.stop();
    fs::remove_file(&file).unwrap();
    plant.broker.play(Script::default());
    plant.broker.cut();
    plant.gateway.restart();
    let sum = drained(&plant.gateway.api);
    assert_eq!((sum.dead_lettered, sum.lost_detected), (1, 0), "{sum:?}");
    assert_eq!(sum.acked, plant.broker.acknowledged().len() as u64);
    let dead = plant
        .gateway
        .api
        .call::<GetDeadLetters>(&[], &DeadQuery::default());
    let why = &dead.unwrap().letters[0].why;
    println!("{why}");
    assert!(why.contains("No such file"), "{why}");
    plant.server.go();
    plant.flow(A_SECOND);
}

/// Two revisions of the console, the second of which is spoiled.
#[test]
fn f22_a_spoiled_configuration_falls_back_to_the_one_before_and_data_flows() {
    type Spoil = fn(&str) -> String;
    let spoil: [(&str, Spoil); 4] = [
        ("truncated", |text| text[..text.len() / 2].to_owned()),
        ("empty", |_| String::new()),
        ("garbage", |_| "\u{1}\u{2}}}]]".to_owned()),
        ("newer", |text| {
            text.replacen("configuration 1:", "configuration 9:", 1)
        }),
    ];
    let mut plant = Plant::start(Script::default(), "");
    put(&plant.gateway, "first");
    put(&plant.gateway, "second");
    let newest = plant.gateway.state().join("config/00000002.toml");
    let whole = fs::read_to_string(&newest).unwrap();
    for (name, spoil) in spoil {
        plant.gateway.kill();
        fs::write(&newest, spoil(&whole)).unwrap();
        plant.gateway.restart();
        let view = plant.gateway.api.get::<GetConfig>(&[]);
        assert_eq!(
            (view.revision, view.problems.len()),
            (1, 1),
            "{name}: {view:?}"
        );
        assert_eq!(ids(&plant.gateway), ["broker", "first"], "{name}");
        plant.flow(A_SECOND);
    }
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

/// Whenever the power goes, the revision that is found is a whole one; and once a change was answered, it is that one.
#[test]
fn f23_a_power_cut_while_the_configuration_is_saved_leaves_the_old_or_the_new_one() {
    const SAVED: usize = 3;
    const CUTS: usize = 12;
    let (folder, names) = (folder(), ["one", "two", "three"]);
    let root = folder.path().join("state/config");
    fs::create_dir_all(&root).unwrap();
    let before = Disk::of(&root);
    let shim = Shim::below(&root).logging();
    let mut gateway = Gateway::start_in(folder, NOTHING, shim.place());
    for name in names {
        put(&gateway, name);
    }
    gateway.stop();
    let ops = oplog::read(&shim.log());
    let (mut disk, mut played) = (before, 0);
    for cut in 1..=CUTS {
        let upto = ops.len() * cut / CUTS;
        ops[played..upto].iter().for_each(|op| disk.play(op));
        played = upto;
        let left = fieldgate_tests::gateway::folder();
        let config = left.path().join("state/config");
        fs::create_dir_all(&config).unwrap();
        let how = disk.cut(&config, &mut fastrand::Rng::with_seed(cut as u64));
        let found = Gateway::start_in(left, NOTHING, Place::default());
        let ConfigView {
            revision, problems, ..
        } = found.api.get::<GetConfig>(&[]);
        assert!(problems.is_empty(), "{how}: {problems:?}");
        let revision = usize::try_from(revision).unwrap();
        let mut expected = names[..revision].to_vec();
        expected.sort_unstable();
        assert_eq!(ids(&found), expected, "cut {cut}, {how}");
        assert!(cut < CUTS || revision == SAVED, "{how}: {revision}");
    }
}

#[test]
fn f24_a_secret_that_is_missing_locks_its_destination_and_the_queue_keeps_filling() {
    let secrets = folder();
    let file = secrets.path().join("broker.password");
    let user = format!(
        "user = {{ name = \"line\", password = {{ file = \"{}\" }} }}\n",
        file.display()
    );
    let mut plant = Plant::start(Script::default(), &user);
    let status = plant.status(|status| status.level == Level::Bad);
    for words in [
        "cannot read the secret file",
        "broker.password",
        "create it",
    ] {
        assert!(status.words.contains(words), "{}", status.words);
    }
    plant.backlog(2 * A_SECOND);
    assert_eq!(plant.broker.connections(), 0, "nothing is tried without it");
    fs::write(&file, "hunter2\n").unwrap();
    plant.flow(2 * A_SECOND);
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
    assert!(
        plant
            .gateway
            .log()
            .iter()
            .all(|line| !line.contains("hunter2"))
    );
}

/// What was accepted while the clock stood at 1970 has its right time once the clock is synchronised, before it is sent.
#[test]
fn f25_readings_of_1970_leave_with_their_right_time_once_the_clock_is_synchronised() {
    let began = now_ms();
    let own = Own::start_in_1970();
    own.clock.synchronise();
    own.gateway
        .logged(0, &["the wall clock", "synchronised=true"]);
    let (first, text) = own.send();
    let at = first.at.millis();
    assert!(
        (began - 1000..=now_ms()).contains(&at),
        "{} is not now",
        first.at
    );
    assert!(!text.contains("TimeQuality"), "{text}");
}

#[test]
fn f25_without_a_synchronised_clock_readings_say_so_and_are_never_of_1970() {
    let own = Own::start_in_1970();
    let (first, text) = own.send();
    assert!(
        first.at > Timestamp::parse("2025-01-01T00:00:00Z").unwrap(),
        "{}",
        first.at
    );
    assert!(text.contains("\"TimeQuality\":\"unknown\""), "{text}");
    let sum = own.gateway.api.ledger();
    assert_eq!(sum.expired, 0, "{sum:?}");
}

/// A gateway without sources whose own readings wait for a broker, with a clock that can be set.
struct Own {
    gateway: Gateway,
    broker: ScriptedBroker,
    clock: WallClock,
}

// === impl Own ===

impl Own {
    #[track_caller]
    fn start_in_1970() -> Self {
        let broker = ScriptedBroker::start(Script::default().greeting(|_| Greeting::Silence));
        let clock = WallClock::behind(now_ms() / 1000 - 1000);
        let config = String::from(NOTHING)
            + &line::destination("broker", &broker.url())
            + "[[route]]\nid = \"own\"\nfrom = [\"gateway/**\"]\nto = \"broker\"\n";
        let gateway = Gateway::start_in(folder(), &config, clock.place());
        until_true("its own readings", PATIENCE, || {
            gateway.api.ledger().pending > 3
        });
        Self {
            gateway,
            broker,
            clock,
        }
    }

    /// Lets everything be sent: the first reading of `memory`, and the payload that it came in.
    #[track_caller]
    fn send(&self) -> (Reading, String) {
        self.broker.play(Script::default());
        self.broker.cut();
        let published = until("the first reading", PATIENCE, || {
            retry(&self.gateway.api, "broker");
            let published = self.broker.published();
            let mut data = published
                .into_iter()
                .filter(|p| p.message.topic.ends_with("/data"));
            data.next().ok_or("nothing came")
        });
        let text = String::from_utf8(published.message.payload.clone()).unwrap();
        let memory = published
            .readings()
            .into_iter()
            .find(|reading| reading.point == "memory");
        (memory.unwrap(), text)
    }
}

const NOTHING: &str = "[gateway]\nname = \"test\"\n";

/// Adds a destination as the console does.
#[track_caller]
fn put(gateway: &Gateway, id: &str) {
    let draft = Draft {
        kind: "mqtt".to_owned(),
        paused: true,
        settings: json!({ "url": "mqtt://127.0.0.1:1" }),
    };
    gateway.api.call::<PutDestination>(&[id], &draft).unwrap();
}

/// The ids of the destinations.
fn ids(gateway: &Gateway) -> Vec<String> {
    let destinations = gateway.api.get::<GetDestinations>(&[]);
    let mut ids: Vec<String> = destinations.into_iter().map(|of| of.item.id).collect();
    ids.sort();
    ids
}

/// The files of large values in the normal lane.
fn spooled(state: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    let generations = list(&state.join("queue/normal"));
    let spools = generations.map(|generation| generation.join("spool"));
    // One that is still being written is none yet.
    let whole = |path: &PathBuf| path.extension().is_none_or(|extension| extension != "part");
    spools
        .flat_map(|spool| list(&spool).collect::<Vec<_>>())
        .filter(whole)
        .collect()
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
