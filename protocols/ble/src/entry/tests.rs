//! What more packets of one device come to, when somebody else sends under its address, and when it sends several formats.

use fieldgate_kit::Secrets;
use serde_json::{Value as Json, json};

use super::*;
use crate::{rules, settings::Settings, uuid16};

const DEVICE: Address = Address([0x54, 0x48, 0xE6, 0x8F, 0x80, 0xA5]);
const KEY: &str = "231d39c1d7cc1ab1aee224cd096db932";
/// The example of bthome.io/encryption, 25.06 Cel with the counter 0x33221100.
const SEALED: &str = "41a47266c95f730011223378237214";
/// The same device in the clear, 25.06 Cel.
const OPEN: &str = "4002ca09";

/// One device, and the time that passes.
struct World {
    entry: Entry,
    rules: Rules,
    profiles: Profiles,
    now: Instant,
}

fn rules(device: Json) -> Rules {
    let settings: Settings = serde_json::from_value(json!({ "devices": [device] })).unwrap();
    let secrets = Secrets::new("/".into(), "/".into());
    rules::prepare(&"hall".into(), &settings, &secrets, &Profiles::bundled()).rules
}

impl World {
    fn new(device: Json) -> Self {
        let mut device = device;
        device["address"] = DEVICE.to_string().into();
        device["name"] = "cellar".into();
        let rules = rules(device);
        let now = Instant::now();
        let mut entry = Entry::new(DEVICE, &packet("", None), now);
        entry.obey(&rules);
        Self {
            entry,
            rules,
            profiles: Profiles::bundled(),
            now,
        }
    }

    /// With a key that is read from a file.
    fn sealed(folder: &tempfile::TempDir, mut device: Json) -> Self {
        let file = folder.path().join("key");
        std::fs::write(&file, KEY).unwrap();
        device["bind_key"] = json!({ "file": file });
        Self::new(device)
    }

    fn hear(&mut self, heard: &Heard) -> Vec<String> {
        let came = self
            .entry
            .heard(heard, self.now, &self.rules, &self.profiles);
        told(&came.readings)
    }

    fn service(&mut self, data: &str) -> Vec<String> {
        self.hear(&packet(data, None))
    }

    fn maker(&mut self, company: u16, data: &str) -> Vec<String> {
        self.hear(&packet(data, Some(company)))
    }

    fn pass(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let readings = self
            .entry
            .tick(self.now, Timestamp::from_millis(0), &self.rules);
        told(&readings)
    }
}

fn packet(data: &str, company: Option<u16>) -> Heard {
    let mut advertisement = Advertisement::new(DEVICE, false);
    let data = crate::capture::of_hex(data).unwrap();
    match company {
        Some(company) => advertisement.manufacturer = vec![(company, data)],
        None if data.is_empty() => {}
        None => advertisement.service_data = vec![(uuid16(0xFCD2), data)],
    }
    Heard {
        adapter: "hci0".into(),
        at: Timestamp::from_millis(0),
        advertisement,
    }
}

/// `temperature 25.06`, with a `?` where the value is not to be trusted.
fn told(readings: &[Reading]) -> Vec<String> {
    let words = readings.iter().map(|reading| {
        let id = reading
            .point
            .as_str()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let mark = match reading.quality {
            Quality::Good => "",
            _ => "?",
        };
        match reading.value.as_f64() {
            Some(number) => format!("{id} {number}{mark}"),
            None => format!("{id}{mark}"),
        }
    });
    words.collect()
}

#[test]
fn what_repeats_is_told_again_after_its_time() {
    let mut world = World::new(json!({}));
    assert_eq!(world.service(OPEN), ["temperature 25.06"]);
    world.pass(30);
    assert!(world.service(OPEN).is_empty());
    world.pass(31);
    assert_eq!(world.service(OPEN), ["temperature 25.06"]);
}

