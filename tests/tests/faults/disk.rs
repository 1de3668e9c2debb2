//! Disks that are full, read-only, failing or slow under a running gateway: F08 to F14, F18, F20.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use fieldgate_api::endpoint::GetQueue;
use fieldgate_tests::{
    disk::Disk,
    gateway::folder,
    opcua_server::{OpcUaServer, Options},
    scripted_broker::{Greeting, Script},
    shim::Shim,
    wait::{until, until_true},
};
use tempfile::TempDir;

use crate::plant::{A_SECOND, PATIENCE, PERIOD_MS, Plant, drained, retry};

const EIO: i32 = 5;
const EROFS: i32 = 30;
/// Once the disk is well again, data flows within this; the queue looks each second.
const RESUMED: Duration = Duration::from_secs(10);
/// What changes a file system.
const CHANGING: &str = "open write pwrite ftruncate fallocate rename unlink mkdir rmdir";

#[test]
fn f08_a_full_disk_holds_readings_back_at_the_server_again_and_again() {
    let (folder, disk) = on_a_disk("size=112m");
    let mut plant = Plant::start_in(folder, Script::default(), "", disk.place());
    for _ in 0..3 {
        plant.flow(A_SECOND);
        refuses(&plant, || disk.fill());
        disk.free();
        resumes(&plant);
    }
    loses_nothing(&mut plant);
}

/// The disk is full of others' files from the start, and the backlog is not to go for them.
#[test]
fn f09_what_others_fill_costs_no_backlog_and_cursors_are_still_saved() {
    let (folder, disk) = on_a_disk("size=112m");
    let away = Script::default().greeting(|_| Greeting::Silence);
    let mut plant = Plant::start_in(folder, away, "", disk.place());
    plant.backlog(3 * A_SECOND);
    refuses(&plant, || disk.fill());
    let backlog = plant.gateway.api.ledger();
    plant.broker.play(Script::default());
    plant.broker.cut();
    // The disk is full all the while.
    until("the backlog to be delivered", PATIENCE, || {
        retry(&plant.gateway.api, "broker");
        match plant.gateway.api.ledger() {
            sum if sum.pending == 0 => Ok(()),
            sum => Err(format!("{sum:?}")),
        }
    });
    let sum = plant.gateway.api.ledger();
    assert_eq!((sum.evicted, sum.lost_detected), (0, 0), "{sum:?}");
    assert!(sum.acked >= backlog.pending, "{sum:?}");
    disk.free();
    resumes(&plant);
    loses_nothing(&mut plant);
}

#[test]
fn f10_a_disk_without_inodes_holds_readings_back() {
    let (folder, disk) = on_a_disk("size=112m,nr_inodes=160");
    let mut plant = Plant::start_in(folder, Script::default(), "", disk.place());
    plant.flow(A_SECOND);
    disk.fill_inodes();
    // What is open can still be written; a new generation cannot begin. Either way nothing is lost.
    plant.gateway.kill();
    disk.free();
    plant.gateway.restart();
    plant.flow(A_SECOND);
    disk.fill_inodes();
    plant.flow(A_SECOND);
    disk.free();
    let (_, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted);
}

#[test]
fn f10_a_read_only_disk_keeps_in_memory_what_cannot_be_sent_again() {
    let own = "[[route]]\nid = \"own\"\nfrom = [\"gateway/**\"]\nto = \"broker\"\n";
    let (folder, shim) = under_a_shim(|shim| shim.failing(CHANGING, EROFS));
    let mut plant = Plant::start_in(folder, Script::default(), own, shim.place());
    plant.flow(A_SECOND);
    refuses(&plant, || shim.on());
    until_true("the gateway's own readings in memory", PATIENCE, || {
        let queue = plant.gateway.api.get::<GetQueue>(&[]);
        queue.lanes.iter().any(|lane| lane.in_memory_bytes > 0)
    });
    shim.off();
    resumes(&plant);
    plant.server.hold();
    let received = until("every tick", PATIENCE, || {
        let received = plant.received();
        let own = received.by_point().contains_key("memory");
        own.then_some(received)
            .ok_or("nothing of the gateway itself")
    });
    drop(received);
    assert_eq!(drained(&plant.gateway.api).evicted, 0);
}

