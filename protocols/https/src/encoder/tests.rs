//! What goes over the wire, request by request.

use std::io::Read;

use fieldgate_kit::{Origin, clip::MAX_PART_BYTES};
use fieldgate_model::{PointId, Reading, TimeQuality, Timestamp};
use flate2::read::GzDecoder;
use serde_json::{Value as Json, json};

use super::*;

pub(crate) fn book() -> AddressBook {
    AddressBook {
        gateway: "line-4".into(),
        gateway_id: "a1b2c3d4".into(),
        version: "0.1.0".into(),
        config_revision: 7,
    }
}

fn encoder(settings: Json) -> Encoder {
    let settings = serde_json::from_value(settings).unwrap();
    Encoder::new(Arc::new(settings), book())
}

pub(crate) fn sequenced(seq: u64, device: &str, point: &str, value: impl Into<Value>) -> Sequenced {
    let at = Timestamp::parse("2026-11-29T18:30:00.250Z").unwrap();
    Sequenced {
        seq,
        time_quality: TimeQuality::default(),
        origin: Origin { lane: 'n', seq },
        reading: Reading::new(PointId::new("press", device, point).unwrap(), value, at),
    }
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    let found = call.headers.iter().find(|(there, _)| there == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn aio_json_is_one_request_for_each_device_with_cloud_events_headers() {
    let encoder = encoder(json!({ "url": "https://h/in/{source}/{device}/{dataset}" }));
    let readings = [
        sequenced(1, "Line/A", "p", 1.5),
        sequenced(2, "Öfen", "p", 2.5),
        sequenced(3, "Line/A", "q", 3.5),
    ];
    let parcels = encoder.parcels(&readings, usize::MAX);
    let seqs: Vec<&[u64]> = parcels.iter().map(|parcel| &parcel.seqs[..]).collect();
    assert_eq!(seqs, [&[1, 3][..], &[2]]);
    let call = &parcels[0].call;
    assert_eq!(
        (call.method, &*call.target),
        ("POST", "/in/press/Line/A/data")
    );
    assert_eq!(header(call, "content-type"), "application/json");
    assert_eq!(
        header(call, "idempotency-key"),
        "\"a1b2c3d4-n-0000000000000001..a1b2c3d4-n-0000000000000003\""
    );
    assert_eq!(header(call, "x-fieldgate-count"), "2");
    assert_eq!(header(call, "ce-specversion"), "1.0");
    assert_eq!(header(call, "ce-subject"), "Line%252FA/data");
    let body: Json = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["q"]["Id"], "a1b2c3d4-n-0000000000000003");
    let second = &parcels[1].call;
    assert_eq!(second.target, "/in/press/%C3%96fen/data");
    assert_eq!(
        header(second, "idempotency-key"),
        "\"a1b2c3d4-n-0000000000000002\""
    );
    assert!(header(second, "ce-subject").is_ascii());
}

#[test]
fn json_stands_in_arrays_or_lines_as_far_as_url_and_size_allow() {
    let readings: Vec<Sequenced> = (1..=6)
        .map(|seq| sequenced(seq, if seq % 3 == 0 { "B" } else { "A" }, "p", seq))
        .collect();
    let check = |settings: Json, bytes: usize, expected: &[&[u64]]| {
        let parcels = encoder(settings).parcels(&readings, bytes);
        let seqs: Vec<&[u64]> = parcels.iter().map(|parcel| &parcel.seqs[..]).collect();
        assert_eq!(seqs, expected);
        for parcel in &parcels {
            assert!(
                parcel.seqs.len() == 1 || parcel.bytes <= bytes,
                "{parcel:?}"
            );
        }
        parcels
    };
    let all = json!({ "url": "https://h/in", "format": "json" });
    let parcels = check(all.clone(), 1 << 20, &[&[1, 2, 3, 4, 5, 6]]);
    let body: Json = serde_json::from_slice(&parcels[0].call.body).unwrap();
    assert_eq!(body.as_array().unwrap().len(), 6);
    assert_eq!(body[5]["id"], "a1b2c3d4-n-0000000000000006");
    let one = parcels[0].bytes / 6;
    check(all.clone(), 3 * one + 3, &[&[1, 2, 3], &[4, 5, 6]]);
    check(all, 1, &[&[1], &[2], &[3], &[4], &[5], &[6]]);
    check(
        json!({ "url": "https://h/in/{device}", "format": "json" }),
        1 << 20,
        &[&[1, 2, 4, 5], &[3, 6]],
    );
    let lines =
        json!({ "url": "https://h/{name}", "format": "json", "list": "lines", "method": "PUT" });
    let parcels = check(lines, 1 << 20, &[&[1, 2, 3, 4, 5, 6]]);
    let call = &parcels[0].call;
    assert_eq!(
        call.target,
        "/20261129T183000.250Z-a1b2c3d4-n-0000000000000001.jsonl"
    );
    assert_eq!(
        (call.method, header(call, "content-type")),
        ("PUT", "application/x-ndjson")
    );
    let text = String::from_utf8(call.body.to_vec()).unwrap();
    assert!(text.ends_with('\n'));
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    assert_eq!(lines.count(), 6);
}

#[test]
fn halves_have_every_reading_once() {
    let readings: Vec<Sequenced> = (1..=5).map(|seq| sequenced(seq, "A", "p", seq)).collect();
    for settings in [
        json!({ "url": "https://h/in", "format": "json" }),
        json!({ "url": "https://h/in" }),
    ] {
        let halves = encoder(settings).halves(&readings, &[1, 2, 4, 5], 1 << 20);
        let seqs: Vec<u64> = halves.iter().flat_map(|half| half.seqs.clone()).collect();
        assert_eq!(seqs, [1, 2, 4, 5]);
        assert!(halves.len() >= 2);
    }
}

#[test]
fn a_compressed_body_is_the_same_body() {
    let text = "x".repeat(5000);
    let readings = [sequenced(1, "A", "p", &*text)];
    let [plain, packed] = [false, true].map(|gzip| {
        let settings = json!({ "url": "https://h/in", "gzip": gzip });
        encoder(settings).parcels(&readings, usize::MAX).remove(0)
    });
    assert_eq!(header(&packed.call, "content-encoding"), "gzip");
    assert!(packed.call.body.len() < 500 && packed.bytes == plain.bytes);
    let mut body = Vec::new();
    GzDecoder::new(&packed.call.body[..])
        .read_to_end(&mut body)
        .unwrap();
    assert_eq!(body, plain.call.body);
    assert_eq!(header(&plain.call, "content-encoding"), "");
}

#[test]
fn pictures_go_by_themselves_and_say_what_they_are() {
    let jpeg = Value::Blob {
        media_type: "image/jpeg".into(),
        data: Bytes::from_static(b"\xff\xd8"),
    };
    let readings = [
        sequenced(1, "Gate", "motion", true),
        sequenced(2, "Gate", "Bild ü", jpeg),
        sequenced(3, "Gate", "motion", false),
    ];
    let with = encoder(json!({ "url": "https://h/in", "files": "https://h/up/{device}/{name}" }));
    let loads = with.loads(&readings);
    assert_eq!(loads.len(), 3);
    let Load::Picture(of, picture) = loads[1] else {
        panic!("{loads:?}");
    };
    let call = with.picture(of, picture);
    assert_eq!(call.method, "PUT");
    assert_eq!(
        call.target,
        "/up/Gate/20261129T183000.250Z-a1b2c3d4-n-0000000000000002.jpg"
    );
    assert_eq!(&call.body[..], b"\xff\xd8");
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("x-fieldgate-point", "press/Gate/Bild %C3%BC"),
        ("x-fieldgate-at", "2026-11-29T18:30:00.250Z"),
        ("x-fieldgate-id", "a1b2c3d4-n-0000000000000002"),
        ("x-fieldgate-gateway", "line-4"),
    ] {
        assert_eq!(header(&call, name), value);
    }
    // Without a place for files they are readings like all others.
    let without = encoder(json!({ "url": "https://h/in" }));
    assert_eq!(without.loads(&readings), [Load::Readings(&readings)]);
    let hostile = Picture {
        media_type: "a/b\r\nx: y",
        data: picture.data,
    };
    assert_eq!(
        header(&with.picture(of, hostile), "content-type"),
        "application/octet-stream"
    );
}

