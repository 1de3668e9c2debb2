//! `DeadLetters`: the shelf of letters: the dead lane, its index in memory, and what was decided.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use fieldgate_store::{
    AppendError, Body, Closed, Entry, Exit, Lane, LaneStats, PeekLimits, RouteBit, RouteMask, Seq,
    Stamp, StoreError, Tally, Urgency,
};

use super::{
    index::{Choice, Group, Index},
    letter::{Letter, Refused},
    resolved::Resolved,
};

/// The lane's only consumer, which stands before the oldest letter that is kept, and its route.
const CONSUMER: &str = "dead letters";
const ROUTE: &str = "kept→dead letters";
/// How much is read at once.
const READ: PeekLimits = PeekLimits {
    records: 1000,
    bytes: 4 << 20,
};
/// What stands for a letter whose bytes cannot be read, so that it is listed, too.
const UNREADABLE: &str = "the letter's bytes cannot be read";

/// How much is kept; beyond either figure the oldest letters make room, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Really on the disk.
    pub bytes: u64,
    pub letters: usize,
}

/// Why the shelf cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Lane(#[from] StoreError),
    #[error("cannot read {path}: {source}; move it away, and letters that were decided come back")]
    Document { path: PathBuf, source: io::Error },
}

/// A letter with its number on the shelf.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub id: u64,
    pub letter: Letter,
}

/// How many letters there are, and where the others went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub letters: u64,
    pub retried: u64,
    pub purged: u64,
    pub displaced: u64,
}

/// A lane takes no record of more than a quarter of its bytes; the shelf has 64 MiB.
const MOST_FRAME_BYTES: usize = 15 << 20;

/// The shelf. Clones are handles of the same one.
#[derive(Clone)]
pub struct DeadLetters {
    inner: Arc<Inner>,
}

struct Inner {
    lane: Lane,
    bit: RouteBit,
    most_letters: usize,
    document: PathBuf,
    /// One writer of the document at a time.
    saving: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    index: Index,
    resolved: Resolved,
    /// The index knows every letter on the disk that nobody has decided about.
    loaded: bool,
    /// Letters that were written before there was a consumer, and are to be written again: the last of them.
    adopt_through: Option<Seq>,
    /// The last letter that the index was told of.
    seen: u64,
    /// Letters are on their way in or out, and the index may not know them: the cursor stands still.
    under_way: u32,
}

/// Letters on their way. When it is dropped unfinished, the index is read anew.
struct UnderWay<'a> {
    shelf: &'a DeadLetters,
    finished: bool,
}

/// Words and frame of a letter. One that would take most of the shelf is kept without its frame: it can be told of, not
/// retried, and stands in nobody's way.
fn fitting(refused: &Refused) -> (String, Bytes) {
    let bytes = refused.frame.len();
    if bytes <= MOST_FRAME_BYTES {
        return (refused.why.clone(), refused.frame.clone());
    }
    let why = format!(
        "{} (its {bytes} bytes are not kept: a dead letter has {MOST_FRAME_BYTES} at most)",
        refused.why
    );
    (why, Bytes::new())
}

// === impl DeadLetters: opening, burying, closing ===

impl DeadLetters {
    /// Takes over the lane. Blocks.
    ///
    /// # Errors
    /// When the lane or the document of decisions cannot be used.
    pub fn open(lane: Lane, document: PathBuf, quota: Quota) -> Result<Self, OpenError> {
        let known = lane.consumers().iter().any(|name| name == CONSUMER);
        let before = *lane.durable().borrow();
        let cursor = lane.consumer(CONSUMER)?;
        let bit = lane.route_bit(ROUTE, CONSUMER)?;
        let resolved = Resolved::load(&document);
        let resolved = resolved.map_err(|source| OpenError::Document {
            path: document.clone(),
            source,
        })?;
        let state = State {
            resolved,
            adopt_through: (!known && before > Seq(0)).then_some(before),
            seen: cursor.through.0,
            ..State::default()
        };
        Ok(Self {
            inner: Arc::new(Inner {
                lane,
                bit,
                most_letters: quota.letters,
                document,
                saving: Mutex::new(()),
                state: Mutex::new(state),
            }),
        })
    }

