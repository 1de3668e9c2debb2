//! Southbound networks and servers that cut, stall, crawl, restart, refuse: F65 to F75. Each says its own cause, and data flows
//! again soon after the fault's end.

use std::time::{Duration, Instant};

use fieldgate_api::{
    endpoint::{GetDevice, GetDevices, RetrySource},
    state::{Level, Status},
};
use fieldgate_tests::{
    gateway::{Gateway, folder},
    line,
    opcua_server::{OpcUaServer, Options, User},
    place::Place,
    proxy::{Proxy, Weather},
    received::Received,
    scripted_broker::{Script, ScriptedBroker},
    wait::{SOON, until, until_true},
};

use crate::plant::{A_SECOND, PERIOD_MS, POINTS, Plant};

/// Data flows again so soon after a fault of the kind *Lost* has ended.
const RECOVERED: Duration = Duration::from_secs(5);
/// What is refused is tried again no sooner than this, unless somebody says so. With jitter it can be a tenth of half a minute.
const SLOW: Duration = Duration::from_secs(3);
/// The device of all points, as the API names it.
const DEVICE: &str = "line/Line";

/// The plant of the other tests, with a network between server and gateway.
struct Far {
    plant: Plant,
    proxy: Proxy,
}

#[test]
fn f65_a_network_that_is_cut_costs_no_value_that_the_server_still_has() {
    let mut far = Far::start();
    far.proxy.close();
    far.told(&["refuses the connection", "is the OPC UA server running"]);
    let Far { plant, proxy } = &mut far;
    recovers(plant, || proxy.open());
    far.finish_whole();
}

#[test]
fn f66_a_half_open_connection_to_a_server_is_noticed_and_made_anew() {
    let mut far = Far::start();
    far.proxy.turn(Weather::half_open());
    let began = Instant::now();
    far.told(&["nothing for", "not even a keep-alive"]);
    println!("noticed after {:?}", began.elapsed());
    far.told(&["takes the connection and then says nothing"]);
    let Far { plant, proxy } = &mut far;
    recovers(plant, || proxy.turn(Weather::default()));
    far.finish_whole();
}

/// Answers that take longer than a publishing interval are borne; those that take for ever are not.
#[test]
fn f67_delayed_answers_are_borne_until_they_are_too_late() {
    let mut far = Far::start();
    far.proxy
        .turn(Weather::slow(Duration::from_millis(1500), None));
    let connections = far.proxy.accepted();
    far.plant.flow(3 * A_SECOND);
    assert_eq!(far.proxy.accepted(), connections, "the session is kept");
    far.proxy.turn(Weather::slow(Duration::from_secs(12), None));
    far.told(&["takes the connection and then says nothing", "too slow"]);
    let Far { plant, proxy } = &mut far;
    recovers(plant, || proxy.turn(Weather::default()));
    far.finish_whole();
}

/// A line on which everything arrives in the end is borne on one session; one on which it does not is told.
#[test]
fn f68_a_slow_line_is_borne_on_one_session_while_it_carries_what_there_is() {
    let slow = |bytes_per_s| Weather::slow(Duration::from_millis(300), Some(bytes_per_s));
    let mut far = Far::across(slow(32_000), options());
    far.plant.flow(A_SECOND);
    let connections = far.proxy.accepted();
    far.plant.flow(3 * A_SECOND);
    assert_eq!(far.proxy.accepted(), connections, "the session is kept");
    far.proxy.turn(slow(500));
    far.told(&["lost"]);
    let Far { plant, proxy } = &mut far;
    recovers(plant, || proxy.turn(Weather::default()));
    far.finish_whole();
}

/// A subscription that says nothing, and one that says only that it lives, among others that are well.
#[test]
fn f80_a_subscription_that_is_silent_or_deaf_is_made_anew_and_the_others_go_on() {
    let mut far = Far::configured(options(), |config| {
        config.replace(
            "select = [\"Objects/Line/**\"]",
            "select = [\"Objects/Line/**\", \
             { path = \"Objects/Line/p1\", publishing_ms = 300 }, \
             { path = \"Objects/Line/p3\", publishing_ms = 400 }]",
        )
    });
    // Until it is known how often there usually are news.
    far.plant.flow(4 * A_SECOND);
    let connections = far.proxy.accepted();
    let began = Instant::now();
    far.plant.server.mute(300);
    far.plant.server.deafen(400);
    let times = |times: u32| format!("fell silent was made anew ({times} times)");
    let api = &far.plant.gateway.api;
    api.source_is("line", |status| status.words.contains(&times(1)));
    println!("the silent one after {:?}", began.elapsed());
    let status = api.source_is("line", |status| status.words.contains(&times(2)));
    println!("the deaf one after {:?}: {}", began.elapsed(), status.words);
    assert!(
        status.words.contains("values were found by asking"),
        "{}",
        status.words
    );
    assert_eq!(status.level, Level::Good);
    far.plant.flow(A_SECOND);
    assert_eq!(far.proxy.accepted(), connections, "one session");
    let received = far.finish();
    for (point, readings) in received.by_point() {
        let again = readings.windows(2).filter(|pair| pair[0].at == pair[1].at);
        assert_eq!(again.count(), 0, "{point}");
        if point != "p1" && point != "p3" {
            let ticks = readings.iter().map(|of| of.at.millis() / PERIOD_MS);
            let ticks: Vec<i64> = ticks.collect();
            let gaps = ticks.windows(2).filter(|pair| pair[1] != pair[0] + 1);
            assert_eq!(gaps.count(), 0, "{point} has every tick");
        }
    }
}