#[test]
fn parts_are_objects_with_a_manifest_or_ranges() {
    let part = |part: u64| ClipPart {
        clip: "c-1".into(),
        name: "gate.mp4".into(),
        media_type: "video/mp4".into(),
        part,
        parts: 2,
        offset: part * MAX_PART_BYTES as u64,
        bytes: MAX_PART_BYTES as u64 + 3,
        sha256: "0".repeat(64),
        data: match part {
            0 => vec![1; MAX_PART_BYTES].into(),
            _ => Bytes::from_static(b"end"),
        },
    };
    let readings = [0, 1].map(|n| sequenced(n + 1, "Gate", "clip", part(n).into_value()));
    let files = json!({ "url": "https://h/in", "files": "https://h/up/{name}" });
    let objects = encoder(files.clone());
    assert!(matches!(
        objects.loads(&readings)[..],
        [Load::Part(..), Load::Part(..)]
    ));
    let calls = [0, 1].map(|n| objects.part(&readings[n], &part(n as u64)));
    assert_eq!(calls[0].target, "/up/gate.mp4.part0000");
    assert_eq!(calls[1].target, "/up/gate.mp4.part0001");
    assert_eq!(header(&calls[1], "content-range"), "");
    let manifest = objects.manifest(&readings[1], &part(1));
    assert_eq!(manifest.target, "/up/gate.mp4.json");
    let manifest: Json = serde_json::from_slice(&manifest.body).unwrap();
    assert_eq!(
        manifest["parts"],
        json!(["gate.mp4.part0000", "gate.mp4.part0001"])
    );
    assert_eq!(manifest["bytes"], MAX_PART_BYTES + 3);

    let mut files = files;
    files["parts"] = json!("ranges");
    let ranges = encoder(files);
    let call = ranges.part(&readings[1], &part(1));
    assert_eq!(call.target, "/up/gate.mp4");
    assert_eq!(
        header(&call, "content-range"),
        "bytes 4194304-4194306/4194307"
    );
    assert_eq!(header(&call, "x-fieldgate-clip"), "c-1");
}