    /// Keeps what a destination refused; returns when it is on the disk and synced. `from` is the lane it comes from.
    ///
    /// # Errors
    /// When the disk refuses. The readings then stay pending.
    pub async fn bury(&self, from: &Lane, refused: &[Refused]) -> Result<(), AppendError> {
        let letters = self.letters(from, refused);
        let under_way = self.under_way();
        let appended = self.append(&letters).await;
        let first = match appended {
            Ok(first) => first,
            Err(error) => {
                under_way.finish(|_| {});
                return Err(error);
            }
        };
        under_way.finish(|state| {
            for (letter, id) in letters.iter().zip(first..) {
                state.index.insert(id, letter);
                state.seen = state.seen.max(id);
            }
        });
        Ok(())
    }

    /// Saves what was decided, and closes the lane.
    ///
    /// # Errors
    /// When the lane does not close in an orderly way.
    pub async fn close(self) -> Result<(), StoreError> {
        if let Err(error) = self.save().await {
            tracing::warn!(%error, "what was decided about dead letters could not be saved");
        }
        self.inner.lane.clone().close().await
    }

    /// The lane that they lie in.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.inner.lane
    }

    /// The lane's figures.
    #[must_use]
    pub fn stats(&self) -> LaneStats {
        self.inner.lane.stats()
    }

    /// How many letters are kept; exact once they were looked at.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let pending = self.inner.lane.balance();
        let pending = pending.iter().find(|route| route.key == ROUTE);
        let state = self.state();
        Counts {
            letters: match state.loaded {
                true => state.index.len() as u64,
                false => pending.map_or(0, |route| u64::try_from(route.pending).unwrap_or(0)),
            },
            retried: state.resolved.retried_total,
            purged: state.resolved.purged_total,
            displaced: state.resolved.displaced_total,
        }
    }

    fn letters(&self, from: &Lane, refused: &[Refused]) -> Vec<Letter> {
        let mut state = self.state();
        let letter = |refused: &Refused| {
            let before = state
                .resolved
                .recall(&refused.message_id, &refused.destination);
            let (attempts, first) = before.unwrap_or((0, refused.refused_at));
            let routes = from.routes_of(&refused.destination).into_iter();
            let (why, frame) = fitting(refused);
            Letter {
                message_id: refused.message_id.clone(),
                destination: refused.destination.clone(),
                why,
                refused_at: refused.refused_at,
                frame,
                routes: routes
                    .filter(|(_, bit, _)| refused.routes.contains(*bit))
                    .map(|(key, _, _)| key)
                    .collect(),
                first_refused_at: first,
                attempts: attempts + 1,
            }
        };
        refused.iter().map(letter).collect()
    }

    /// Writes letters at the end of the lane; the number of the first.
    async fn append(&self, letters: &[Letter]) -> Result<u64, AppendError> {
        let entry = |letter: &Letter| Entry {
            routes: RouteMask::from(self.inner.bit),
            at: Stamp::from_wall(letter.refused_at.millis()),
            body: letter.encode(),
        };
        let entries = letters.iter().map(entry).collect();
        let ticket = self.inner.lane.append(entries, Urgency::Waiting).await;
        let appended = ticket.map_err(|Closed| AppendError::Closed)?.await?;
        Ok(appended.first.0)
    }
}

// === impl DeadLetters: looking ===