/// A subscription that is handed over in name only is made anew in time, and no value that was there comes again.
#[test]
fn f66_a_server_that_hands_nothing_over_is_asked_anew() {
    let options = Options {
        transfers: false,
        ..options()
    };
    let mut far = Far::with(options, "", |_| {});
    far.plant.flow(A_SECOND);
    far.proxy.close();
    far.told(&["refuses the connection"]);
    let Far { plant, proxy } = &mut far;
    recovers(plant, || proxy.open());
    far.finish();
}

#[test]
fn f69_a_server_that_restarts_is_connected_again() {
    let mut far = Far::start();
    far.plant.server.kill();
    far.told(&["does not answer as an OPC UA server"]);
    recovers_with(&mut far.plant, |plant| plant.server.restart(options()));
    far.finish();
}

#[test]
fn f70_a_server_that_restarts_with_other_numbers_has_the_same_points() {
    let mut far = Far::start();
    let points = |far: &Far| -> Vec<String> {
        let page = far.plant.gateway.api.get::<GetDevice>(&[DEVICE]);
        page.points.into_iter().map(|point| point.id).collect()
    };
    let before = points(&far);
    far.plant.server.kill();
    far.told(&["does not answer as an OPC UA server"]);
    recovers_with(&mut far.plant, |plant| {
        plant.server.restart(Options {
            first_id: 70_000,
            namespaces_before: 3,
            ..options()
        });
    });
    assert_eq!(points(&far), before);
    let devices = far.plant.gateway.api.get::<GetDevices>(&[]);
    let of_line = devices.iter().filter(|device| device.source == "line");
    assert_eq!(of_line.count(), 1);
    far.finish();
}

#[test]
fn f71_a_server_that_stands_still_is_noticed_and_goes_on_where_it_was() {
    let far = Far::start();
    far.plant.server.freeze();
    far.told(&["nothing for", "overloaded or stopped"]);
    far.told(&["takes the connection and then says nothing", "stand still"]);
    recovers(&far.plant, || far.plant.server.thaw());
    far.finish_whole();
}

#[test]
fn f72_a_server_that_is_too_busy_is_left_in_peace_and_tried_again() {
    for (service, status) in [
        ("CreateSession", "BadServerTooBusy"),
        ("Browse", "BadTooManyOperations"),
    ] {
        let mut far = Far::start();
        far.plant.server.refuse(service, status);
        assert!(far.proxy.cut() > 0);
        let told = far.told(&[status]);
        assert_eq!(told.level, Level::Warning);
        recovers_with(&mut far.plant, |plant| plant.server.serve(service));
        far.finish_whole();
    }
}

#[test]
fn f73_a_server_that_is_full_is_tried_slowly_and_at_once_when_somebody_says_so() {
    let mut far = Far::with(options(), "", |server| {
        server.refuse("CreateSession", "BadTooManySessions");
    });
    let told = far.told(&["is full", "no more sessions", "allow more"]);
    refused(&told);
    far.plant.server.serve("CreateSession");
    far.retried();
    far.finish();
}

#[test]
fn f74_an_expired_certificate_is_named_and_another_one_is_taken_at_once() {
    let secure = Options {
        secure: true,
        ..options()
    };
    let expired = Options {
        expired: true,
        ..secure.clone()
    };
    let mut far = Far::with(expired, SECURE, |_| {});
    let told = far.told(&["expired", "renew it"]);
    refused(&told);
    far.plant.server.restart(secure);
    // The first signed session makes the gateway's own key first, which takes a build for tests long.
    let (asked, connections) = (Instant::now(), far.proxy.accepted());
    let api = &far.plant.gateway.api;
    api.call::<RetrySource>(&["line"], &()).unwrap();
    until_true("an attempt", RECOVERED, || {
        far.proxy.accepted() > connections
    });
    println!("tried again after {:?}", asked.elapsed());
    far.plant.flow(A_SECOND);
    far.finish();
}

#[test]
fn f75_a_wrong_password_is_named_and_the_right_one_is_taken_at_once() {
    let secrets = folder();
    let password = secrets.path().join("password");
    std::fs::write(&password, "wrong").unwrap();
    let user =
        format!("{SECURE}\nuser = {{ name = \"operator\", password = {{ file = {password:?} }} }}");
    let guarded = Options {
        secure: true,
        user: Some(User {
            name: "operator",
            password: "right",
        }),
        ..options()
    };
    let far = Far::with(guarded, &user, |_| {});
    let told = far.told(&["does not let operator in", "check `user`"]);
    assert!(!told.words.contains("wrong"), "{}", told.words);
    refused(&told);
    std::fs::write(&password, "right").unwrap();
    far.retried();
    far.finish();
}

