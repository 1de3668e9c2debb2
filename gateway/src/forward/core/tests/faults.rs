//! Faults of an HTTP-like far side, as FAULTS.md of the design numbers them: F42 to F44, and F34.

use std::time::Duration;

use fieldgate_kit::{Batch, Receipt, Refusal, Rejected, SinkError, Throttle};
use fieldgate_store::Exit;

use super::{
    super::Output,
    world::{Action, World, limits},
};
use crate::lanes::LaneKind;

const ALL_MINE: u64 = 0;

/// A lane of `count` readings, read and under way as far as the window goes.
fn filled(world: &mut World, count: u64) {
    world.append(LaneKind::Normal, count, ALL_MINE);
    world.pass(200);
    world.serve_the_queue();
}

fn seqs(batch: &Batch) -> Vec<u64> {
    batch.readings.iter().map(|sent| sent.seq).collect()
}

fn well(_: &Batch) -> Result<Receipt, SinkError> {
    Ok(Receipt::default())
}

/// Refuses one number for its own sake.
fn all_but(poison: u64) -> impl Fn(&Batch) -> Result<Receipt, SinkError> {
    move |batch| {
        let mut receipt = Receipt::default();
        if seqs(batch).contains(&poison) {
            receipt.rejected.push(Rejected {
                seq: poison,
                why: "schema".into(),
                refusal: Refusal::MayPass,
            });
        }
        Ok(receipt)
    }
}

#[test]
fn f43_a_poison_record_alone_is_a_dead_letter_after_its_attempts_and_the_others_go_on_in_order() {
    let mut world = World::new(false);
    filled(&mut world, 40);
    let poison = world.under_way()[0].readings[2].seq;
    for _ in 0..200 {
        world.serve_the_queue();
        match world.under_way().is_empty() {
            true => world.pass(500),
            false => world.answer_oldest(all_but(poison)),
        }
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 1);
    let attempts = world
        .far
        .arrived
        .iter()
        .filter(|(_, seq, _)| *seq == poison);
    assert_eq!(attempts.count() as u32, limits().attempts);
    let others: Vec<u64> = world
        .far
        .arrived
        .iter()
        .map(|(_, seq, _)| *seq)
        .filter(|seq| *seq != poison)
        .collect();
    assert!(others.is_sorted(), "{others:?}");
}

#[test]
fn f43_a_poison_record_in_a_message_of_many_is_found_and_the_others_arrive() {
    let mut world = World::new(false);
    filled(&mut world, 40);
    let poison = world.under_way()[0].readings[2].seq;
    for _ in 0..300 {
        world.serve_the_queue();
        match world.under_way().is_empty() {
            true => world.pass(500),
            false => world.answer_oldest(|batch| {
                let mut receipt = Receipt::default();
                if seqs(batch).contains(&poison) {
                    let all = seqs(batch).into_iter();
                    let rejected = all.map(|seq| Rejected {
                        seq,
                        why: "schema".into(),
                        refusal: Refusal::OneOfThese,
                    });
                    receipt.rejected.extend(rejected);
                }
                Ok(receipt)
            }),
        }
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 1);
}

#[test]
fn f44_too_large_is_split_until_it_fits_and_costs_no_attempt() {
    let mut world = World::new(false);
    filled(&mut world, 30);
    for _ in 0..300 {
        world.serve_the_queue();
        match world.under_way().is_empty() {
            true => world.pass(500),
            false => world.answer_oldest(|batch| match batch.readings.len() {
                0..=2 => well(batch),
                _ => Err(SinkError::TooLarge("413".into())),
            }),
        }
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 0);
}

#[test]
fn f44_one_reading_that_is_too_large_is_a_dead_letter_at_once() {
    let mut world = World::new(false);
    filled(&mut world, 20);
    let giant = world.under_way()[0].readings[0].seq;
    for _ in 0..300 {
        world.serve_the_queue();
        match world.under_way().is_empty() {
            true => world.pass(500),
            false => world.answer_oldest(|batch| match seqs(batch).contains(&giant) {
                true => Err(SinkError::TooLarge("413".into())),
                false => well(batch),
            }),
        }
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 1);
}