#[test]
fn f11_a_failed_write_is_made_again_elsewhere() {
    one_failure("write pwrite");
}

#[test]
fn f12_a_failed_sync_is_not_believed_when_it_is_tried_again() {
    one_failure("fsync fdatasync");
}

/// One call fails: the generation is sealed, and the same readings are written to a new one before anybody hears of them.
fn one_failure(calls: &str) {
    let (folder, shim) = under_a_shim(|shim| shim.failing_times(calls, EIO, 1));
    let mut plant = Plant::start_in(folder, Script::default(), "", shim.place());
    plant.flow(A_SECOND);
    let generations = || {
        let queue = plant.gateway.api.get::<GetQueue>(&[]);
        queue.lanes[0].generations
    };
    let before = generations();
    shim.on();
    until_true("the failure", PATIENCE, || !shim.hits().is_empty());
    let hits = shim.hits();
    assert!(hits[0].contains("/normal/"), "{hits:?}");
    until_true("a line about it", PATIENCE, || {
        let log = plant.gateway.log();
        log.iter()
            .any(|line| line.contains("a commit failed") || line.contains("could not be saved"))
    });
    println!("{before} generations before, {} after", generations());
    plant.flow(A_SECOND);
    loses_nothing(&mut plant);
    shim.off();
    plant.gateway.kill_and_restart();
    assert_eq!(drained(&plant.gateway.api).lost_detected, 0, "{hits:?}");
}

#[test]
fn f11_writes_that_fail_for_a_while_hold_readings_back() {
    fails_for_a_while("write pwrite");
}

#[test]
fn f12_syncs_that_fail_for_a_while_hold_readings_back() {
    fails_for_a_while("fsync fdatasync");
}

fn fails_for_a_while(calls: &str) {
    let (folder, shim) = under_a_shim(|shim| shim.failing(calls, EIO));
    let mut plant = Plant::start_in(folder, Script::default(), "", shim.place());
    plant.flow(A_SECOND);
    refuses(&plant, || shim.on());
    shim.off();
    resumes(&plant);
    loses_nothing(&mut plant);
    plant.gateway.kill_and_restart();
    let sum = drained(&plant.gateway.api);
    assert_eq!(sum.lost_detected, 0, "{sum:?}");
}

/// Half of a backlog cannot be read: it is counted as lost, and the other half arrives.
#[test]
fn f13_a_generation_that_cannot_be_read_is_counted_and_the_next_one_is_delivered() {
    let (folder, shim) = under_a_shim(|shim| shim.failing_times("fsync fdatasync", EIO, 1));
    let away = "mqtt://127.0.0.1:1";
    let mut plant = Plant::start_in(folder, Script::default(), "", shim.place());
    let there = plant.config("");
    plant.flow(A_SECOND);
    plant.gateway.reload(&plant.config_to(away, ""));
    plant.backlog(2 * A_SECOND);
    // A failed sync ends a generation before it is full.
    shim.on();
    until_true("another generation", PATIENCE, || !shim.hits().is_empty());
    let pending = plant.gateway.api.ledger().pending;
    plant.backlog(pending + 2 * A_SECOND);
    plant.server.hold();
    let sealed = generations(&plant.gateway.state())[0].clone();
    plant.gateway.stop();
    let bad = Shim::below(&plant.gateway.state().join("queue")).unreadable(&sealed);
    bad.on();
    plant.gateway.place = bad.place();
    plant.gateway.restart();
    plant.gateway.reload(&there);
    let sum = drained(&plant.gateway.api);
    println!("{sum:?}");
    assert!(sum.lost_detected > 0, "{sum:?}");
    assert!(sum.acked > A_SECOND, "{sum:?}");
    assert_eq!(sum.acked, plant.broker.acknowledged().len() as u64);
    let queue = plant.gateway.api.get::<GetQueue>(&[]);
    assert!(
        queue.status.words.contains("the disk damaged"),
        "{}",
        queue.status.words
    );
}

