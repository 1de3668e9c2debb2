//! A destination's link without a gateway: its sink, with its driver on a thread of its own, for what no source makes yet.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use fieldgate_kit::{
    AddressBook, Batch, BoxSink, ClipPart, Destination, Intake, Link, Origin, Receipt, Secrets,
    Sequenced, SinkCtx, SinkError,
};
use fieldgate_model::{PointId, Reading, TimeQuality, Timestamp};
use futures::future::BoxFuture;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tower::{Service, ServiceExt};

/// A link that is up.
pub struct OpenLink {
    sink: BoxSink,
    driver: BoxFuture<'static, Result<(), SinkError>>,
}

/// A clip in parts, each a reading.
#[derive(Debug, Clone)]
pub struct Clip {
    pub parts: Vec<Sequenced>,
    pub whole: Vec<u8>,
    pub sha256: String,
}

// === impl OpenLink ===

impl OpenLink {
    /// A link of this destination with these settings.
    ///
    /// # Errors
    /// When it cannot be made.
    ///
    /// # Panics
    /// When the settings are none.
    pub async fn connect<D: Destination>(settings: Json, state: &Path) -> Result<Self, SinkError> {
        let settings: D::Settings = serde_json::from_value(settings).expect("good settings");
        let problems = D::check(&settings);
        assert!(problems.is_empty(), "{problems:?}");
        let ctx = SinkCtx {
            id: "far".into(),
            secrets: Secrets::new(state.to_owned(), state.to_owned()),
            state_dir: state.to_owned(),
            book: AddressBook {
                gateway: "test".into(),
                gateway_id: "a1b2c3d4".into(),
                version: "0.1.0".into(),
                config_revision: 1,
            },
            commands: Intake::default(),
        };
        let Link { sink, driver, .. } = D::connect(Arc::new(settings), ctx).await?;
        Ok(Self { sink, driver })
    }

    /// Sends readings, and waits for the answer.
    ///
    /// # Errors
    /// When the link is lost.
    pub async fn send(&mut self, readings: &[Sequenced]) -> Result<Receipt, SinkError> {
        let batch = Batch {
            lane: 'n',
            readings: readings.into(),
        };
        let answer = self.sink.ready().await?.call(batch);
        tokio::select! {
            answer = answer => answer,
            ended = &mut self.driver => Err(ended.err().unwrap_or_else(|| SinkError::Unreachable("it ended".to_owned()))),
        }
    }
}

// === impl Clip ===

impl Clip {
    /// A clip of so many bytes.
    ///
    /// # Panics
    /// Never: its names are good.
    #[must_use]
    pub fn new(name: &str, bytes: usize, part_bytes: usize) -> Self {
        // No two parts are alike, and nothing compresses well.
        let mut state = 1u64;
        let whole: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(bytes)
        .collect();
        let sha256 = sha256(&whole);
        let chunks: Vec<&[u8]> = whole.chunks(part_bytes).collect();
        let point = PointId::new("gate", "Door", "clip").expect("a good name");
        let parts = chunks.iter().zip(0u64..).map(|(data, part)| {
            let value = ClipPart {
                clip: "c-1".to_owned(),
                name: name.to_owned(),
                media_type: "video/mp4".to_owned(),
                part,
                parts: chunks.len() as u64,
                offset: part * part_bytes as u64,
                bytes: bytes as u64,
                sha256: sha256.clone(),
                data: Bytes::copy_from_slice(data),
            };
            let at = Timestamp::from_millis(1_790_000_000_000);
            let seq = part + 1;
            Sequenced {
                seq,
                time_quality: TimeQuality::default(),
                origin: Origin { lane: 'n', seq },
                reading: Reading::new(point.clone(), value.into_value(), at),
            }
        });
        Self {
            parts: parts.collect(),
            whole: whole.clone(),
            sha256,
        }
    }
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
