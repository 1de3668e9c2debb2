//! The faults of the clock, as tables: what it said, and what stamps then mean.

use super::*;

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;
/// A time at which everything is well.
const NOW: i64 = FLOOR_MS + YEAR;

fn stamp(boot: u64, since_boot_ms: u64, wall_ms: i64) -> Stamp {
    Stamp {
        boot,
        since_boot_ms,
        wall_ms,
    }
}

/// What the clocks said, one after the other: boot, since boot, wall, synchronised.
fn table(said: &[(u64, u64, i64, bool)]) -> Table {
    let mut table = Table::default();
    for (boot, since, wall, synchronised) in said {
        table.observe(Reading {
            stamp: stamp(*boot, *since, *wall),
            synchronised: *synchronised,
        });
    }
    table
}

fn check(said: &[(u64, u64, i64, bool)], asked: Stamp, wall_ms: i64, trust: TimeQuality) {
    let resolved = table(said).resolve(asked);
    assert_eq!(resolved, Resolved { wall_ms, trust }, "{said:?} {asked:?}");
}

#[test]
fn f25_a_clock_at_1970_is_put_right_when_the_synchronisation_comes() {
    let ten_minutes = 600_000;
    let boot = [
        (1, 5_000, 5_000, false),
        (1, 6_000, 6_000, false),
        (1, ten_minutes, NOW, true),
    ];
    let start = NOW - 600_000;
    check(
        &boot,
        stamp(1, 7_000, 7_000),
        start + 7_000,
        TimeQuality::Synced,
    );
    check(
        &boot,
        stamp(1, 700_000, start + 700_000),
        start + 700_000,
        TimeQuality::Synced,
    );
    // Before it comes, nothing is known but the floor.
    check(
        &boot[..2],
        stamp(1, 7_000, 7_000),
        FLOOR_MS + 7_000,
        TimeQuality::Unknown,
    );
}

#[test]
fn f25_without_a_synchronisation_the_last_known_time_goes_on() {
    let said = [
        (1, 1_000, NOW, true),
        (1, 61_000, NOW + 60_000, true),
        (2, 5_000, 5_000, false),
        (2, 65_000, 65_000, false),
    ];
    check(
        &said,
        stamp(2, 10_000, 10_000),
        NOW + 70_000,
        TimeQuality::Estimated,
    );
    // A third boot goes on where the second ended.
    let mut third = said.to_vec();
    third.push((3, 1_000, 1_000, false));
    check(
        &third,
        stamp(3, 1_000, 1_000),
        NOW + 60_000 + 65_000 + 1_000,
        TimeQuality::Estimated,
    );
    // The synchronisation of the third says nothing of the second.
    third.push((3, 9_000, NOW + YEAR, true));
    check(
        &third,
        stamp(2, 10_000, 10_000),
        NOW + 70_000,
        TimeQuality::Estimated,
    );
    check(
        &third,
        stamp(3, 1_000, 1_000),
        NOW + YEAR - 8_000,
        TimeQuality::Synced,
    );
}

#[test]
fn f25_an_unsynchronised_clock_expires_nothing_but_by_the_boots_own_clock() {
    let synced = [(1, 1_000, NOW, true)];
    let then = stamp(1, 1_000, NOW);
    let unsynced = [synced[0], (2, 5_000, NOW + YEAR, false)];
    let both = [synced[0], (2, 5_000, NOW + YEAR, true)];
    let later = stamp(2, 5_000, NOW + YEAR);
    assert_eq!(table(&unsynced).age_ms(then, later), None);
    assert_eq!(table(&both).age_ms(then, later), Some(YEAR as u64));
    assert_eq!(table(&both).age_ms(Stamp::from_wall(NOW), later), None);
    assert_eq!(
        table(&[]).age_ms(stamp(7, 10, 0), stamp(7, 250, i64::MAX)),
        Some(240)
    );
}

#[test]
fn f26_a_jump_of_years_is_not_believed_of_an_unsynchronised_clock() {
    for jump in [10 * YEAR, -10 * YEAR, HOUR + 60_000, -HOUR - 60_000] {
        let said = [
            (1, 1_000, NOW, true),
            (1, 2_000, NOW + 1_000 + jump, false),
            (1, 9_000, NOW + 8_000 + jump, false),
        ];
        let wrong = stamp(1, 3_000, NOW + 2_000 + jump);
        check(&said, wrong, NOW + 2_000, TimeQuality::Synced);
        let table = table(&said);
        let age = table.age_ms(stamp(1, 2_000, NOW + 1_000), wrong);
        assert_eq!(age, Some(1_000), "{jump}");
        // The next boot is not led astray either.
        let mut next = table;
        next.observe(Reading {
            stamp: stamp(2, 1_000, 1_000),
            synchronised: false,
        });
        assert_eq!(
            next.resolve(stamp(2, 1_000, 1_000)).wall_ms,
            NOW + 8_000 + 1_000
        );
    }
}