impl DeadLetters {
    /// Has the index know every letter; reads the whole lane the first time.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn load(&self) -> Result<(), StoreError> {
        let (loaded, adopt_through) = {
            let state = self.state();
            (state.loaded, state.adopt_through)
        };
        if loaded {
            return Ok(());
        }
        if let Some(through) = adopt_through {
            self.adopt(through).await?;
        }
        let mut found = Vec::new();
        let mut after = self.inner.lane.consumer(CONSUMER)?.through;
        let end = *self.inner.lane.durable().borrow();
        while after < end {
            let page = self.inner.lane.peek(after, RouteMask::ALL, READ).await?;
            let letters = page.records.iter();
            found.extend(letters.map(|record| (record.seq.0, readable(&record.body))));
            after = page.scanned_through;
        }
        let mut state = self.state();
        if !state.loaded {
            for (id, letter) in found {
                let decided =
                    state.resolved.retried.contains(id) || state.resolved.purged.contains(id);
                if !decided {
                    state.index.insert(id, &letter);
                }
            }
            state.seen = state.seen.max(end.0);
            state.loaded = true;
        }
        Ok(())
    }

    /// Letters by destination and reason, the largest group first.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        self.load().await?;
        self.forget_displaced();
        Ok(self.state().index.groups())
    }

    /// The numbers of the chosen letters, the oldest first.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn select(&self, choice: &Choice) -> Result<Vec<u64>, StoreError> {
        self.load().await?;
        self.forget_displaced();
        Ok(self.state().index.select(choice))
    }

    /// Reads letters; `ids` in ascending order. What made room in the meantime is left out.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub async fn read(&self, ids: &[u64]) -> Result<Vec<Kept>, StoreError> {
        let mut kept = Vec::with_capacity(ids.len());
        let mut rest = ids;
        while let Some(first) = rest.first() {
            let after = Seq(first.saturating_sub(1));
            let page = self
                .inner
                .lane
                .peek(after, RouteMask::ALL, self.limits(rest))
                .await?;
            let end = page.scanned_through.0.max(*first);
            let count = rest.partition_point(|id| *id <= end);
            for record in &page.records {
                if rest[..count].binary_search(&record.seq.0).is_ok() {
                    let letter = readable(&record.body);
                    kept.push(Kept {
                        id: record.seq.0,
                        letter,
                    });
                }
            }
            rest = &rest[count..];
        }
        Ok(kept)
    }

    /// Reads ahead only as far as the wanted letters lie close together.
    fn limits(&self, ids: &[u64]) -> PeekLimits {
        let close = ids
            .windows(2)
            .take_while(|pair| pair[1] - pair[0] < 8)
            .count();
        let span = ids[close] - ids[0] + 1;
        PeekLimits {
            records: usize::try_from(span)
                .unwrap_or(usize::MAX)
                .min(READ.records),
            bytes: READ.bytes,
        }
    }

    /// Letters from before there was a consumer are written again, so that the lane keeps them.
    async fn adopt(&self, through: Seq) -> Result<(), StoreError> {
        let mut after = Seq(0);
        while after < through {
            let page = self.inner.lane.peek(after, RouteMask::ALL, READ).await?;
            let old = page
                .records
                .iter()
                .take_while(|record| record.seq <= through);
            let letters: Vec<Letter> = old
                .filter_map(|record| Letter::decode(record.body.bytes().ok()?))
                .collect();
            if !letters.is_empty() {
                let appended = self.append(&letters).await;
                appended.map_err(|_| StoreError::Closed)?;
            }
            after = page.scanned_through.max(after.next());
        }
        self.state().adopt_through = None;
        Ok(())
    }
}

// === impl DeadLetters: deciding ===

impl DeadLetters {
    /// Throws letters away, and says how many.
    ///
    /// # Errors
    /// When the disk cannot be read, or what was decided cannot be saved; the letters may come back then.
    pub async fn purge(&self, ids: &[u64]) -> io::Result<u64> {
        self.load().await.map_err(io::Error::other)?;
        let under_way = self.under_way();
        let mut purged = 0;
        under_way.finish(|state| {
            for id in ids {
                if state.index.remove(*id) {
                    state.resolved.purged.insert(*id);
                    purged += 1;
                }
            }
            state.resolved.purged_total += purged;
        });
        self.save().await?;
        Ok(purged)
    }

    /// Notes how often letters were refused that go back now.
    pub(super) fn remember(&self, letters: &[&Kept]) {
        let mut state = self.state();
        for Kept { letter, .. } in letters {
            let (id, destination) = (&letter.message_id, &letter.destination);
            let first = letter.first_refused_at;
            state
                .resolved
                .remember(id, destination, letter.attempts, first);
        }
    }

    /// Takes letters off the shelf that went back into their lanes, and says how many.
    pub(super) async fn take_away(&self, letters: &[&Kept]) -> io::Result<u64> {
        let under_way = self.under_way();
        let mut taken = 0;
        under_way.finish(|state| {
            for Kept { id, .. } in letters {
                if state.index.remove(*id) {
                    state.resolved.retried.insert(*id);
                    taken += 1;
                }
            }
            state.resolved.retried_total += taken;
        });
        self.save().await?;
        Ok(taken)
    }

