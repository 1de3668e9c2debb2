//! Tests of `machine.rs`: a pretended device in virtual time, with all the ways in which devices are unlike the standard.

use super::*;
use crate::events::{Cause, Message, PropertyOperation};

const DAY: u64 = 86_400;
/// Where our calendar stands at the beginning.
const WALL: i64 = 1_700_000_000_000;

/// A device that answers at once, but for pulls that wait; it is told how it misbehaves.
struct FakeDevice {
    now: Duration,
    drift_millis: i64,
    /// When the subscription that there is ends, and its number.
    live: Option<(Duration, u32)>,
    number: u32,
    /// All its subscriptions live so long, whatever is wished and told.
    keeps: Option<Duration>,
    /// It tells this as the rest of a subscription's life, in seconds.
    tells: Option<i64>,
    tells_no_times: bool,
    answers_at_once: bool,
    renews: bool,
    relative: bool,
    reachable: bool,
    motion: Option<bool>,
    waiting: Vec<Message>,
    requests: u64,
}

struct World {
    device: FakeDevice,
    machine: PullPoint,
    told: Vec<Happening>,
}

fn refused() -> DeviceError {
    DeviceError::refused("cam", "it", "no such subscription")
}

fn unreachable() -> DeviceError {
    DeviceError::Unreachable {
        at: "cam".to_owned(),
        why: "silence".to_owned(),
    }
}

fn motion(on: bool, operation: PropertyOperation, at: Option<Timestamp>) -> Message {
    Message {
        topic: "tns1:VideoSource/MotionAlarm".to_owned(),
        operation: Some(operation),
        at,
        source: vec![("Source".to_owned(), "0".to_owned())],
        data: vec![("State".to_owned(), on.to_string())],
    }
}

// === impl FakeDevice ===

impl FakeDevice {
    fn new() -> Self {
        Self {
            now: Duration::ZERO,
            drift_millis: 0,
            live: None,
            number: 0,
            keeps: None,
            tells: None,
            tells_no_times: false,
            answers_at_once: false,
            renews: true,
            relative: true,
            reachable: true,
            motion: None,
            waiting: Vec::new(),
            requests: 0,
        }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(WALL + i64::try_from(self.now.as_millis()).unwrap())
    }

    fn clock(&self) -> Timestamp {
        shifted(self.wall(), self.drift_millis)
    }

    fn times(&self, left: Duration) -> Times {
        let millis = self
            .tells
            .map_or(i64::try_from(left.as_millis()).unwrap(), |seconds| {
                seconds * 1_000
            });
        if self.tells_no_times {
            return Times::default();
        }
        Times {
            device_now: Some(self.clock()),
            terminates: Some(shifted(self.clock(), millis)),
        }
    }

    fn is_asked(&mut self) -> Result<(), DeviceError> {
        self.requests += 1;
        if self.reachable {
            Ok(())
        } else {
            Err(unreachable())
        }
    }

    fn wished(&self, lifetime: Lifetime) -> Result<Duration, DeviceError> {
        let wished = match lifetime {
            Lifetime::For(_) if !self.relative => return Err(refused()),
            Lifetime::For(span) => span,
            Lifetime::Until(at) => {
                let left =
                    u64::try_from(at.nanos() - self.clock().nanos()).map_err(|_| refused())?;
                Duration::from_nanos(left)
            }
        };
        Ok(self.keeps.unwrap_or(wished))
    }

    fn create(&mut self, lifetime: Lifetime) -> Result<Subscribed, DeviceError> {
        self.is_asked()?;
        let left = self.wished(lifetime)?;
        self.number += 1;
        self.live = Some((self.now + left, self.number));
        self.tell_states();
        Ok(Subscribed {
            reference: Reference {
                address: self.number.to_string(),
                parameters: Vec::new(),
            },
            times: self.times(left),
        })
    }

    fn tell_states(&mut self) {
        self.waiting.clear();
        if let Some(on) = self.motion {
            self.waiting.push(motion(
                on,
                PropertyOperation::Initialized,
                Some(self.clock()),
            ));
        }
    }

