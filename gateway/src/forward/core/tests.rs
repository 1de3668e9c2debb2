//! The core against a queue, a far side and a link that do their worst (T1 of the delivery tests).

mod far_side;
mod faults;
mod world;

use proptest::prelude::*;

use world::{Action, World};

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (any::<bool>(), 1u64..60, any::<u64>()).prop_map(|(critical, count, seed)| Action::Append { critical, count, seed }),
        12 => any::<prop::sample::Index>().prop_map(Action::Finish),
        6 => (any::<prop::sample::Index>(), any::<u64>()).prop_map(|(which, seed)| Action::AnswerBadly(which, seed)),
        1 => any::<u64>().prop_map(Action::AnswerUnknown),
        4 => (1u64..3_000).prop_map(Action::Wait),
        1 => Just(Action::LoseLink),
        1 => Just(Action::Crash),
        1 => (any::<bool>(), 1u64..40).prop_map(|(critical, count)| Action::Evict { critical, count }),
        1 => (1u64..200, 0u32..500).prop_map(|(back, rate)| Action::Replay { back, rate }),
    ]
}

proptest! {
    #[test]
    fn everything_is_answered_for_once_in_order_and_drains(
        actions in prop::collection::vec(action(), 1..120),
        live in any::<bool>(),
    ) {
        let mut world = World::new(live);
        for action in actions {
            world.act(action);
        }
        world.drain();
    }
}