    /// Saves what was decided.
    async fn save(&self) -> io::Result<()> {
        let inner = Arc::clone(&self.inner);
        let saving = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = locked(&inner.saving);
            let resolved = locked(&inner.state).resolved.clone();
            resolved.save(&inner.document)
        });
        saving.await.map_err(io::Error::other)?
    }

    fn under_way(&self) -> UnderWay<'_> {
        self.state().under_way += 1;
        UnderWay {
            shelf: self,
            finished: false,
        }
    }

    /// Letters that the lane dropped to make room.
    fn forget_displaced(&self) {
        let first = self.inner.lane.stats().first.0;
        let mut state = self.state();
        let displaced = state.index.forget_before(first);
        state.resolved.displaced_total += displaced;
        if displaced > 0 {
            state.resolved.retried.take_through(first - 1);
            state.resolved.purged.take_through(first - 1);
        }
    }

    /// Moves the cursor over what is decided, so that the lane may let go of it.
    fn advance(&self, state: &mut State) {
        while state.index.len() > self.inner.most_letters {
            let Some(oldest) = state.index.first() else {
                break;
            };
            state.index.remove(oldest);
            state.resolved.purged.insert(oldest);
            state.resolved.displaced_total += 1;
        }
        if state.under_way > 0 || !state.loaded {
            return;
        }
        let through = state.index.first().map_or(state.seen, |first| first - 1);
        let passed = self.inner.lane.consumer(CONSUMER);
        if passed.is_ok_and(|cursor| cursor.through.0 >= through) {
            return;
        }
        let mut tally = Tally::new();
        let retried = state.resolved.retried.take_through(through);
        let purged = state.resolved.purged.take_through(through);
        tally.add(self.inner.bit, Exit::Acked, retried);
        tally.add(self.inner.bit, Exit::Purged, purged);
        self.inner.lane.ack(CONSUMER, Seq(through), tally);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.inner.state)
    }
}

// === impl UnderWay ===

impl UnderWay<'_> {
    /// The letters have arrived: `settle` tells the index.
    fn finish(mut self, settle: impl FnOnce(&mut State)) {
        self.finished = true;
        let mut state = self.shelf.state();
        settle(&mut state);
        state.under_way -= 1;
        self.shelf.advance(&mut state);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let mut state = self.shelf.state();
            state.under_way -= 1;
            state.loaded = false;
        }
    }
}

