//! Receipts and the export of the queue: what is downloaded is what was written, and the verdict knows.

use fieldgate_api::endpoint::{GetQueue, GetReceipt, GetReceipts};
use fieldgate_api::state::LedgerRow;
use fieldgate_model::Timestamp;
use fieldgate_store::{Entry, Stamp, Urgency};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{
    client::{ask, call, get},
    rig::Rig,
};

/// Accepts readings as of these minutes of 20:00.
pub async fn accept(rig: &Rig, minutes: &[i64]) {
    let lane = &rig.gateway.lanes.normal;
    let bit = lane.routes_of("broker")[0].1;
    let start = Timestamp::parse("2026-11-25T20:00:00Z").unwrap().millis();
    let entry = |minute: &i64| Entry {
        routes: bit.into(),
        at: Stamp::from_wall(start + minute * 60_000),
        body: rig.frame("press/Line/temp", 21.5),
    };
    let entries = minutes.iter().map(entry).collect();
    let ticket = lane.append(entries, Urgency::Waiting).await.unwrap();
    ticket.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_hour_is_there_on_demand_and_a_closed_one_is_chained() {
    let rig = Rig::start().await;
    let at = rig.address;
    accept(&rig, &[0, 1, 2]).await;
    let now = ask::<GetReceipt>(at, &["now"], &()).await;
    assert_eq!((now.total.accepted, now.total.pending), (3, 3));
    assert_eq!((now.total.unaccounted, now.closed), (0, false));
    assert_eq!(ask::<GetReceipts>(at, &[], &()).await.receipts, []);

    let ledger: Vec<LedgerRow> = ask::<GetQueue>(at, &[], &()).await.ledger.rows;
    let later = Timestamp::from_millis(now.to.millis() + 3_600_000);
    let receipts = &rig.gateway.receipts;
    receipts
        .close_hour(&rig.gateway.who(), ledger, later)
        .unwrap();
    let list = ask::<GetReceipts>(at, &[], &()).await;
    assert_eq!(
        (list.receipts.len(), list.findings.len(), list.days),
        (1, 0, 31)
    );
    let line = &list.receipts[0];
    let one = ask::<GetReceipt>(at, &[&line.hour], &()).await;
    assert!(one.closed);
    let file = get(at, &format!("/api/v1/export/receipts/{}.json", line.hour)).await;
    let digest = Sha256::digest(&file.body);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, line.sha256);
    assert_eq!(file.json::<Json>()["total"]["accepted"], 3);
    for unknown in ["2026-01-01T00", "..%2Frunning", "running"] {
        let answer = call::<GetReceipt>(at, &[unknown], &(), None).await;
        assert_eq!(answer.status, 404, "{unknown}");
    }
    assert_eq!(get(at, "/api/v1/schemas/receipt.json").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_exported_by_destination_and_time() {
    let rig = Rig::start().await;
    accept(&rig, &[0, 10, 20]).await;
    for (filter, expected) in [
        ("", 3),
        ("?destination=broker&from=2026-11-25T20:10:00Z", 2),
        ("?to=2026-11-25T20:10:00Z", 1),
        ("?destination=nobody", 0),
        ("?lane=critical", 0),
    ] {
        let answer = get(rig.address, &format!("/api/v1/export/queue.jsonl{filter}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        let lines: Vec<Json> = text
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), expected, "{filter}");
        assert!(lines.iter().all(|line| line["reading"]["value"] == 21.5));
    }
    for wrong in ["?from=yesterday", "?lane=other", "?colour=red"] {
        let answer = get(rig.address, &format!("/api/v1/export/queue.jsonl{wrong}")).await;
        assert!((400..500).contains(&answer.status), "{wrong}");
    }
}
