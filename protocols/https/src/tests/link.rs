//! A link whose driver runs, and the readings that go over it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicUsize},
};

use bytes::Bytes;
use fieldgate_kit::{
    AddressBook, Batch, BoxSink, ClipPart, Intake, Link, Origin, Receipt, Secrets, Sequenced,
    SinkCtx, SinkError,
};
use fieldgate_model::{PointId, Reading, TimeQuality, Timestamp, Value};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use serde_json::Value as Json;
use tower::{Service, ServiceExt};

use crate::{
    connection,
    guard::{Resolver, Surroundings},
};

pub(super) struct TestLink {
    sink: BoxSink,
    driver: BoxFuture<'static, Result<(), SinkError>>,
    pub words: String,
}

/// A reading under construction.
#[derive(Clone)]
pub(super) struct Draft(pub Sequenced);

/// Names are looked up here; each time the next answer, the last one again and again.
pub(super) struct Names {
    pub answers: Vec<SocketAddr>,
    pub asked: Arc<AtomicUsize>,
}

impl Resolver for Names {
    fn look_up<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        let turn = self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = self.answers[turn.min(self.answers.len() - 1)];
        async move { Ok(vec![answer]) }.boxed()
    }
}

// === impl TestLink ===

impl TestLink {
    /// With what is local allowed, since the tests' servers are.
    pub async fn connect(mut settings: Json) -> Result<Self, SinkError> {
        settings["allow_local"] = true.into();
        // The servers of the tests are in this process.
        let surroundings = Surroundings {
            own_ports: Vec::new,
            ..Surroundings::of_this_machine()
        };
        Self::among(settings, surroundings).await
    }

    pub async fn among(settings: Json, surroundings: Surroundings) -> Result<Self, SinkError> {
        let settings = Arc::new(serde_json::from_value(settings).unwrap());
        let Link {
            sink,
            driver,
            words,
            ..
        } = connection::connect(settings, context(), surroundings).await?;
        Ok(Self {
            sink,
            driver,
            words,
        })
    }

    pub async fn send(&mut self, batch: Batch) -> Result<Receipt, SinkError> {
        self.send_all(vec![batch]).await.remove(0)
    }

    /// All of them under way at once.
    pub async fn send_all(&mut self, batches: Vec<Batch>) -> Vec<Result<Receipt, SinkError>> {
        let mut answers = Vec::new();
        for batch in batches {
            self.sink.ready().await.unwrap();
            answers.push(self.sink.call(batch));
        }
        tokio::select! {
            answers = join_all(answers) => answers,
            ended = &mut self.driver => panic!("the driver ended: {ended:?}"),
        }
    }
}

pub(super) fn context() -> SinkCtx {
    SinkCtx {
        id: "cloud".into(),
        secrets: Secrets::new(PathBuf::from("/nowhere"), PathBuf::from("/nowhere")),
        state_dir: PathBuf::from("/nowhere"),
        book: AddressBook {
            gateway: "line-4".into(),
            gateway_id: "a1b2c3d4".into(),
            version: "0.1.0".into(),
            config_revision: 7,
        },
        commands: Intake::default(),
    }
}

pub(super) fn batch(readings: impl IntoIterator<Item = Draft>) -> Batch {
    Batch {
        lane: 'n',
        readings: readings.into_iter().map(|draft| draft.0).collect(),
    }
}

/// A reading whose value is its number.
pub(super) fn reading(seq: u64, device: &str) -> Draft {
    let at = Timestamp::from_millis(1_790_000_000_000);
    let point = PointId::new("press", device, "p").unwrap();
    Draft(Sequenced {
        seq,
        time_quality: TimeQuality::default(),
        origin: Origin { lane: 'n', seq },
        reading: Reading::new(point, seq, at),
    })
}

/// A clip of so many parts with so many bytes each, its first part with this number.
pub(super) fn clip(first: u64, parts: u64, part_bytes: usize) -> Vec<Draft> {
    let part = |part: u64| {
        let size = part_bytes as u64;
        let value = ClipPart {
            clip: "c-1".into(),
            name: "gate.mp4".into(),
            media_type: "video/mp4".into(),
            part,
            parts,
            offset: part * size,
            bytes: parts * size,
            sha256: "0".repeat(64),
            data: vec![u8::try_from(part).unwrap(); part_bytes].into(),
        };
        let mut draft = reading(first + part, "A").point("clip");
        draft.0.reading.value = value.into_value();
        draft
    };
    (0..parts).map(part).collect()
}

/// The values in a body of the format `json`.
pub(super) fn numbers(body: &[u8]) -> Vec<u64> {
    let list: Vec<Json> = serde_json::from_slice(body).unwrap();
    let id = |reading: &Json| {
        let id = reading["id"].as_str().unwrap().rsplit('-').next().unwrap();
        u64::from_str_radix(id, 16).unwrap()
    };
    list.iter().map(id).collect()
}

// === impl Draft ===

impl Draft {
    pub fn point(mut self, name: &str) -> Self {
        self.0.reading.point = self.0.reading.point.with_point(name).unwrap();
        self
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.reading.value = Value::Text(text.to_owned());
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
