//! Dead letters: readings that a destination refused for their own sake, kept with its words.

use bytes::Bytes;
use fieldgate_model::{Reading, Timestamp};
use fieldgate_store::{
    AppendError, Closed, Entry, Lane, PeekLimits, RouteMask, Seq, Stamp, StoreError, Urgency,
};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
/// The most dead letters that are read for a list.
const LISTED: u64 = 200;

/// One refused reading. On the disk a version byte and its postcard encoding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    pub message_id: String,
    pub destination: String,
    /// The destination's own words.
    pub why: String,
    pub refused_at: Timestamp,
    /// The record's frame, as it lay in its lane.
    pub frame: Bytes,
}

impl Letter {
    /// The reading, when its frame can be read.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        crate::pipeline::frame::decode(&self.frame).ok()
    }
}

/// Keeps letters; returns when they are on the disk and synced.
///
/// # Errors
/// When the disk refuses. The readings then stay pending.
pub async fn bury(lane: &Lane, letters: &[Letter]) -> Result<(), AppendError> {
    let entry = |letter: &Letter| Entry {
        // The dead lane has no routes; one bit stands for "kept until it makes room".
        routes: RouteMask(1),
        at: Stamp::from_wall(letter.refused_at.millis()),
        body: Bytes::from(encode(letter)),
    };
    let entries = letters.iter().map(entry).collect();
    let ticket = lane
        .append(entries, Urgency::Waiting)
        .await
        .map_err(|Closed| AppendError::Closed)?;
    ticket.await.map(|_| ())
}

/// The newest letters, the newest first.
///
/// # Errors
/// When the disk cannot be read.
pub async fn list(lane: &Lane) -> Result<Vec<Letter>, StoreError> {
    let last = *lane.durable().borrow();
    let after = Seq(last.0.saturating_sub(LISTED));
    let limits = PeekLimits {
        records: LISTED as usize,
        bytes: 4 << 20,
    };
    let page = lane.peek(after, RouteMask::ALL, limits).await?;
    Ok(page
        .records
        .iter()
        .rev()
        .filter_map(|record| decode(record.body.bytes().ok()?))
        .collect())
}

fn encode(letter: &Letter) -> Vec<u8> {
    postcard::to_extend(letter, vec![VERSION]).expect("a letter has no type that postcard refuses")
}

fn decode(bytes: &[u8]) -> Option<Letter> {
    let (&version, body) = bytes.split_first()?;
    (version == VERSION).then(|| postcard::from_bytes(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_survives_the_disk() {
        let letter = Letter {
            message_id: "00c0ffee-n-0000000000000007".into(),
            destination: "broker".into(),
            why: "not authorized (0x87)".into(),
            refused_at: Timestamp::from_millis(1),
            frame: Bytes::from_static(b"frame"),
        };
        assert_eq!(decode(&encode(&letter)), Some(letter));
        assert_eq!(decode(b""), None);
    }
}
