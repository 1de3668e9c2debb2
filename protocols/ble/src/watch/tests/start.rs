//! Where nobody's pace is known: a radio that hangs right after its start, an empty room, and those who pass by or really left.

use super::*;

const HOUR: u64 = 3600;

/// A radio with so many beacons that hangs as soon as it heard each of them once; or before, with none.
fn frozen(beacons: u8, cure: Cure) -> World {
    let mut world = World::new(vec![fake("hci0")]);
    world.beacons = beacons;
    world.run(1);
    if beacons > 0 {
        world.run(1);
    }
    world.beacons = beacons.max(3);
    world.log(0);
    freeze(&mut world, cure);
    world
}

fn freeze(world: &mut World, cure: Cure) {
    let radio = world.fake("hci0");
    radio.hears = false;
    radio.cure = cure;
}

/// Runs until it is heard again: after how many seconds.
fn back(world: &mut World) -> u64 {
    for second in 1..=600 {
        world.run(1);
        if world.fake("hci0").hears {
            return second;
        }
    }
    panic!("{:?} {:?}", world.state("hci0"), world.log(0));
}

#[test]
fn a_radio_that_hangs_right_after_its_start_climbs_the_ladder_within_a_minute() {
    // With how many beacons, and after how many seconds of silence each step is taken.
    for (beacons, restart, power, reopen) in [
        (0, 30, 40, 52),
        (1, 30, 40, 52),
        (3, 20, 30, 42),
        (30, 20, 30, 42),
    ] {
        for (cure, expected) in [
            (Cure::Restart, restart),
            (Cure::Power, power),
            (Cure::Reopen, reopen),
        ] {
            let mut world = frozen(beacons, cure);
            assert_eq!(back(&mut world), expected, "{beacons}");
            let begin = if beacons == 0 { 1 } else { 2 };
            let log = world.log(begin);
            assert_eq!(log[0], format!("{restart} listen hci0 Active"), "{beacons}");
            world.run(2);
            assert_eq!(world.state("hci0").0, AdapterState::Listening);
            let steps = world.watch.reports(world.now, 5)[0].steps.clone();
            assert_eq!(steps.last().unwrap().1, "hears again");
        }
    }
}

#[test]
fn another_adapter_takes_over_from_one_that_hangs_right_after_its_start() {
    for (beacons, takes_over) in [(1, 52), (3, 42)] {
        let mut world = World::new(vec![fake("hci0"), fake("hci1")]);
        world.beacons = beacons;
        world.run(2);
        world.log(0);
        freeze(&mut world, Cure::Nothing);
        world.run(59);
        let log = world.log(2);
        let wanted = format!("{takes_over} listen hci1 Active");
        assert_eq!(log.last(), Some(&wanted));
        assert_eq!(world.state("hci1").0, AdapterState::Listening);
    }
}

#[test]
fn a_radio_that_hangs_again_and_again_is_brought_back_again_and_again() {
    for cure in [Cure::Restart, Cure::Power, Cure::Reopen] {
        for beacons in [1, 30] {
            let mut world = frozen(beacons, cure);
            world.beacons = beacons;
            for time in 0..20 {
                let seconds = back(&mut world);
                assert!(seconds <= 59, "{beacons}, {time}: {seconds} s");
                world.run(1);
                freeze(&mut world, cure);
            }
        }
    }
}

#[test]
fn who_was_heard_once_and_left_costs_one_ladder_and_then_it_is_an_empty_room() {
    for (beacons, first) in [(1, 40), (3, 30), (30, 30)] {
        let mut world = World::new(vec![fake("hci0")]);
        world.beacons = beacons;
        world.run(2);
        world.beacons = 0;
        world.run(12 * HOUR);
        let cycles = world.power_cycles();
        assert_eq!(cycles[0], 2 + first, "{beacons}");
        assert_eq!(cycles.len(), 2, "{cycles:?}");
        assert!(cycles[1] >= 6 * HOUR, "{cycles:?}");
    }
}