#[test]
fn only_what_a_packet_says_is_told_again() {
    let mut world = World::new(json!({}));
    assert_eq!(world.service(OPEN), ["temperature 25.06"]);
    let read = vec![Field::measured("setpoint", 180.0, Some("Cel"))];
    let at = Timestamp::from_millis(0);
    assert_eq!(world.entry.connected(read, at, world.now).len(), 1);
    assert_eq!(world.service("400161"), ["battery 97"]);
    world.pass(61);
    assert_eq!(
        world.service("400161"),
        ["battery 97"],
        "neither an old temperature nor what was read over a connection long ago"
    );
}

#[test]
fn what_was_read_is_uncertain_when_the_device_cannot_be_connected_any_more() {
    let mut world = World::new(json!({}));
    let at = Timestamp::from_millis(0);
    let setpoint = || vec![Field::measured("setpoint", 180.0, Some("Cel"))];
    world.service(OPEN);
    world.entry.connected(setpoint(), at, world.now);
    let during = |world: &mut World, beats: u64, why: Option<&str>| {
        let mut all = Vec::new();
        for beat in 0..beats {
            world.service(&format!("400161{:02x}", beat % 2));
            world.entry.fails(why, world.now);
            all.extend(world.pass(1));
        }
        all.retain(|word| word.starts_with("setpoint") || word.starts_with("temperature"));
        all
    };
    let problems = |world: &World| -> Vec<_> {
        let points = world.entry.announcement(None).unwrap().points.into_iter();
        points
            .filter_map(|point| Some((point.name, point.problem?)))
            .collect()
    };
    assert_eq!(during(&mut world, 300, None), [""; 0]);
    assert_eq!(problems(&world), []);
    assert_eq!(
        during(&mut world, 300, Some("it does not answer")),
        ["setpoint 180?"],
        "once, and nothing of what packets said"
    );
    let why = ("setpoint".to_owned(), "it does not answer".to_owned());
    assert_eq!(problems(&world), [why]);
    assert_eq!(world.entry.connected(setpoint(), at, world.now).len(), 1);
    assert_eq!(problems(&world), []);
    assert_eq!(during(&mut world, 100, Some("it does not answer")), [""; 0]);
    assert_eq!(during(&mut world, 2, None), [""; 0]);
    assert_eq!(during(&mut world, 100, Some("it does not answer")), [""; 0]);
    assert_eq!(during(&mut world, 100, Some("it does not answer")).len(), 1);
}

#[test]
fn who_sends_under_the_address_of_a_sealed_device_is_no_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::sealed(&folder, json!({ "sealed_only": true, "interval_s": 5.0 }));
    assert_eq!(world.service(SEALED).len(), 2);
    for _ in 0..200 {
        let told = world.pass(1);
        if !told.is_empty() {
            assert!(told.iter().all(|one| one.ends_with('?')), "{told:?}");
            assert_eq!(world.entry.freshness, Freshness::Silent);
        }
        // In the clear, nonsense, and another time in the clear with something beside it.
        assert!(world.service(OPEN).is_empty());
        assert!(world.service(OPEN).is_empty());
        assert!(world.service("41ffffffffffffffffffffffffffff").is_empty());
        assert!(world.service("4000050161").is_empty());
        assert!(world.maker(0x0499, "00").is_empty());
    }
    assert_eq!(world.entry.freshness, Freshness::Silent);
    assert_eq!(world.entry.presence.rssi(), None);
}

#[test]
fn a_sealed_packet_that_is_sent_again_is_a_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::sealed(&folder, json!({ "sealed_only": true, "interval_s": 5.0 }));
    assert_eq!(world.service(SEALED).len(), 2);
    for _ in 0..200 {
        assert!(world.pass(1).is_empty());
        world.service(SEALED);
    }
    assert_eq!(world.entry.freshness, Freshness::OnTime);
}

