//! `Outlet`: the bounded way from a radio to its source. Advertisements that find no room are counted, all else waits for room.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fieldgate_model::Timestamp;
use tokio::{
    sync::{Notify, mpsc},
    time,
};

use super::{Heard, Prompt, RadioError, RadioEvent};
use crate::Address;

/// Two seconds of the most that a controller hears. A source that is behind further than that is told how much it missed.
const ROOM: usize = 4096;
/// A device asks one question at a time, and one device pairs at a time.
const PROMPTS: usize = 8;
/// How late a source may learn at most that it missed something.
const TELL_MISSED: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<RadioEvent>,
    missed: AtomicU64,
    waiting: Mutex<Waiting>,
    came: Notify,
}

/// What waits for room: each thing once, however often it was told.
#[derive(Debug, Default)]
struct Waiting {
    adapters: bool,
    disconnected: BTreeSet<Address>,
    prompts: VecDeque<Prompt>,
    over: Option<RadioError>,
}

// === impl Outlet ===

impl Outlet {
    pub(super) fn new() -> (Self, mpsc::Receiver<RadioEvent>) {
        let (sender, receiver) = mpsc::channel(ROOM);
        let outlet = Self {
            sender,
            missed: AtomicU64::new(0),
            waiting: Mutex::default(),
            came: Notify::new(),
        };
        (outlet, receiver)
    }

    /// An advertisement: now or never.
    pub(super) fn heard(&self, heard: Heard) {
        self.tell_missed();
        if self.sender.try_send(RadioEvent::Heard(heard)).is_err() {
            self.miss(1);
        }
    }

    /// So many found no room.
    pub(super) fn miss(&self, count: u64) {
        self.missed.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn adapters_changed(&self) {
        self.wait_with(|waiting| waiting.adapters = true);
    }

    pub(super) fn disconnected(&self, address: Address) {
        self.wait_with(|waiting| {
            waiting.disconnected.insert(address);
        });
    }

    /// A question; the oldest is dropped when nobody takes any, and is not answered then.
    pub(super) fn ask(&self, prompt: Prompt) {
        self.wait_with(|waiting| {
            if waiting.prompts.len() >= PROMPTS {
                waiting.prompts.pop_front();
            }
            waiting.prompts.push_back(prompt);
        });
    }

    /// The end; the first reason counts.
    pub(super) fn over(&self, why: RadioError) {
        self.wait_with(|waiting| {
            waiting.over.get_or_insert(why);
        });
    }

    /// Brings what waits out, until nobody listens any more or the end was told.
    pub(super) async fn forward(&self) {
        loop {
            while let Some(event) = self.next() {
                let end = matches!(event, RadioEvent::Over(_));
                if self.sender.send(event).await.is_err() || end {
                    return;
                }
            }
            tokio::select! {
                () = self.came.notified() => {}
                () = time::sleep(TELL_MISSED) => self.tell_missed(),
                () = self.sender.closed() => return,
            }
        }
    }

    fn next(&self) -> Option<RadioEvent> {
        let mut waiting = self.lock();
        if let Some(prompt) = waiting.prompts.pop_front() {
            return Some(RadioEvent::Pairing(prompt));
        }
        if let Some(address) = waiting.disconnected.pop_first() {
            return Some(RadioEvent::Disconnected(address));
        }
        if std::mem::take(&mut waiting.adapters) {
            return Some(RadioEvent::AdaptersChanged);
        }
        waiting.over.clone().map(RadioEvent::Over)
    }

    fn tell_missed(&self) {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 && self.sender.try_send(RadioEvent::Missed(missed)).is_err() {
            self.miss(missed);
        }
    }

    fn wait_with(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        self.came.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while holding it")
    }
}

/// The time of this machine.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Advertisement;

    fn heard(number: u8) -> Heard {
        Heard {
            adapter: "hci0".into(),
            at: now(),
            advertisement: Advertisement::new(Address([0xC0, 0, 0, 0, 0, number]), true),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn advertisements_without_room_are_counted_and_nothing_else_is_lost() {
        let (outlet, mut events) = Outlet::new();
        let outlet = Arc::new(outlet);
        for _ in 0..ROOM + 10 {
            outlet.heard(heard(1));
        }
        outlet.adapters_changed();
        outlet.adapters_changed();
        outlet.disconnected(Address([1; 6]));
        outlet.over(RadioError::Busy("enough".to_owned()));
        let forwarding = tokio::spawn({
            let outlet = outlet.clone();
            async move { outlet.forward().await }
        });
        let mut counts = [0; 5];
        while let Some(event) = events.recv().await {
            match event {
                RadioEvent::Heard(_) => counts[0] += 1,
                RadioEvent::Missed(missed) => counts[1] += missed,
                RadioEvent::AdaptersChanged => counts[2] += 1,
                RadioEvent::Disconnected(_) => counts[3] += 1,
                RadioEvent::Over(_) => {
                    counts[4] += 1;
                    break;
                }
                RadioEvent::Pairing(_) => panic!("nobody asked"),
            }
        }
        forwarding.await.unwrap();
        outlet.heard(heard(2));
        assert_eq!(events.recv().await, Some(RadioEvent::Missed(10)));
        assert_eq!(counts, [ROOM as u64, 0, 1, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_is_told_also_when_nothing_more_is_heard() {
        let (outlet, mut events) = Outlet::new();
        outlet.miss(3);
        let told = tokio::select! {
            () = outlet.forward() => None,
            event = events.recv() => event,
        };
        assert_eq!(told, Some(RadioEvent::Missed(3)));
    }
}
