//! A retry: letters go back into their lanes under the ids that they always had, and leave the shelf when that is durable.

use std::io;

use fieldgate_kit::Origin;
use fieldgate_store::{Entry, Lane, RouteMask, Stamp, Urgency};

use super::{DeadLetters, Kept, Letter};
use crate::{
    lanes::{LaneKind, Lanes},
    pipeline::frame,
};

/// Letters that go back at once, in one append to each lane.
const AT_ONCE: usize = 200;

/// What became of the letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    pub done: u64,
    /// No route leads to their destination any more, or their bytes cannot be read.
    pub stuck: u64,
}

impl DeadLetters {
    /// Puts letters back into their lanes, as accepted now. `ids` in ascending order.
    ///
    /// # Errors
    /// When a disk refuses; what had gone back by then has left the shelf.
    pub async fn retry(&self, lanes: &Lanes, ids: &[u64], at: Stamp) -> io::Result<Retried> {
        let mut retried = Retried::default();
        for some in ids.chunks(AT_ONCE) {
            let kept = self.read(some).await.map_err(io::Error::other)?;
            for kind in LaneKind::ALL {
                let of_lane: Vec<_> = kept
                    .iter()
                    .filter_map(|kept| Some((kept, entry(lanes, kind, &kept.letter, at)?)))
                    .collect();
                retried.done += self.put_back(lanes.get(kind), of_lane).await?;
            }
            let stuck = kept.iter().filter(|kept| is_stuck(lanes, &kept.letter, at));
            retried.stuck += stuck.count() as u64;
        }
        Ok(retried)
    }

    async fn put_back(&self, lane: &Lane, letters: Vec<(&Kept, Entry)>) -> io::Result<u64> {
        if letters.is_empty() {
            return Ok(0);
        }
        let (kept, entries): (Vec<&Kept>, Vec<Entry>) = letters.into_iter().unzip();
        // Before they can be refused once more.
        self.remember(&kept);
        let ticket = lane.append(entries, Urgency::Waiting).await;
        let ticket = ticket.map_err(io::Error::other)?;
        ticket.await.map_err(io::Error::other)?;
        self.take_away(&kept).await
    }
}

/// The letter as a record of its lane; none when it is of another one, or stuck.
fn entry(lanes: &Lanes, kind: LaneKind, letter: &Letter, at: Stamp) -> Option<Entry> {
    let (lane, seq) = letter.origin().filter(|(lane, _)| *lane == kind)?;
    let origin = Origin {
        lane: lane.letter(),
        seq,
    };
    Some(Entry {
        routes: routes(lanes.get(kind), letter)?,
        at,
        body: frame::keep_origin(&letter.frame, origin).ok()?.into(),
    })
}

fn is_stuck(lanes: &Lanes, letter: &Letter, at: Stamp) -> bool {
    let goes = |kind| entry(lanes, kind, letter, at).is_some();
    !LaneKind::ALL.into_iter().any(goes)
}

/// The letter's routes that are still there, or else any one that leads to its destination.
fn routes(lane: &Lane, letter: &Letter) -> Option<RouteMask> {
    let there = lane.routes_of(&letter.destination).into_iter();
    let there: Vec<_> = there.filter(|(_, _, retiring)| !retiring).collect();
    let own = there.iter().filter(|(key, ..)| letter.routes.contains(key));
    let mask: RouteMask = own.map(|(_, bit, _)| *bit).collect();
    match mask.is_empty() {
        false => Some(mask),
        true => there.first().map(|(_, bit, _)| (*bit).into()),
    }
}
