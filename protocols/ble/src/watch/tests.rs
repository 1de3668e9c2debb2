//! The ladder in virtual time: who is silent, what is done about it, and in what order.

mod start;

use super::*;

/// Adapters and the air in virtual time: what the watch wants is done at once, as far as the adapters do what they are asked.
struct World {
    watch: Watch,
    now: Instant,
    start: Instant,
    adapters: Vec<Fake>,
    beacons: u8,
    log: Vec<(u64, String)>,
}

struct Fake {
    facts: AdapterFacts,
    hears: bool,
    /// What makes it hear again.
    cure: Cure,
    refuses_power: bool,
    scans: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Cure {
    Restart,
    Power,
    Reopen,
    Nothing,
}

fn fake(id: &str) -> Fake {
    Fake {
        facts: AdapterFacts {
            id: id.into(),
            address: None,
            state: AdapterState::Starting,
            scanning: false,
            passive: false,
            connections: 0,
        },
        hears: true,
        cure: Cure::Restart,
        refuses_power: false,
        scans: true,
    }
}

impl World {
    fn new(adapters: Vec<Fake>) -> Self {
        Self::preferring(adapters, &[], Scan::Active)
    }

    fn preferring(adapters: Vec<Fake>, preferred: &[&str], scan: Scan) -> Self {
        let now = Instant::now();
        let preferred = preferred.iter().map(ToString::to_string).collect();
        let mut watch = Watch::new(now, preferred, scan);
        let at = Timestamp::from_millis(0);
        watch.opened(Moment { now, at });
        Self {
            watch,
            now,
            start: now,
            adapters,
            beacons: 5,
            log: Vec::new(),
        }
    }

