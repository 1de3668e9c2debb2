//! The nodes of a running server change: F76. Each point stays what its browse path says, only what is affected is told, and
//! everything else flows on without a gap.

use std::collections::BTreeSet;

use fieldgate_api::{endpoint::GetDevice, state::PointView};
use fieldgate_tests::{
    gateway::folder,
    opcua_server::{self, Changes, OpcUaServer, Options},
    place::Place,
    received::{Reading, Received},
    scripted_broker::Script,
    wait::until,
};
use serde_json::json;

use crate::plant::{A_SECOND, PATIENCE, PERIOD_MS, POINTS, Plant};

/// The device of all points, as the API names it.
const DEVICE: &str = "line/Line";
/// What happens to whom; the last one is new.
const RENUMBERED: i64 = 3;
const DELETED: i64 = 4;
const RETYPED: i64 = 5;
const ADDED: i64 = 19;

#[test]
fn f76_nodes_that_change_on_a_running_server_keep_their_points_and_disturb_no_other() {
    let server = OpcUaServer::start(Options {
        nodes: POINTS - 1,
        period_ms: PERIOD_MS,
        tells: true,
        ..Options::default()
    });
    let mut plant = Plant::start_at(server, folder(), Script::default(), "", Place::default());
    plant.flow(A_SECOND);
    let before = ids(&plant);

    // Numbered anew: the same point, and its values go on.
    let connections = attempts(&plant);
    change(&mut plant, |changes| {
        changes.delete.push(RENUMBERED);
        changes.add.push((RENUMBERED, 70_003));
    });
    flows(&plant, RENUMBERED, |reading| reading.reason.is_none());
    assert_eq!(ids(&plant), before);
    until("the node's new number", PATIENCE, || {
        match point(&plant, RENUMBERED) {
            Some(point) if point.address.ends_with("i=70003") && point.problem.is_none() => Ok(()),
            point => Err(format!("{point:?}")),
        }
    });

    // Deleted: told with its reason, and nobody else is.
    change(&mut plant, |changes| changes.delete.push(DELETED));
    let gone = |reading: &Reading| reason(reading) == "BadNodeIdUnknown";
    flows(&plant, DELETED, gone);
    troubled(&plant, &[DELETED]);
    let words = format!("{} of {} monitored items", POINTS - 2, POINTS - 1);
    let api = &plant.gateway.api;
    api.source_is("line", |status| status.words.starts_with(&words));

    // New: read at once, and the deleted one is back under another number.
    change(&mut plant, |changes| {
        changes.add.push((ADDED, 70_100));
        changes.add.push((DELETED, 70_004));
    });
    flows(&plant, ADDED, |reading| reading.reason.is_none());
    flows(&plant, DELETED, |reading| reading.reason.is_none());
    troubled(&plant, &[]);
    assert_eq!(ids(&plant).len(), POINTS, "the last one is p{ADDED}");

    // Of another type: it goes on with that, and says so once.
    change(&mut plant, |changes| changes.retype.push(RETYPED));
    flows(&plant, RETYPED, |reading| reading.value.is_string());
    until("the new type", PATIENCE, || match point(&plant, RETYPED) {
        Some(point) if point.data_type.as_deref() == Some("String") => {
            let remark = point.remark.clone().unwrap_or_default();
            assert!(
                remark.contains("its data type was Double until"),
                "{remark}"
            );
            Ok(())
        }
        point => Err(format!("{point:?}")),
    });
    assert_eq!(
        attempts(&plant),
        connections,
        "it is one session all the time"
    );

    let (received, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    assert_unaffected(&received);
}

/// Neither events nor NodeVersion: a look finds out.
#[test]
fn f76_a_server_that_tells_nothing_is_looked_at_when_somebody_says_so_and_in_its_interval() {
    let server = crate::plant::server();
    let mut plant = Plant::start_at(server, folder(), Script::default(), "", Place::default());
    plant.flow(A_SECOND);
    let words = fieldgate_tests::review::view(&plant.gateway.api, "line").words;
    assert!(words.contains("looked at every 600 s"), "{words}");
    let before = ids(&plant);
    change(&mut plant, |changes| {
        changes.delete.push(RENUMBERED);
        changes.add.push((RENUMBERED, 70_003));
    });
    fieldgate_tests::review::look(&plant.gateway.api, "line");
    flows(&plant, RENUMBERED, |reading| reading.reason.is_none());
    assert_eq!(ids(&plant), before);
    troubled(&plant, &[]);

    // In its interval; the source starts anew with another one.
    let config = plant
        .config("")
        .replace("queue_size = 1000", "queue_size = 1000\nrebrowse_s = 10");
    plant.gateway.reload(&config);
    plant.flow(A_SECOND);
    change(&mut plant, |changes| {
        changes.delete.push(DELETED);
        changes.add.push((DELETED, 70_004));
    });
    flows(&plant, DELETED, |reading| reading.reason.is_none());
    plant.finish();
}

fn change(plant: &mut Plant, make: impl FnOnce(&mut Changes)) {
    let mut changes = Changes::default();
    make(&mut changes);
    plant.server.change(&changes);
}

/// Waits for a reading of this node that fits and came after everything that is there now.
#[track_caller]
fn flows(plant: &Plant, node: i64, fits: impl Fn(&Reading) -> bool) {
    let name = format!("p{node}");
    let known = plant.received().readings.len();
    until(&format!("a reading of {name}"), PATIENCE, || {
        let received = plant.received();
        let new = received.readings.iter().skip(known);
        let of_it: Vec<&Reading> = new.filter(|reading| reading.point == name).collect();
        match of_it.iter().any(|reading| fits(reading)) {
            true => Ok(()),
            false => Err(format!(
                "there were {:?}; {:?}",
                of_it.last(),
                point(plant, node)
            )),
        }
    });
}

fn ids(plant: &Plant) -> BTreeSet<String> {
    let page = plant.gateway.api.get::<GetDevice>(&[DEVICE]);
    page.points.into_iter().map(|point| point.id).collect()
}

fn point(plant: &Plant, node: i64) -> Option<PointView> {
    let page = plant.gateway.api.get::<GetDevice>(&[DEVICE]);
    let id = format!("line/Line/p{node}");
    page.points.into_iter().find(|point| point.id == id)
}

/// Waits until exactly these nodes' points have a problem.
#[track_caller]
fn troubled(plant: &Plant, nodes: &[i64]) {
    let expected: BTreeSet<String> = nodes
        .iter()
        .map(|node| format!("line/Line/p{node}"))
        .collect();
    until("the right points to have problems", PATIENCE, || {
        let page = plant.gateway.api.get::<GetDevice>(&[DEVICE]);
        let troubled = page.points.iter().filter(|point| point.problem.is_some());
        let troubled: BTreeSet<String> = troubled.map(|point| point.id.clone()).collect();
        match troubled == expected {
            true => Ok(()),
            false => Err(format!("{troubled:?}")),
        }
    });
}

fn reason(reading: &Reading) -> &str {
    let reason = reading.reason.as_deref().unwrap_or_default();
    reason.split(':').next().unwrap_or_default()
}

/// How often the source connected.
fn attempts(plant: &Plant) -> usize {
    let log = plant.gateway.log();
    log.iter()
        .filter(|line| line.contains("monitored items") && line.contains("connected"))
        .count()
}

/// The others have each tick once.
#[track_caller]
fn assert_unaffected(received: &Received) {
    let affected = [RENUMBERED, DELETED, RETYPED, ADDED].map(|node| format!("p{node}"));
    let points = received.by_point();
    let others = points
        .iter()
        .filter(|(name, _)| !affected.iter().any(|of| of == *name));
    let mut seen = 0;
    for (name, readings) in others {
        let ticks: Vec<i64> = readings
            .iter()
            .map(|reading| opcua_server::tick(reading.at, PERIOD_MS))
            .collect();
        let steps = ticks.windows(2).filter(|pair| pair[1] != pair[0] + 1);
        assert_eq!(steps.count(), 0, "{name}: {ticks:?}");
        for reading in readings {
            fieldgate_tests::line::assert_as_served(reading, PERIOD_MS);
        }
        seen += 1;
    }
    assert_eq!(seen, POINTS - affected.len());
    let last = points[affected[2].as_str()].last().unwrap();
    assert_ne!(last.value, json!(null));
}