    fn knows(&mut self, reference: &Reference) -> Result<Duration, DeviceError> {
        self.is_asked()?;
        match self.live {
            Some((ends, number)) if number.to_string() == reference.address && ends > self.now => {
                Ok(ends - self.now)
            }
            _ => Err(refused()),
        }
    }

    fn renew(&mut self, reference: &Reference, lifetime: Lifetime) -> Result<Times, DeviceError> {
        self.knows(reference)?;
        if !self.renews {
            return Err(DeviceError::NotSupported {
                at: "cam".to_owned(),
                operation: "Renew".to_owned(),
            });
        }
        let left = self.wished(lifetime)?;
        self.live = Some((self.now + left, self.number));
        Ok(self.times(left))
    }

    fn pull(&mut self, reference: &Reference, wait: Duration) -> Result<Pulled, DeviceError> {
        let left = self.knows(reference)?;
        let messages = std::mem::take(&mut self.waiting);
        if messages.is_empty() && !self.answers_at_once {
            if left < wait {
                self.now += left;
                return Err(refused());
            }
            self.now += wait;
        }
        Ok(Pulled {
            messages,
            times: self.times(left.saturating_sub(wait)),
        })
    }

    fn set_motion(&mut self, on: bool) {
        self.motion = Some(on);
        if self.live.is_some_and(|(ends, _)| ends > self.now) {
            self.waiting
                .push(motion(on, PropertyOperation::Changed, Some(self.clock())));
        }
    }
}

// === impl World ===

impl World {
    fn new(device: FakeDevice) -> Self {
        Self {
            device,
            machine: PullPoint::new(Plan::default()),
            told: Vec::new(),
        }
    }

    /// One step, everything acknowledged.
    fn step(&mut self) {
        let (device, machine) = (&mut self.device, &mut self.machine);
        let before = device.now;
        let step = machine.next(device.now, device.wall());
        let told = match step {
            Step::Create(lifetime) => {
                let outcome = device.create(lifetime);
                machine.created(outcome, device.now, device.wall())
            }
            Step::Synchronize(reference) => {
                let outcome = device.knows(&reference).map(|_| device.tell_states());
                machine.synchronized(outcome, device.now)
            }
            Step::Pull { from, wait, .. } => {
                assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(20));
                let outcome = device.pull(&from, wait);
                machine.pulled(outcome, device.now, device.wall())
            }
            Step::Renew(reference, lifetime) => {
                let outcome = device.renew(&reference, lifetime);
                machine.renewed(outcome, device.now, device.wall())
            }
            Step::Pause(span) | Step::AwaitAcknowledgement(span) => {
                assert!(!span.is_zero());
                device.now += span;
                Ok(Vec::new())
            }
        };
        self.told.extend(told.unwrap());
        machine.acknowledge();
        // A request takes at least a moment.
        device.now = device.now.max(before + Duration::from_millis(1));
    }

    fn run(&mut self, seconds: u64) {
        let end = self.device.now + Duration::from_secs(seconds);
        while self.device.now < end {
            self.step();
        }
    }

    /// What was told of motion since the last time, with why.
    fn motions(&mut self) -> Vec<(Option<bool>, Cause)> {
        let told = std::mem::take(&mut self.told);
        told.into_iter()
            .filter_map(|happening| match happening {
                Happening::Events(events) => Some(events),
                _ => None,
            })
            .flatten()
            .map(|event| (event.active, event.cause))
            .collect()
    }

    fn ups_and_downs(&self) -> Vec<bool> {
        self.told
            .iter()
            .filter_map(|happening| match happening {
                Happening::Up => Some(true),
                Happening::Down { .. } => Some(false),
                Happening::Events(_) => None,
            })
            .collect()
    }
}

