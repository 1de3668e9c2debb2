//! Commands, carried out by the twin's devices.

use fieldgate_model::{Action, Answer, Command, Outcome};

use super::*;
use crate::clock;

fn command(target: &str, action: Action) -> Command {
    Command {
        id: "1".to_owned(),
        target: target.parse().unwrap(),
        action,
        issued: Timestamp::default(),
        expires: Timestamp::from_nanos(clock::now().nanos() + 60_000_000_000),
    }
}

#[tokio::test(start_paused = true)]
async fn commands_are_carried_out_where_the_rules_allow_it() {
    let twin = one(device());
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, _seen| {
            let offers = gatt.offers();
            assert_eq!(offers.len(), 1);
            assert_eq!(offers[0].target.as_str(), "ble/oven1/setpoint");
            assert_eq!(offers[0].data_type.as_deref(), Some("i16le"));
            assert_eq!(offers[0].unit.as_deref(), Some("Cel"));

            let done = gatt
                .carry_out(&command("ble/oven1/setpoint", Action::Write(22.0.into())))
                .await;
            assert_eq!(done.outcome, Outcome::Done, "{done:?}");
            assert_eq!(done.old, Some(21.5.into()));
            assert_eq!(twin.world().devices[&who(1)].values[&setpoint()], [220, 0]);
            assert_eq!(twin.count("write WithResponse"), 1);

            let read = gatt
                .carry_out(&command("ble/oven1/setpoint", Action::Read))
                .await;
            assert_eq!(
                (read.outcome, read.value),
                (Outcome::Done, Some(22.0.into()))
            );

            let refuses = async |target: &str, action: Action, words: &str| {
                let answer = gatt.carry_out(&command(target, action)).await;
                assert_eq!(answer.outcome, Outcome::Refused, "{answer:?}");
                assert!(answer.words.contains(words), "{answer:?}");
            };
            refuses(
                "ble/oven1/setpoint",
                Action::Write(1e6.into()),
                "out of range",
            )
            .await;
            refuses(
                "ble/oven1/setpoint",
                Action::Write("hot".into()),
                "a number is needed",
            )
            .await;
            refuses("ble/oven1/battery", Action::Read, "not allowed").await;
            refuses("ble/other/setpoint", Action::Read, "not allowed").await;
            assert_eq!(twin.count("write WithResponse"), 1);

            let late = Command {
                expires: Timestamp::default(),
                ..command("ble/oven1/setpoint", Action::Write(1.0.into()))
            };
            assert_eq!(gatt.carry_out(&late).await.outcome, Outcome::Expired);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_needs_pairing_is_carried_out_by_the_next_connection() {
    // What can be read is asked for its old value first, what cannot is refused at the write itself.
    for (can, log) in [
        ("rw", format!("read {SETPOINT}")),
        ("w", "write WithResponse".to_owned()),
    ] {
        let service = Service {
            uuid: uuid16(0xFFF0),
            characteristics: vec![characteristic(SETPOINT, can)],
        };
        let twin = one(Device {
            services: vec![service],
            tells: None,
            wants_pairing: true,
            pairing_closes: true,
            ..device()
        });
        let only = json!([rules()[2]]);
        let plans = vec![plan(1, only, Pair::IfNeeded, false)];
        beside(&twin, plans, 5, async |gatt, _seen| {
            let order = command("ble/oven1/setpoint", Action::Write(22.0.into()));
            let done = gatt.carry_out(&order).await;
            assert_eq!(done.outcome, Outcome::Done, "{done:?}");
            assert_eq!(twin.world().devices[&who(1)].values[&setpoint()], [220, 0]);
            let begin = ["connect", &log, "pair", "close", "connect"];
            assert_eq!(twin.world().log[..5], begin);
            assert_eq!(twin.count("pair"), 1);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_pairing_while_it_is_paired_is_told_so_once() {
    let twin = one(Device {
        wants_pairing: true,
        pairing_closes: true,
        ..device()
    });
    let plans = vec![plan(1, rules(), Pair::IfNeeded, false)];
    beside(&twin, plans, 5, async |gatt, mut seen| {
        until(|| twin.count("pair") == 1).await;
        assert_eq!(
            gatt.pair(who(1)).await.unwrap(),
            "C0:00:00:00:00:01 is paired"
        );
        assert!(!seen.for_seconds(30).await.is_empty());
        assert_eq!(twin.count("pair"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_jumps_the_queue() {
    let twin = Twin::default();
    for number in 0..20 {
        twin.add(who(number), device());
    }
    let plans = (0..20)
        .map(|number| plan(number, rules(), Pair::No, false))
        .collect();
    beside(&twin, plans, 2, async |gatt, mut seen| {
        seen.for_seconds(3).await;
        let began = Instant::now();
        let order = command("ble/oven19/setpoint", Action::Write(30.0.into()));
        let carried_out = async { (gatt.carry_out(&order).await, began.elapsed()) };
        let ((answer, took), _) = tokio::join!(carried_out, seen.for_seconds(60));
        let Answer { outcome, words, .. } = answer;
        assert_eq!(outcome, Outcome::Done, "{words}");
        assert_eq!(twin.world().devices[&who(19)].values[&setpoint()], [44, 1]);
        assert!(took < Duration::from_secs(10), "{took:?}");
    })
    .await;
    assert_eq!(twin.world().most_open, 2);
}

#[tokio::test(start_paused = true)]
async fn a_command_to_a_device_that_is_away_fails_at_once() {
    let twin = one(Device {
        heard: false,
        ..device()
    });
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, _seen| {
            let answer = gatt
                .carry_out(&command("ble/oven1/setpoint", Action::Write(1.0.into())))
                .await;
            assert_eq!(answer.outcome, Outcome::Failed);
            assert!(
                answer
                    .words
                    .contains("nothing was changed: it is not heard"),
                "{}",
                answer.words
            );
        },
    )
    .await;
}

/// The old value is read first, and that may take longer than the command has.
#[tokio::test(start_paused = true)]
async fn a_command_whose_time_ran_out_meanwhile_is_not_written() {
    let twin = one(device());
    beside(
        &twin,
        vec![plan(1, rules(), Pair::No, false)],
        5,
        async |gatt, mut seen| {
            seen.for_seconds(5).await;
            let in_millis =
                |millis: i64| Timestamp::from_nanos(clock::now().nanos() + millis * 1_000_000);
            let order = Command {
                expires: in_millis(300),
                ..command("ble/oven1/setpoint", Action::Write(30.0.into()))
            };
            twin.change(who(1), |device| device.reads_from = Some(in_millis(301)));
            let (answer, _) = tokio::join!(gatt.carry_out(&order), seen.for_seconds(5));
            assert_eq!(answer.outcome, Outcome::Expired, "{answer:?}");
            assert_eq!(answer.old, Some(21.5.into()), "it was on its way");
            assert_eq!(twin.count("write WithResponse"), 0);
        },
    )
    .await;
}