const OPEN: &str = "security = { policy = \"None\" }";
const SECURE: &str = "security = { policy = \"Basic256Sha256\", mode = \"SignAndEncrypt\" }";

// === impl Far ===

impl Far {
    /// Data flows.
    #[track_caller]
    fn start() -> Self {
        let far = Self::with(options(), "", |_| {});
        far.plant.flow(A_SECOND);
        far
    }

    /// A server that is made ready before the gateway comes; instead of no security, these settings.
    #[track_caller]
    fn with(options: Options, security: &str, prepare: impl FnOnce(&mut OpcUaServer)) -> Self {
        let mut server = OpcUaServer::start(options);
        prepare(&mut server);
        Self::before(server, Weather::default(), |config| match security {
            "" => config,
            security => config.replace(OPEN, security),
        })
    }

    /// With another configuration.
    #[track_caller]
    fn configured(options: Options, change: impl FnOnce(String) -> String) -> Self {
        Self::before(OpcUaServer::start(options), Weather::default(), change)
    }

    /// With a network in this weather from the first.
    #[track_caller]
    fn across(weather: Weather, options: Options) -> Self {
        Self::before(OpcUaServer::start(options), weather, |config| config)
    }

    #[track_caller]
    fn before(
        server: OpcUaServer,
        weather: Weather,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let proxy = Proxy::with(server.port(), weather);
        let broker = ScriptedBroker::start(Script::default());
        let endpoint = format!("opc.tcp://127.0.0.1:{}", proxy.port);
        let config = change(line::config(&endpoint, &broker.url()));
        let gateway = Gateway::start_in(folder(), &config, Place::default());
        let plant = Plant {
            server,
            gateway,
            broker,
        };
        Self { plant, proxy }
    }

    /// Waits until the source tells this cause.
    #[track_caller]
    fn told(&self, words: &[&str]) -> Status {
        let status = self.plant.gateway.api.source_is("line", |status| {
            status.level >= Level::Warning && words.iter().all(|word| status.words.contains(word))
        });
        println!("{}: {}", status.state, status.words);
        status
    }

    /// *Retry now*, after what was refused was put right.
    #[track_caller]
    fn retried(&self) {
        recovers(&self.plant, || {
            let api = &self.plant.gateway.api;
            api.call::<RetrySource>(&["line"], &()).unwrap();
        });
    }

    /// As [`Self::finish`]; and every tick that the server kept for the lost session, none of them twice.
    #[track_caller]
    fn finish_whole(self) {
        let received = self.finish();
        Plant::assert_every_tick(&received);
        for (point, readings) in received.by_point() {
            let again = readings.windows(2).filter(|pair| pair[0].at == pair[1].at);
            assert_eq!(again.count(), 0, "{point}: one notification is one record");
        }
    }

    /// Order, no holes among the ids, the balance; every value is the server's.
    #[track_caller]
    fn finish(mut self) -> Received {
        let (received, sum) = self.plant.finish();
        assert_eq!(sum.acked, sum.accepted, "{sum:?}");
        for reading in &received.readings {
            if reading.reason.is_none() {
                line::assert_as_served(reading, PERIOD_MS);
            }
        }
        received
    }
}

fn options() -> Options {
    Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    }
}

#[track_caller]
fn refused(told: &Status) {
    assert_eq!((told.level, told.state.as_str()), (Level::Bad, "refused"));
    let since = told.since.unwrap();
    let pause = told.retry_at.unwrap().millis() - since.millis();
    assert!(
        pause >= i64::try_from(SLOW.as_millis()).unwrap(),
        "{pause} ms"
    );
}

/// Ends the fault, and waits for values that are newer than its end.
#[track_caller]
fn recovers(plant: &Plant, end: impl FnOnce()) {
    let ended = std::cell::Cell::new(Instant::now());
    let readings = accepted(plant);
    end();
    ended.set(Instant::now());
    recovered(plant, ended.get(), readings);
}

#[track_caller]
fn recovers_with(plant: &mut Plant, end: impl FnOnce(&mut Plant)) {
    let readings = accepted(plant);
    end(plant);
    let ended = Instant::now();
    recovered(plant, ended, readings);
}

#[track_caller]
fn recovered(plant: &Plant, ended: Instant, readings: u64) {
    until("values again", SOON, || match accepted(plant) {
        count if count > readings => Ok(()),
        _ => Err(plant.gateway.api.source_is("line", |_| true).words),
    });
    let took = ended.elapsed();
    println!("recovered {took:?} after the fault's end");
    assert!(took <= RECOVERED, "{took:?}");
    until_true("a good status", SOON, || {
        plant.gateway.api.source_is("line", |_| true).level == Level::Good
    });
    plant.flow(A_SECOND);
}

fn accepted(plant: &Plant) -> u64 {
    plant.gateway.api.ledger().accepted
}