    fn moment(&self) -> Moment {
        let since = self.now.duration_since(self.start);
        Moment {
            now: self.now,
            at: Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap()),
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            for number in 0..self.beacons {
                for fake in &self.adapters {
                    if fake.hears && fake.facts.scanning {
                        let address = Address([0xC0, 0, 0, 0, 0, number]);
                        self.watch.heard(self.now, &fake.facts.id, address, true);
                    }
                }
            }
            // An action of several parts is done within a second.
            for _ in 0..5 {
                let moment = self.moment();
                let Some(action) = self.watch.tick(moment) else {
                    break;
                };
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        let moment = self.moment();
        let second = self.now.duration_since(self.start).as_secs();
        if action != Action::Look {
            self.log.push((second, said(&action)));
        }
        let mut result = Ok(());
        match &action {
            Action::Look => {
                let facts: Vec<_> = self
                    .adapters
                    .iter()
                    .map(|fake| fake.facts.clone())
                    .collect();
                self.watch.adapters(moment, &facts);
                return;
            }
            Action::Listen { adapter, .. } => {
                let fake = self.fake(adapter);
                if fake.facts.state == AdapterState::Off {
                    result = Err(RadioError::NoAdapter("off".to_owned()));
                } else if fake.scans {
                    fake.facts.scanning = true;
                    fake.facts.state = AdapterState::Listening;
                    fake.hears |= fake.cure == Cure::Restart;
                }
            }
            Action::Rest { adapter } => self.fake(adapter).facts.scanning = false,
            Action::Power { adapter, on } => {
                let fake = self.fake(adapter);
                if *on && fake.refuses_power {
                    result = Err(RadioError::Refused("cannot switch it on".to_owned()));
                } else {
                    fake.facts.scanning = false;
                    fake.facts.state = match on {
                        true => AdapterState::Starting,
                        false => AdapterState::Off,
                    };
                    fake.hears |= fake.cure == Cure::Power;
                }
            }
            Action::Reopen => {
                for fake in &mut self.adapters {
                    fake.facts.scanning = false;
                    fake.hears |= fake.cure == Cure::Reopen;
                }
                self.watch.opened(moment);
                return;
            }
        }
        self.watch.done(moment, &action, &result);
    }

    fn fake(&mut self, id: &str) -> &mut Fake {
        let found = self.adapters.iter_mut().find(|fake| &*fake.facts.id == id);
        found.unwrap()
    }

    /// What was done since the last time, with seconds since `from`.
    fn log(&mut self, from: u64) -> Vec<String> {
        let log = std::mem::take(&mut self.log);
        log.into_iter()
            .map(|(second, action)| format!("{} {action}", second.saturating_sub(from)))
            .collect()
    }

    /// At which seconds adapters were switched off.
    fn power_cycles(&self) -> Vec<u64> {
        let log = self.log.iter();
        log.filter(|(_, action)| action.starts_with("power") && action.ends_with("false"))
            .map(|(second, _)| *second)
            .collect()
    }

    fn state(&self, id: &str) -> (AdapterState, String) {
        let reports = self.watch.reports(self.now, 5);
        let report = reports.into_iter().find(|report| report.id == id).unwrap();
        (report.state, report.words)
    }
}

fn said(action: &Action) -> String {
    match action {
        Action::Look => "look".to_owned(),
        Action::Listen { adapter, mode } => format!("listen {adapter} {mode:?}"),
        Action::Rest { adapter } => format!("rest {adapter}"),
        Action::Power { adapter, on } => format!("power {adapter} {on}"),
        Action::Reopen => "reopen".to_owned(),
    }
}

#[test]
fn what_works_is_left_alone() {
    let mut world = World::new(vec![fake("hci0"), fake("hci1")]);
    world.run(3600);
    assert_eq!(world.log(0), ["1 listen hci0 Active"]);
    let (state, words) = world.state("hci0");
    assert_eq!(
        (state, &*words),
        (AdapterState::Listening, "listens, 5.0 packets/s")
    );
    assert_eq!(world.state("hci1").0, AdapterState::Standby);
}

#[test]
fn silence_of_all_climbs_the_ladder_and_hearing_ends_it() {
    for (cure, expected) in [
        (Cure::Restart, vec!["20 listen hci0 Active"]),
        (
            Cure::Power,
            vec![
                "20 listen hci0 Active",
                "30 power hci0 false",
                "30 power hci0 true",
                "30 listen hci0 Active",
            ],
        ),
    ] {
        let mut world = World::new(vec![fake("hci0")]);
        world.run(100);
        world.log(0);
        world.fake("hci0").hears = false;
        world.fake("hci0").cure = cure;
        world.run(19);
        assert_eq!(world.state("hci0").0, AdapterState::Listening);
        world.run(300);
        assert_eq!(world.log(100), expected);
        assert_eq!(world.state("hci0").0, AdapterState::Listening);
        let steps = world.watch.reports(world.now, 5)[0].steps.clone();
        assert_eq!(steps.last().unwrap().1, "hears again");
    }
}

#[test]
fn a_radio_that_needs_to_be_opened_anew_is_back_within_a_minute() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(100);
    world.log(0);
    world.fake("hci0").hears = false;
    world.fake("hci0").cure = Cure::Reopen;
    world.run(60);
    let log = world.log(100);
    assert_eq!(log[log.len() - 2..], ["42 reopen", "42 listen hci0 Active"]);
    assert_eq!(world.state("hci0").0, AdapterState::Listening);
}

#[test]
fn another_adapter_takes_over_and_the_preferred_one_returns_when_it_is_well() {
    let adapters = vec![fake("hci0"), fake("hci1")];
    let mut world = World::preferring(adapters, &["hci1", "hci0"], Scan::Active);
    world.run(100);
    assert_eq!(world.log(0), ["1 listen hci1 Active"]);
    world.fake("hci1").hears = false;
    world.fake("hci1").cure = Cure::Nothing;
    world.run(60);
    let log = world.log(100);
    assert_eq!(
        log[log.len() - 2..],
        ["42 rest hci1", "42 listen hci0 Active"]
    );
    assert_eq!(world.state("hci1").0, AdapterState::Standby);
    world.fake("hci1").hears = true;
    world.run(400);
    assert_eq!(world.log(100), ["342 rest hci0", "342 listen hci1 Active"]);
}

#[test]
fn an_adapter_that_goes_is_replaced_at_once_and_used_again_when_it_comes_back() {
    let mut world = World::new(vec![fake("hci0"), fake("hci1")]);
    world.run(100);
    world.log(0);
    let gone = world.adapters.remove(0);
    world.watch.look_soon(world.now);
    world.run(30);
    assert_eq!(world.log(100), ["1 listen hci1 Active"]);
    let back = fake(&gone.facts.id);
    world.adapters.insert(0, back);
    world.run(60);
    assert_eq!(world.log(130), ["33 rest hci1", "33 listen hci0 Active"]);
}

#[test]
fn one_device_that_falls_silent_is_not_the_radio() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(100);
    world.log(0);
    world.beacons = 1;
    world.run(3000);
    assert_eq!(world.log(0), Vec::<String>::new());
}

#[test]
fn a_scan_that_the_system_forgot_is_asked_for_again_with_growing_pauses() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(100);
    world.log(0);
    world.fake("hci0").facts.scanning = false;
    world.run(15);
    assert_eq!(world.log(100).len(), 1);
    world.fake("hci0").facts.scanning = false;
    world.fake("hci0").scans = false;
    world.run(600);
    let log = world.log(100);
    assert!((5..40).contains(&log.len()), "{log:?}");
}