#[test]
fn ten_days_of_renewals_with_a_clock_twenty_minutes_off() {
    for drift_minutes in [-20, 0, 20] {
        let mut device = FakeDevice::new();
        device.drift_millis = drift_minutes * 60_000;
        let mut world = World::new(device);
        for hour in 0..240 {
            world.device.set_motion(hour % 2 == 0);
            world.run(3_600);
        }
        let counters = world.machine.counters();
        assert_eq!(
            (counters.created, counters.lost),
            (1, 0),
            "{drift_minutes} min: {counters:?}"
        );
        // Half of five minutes: 5,760 in ten days.
        assert!((5_000..6_500).contains(&counters.renewed), "{counters:?}");
        assert!(
            world.device.requests < 10 * DAY / 10,
            "{} requests",
            world.device.requests
        );
        assert_eq!(world.ups_and_downs(), [true]);
        assert_eq!(world.motions().len(), 240);
        assert_eq!(world.machine.drift_millis(), drift_minutes * 60_000);
    }
}

#[test]
fn a_clock_that_is_set_in_between_costs_nothing() {
    let mut world = World::new(FakeDevice::new());
    for drift in [0, 1_200_000, -86_400_000, 31_536_000_000] {
        world.device.drift_millis = drift;
        world.run(7_200);
    }
    assert_eq!(world.machine.counters().created, 1);
}

#[test]
fn events_have_our_time() {
    let mut device = FakeDevice::new();
    device.drift_millis = 20 * 60_000;
    device.motion = Some(false);
    let mut world = World::new(device);
    world.run(100);
    world.told.clear();
    world.device.set_motion(true);
    let happened = world.device.wall();
    world.run(5);
    let Some(Happening::Events(events)) = world.told.first() else {
        panic!("{:?}", world.told);
    };
    assert_eq!(events[0].at, happened);
}

#[test]
fn a_device_that_lies_about_the_termination_is_believed_less_and_less() {
    // It tells an hour and keeps a minute: found out after three losses, then it is renewed in time.
    let mut device = FakeDevice::new();
    device.tells = Some(3_600);
    device.keeps = Some(Duration::from_secs(60));
    let mut world = World::new(device);
    world.run(DAY);
    let lost = world.machine.counters().lost;
    assert!((3..=6).contains(&lost), "{:?}", world.machine.counters());
    // A time in the past, the beginning of time, a year: what was wished is taken instead.
    for tells in [-1, 0, -1_700_000_000, 366 * 86_400] {
        let mut device = FakeDevice::new();
        device.tells = Some(tells);
        let mut world = World::new(device);
        world.run(DAY);
        let counters = world.machine.counters();
        assert_eq!(
            (counters.created, counters.lost),
            (1, 0),
            "{tells}: {counters:?}"
        );
    }
    // No times at all.
    let mut device = FakeDevice::new();
    device.tells_no_times = true;
    let mut world = World::new(device);
    world.run(DAY);
    assert_eq!(world.machine.counters().created, 1);
    // A second: it is asked often, but not without end.
    let mut device = FakeDevice::new();
    device.tells = Some(1);
    let mut world = World::new(device);
    world.run(3_600);
    assert!(
        world.device.requests < 3 * 3_600,
        "{}",
        world.device.requests
    );
}

#[test]
fn a_device_that_forgets_is_subscribed_to_again_and_asked_for_its_states() {
    let mut device = FakeDevice::new();
    device.motion = Some(true);
    let mut world = World::new(device);
    world.run(100);
    assert_eq!(world.motions(), [(Some(true), Cause::State)]);
    // It restarts, and the motion ends meanwhile: nobody would ever tell.
    world.device.live = None;
    world.device.motion = Some(false);
    world.run(100);
    assert_eq!(world.ups_and_downs(), [false, true]);
    assert_eq!(world.motions(), [(Some(false), Cause::State)]);
    // It restarts, and nothing is different: nothing is told.
    world.device.live = None;
    world.run(100);
    assert_eq!(world.motions(), []);
    assert_eq!(world.machine.counters().created, 3);
}

#[test]
fn a_state_that_is_not_told_again_is_forgotten_aloud() {
    let mut device = FakeDevice::new();
    device.motion = Some(true);
    let mut world = World::new(device);
    world.run(100);
    world.motions();
    world.device.live = None;
    world.device.motion = None;
    world.run(200);
    assert_eq!(world.motions(), [(None, Cause::Forgotten)]);
    world.run(1_000);
    assert_eq!(world.motions(), []);
}