fn readable(body: &Body) -> Letter {
    let bytes = body.bytes().cloned().unwrap_or_default();
    Letter::decode(&bytes).unwrap_or_else(|| Letter {
        message_id: String::new(),
        destination: String::new(),
        why: UNREADABLE.to_owned(),
        refused_at: fieldgate_model::Timestamp::default(),
        frame: bytes,
        routes: Vec::new(),
        first_refused_at: fieldgate_model::Timestamp::default(),
        attempts: 0,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fieldgate_model::Timestamp;
    use fieldgate_store::{LaneOptions, OnFull};

    use super::*;

    const QUOTA: Quota = Quota {
        bytes: 8 << 20,
        letters: 100,
    };

    fn lane(dir: &Path, name: &str) -> Lane {
        let options = LaneOptions::new(QUOTA.bytes, OnFull::DropOldest);
        Lane::open(&dir.join(name), options).unwrap().0
    }

    fn open(dir: &Path, quota: Quota) -> DeadLetters {
        DeadLetters::open(lane(dir, "dead"), dir.join("dead-letters.json"), quota).unwrap()
    }

    fn refused(numbers: std::ops::Range<u64>, why: &str) -> Vec<Refused> {
        let refused = |number| Refused {
            message_id: format!("00c0ffee-n-{number:016x}"),
            destination: "broker".into(),
            routes: RouteMask::EMPTY,
            why: why.into(),
            refused_at: Timestamp::from_millis(i64::try_from(number).unwrap()),
            frame: Bytes::from_static(b"\x01frame"),
        };
        numbers.map(refused).collect()
    }

    async fn ids(dead: &DeadLetters) -> Vec<u64> {
        dead.select(&Choice::default()).await.unwrap()
    }

    #[tokio::test]
    async fn letters_survive_and_what_was_decided_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let from = lane(dir.path(), "normal");
        let dead = open(dir.path(), QUOTA);
        dead.bury(&from, &refused(1..4, "no")).await.unwrap();
        dead.bury(&from, &refused(4..5, "never")).await.unwrap();
        assert_eq!(ids(&dead).await, [1, 2, 3, 4]);
        assert_eq!(dead.purge(&[1, 3, 9]).await.unwrap(), 2);
        dead.close().await.unwrap();

        let dead = open(dir.path(), QUOTA);
        assert_eq!(ids(&dead).await, [2, 4]);
        let kept = dead.read(&[2, 4]).await.unwrap();
        let whys: Vec<_> = kept.iter().map(|kept| kept.letter.why.as_str()).collect();
        assert_eq!(whys, ["no", "never"]);
        let groups = dead.groups().await.unwrap();
        assert_eq!((groups.len(), groups[0].letters), (2, 1));
        let counts = Counts {
            letters: 2,
            purged: 2,
            ..Counts::default()
        };
        assert_eq!(dead.counts(), counts);
        assert_eq!(dead.purge(&[2, 4]).await.unwrap(), 2);
        assert_eq!(dead.inner.lane.balance()[0].pending, 0);
        assert_eq!(dead.inner.lane.balance()[0].unaccounted(), 0);
    }

    #[tokio::test]
    async fn beyond_the_quota_the_oldest_make_room_and_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let from = lane(dir.path(), "normal");
        let dead = open(dir.path(), QUOTA);
        dead.load().await.unwrap();
        for first in (1..131).step_by(10) {
            let refused = refused(first..first + 10, "no");
            dead.bury(&from, &refused).await.unwrap();
        }
        assert_eq!(ids(&dead).await.first(), Some(&31));
        let counts = dead.counts();
        assert_eq!((counts.letters, counts.displaced), (100, 30));
    }

    #[tokio::test]
    async fn what_is_too_large_for_the_shelf_is_told_of_and_stands_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let from = lane(dir.path(), "normal");
        let settings = LaneOptions::new(64 << 20, OnFull::DropOldest);
        let (shelf, _) = Lane::open(&dir.path().join("dead"), settings).unwrap();
        let dead = DeadLetters::open(shelf, dir.path().join("decided.json"), QUOTA).unwrap();
        let mut giant = refused(1..2, "larger than I take");
        giant[0].frame = Bytes::from(vec![7; 20 << 20]);
        dead.bury(&from, &giant).await.unwrap();
        let kept = dead.read(&ids(&dead).await).await.unwrap();
        let letter = &kept[0].letter;
        assert!(letter.frame.is_empty());
        assert!(
            letter
                .why
                .starts_with("larger than I take (its 20971520 bytes")
        );
    }

    #[tokio::test]
    async fn letters_from_before_there_was_a_shelf_are_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let old = lane(dir.path(), "dead");
        let entry = |refused: &Refused| {
            let letter = Letter {
                message_id: refused.message_id.clone(),
                destination: refused.destination.clone(),
                why: refused.why.clone(),
                refused_at: refused.refused_at,
                frame: refused.frame.clone(),
                routes: Vec::new(),
                first_refused_at: refused.refused_at,
                attempts: 1,
            };
            Entry {
                routes: RouteMask(1),
                at: Stamp::default(),
                body: letter.encode(),
            }
        };
        let entries = refused(1..3, "no").iter().map(entry).collect();
        let ticket = old.append(entries, Urgency::Waiting).await.unwrap();
        ticket.await.unwrap();
        old.close().await.unwrap();
        let dead = open(dir.path(), QUOTA);
        assert_eq!(ids(&dead).await, [3, 4]);
        assert_eq!(dead.counts().letters, 2);
    }

    #[tokio::test]
    async fn what_was_given_up_half_way_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let from = lane(dir.path(), "normal");
        let dead = open(dir.path(), QUOTA);
        dead.load().await.unwrap();
        let letters = refused(1..2, "no");
        let mut burying = Box::pin(dead.bury(&from, &letters));
        assert!(futures::poll!(&mut burying).is_pending());
        drop(burying);
        dead.bury(&from, &refused(2..3, "no")).await.unwrap();
        assert_eq!(ids(&dead).await, [1, 2]);
    }
}
