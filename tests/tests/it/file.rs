//! A folder gets every reading once, also when the gateway is killed again and again; and clips whole, or in words.

use std::fs;

use fieldgate_api::state::Level;
use fieldgate_file::File;
use fieldgate_kit::{Receipt, SinkError};
use fieldgate_tests::{
    disk::Disk,
    gateway::{self, Gateway},
    landed,
    link::{Clip, OpenLink, sha256},
    opcua_server::{OpcUaServer, Options},
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};

use crate::line::{self, PATIENCE};

const POINTS: usize = 50;
const PERIOD_MS: i64 = 500;

#[test]
fn every_reading_is_in_the_folder_once_although_the_gateway_is_killed() {
    let mut server = OpcUaServer::start(options());
    let folder = gateway::folder();
    let more = "rotate = { bytes = \"64 KiB\" }\n";
    let mut gateway = Gateway::start(&config(
        &server.endpoint(),
        folder.path().to_str().unwrap(),
        more,
    ));
    for round in 1..=4 {
        let wanted = landed::lines(folder.path()).len() + 6 * POINTS;
        until(
            &format!("readings of round {round}"),
            PATIENCE,
            || match landed::lines(folder.path()).len() {
                count if count >= wanted => Ok(()),
                count => Err(format!("there are {count} of {wanted}")),
            },
        );
        gateway.kill_and_restart();
    }
    server.hold();
    gateway
        .api
        .destination_is("disk", |status| status.level == Level::Good);
    let sum = gateway.api.all_acknowledged(PATIENCE);
    let lines = landed::lines(folder.path());
    let mut ids: Vec<u64> = lines.iter().map(seq).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "some are there twice");
    assert_eq!(count as u64, sum.accepted);
    assert_eq!(
        ids[ids.len() - 1] - ids[0] + 1,
        sum.accepted,
        "no number is missing"
    );
    assert!(landed::files(folder.path(), ".jsonl").len() > 1);
    println!(
        "{count} readings in {} files",
        landed::files(folder.path(), ".jsonl").len()
    );
}

#[test]
fn a_folder_that_is_gone_and_a_disk_that_is_full_are_told_and_nothing_is_lost() {
    let mut server = OpcUaServer::start(options());
    let folder = gateway::folder();
    let gone = folder.path().join("mnt");
    let gateway = Gateway::start(&config(&server.endpoint(), gone.to_str().unwrap(), ""));
    let status = gateway
        .api
        .destination_is("disk", |status| status.attempts > 0);
    assert!(
        status.words.contains("is its disk mounted"),
        "{}",
        status.words
    );
    until_true("a backlog", SOON, || {
        gateway.api.ledger().pending > 2 * POINTS as u64
    });
    fs::create_dir(&gone).unwrap();
    until_true("the backlog in the folder", PATIENCE, || {
        landed::lines(&gone).len() > 2 * POINTS
    });
    server.hold();
    let sum = gateway.api.all_acknowledged(PATIENCE);
    assert_eq!(landed::lines(&gone).len() as u64, sum.accepted);

    let mut server = OpcUaServer::start(options());
    let place = gateway::folder();
    let at = place.path().join("out");
    fs::create_dir(&at).unwrap();
    let disk = Disk::at(&at, "size=4m");
    let text = config(&server.endpoint(), at.to_str().unwrap(), "");
    let gateway = Gateway::start_in(gateway::folder(), &text, disk.place());
    until_true("readings on the disk", SOON, || {
        gateway.api.ledger().acked > 2 * POINTS as u64
    });
    disk.fill();
    let status = gateway
        .api
        .destination_is("disk", |status| status.level != Level::Good);
    assert!(status.words.contains("is full"), "{}", status.words);
    until_true("a backlog", SOON, || {
        gateway.api.ledger().pending > 2 * POINTS as u64
    });
    disk.free();
    server.hold();
    gateway.api.all_acknowledged(PATIENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clip_of_20_mb_whose_link_is_lost_half_way_is_whole_in_the_end() {
    let folder = gateway::folder();
    let clip = Clip::new("gate.mp4", 20_000_000, 4 << 20);
    let settings = json!({ "folder": folder.path() });
    let landed = folder.path().join("gate/Door/clip");
    for range in [0..2, 1..4, 3..5] {
        let mut link = OpenLink::connect::<File>(settings.clone(), folder.path())
            .await
            .unwrap();
        let receipt = link.send(&clip.parts[range]).await.unwrap();
        assert_eq!(receipt, Receipt::default());
    }
    let whole = fs::read(landed.join("gate.mp4")).unwrap();
    assert_eq!(sha256(&whole), clip.sha256);
    let about: Json =
        serde_json::from_slice(&fs::read(landed.join("gate.mp4.json")).unwrap()).unwrap();
    assert_eq!(about["sha256"], clip.sha256);
    assert!(landed::files(folder.path(), ".partial").is_empty());
}

#[tokio::test]
async fn where_the_gateways_user_may_not_write_a_person_is_told() {
    // The test's user may be root, who may write everywhere but here.
    let denied = OpenLink::connect::<File>(json!({ "folder": "/proc" }), "/tmp".as_ref())
        .await
        .map(drop);
    assert!(
        matches!(
            &denied,
            Err(SinkError::Denied(_) | SinkError::Unreachable(_))
        ),
        "{denied:?}"
    );
}

fn options() -> Options {
    Options {
        nodes: POINTS,
        period_ms: PERIOD_MS,
        ..Options::default()
    }
}

fn config(endpoint: &str, folder: &str, more: &str) -> String {
    format!(
        "[gateway]\nname = \"test\"\n{}\n[[route]]\nid = \"everything\"\nfrom = [\"line/**\"]\nto = \"disk\"\n\
         [[destination]]\nid = \"disk\"\nkind = \"file\"\nfolder = \"{folder}\"\n{more}",
        line::source("line", endpoint)
    )
}

/// The number in a reading's id.
fn seq(line: &Json) -> u64 {
    let id = line["id"].as_str().unwrap();
    u64::from_str_radix(id.rsplit('-').next().unwrap(), 16).unwrap()
}