#[test]
fn a_device_that_answers_at_once_is_not_asked_without_a_pause() {
    let mut device = FakeDevice::new();
    device.answers_at_once = true;
    let mut world = World::new(device);
    world.run(3_600);
    assert!(
        world.device.requests < 3_600 / 5 + 100,
        "{}",
        world.device.requests
    );
    // What happens is still told within seconds.
    world.told.clear();
    world.device.set_motion(true);
    world.run(6);
    assert_eq!(world.motions(), [(Some(true), Cause::State)]);
    // One that has something new each time is asked at most twenty times a second.
    let before = world.device.requests;
    for step in 0..2_000 {
        if world.device.waiting.is_empty() {
            world.device.set_motion(step % 2 == 0);
        }
        world.step();
    }
    let asked = world.device.requests - before;
    assert!(asked <= 1_001, "{asked} in {:?}", world.device.now);
}

#[test]
fn a_device_that_cannot_renew_is_subscribed_to_again_in_time() {
    let mut device = FakeDevice::new();
    device.renews = false;
    device.motion = Some(true);
    let mut world = World::new(device);
    world.run(DAY);
    let counters = world.machine.counters();
    assert_eq!((counters.renewed, counters.lost), (0, 0), "{counters:?}");
    assert!((315..325).contains(&counters.created), "{counters:?}");
    assert_eq!(world.ups_and_downs(), [true]);
    assert_eq!(world.motions(), [(Some(true), Cause::State)]);
}

#[test]
fn a_device_that_wants_an_absolute_time_gets_its_own() {
    let mut device = FakeDevice::new();
    device.relative = false;
    device.drift_millis = -1_200_000;
    let mut world = World::new(device);
    world.machine.set_drift(-1_200_000);
    world.run(DAY);
    let counters = world.machine.counters();
    assert_eq!((counters.created, counters.lost), (1, 0), "{counters:?}");
}

#[test]
fn silence_is_waited_out_and_told_once() {
    let mut device = FakeDevice::new();
    device.motion = Some(false);
    let mut world = World::new(device);
    world.run(100);
    world.device.reachable = false;
    let before = world.device.requests;
    world.run(3_600);
    let asked = world.device.requests - before;
    assert!((100..150).contains(&asked), "{asked}");
    world.device.reachable = true;
    world.device.motion = Some(true);
    world.run(60);
    assert_eq!(world.ups_and_downs(), [true, false, true]);
    assert_eq!(
        world.motions(),
        [(Some(false), Cause::State), (Some(true), Cause::State)]
    );
}

#[test]
fn a_short_silence_is_not_told_at_all() {
    let mut world = World::new(FakeDevice::new());
    world.run(100);
    world.device.reachable = false;
    world.step();
    world.device.reachable = true;
    world.run(100);
    assert_eq!(world.ups_and_downs(), [true]);
    assert_eq!(world.machine.counters().created, 1);
}