#[test]
fn f26_a_jump_is_believed_of_a_synchronised_clock_from_then_on() {
    let said = [(1, 1_000, NOW, true), (1, 100_000, NOW + 10 * YEAR, true)];
    check(
        &said,
        stamp(1, 2_000, NOW + 1_000),
        NOW + 1_000,
        TimeQuality::Synced,
    );
    let later = stamp(1, 101_000, NOW + 10 * YEAR + 1_000);
    check(&said, later, later.wall_ms, TimeQuality::Synced);
}

#[test]
fn a_small_step_is_an_estimate_until_the_synchronisation_comes_back() {
    let said = [
        (1, 1_000, NOW, true),
        (1, 11_000, NOW + 10_000 + 60_000, false),
    ];
    let stepped = stamp(1, 12_000, NOW + 71_000);
    check(&said, stepped, stepped.wall_ms, TimeQuality::Estimated);
    let back = [said[0], said[1], (1, 20_000, NOW + 19_000, true)];
    check(&back, stepped, NOW + 11_000, TimeQuality::Synced);
}

#[test]
fn f27_a_leap_second_a_slew_and_a_reading_more_leave_the_output_in_order() {
    let said = [(1, 1_000, NOW, true), (1, 10_000, NOW + 8_000, true)];
    let table = table(&said);
    let mut last = i64::MIN;
    for since in (1_000..20_000).step_by(100) {
        let wall = if since < 10_000 {
            NOW - 1_000 + since
        } else {
            NOW - 2_000 + since
        };
        let resolved = table.resolve(stamp(1, since as u64, wall));
        assert!(resolved.wall_ms >= last, "at {since}");
        assert!(resolved.wall_ms.abs_diff(wall) <= 1_000, "at {since}");
        last = resolved.wall_ms;
    }
    // What is off by less than two readings differ is left as it is.
    let slewed = stamp(1, 5_000, NOW + 4_000 + 40);
    assert_eq!(table.resolve(slewed).wall_ms, slewed.wall_ms);
}

#[test]
fn a_clock_that_ran_on_alone_is_an_estimate_unless_it_is_before_what_is_known() {
    check(
        &[(1, 1_000, NOW, false)],
        stamp(1, 2_000, NOW + 1_000),
        NOW + 1_000,
        TimeQuality::Estimated,
    );
    let said = [(1, 1_000, NOW, true), (2, 1_000, NOW - HOUR, false)];
    check(
        &said,
        stamp(2, 1_000, NOW - HOUR),
        NOW + 1_000,
        TimeQuality::Estimated,
    );
}

#[test]
fn a_boot_that_is_not_known_has_its_wall_clock_and_never_1970() {
    let said = [(1, 1_000, NOW, true)];
    check(
        &said,
        Stamp::from_wall(NOW - HOUR),
        NOW - HOUR,
        TimeQuality::Estimated,
    );
    check(&said, Stamp::from_wall(5_000), NOW, TimeQuality::Unknown);
    check(&[], Stamp::from_wall(5_000), FLOOR_MS, TimeQuality::Unknown);
}

#[test]
fn only_so_much_is_kept() {
    let mut table = Table::default();
    for boot in 0..100u64 {
        for step in 0..50u64 {
            table.observe(Reading {
                stamp: stamp(boot, step * 1_000, NOW + (step * 10_000) as i64),
                synchronised: true,
            });
        }
    }
    assert_eq!(table.boots.len(), BOOTS_KEPT);
    assert!(
        table
            .boots
            .iter()
            .all(|boot| boot.pieces.len() == PIECES_KEPT)
    );
}

/// The bytes of version 1, so that a later change cannot make a gateway forget its boots.
#[test]
fn the_format_is_the_one_written_down() {
    let bytes = postcard::to_stdvec(&table(&[(1, 2, 300, true)])).unwrap();
    assert_eq!(bytes, [0xd8, 0x04, 1, 1, 2, 1, 0, 0xd4, 0x04, 0]);
    assert!(Table::decode(1, &bytes).is_some());
}
