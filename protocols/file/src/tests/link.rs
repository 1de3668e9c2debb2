//! A link whose driver runs, the readings that go over it, and what lies in a folder afterwards.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_kit::{
    AddressBook, Batch, BoxSink, ClipPart, Destination, Intake, Link, Origin, Receipt, Secrets,
    Sequenced, SinkCtx, SinkError,
};
use fieldgate_model::{PointId, Reading, TimeQuality, Timestamp, Value};
use futures::future::BoxFuture;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tower::{Service, ServiceExt};

pub(super) struct TestLink {
    sink: BoxSink,
    driver: BoxFuture<'static, Result<(), SinkError>>,
}

/// A reading under construction.
#[derive(Clone)]
pub(super) struct Draft(Sequenced);

// === impl TestLink ===

impl TestLink {
    pub async fn connect(settings: Json) -> Result<Self, SinkError> {
        let settings: crate::Settings = serde_json::from_value(settings).unwrap();
        assert!(settings.problems().is_empty());
        let ctx = SinkCtx {
            id: "disk".into(),
            secrets: Secrets::new("/nowhere".into(), "/nowhere".into()),
            state_dir: "/nowhere".into(),
            book: AddressBook {
                gateway: "line-4".into(),
                gateway_id: "a1b2c3d4".into(),
                version: "0.1.0".into(),
                config_revision: 7,
            },
            commands: Intake::default(),
        };
        let Link { sink, driver, .. } = crate::File::connect(Arc::new(settings), ctx).await?;
        Ok(Self { sink, driver })
    }

    pub async fn send(&mut self, batch: Batch) -> Result<Receipt, SinkError> {
        let answer = self.sink.ready().await?.call(batch);
        tokio::select! {
            answer = answer => answer,
            ended = &mut self.driver => panic!("the driver ended: {ended:?}"),
        }
    }

    /// Lets the driver run until it is so.
    pub async fn until(&mut self, condition: impl Fn() -> bool) {
        let looks = async {
            let mut look = tokio::time::interval(Duration::from_millis(10));
            while !condition() {
                look.tick().await;
            }
        };
        tokio::select! {
            waited = tokio::time::timeout(Duration::from_secs(20), looks) => waited.unwrap(),
            ended = &mut self.driver => panic!("the driver ended: {ended:?}"),
        }
    }
}

pub(super) fn batch(readings: impl IntoIterator<Item = Draft>) -> Batch {
    let readings: Vec<Sequenced> = readings.into_iter().map(|draft| draft.0).collect();
    Batch {
        lane: readings[0].origin.lane,
        readings: readings.into(),
    }
}

/// A reading whose value is its number, a millisecond after the one before.
pub(super) fn reading(seq: u64, device: &str) -> Draft {
    let at = Timestamp::from_millis(1_790_000_800_000 + i64::try_from(seq).unwrap());
    let point = PointId::new("press", device, "p").unwrap();
    Draft(Sequenced {
        seq,
        time_quality: TimeQuality::default(),
        origin: Origin { lane: 'n', seq },
        reading: Reading::new(point, seq, at),
    })
}

/// A clip of so many parts with so many bytes each, its first part with this number; and the whole.
pub(super) fn clip(first: u64, id: &str, parts: u64, part_bytes: usize) -> (Vec<Draft>, Vec<u8>) {
    let salt = usize::from(id.as_bytes()[id.len() - 1]);
    let whole: Vec<u8> = (0..part_bytes * usize::try_from(parts).unwrap())
        .map(|n| u8::try_from((n * 7 + n / 251 + salt) % 256).unwrap())
        .collect();
    let sha256: String = Sha256::digest(&whole)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let chunks = (0..).zip(whole.chunks(part_bytes));
    let drafts = chunks.map(|(part, data): (u64, &[u8])| {
        let value = ClipPart {
            clip: id.to_owned(),
            name: "gate.mp4".to_owned(),
            media_type: "video/mp4".to_owned(),
            part,
            parts,
            offset: part * part_bytes as u64,
            bytes: whole.len() as u64,
            sha256: sha256.clone(),
            data: Bytes::copy_from_slice(data),
        };
        let mut draft = reading(first + part, "Gate").point("clip");
        draft.0.reading.value = value.into_value();
        draft
    });
    (drafts.collect(), whole)
}

/// The files below a folder, in the order of their names.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(
                    path.strip_prefix(folder)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    found.sort();
    found
}

/// The numbers of all readings in files of lines, file by file.
pub(super) fn lines(folder: &Path) -> Vec<u64> {
    let names = files(folder)
        .into_iter()
        .filter(|name| name.ends_with(".jsonl"));
    let texts = names.map(|name| fs::read_to_string(folder.join(name)).unwrap());
    let number = |line: &str| {
        let json: Json = serde_json::from_str(line).unwrap();
        json["value"].as_u64().unwrap()
    };
    texts
        .flat_map(|text| text.lines().map(number).collect::<Vec<_>>())
        .collect()
}

// === impl Draft ===

impl Draft {
    pub fn point(mut self, name: &str) -> Self {
        self.0.reading.point = self.0.reading.point.with_point(name).unwrap();
        self
    }

    pub fn lane(mut self, lane: char) -> Self {
        self.0.origin.lane = lane;
        self
    }

    pub fn seq(mut self, seq: u64) -> Self {
        (self.0.seq, self.0.origin.seq) = (seq, seq);
        self
    }

    /// The same bytes as another part of the clip.
    pub fn part(mut self, number: u64, part_bytes: u64) -> Self {
        let mut part = ClipPart::of(&self.0.reading.value).unwrap();
        (part.part, part.offset) = (number, number * part_bytes);
        self.0.reading.value = part.into_value();
        self
    }

    pub fn picture(mut self, data: &'static [u8]) -> Self {
        self.0.reading.value = Value::Blob {
            media_type: "image/jpeg".to_owned(),
            data: Bytes::from_static(data),
        };
        self
    }
}