#[test]
fn nothing_is_pulled_before_what_was_told_is_acknowledged() {
    let mut device = FakeDevice::new();
    device.motion = Some(true);
    let mut world = World::new(device);
    let machine = &mut world.machine;
    let device = &mut world.device;
    let subscribed = match machine.next(device.now, device.wall()) {
        Step::Create(lifetime) => device.create(lifetime),
        step => panic!("{step:?}"),
    };
    machine
        .created(subscribed, device.now, device.wall())
        .unwrap();
    let told = machine.synchronized(Ok(()), device.now).unwrap();
    assert_eq!(told, [Happening::Up]);
    let Step::Pull { from, wait, .. } = machine.next(device.now, device.wall()) else {
        panic!("it pulls");
    };
    let pulled = device.pull(&from, wait);
    let told = machine.pulled(pulled, device.now, device.wall()).unwrap();
    assert!(
        matches!(told.as_slice(), [Happening::Events(_)]),
        "{told:?}"
    );
    // The disk is slow, for an hour: the subscription is renewed, and nothing is pulled.
    let mut renewed = 0;
    while device.now < Duration::from_secs(3_600) {
        match machine.next(device.now, device.wall()) {
            Step::AwaitAcknowledgement(span) => device.now += span,
            Step::Renew(reference, lifetime) => {
                renewed += 1;
                let outcome = device.renew(&reference, lifetime);
                machine.renewed(outcome, device.now, device.wall()).unwrap();
            }
            step => panic!("{step:?}"),
        }
    }
    assert!(renewed >= 20, "{renewed}");
    machine.acknowledge();
    let mut step = machine.next(device.now, device.wall());
    if let Step::Renew(reference, lifetime) = step {
        let outcome = device.renew(&reference, lifetime);
        machine.renewed(outcome, device.now, device.wall()).unwrap();
        step = machine.next(device.now, device.wall());
    }
    assert!(matches!(step, Step::Pull { .. }), "{step:?}");
    // That pull was given up: the states are asked for again.
    assert!(matches!(
        machine.next(device.now, device.wall()),
        Step::Synchronize(_)
    ));
    assert_eq!(machine.counters().abandoned, 1);
}

#[test]
fn what_makes_no_sense_to_try_again_ends_it() {
    let denied = DeviceError::Denied {
        at: "cam".to_owned(),
        why: "no".to_owned(),
    };
    let now = Duration::ZERO;
    let mut machine = PullPoint::new(Plan::default());
    assert_eq!(
        machine.created(Err(denied.clone()), now, Timestamp::default()),
        Err(denied.clone())
    );
    assert_eq!(
        machine.pulled(Err(denied.clone()), now, Timestamp::default()),
        Err(denied)
    );
    let without = DeviceError::NotSupported {
        at: "cam".to_owned(),
        operation: "events".to_owned(),
    };
    assert_eq!(
        machine.created(Err(without.clone()), now, Timestamp::default()),
        Err(without)
    );
}

#[test]
fn moments_are_told_once_and_deleted_properties_are_off() {
    let mut world = World::new(FakeDevice::new());
    world.run(30);
    world.told.clear();
    let crossed = Message {
        topic: "tns1:RuleEngine/LineDetector/Crossed".to_owned(),
        at: Some(world.device.clock()),
        data: vec![("ObjectId".to_owned(), "1".to_owned())],
        ..Message::default()
    };
    world.device.waiting = vec![
        crossed.clone(),
        crossed.clone(),
        motion(true, PropertyOperation::Changed, None),
        motion(true, PropertyOperation::Deleted, None),
    ];
    world.run(2);
    world.device.waiting = vec![crossed];
    world.run(2);
    assert_eq!(
        world.motions(),
        [
            (None, Cause::Moment),
            (Some(true), Cause::State),
            (Some(false), Cause::Deleted)
        ]
    );
    assert_eq!(world.machine.counters().repeated, 2);
}

proptest::proptest! {
    /// Whatever comes, in whatever order: no panic, no wait of zero, and never two requests at the same moment for ever.
    #[test]
    fn any_fate_is_survived(fates in proptest::collection::vec((0u8..8, 0u64..400_000, -3_000_000_000_000i64..3_000_000_000_000), 1..120)) {
        let mut world = World::new(FakeDevice::new());
        for (fate, millis, drift) in fates {
            match fate {
                0 => world.device.reachable = !world.device.reachable,
                1 => world.device.live = None,
                2 => world.device.drift_millis = drift,
                3 => world.device.tells = Some(drift / 1_000),
                4 => world.device.keeps = Some(Duration::from_millis(millis.max(1))),
                5 => world.device.answers_at_once = !world.device.answers_at_once,
                6 => world.device.renews = !world.device.renews,
                _ => world.device.set_motion(millis % 2 == 0),
            }
            let before = (world.device.now, world.device.requests);
            world.run(60);
            let asked = world.device.requests - before.1;
            proptest::prop_assert!(asked <= 20 * 60 + 20, "{asked} requests in a minute");
        }
    }
}