#[test]
fn an_adapter_that_is_off_is_switched_on_and_one_that_refuses_is_told() {
    let mut off = fake("hci0");
    off.facts.state = AdapterState::Off;
    let mut world = World::new(vec![off]);
    world.run(3);
    assert_eq!(world.log(0), ["1 power hci0 true", "1 listen hci0 Active"]);

    let mut off = fake("hci0");
    off.facts.state = AdapterState::Off;
    off.refuses_power = true;
    let mut world = World::new(vec![off]);
    world.run(3600);
    let log = world.log(0);
    // The pauses grow to two minutes.
    assert!((3..40).contains(&log.len()), "{log:?}");
    let (state, words) = world.state("hci0");
    assert_eq!(state, AdapterState::Off);
    assert!(words.contains("switching it on fails"), "{words}");
    world.fake("hci0").refuses_power = false;
    world.run(1000);
    assert_eq!(world.state("hci0").0, AdapterState::Listening);
}

#[test]
fn what_is_missing_is_told_apart() {
    let mut world = World::preferring(vec![], &["hci7"], Scan::Auto);
    let (state, words) = world.state("");
    assert_eq!(state, AdapterState::Starting, "nobody was asked yet");
    assert_eq!(words, "the system is asked for its Bluetooth adapters");
    world.run(2);
    assert_eq!(world.state("hci7").0, AdapterState::Missing);
    for preferred in [&[][..], &["hci0"]] {
        let mut world = World::preferring(vec![], preferred, Scan::Auto);
        world.adapters = vec![Fake {
            facts: AdapterFacts::taken_away(),
            ..fake("")
        }];
        world.run(30);
        let (state, words) = world.state("Bluetooth");
        assert_eq!(state, AdapterState::Blocked);
        assert!(
            words.starts_with("is blocked by rfkill: `rfkill unblock"),
            "{words}"
        );
        let words = world.watch.words(world.now);
        assert!(
            words.starts_with("Bluetooth is blocked by rfkill"),
            "{words}"
        );
        assert_eq!(world.log, []);
    }
    let mut world = World::new(vec![]);
    world.run(30);
    assert!(
        world
            .state("")
            .1
            .starts_with("there is no Bluetooth adapter")
    );
    let cases = [
        (RadioError::NoDaemon("a".to_owned()), AdapterState::NoDaemon),
        (
            RadioError::NoPermission("b".to_owned()),
            AdapterState::NoPermission,
        ),
    ];
    for (error, state) in cases {
        world.watch.lost(error.clone());
        assert_eq!(world.state(""), (state, error.to_string()));
        assert_eq!(world.watch.tick(world.moment()), None);
    }
    let mut blocked = fake("hci0");
    blocked.facts.state = AdapterState::Blocked;
    let mut world = World::new(vec![blocked]);
    world.run(100);
    let (state, words) = world.state("hci0");
    assert_eq!(state, AdapterState::Blocked);
    assert!(words.contains("rfkill unblock"), "{words}");
    assert_eq!(world.log(0), Vec::<String>::new());
}

#[test]
fn auto_listens_passively_after_ten_minutes_where_it_can() {
    let mut quiet = fake("hci0");
    quiet.facts.passive = true;
    let mut world = World::preferring(vec![quiet], &[], Scan::Auto);
    world.run(700);
    assert_eq!(
        world.log(0),
        ["1 listen hci0 Active", "600 listen hci0 Passive"]
    );
}

#[test]
fn a_connection_that_is_being_made_is_no_silence() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(100);
    world.log(0);
    world.watch.connecting(world.now, true);
    world.fake("hci0").hears = false;
    world.run(45);
    world.watch.connecting(world.now, false);
    world.fake("hci0").hears = true;
    world.run(60);
    assert_eq!(world.log(0), Vec::<String>::new());
}

#[test]
fn a_system_that_does_not_answer_gets_another_radio() {
    let now = Instant::now();
    let mut watch = Watch::new(now, vec![], Scan::Active);
    let moment = |second| Moment {
        now: now + Duration::from_secs(second),
        at: Timestamp::from_millis(0),
    };
    watch.opened(moment(0));
    let mut actions = Vec::new();
    for second in 1..60 {
        if let Some(action) = watch.tick(moment(second)) {
            watch.done(
                moment(second),
                &action,
                &Err(RadioError::Busy("hangs".to_owned())),
            );
            actions.push(action);
        }
    }
    assert_eq!(
        actions[..4],
        [Action::Look, Action::Look, Action::Look, Action::Reopen]
    );
}