#[test]
fn those_who_stayed_and_left_together_are_forgotten_after_an_hour() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(600);
    world.beacons = 0;
    world.run(12 * HOUR);
    let cycles = world.power_cycles();
    let of_hour = |hour: u64| {
        let hours = cycles.iter().map(|second| (second - 600) / HOUR);
        hours.filter(|it| *it == hour).count()
    };
    assert!((3..10).contains(&of_hour(0)), "{cycles:?}");
    assert!((1..6).all(|hour| of_hour(hour) == 0), "{cycles:?}");
}

#[test]
fn nobody_power_cycles_an_empty_room_all_night() {
    let mut world = World::new(vec![fake("hci0")]);
    world.beacons = 0;
    world.run(25);
    let (state, words) = world.state("hci0");
    assert_eq!(state, AdapterState::Deaf);
    assert!(
        words.starts_with("scanning, nothing heard for 24 s"),
        "{words}"
    );
    world.run(12 * HOUR);
    let cycles = world.power_cycles();
    assert_eq!(cycles.len(), 2, "{cycles:?}");
    assert_eq!(cycles[0], 41, "once, right after the start");
    assert!(cycles[1] >= 6 * HOUR, "{cycles:?}");
    let log = world.log(0);
    assert!((40..100).contains(&log.len()), "{} actions", log.len());
    // It still listens: whoever comes is heard.
    world.beacons = 1;
    world.run(2);
    assert_eq!(world.state("hci0").0, AdapterState::Listening);
}

#[test]
fn who_only_passes_by_is_not_missed() {
    // One every three minutes, each another one; with addresses that last, such as cars have, and with others.
    for lasting in [true, false] {
        let mut world = World::new(vec![fake("hci0")]);
        world.beacons = 0;
        for number in 0..240u8 {
            let address = Address([0xC0, 0, 0, 1, 0, number]);
            world.run(2);
            world.watch.heard(world.now, "hci0", address, lasting);
            world.run(178);
        }
        let cycles = world.power_cycles();
        assert!(cycles.len() <= 2, "{cycles:?}");
    }
}

#[test]
fn who_is_connected_is_not_missed_and_keeps_its_connection() {
    let mut world = World::new(vec![fake("hci0")]);
    world.beacons = 1;
    world.run(100);
    world.log(0);
    let device = Address([0xC0, 0, 0, 0, 0, 0]);
    world.beacons = 0;
    world.fake("hci0").facts.connections = 1;
    world.watch.connected(world.now, [device]);
    world.run(12 * HOUR);
    assert_eq!(world.power_cycles(), Vec::<u64>::new());
    let log = world.log(0);
    assert!(
        log.iter()
            .all(|action| action.ends_with("listen hci0 Active"))
    );
    let (state, words) = world.state("hci0");
    assert_eq!(state, AdapterState::Listening);
    assert_eq!(
        words,
        "listens; a device is connected, and nobody else is heard"
    );
    // When its link ends, silence begins anew.
    world.fake("hci0").facts.connections = 0;
    world.watch.connected(world.now, []);
    world.run(20);
    assert_eq!(world.log(0), Vec::<String>::new());
}

#[test]
fn others_that_fall_silent_are_missed_although_somebody_is_connected() {
    let mut world = World::new(vec![fake("hci0")]);
    world.run(100);
    world.log(0);
    world.fake("hci0").facts.connections = 1;
    world
        .watch
        .connected(world.now, [Address([0xC0, 0, 0, 0, 0, 0])]);
    freeze(&mut world, Cure::Power);
    assert_eq!(back(&mut world), 30);
}

#[test]
fn an_adapter_that_was_not_asked_yet_stands_by_for_no_other() {
    let mut world = World::new(vec![fake("hci0")]);
    let moment = world.moment();
    world.watch.adapters(moment, &[fake("hci0").facts]);
    let begins = (AdapterState::Starting, "begins to listen".to_owned());
    assert_eq!(world.state("hci0"), begins);
}