#[test]
fn f14_syncs_of_two_seconds_slow_everything_down_and_lose_nothing() {
    let (folder, shim) = under_a_shim(|shim| shim.slow_ms(2000));
    let mut plant = Plant::start_in(folder, Script::default(), "", shim.place());
    plant.flow(A_SECOND);
    shim.on();
    until("a commit that took two seconds", PATIENCE, || {
        let queue = plant.gateway.api.get::<GetQueue>(&[]);
        match queue.lanes[0].last_commit_ms {
            took if took >= 2000.0 => Ok(()),
            took => Err(format!("it took {took} ms")),
        }
    });
    plant.flow(2 * A_SECOND);
    shim.off();
    loses_nothing(&mut plant);
}

/// The server has a minute's room for each item. What comes faster than the disk takes it waits there, not in memory.
#[test]
fn f20_a_burst_above_the_commit_rate_waits_at_the_server_and_not_in_memory() {
    const NODES: usize = 400;
    let (folder, shim) = under_a_shim(|shim| shim.slow_ms(700));
    let server = OpcUaServer::start(Options {
        nodes: NODES,
        period_ms: PERIOD_MS,
        ..Options::default()
    });
    let mut plant = Plant::start_at(server, folder, Script::default(), "", shim.place());
    let goal = 10 * NODES as u64;
    until_true("the burst to begin", PATIENCE, || {
        plant.gateway.api.ledger().acked >= goal
    });
    let before = plant.gateway.usage();
    shim.on();
    let goal = plant.gateway.api.ledger().accepted + 50 * NODES as u64;
    until(
        "five seconds' readings to be accepted",
        PATIENCE,
        || match plant.gateway.api.ledger().accepted {
            accepted if accepted >= goal => Ok(()),
            accepted => Err(format!("{accepted} of {goal} are")),
        },
    );
    let after = plant.gateway.usage();
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    println!("{grown} bytes more");
    assert!(grown < 64 << 20, "{grown} bytes more");
    shim.off();
    plant.server.hold();
    let sum = drained(&plant.gateway.api);
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    Plant::assert_every_tick(&plant.received());
}

/// A folder whose `state` is a small disk.
#[track_caller]
fn on_a_disk(options: &str) -> (TempDir, Disk) {
    let folder = folder();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let disk = Disk::at(&state, options);
    (folder, disk)
}

/// A folder whose queue has a fault that can be switched on.
fn under_a_shim(fault: impl Fn(Shim) -> Shim) -> (TempDir, Shim) {
    let folder = folder();
    let shim = fault(Shim::below(&folder.path().join("state/queue")));
    (folder, shim)
}

/// Until the queue says that the disk refuses; the process lives, and everybody is told.
#[track_caller]
fn refuses(plant: &Plant, fault: impl Fn()) {
    until("the queue to say so", PATIENCE, || {
        fault();
        let queue = plant.gateway.api.get::<GetQueue>(&[]);
        match queue.status.words.contains("the queue cannot write to") {
            true => Ok(()),
            false => Err(format!(
                "{} {:#?}",
                queue.status.words,
                plant.gateway.log().iter().take(40).collect::<Vec<_>>()
            )),
        }
    });
}

/// New readings are accepted soon.
#[track_caller]
fn resumes(plant: &Plant) {
    let (freed, before) = (Instant::now(), plant.gateway.api.ledger().accepted);
    until_true("new readings to be accepted", PATIENCE, || {
        plant.gateway.api.ledger().accepted > before
    });
    let took = freed.elapsed();
    println!("resumed after {took:?}");
    assert!(took < RESUMED, "{took:?}");
}

/// Everything arrives, and the server's own queue held what was refused.
#[track_caller]
fn loses_nothing(plant: &mut Plant) {
    let (received, sum) = plant.finish();
    assert_eq!(sum.acked, sum.accepted, "{sum:?}");
    Plant::assert_every_tick(&received);
}

/// The folders of the normal lane's generations, the oldest first.
fn generations(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state.join("queue/normal")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("gen-")).collect();
    names.sort();
    names
}