#[test]
fn f44_retry_after_is_waited_for_and_costs_no_attempt() {
    let mut world = World::new(false);
    filled(&mut world, 10);
    for _ in 0..2 * limits().attempts {
        let retry_after = Some(Duration::from_secs(7));
        let throttle = Throttle {
            retry_after,
            why: "503".into(),
        };
        while !world.under_way().is_empty() {
            let throttle = throttle.clone();
            world.answer_oldest(|_| Err(SinkError::Throttled(throttle)));
        }
        world.serve_the_queue();
        world.pass(6_900);
        assert!(world.under_way().is_empty(), "it is not asked before");
        world.pass(200);
        world.serve_the_queue();
        assert!(!world.under_way().is_empty(), "it is asked again");
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 0);
}

#[test]
fn f44_of_a_partial_answer_only_what_was_not_taken_comes_again() {
    let mut world = World::new(false);
    filled(&mut world, 10);
    let batch = seqs(world.under_way()[0]);
    let (postponed, taken) = (batch[1], batch[0]);
    world.answer_oldest(|_| {
        Ok(Receipt {
            postponed: vec![postponed],
            ..Receipt::default()
        })
    });
    world.pass(2_000);
    world.drain();
    let times = |wanted: u64| {
        let arrived = world.far.arrived.iter();
        arrived.filter(|(_, seq, _)| *seq == wanted).count()
    };
    assert_eq!((times(postponed), times(taken)), (2, 1));
}

#[test]
fn a_batch_refused_whole_is_halved_until_the_poison_is_found() {
    let mut world = World::new(false);
    filled(&mut world, 20);
    let poison = world.under_way()[0].readings[3].seq;
    for _ in 0..300 {
        world.serve_the_queue();
        match world.under_way().is_empty() {
            true => world.pass(500),
            false => world.answer_oldest(|batch| match seqs(batch).contains(&poison) {
                true => Err(SinkError::Rejected("400".into())),
                false => well(batch),
            }),
        }
    }
    world.drain();
    assert_eq!(world.exits(LaneKind::Normal, Exit::DeadLettered), 1);
}

#[test]
fn alarms_overtake_a_backlog_and_telemetry_still_gets_its_share() {
    let mut world = World::new(false);
    world.append(LaneKind::Normal, 2_000, ALL_MINE);
    world.append(LaneKind::Critical, 2_000, ALL_MINE);
    world.pass(200);
    let mut sent = Vec::new();
    for _ in 0..100 {
        world.serve_the_queue();
        sent.extend(world.under_way().first().map(|batch| batch.lane));
        world.answer_oldest(well);
    }
    let telemetry = sent.iter().filter(|lane| **lane == 'n').count();
    assert!((8..=25).contains(&telemetry), "{telemetry} of 100");
}

#[test]
fn a_destination_that_falls_behind_has_no_more_under_way_than_its_window() {
    let mut world = World::new(false);
    filled(&mut world, 5_000);
    let window = world.under_way().len();
    assert!(window <= 2, "a new link begins carefully: {window}");
    for _ in 0..20 {
        world.serve_the_queue();
        world.answer_oldest(well);
    }
    world.serve_the_queue();
    assert!(
        world.under_way().len() >= limits().in_flight - 1,
        "and opens up"
    );
}

#[test]
fn over_a_link_that_failed_nothing_more_is_sent() {
    let mut world = World::new(false);
    filled(&mut world, 500);
    let asked = world.fail_oldest();
    assert!(
        matches!(asked.as_slice(), [.., Output::Fail(_)]),
        "{asked:?}"
    );
    assert!(
        !asked
            .iter()
            .any(|output| matches!(output, Output::Send(..)))
    );
}

#[test]
fn a_poison_record_ends_in_a_replay_too_while_what_is_new_is_acknowledged() {
    let mut world = World::new(false);
    filled(&mut world, 40);
    world.drain();
    let poison = world.far.arrived[world.far.arrived.len() / 2].1;
    let before = world.far.arrived.len();
    world.act(Action::Replay { back: 40, rate: 0 });
    for _ in 0..400 {
        world.append(LaneKind::Normal, 1, ALL_MINE);
        world.pass(50);
        world.serve_the_queue();
        if !world.under_way().is_empty() {
            world.answer_oldest(all_but(poison));
        }
    }
    let replayed = &world.far.arrived[before..];
    let tried = replayed.iter().filter(|(_, seq, _)| *seq == poison).count();
    assert_eq!(tried as u32, limits().attempts);
    world.drain();
}
