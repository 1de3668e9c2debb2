//! `Desk`: where a source's `history.jsonl` is written and removed, one thing at a time and in the order of the asking.
//!
//! Whoever asks waits for a while only, and a disk can take longer than that. What was given up goes on in its thread then,
//! also behind the end of a session or of a source. Two writers would share one file, and the older could come last; so all
//! of them go through one desk, which outlives them. A disk that hangs holds one thread, however often it is asked.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fieldgate_kit::SourceCtx;
use futures::future::BoxFuture;
use tokio::sync::{oneshot, watch};

/// The desk of each folder that something is done in.
#[derive(Default)]
struct Desks(Mutex<HashMap<PathBuf, Arc<Desk>>>);

/// The desk of one source's folder.
pub(super) struct Desk {
    folder: PathBuf,
    waiting: Mutex<Option<Order>>,
    /// A thread is at it; changed under the lock of `waiting`.
    busy: watch::Sender<bool>,
}

/// What is done in the folder.
type Work = Box<dyn FnOnce(&Path) -> io::Result<()> + Send>;

struct Order {
    work: Work,
    told: oneshot::Sender<io::Result<()>>,
}

// === impl Desk ===

impl Desk {
    pub(super) fn of(ctx: &SourceCtx) -> Arc<Self> {
        let desks = ctx.memory.common::<Desks>();
        let mut desks = locked(&desks.0);
        // One that nobody holds is idle: its thread would.
        desks.retain(|_, desk| Arc::strong_count(desk) > 1);
        let new = || Arc::new(Self::new(ctx.state_dir.clone()));
        Arc::clone(desks.entry(ctx.state_dir.clone()).or_insert_with(new))
    }

    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            waiting: Mutex::default(),
            busy: watch::Sender::new(false),
        }
    }

    /// Has this done in the folder after all that is under way, whether or not somebody waits for what it returns. What
    /// waits already and was not begun is left out: this would overwrite it at once.
    pub(super) fn hand_in(
        self: &Arc<Self>,
        work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> BoxFuture<'static, io::Result<()>> {
        let (told, done) = oneshot::channel();
        let work = Box::new(work);
        let is_busy = {
            let mut waiting = locked(&self.waiting);
            *waiting = Some(Order { work, told });
            self.busy.send_replace(true)
        };
        if !is_busy {
            let desk = Arc::clone(self);
            tokio::task::spawn_blocking(move || desk.work());
        }
        Box::pin(async move {
            let newer = |_| Err(io::Error::other("something newer came before it"));
            done.await.unwrap_or_else(newer)
        })
    }

    /// Resolves when nothing is under way.
    pub(super) async fn is_idle(&self) {
        let mut busy = self.busy.subscribe();
        // The sender lives as long as this does.
        let _idle = busy.wait_for(|busy| !busy).await;
    }

    fn work(&self) {
        while let Some(Order { work, told }) = self.next() {
            // Whoever asked may have gone.
            let _heard = told.send(work(&self.folder));
        }
    }

    fn next(&self) -> Option<Order> {
        let mut waiting = locked(&self.waiting);
        let next = waiting.take();
        if next.is_none() {
            self.busy.send_replace(false);
        }
        next
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Work that waits for a word, and writes its name down.
    fn slow(name: &'static str, done: &Arc<Mutex<Vec<&'static str>>>) -> (Work, mpsc::Sender<()>) {
        let (go, waits) = mpsc::channel();
        let done = Arc::clone(done);
        let work = move |_: &Path| {
            waits.recv().unwrap();
            locked(&done).push(name);
            Ok(())
        };
        (Box::new(work), go)
    }

    #[tokio::test]
    async fn one_thing_is_done_at_a_time_and_the_newest_last() {
        let desk = Arc::new(Desk::new(PathBuf::new()));
        let done = Arc::default();
        let (first, go_first) = slow("first", &done);
        let (second, _) = slow("second", &done);
        let (third, go_third) = slow("third", &done);
        drop(desk.hand_in(first));
        // The thread has begun with it.
        while locked(&desk.waiting).is_some() {
            tokio::task::yield_now().await;
        }
        let second = desk.hand_in(second);
        let third = desk.hand_in(third);
        assert!(second.await.is_err(), "nobody began it");
        go_third.send(()).unwrap();
        assert!(locked(&done).is_empty(), "the first one is under way still");
        go_first.send(()).unwrap();
        third.await.unwrap();
        desk.is_idle().await;
        assert_eq!(*locked(&done), ["first", "third"]);
        let failed = desk.hand_in(|_| Err(io::Error::other("no room")));
        assert_eq!(failed.await.unwrap_err().to_string(), "no room");
    }
}