#[test]
fn another_key_begins_with_another_counter() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::sealed(&folder, json!({}));
    assert_eq!(world.service(SEALED).len(), 2);
    let counter = |world: &World| world.entry.formats[0].memory.counter;
    assert_eq!(counter(&world), Some(0x3322_1100));
    world.entry.rest();
    assert!(world.entry.known.is_none(), "no key is kept");
    world.entry.obey(&world.rules);
    assert_eq!(counter(&world), Some(0x3322_1100), "the same key");
    let other = rules(json!({ "address": DEVICE.to_string(), "name": "cellar" }));
    world.entry.obey(&other);
    assert_eq!(counter(&world), None);
}

#[test]
fn a_device_stays_what_it_is_when_it_sends_a_beacons_format_too() {
    let mut world = World::new(json!({}));
    let beacon = "0215f1e1da7e000040008000000000000007000100 07c5";
    world.maker(0x004C, beacon);
    let profile = |world: &World| world.entry.profile.as_ref().map(|one| one.id().to_owned());
    assert_eq!(profile(&world).as_deref(), Some("ibeacon"));
    assert_eq!(world.service(OPEN), ["temperature 25.06"]);
    assert_eq!(profile(&world).as_deref(), Some("bthome"));
    world.entry.changed = false;
    world.maker(0x004C, beacon);
    assert_eq!(profile(&world).as_deref(), Some("bthome"));
    assert!(!world.entry.changed, "it need not be announced anew");
}

/// One format's counter is nothing to another one's.
#[test]
fn formats_that_come_in_turn_do_not_count_each_others_packets() {
    let mut world = World::new(json!({}));
    let press = "44000501613a01";
    let ruuvi = "0512fc5394c37c0004fffc040cac364200cdcbb8334c884f";
    assert_eq!(world.service(press), ["battery 97", "button"]);
    for _ in 0..5 {
        world.maker(0x0499, ruuvi);
        assert!(world.service(press).is_empty(), "it was pressed once");
    }
    world.pass(61);
    world.maker(0x0499, ruuvi);
    assert_eq!(
        world.service(press),
        ["battery 97"],
        "and told again after its time"
    );
}

/// Bit 2 of BTHome's device information: it sends only when something happens.
#[test]
fn who_says_that_it_sleeps_is_not_silent() {
    let mut world = World::new(json!({}));
    for beat in 0..20_u8 {
        world.service(&format!("4400{beat:02x}1100"));
        world.pass(1);
    }
    assert!(world.pass(3_600).is_empty());
    assert_eq!(world.entry.freshness, Freshness::Sleeping);
}

#[test]
fn a_key_that_was_tried_is_not_kept() {
    let mut world = World::new(json!({}));
    let key = Key::parse(KEY).unwrap();
    let trial = Trial::new(key.clone(), world.now);
    world.entry.trial = Some(trial);
    world.service(SEALED);
    let state = |world: &World| world.entry.trial.as_ref().unwrap().state();
    assert_eq!(state(&world).words, "1 of 1 packets decrypted");
    assert!(!world.entry.trial.as_ref().unwrap().has_ended());
    world.pass(600);
    assert!(world.entry.trial.as_ref().unwrap().has_ended());
    assert_eq!(state(&world).opened, 1, "what came of it can still be read");
    world.entry.trial = Some(Trial::new(key, world.now));
    world.entry.rest();
    assert!(world.entry.trial.is_none());
}

#[test]
fn formats_of_one_device_are_bounded_and_a_counter_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::sealed(&folder, json!({}));
    world.service(SEALED);
    for profile in world.profiles.all().to_vec() {
        format_of(&mut world.entry.formats, &profile);
    }
    assert_eq!(world.entry.formats.len(), FORMATS);
    let counter = format_of(
        &mut world.entry.formats,
        &world.profiles.named("bthome").unwrap(),
    );
    assert_eq!(counter.memory.counter, Some(0x3322_1100));
}
