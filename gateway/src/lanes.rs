//! The lanes of the queue: telemetry, what overtakes it, and what was refused.

use std::{path::Path, sync::Arc, time::Duration};

use fieldgate_model::Class;
use fieldgate_store::{Keep, Lane, LaneOptions, OnFull, OpenError, OpenReport, Tools};

use crate::{
    clock::Clock,
    config::{Full, LaneSettings, QueueSettings},
    dead::{self, DeadLetters, Quota},
    pipeline::thin::Telemetry,
};

/// How much of what was refused is kept.
const DEAD: Quota = Quota {
    bytes: 64 << 20,
    letters: 200_000,
};

/// Where the queue is, in the state folder.
pub const QUEUE_FOLDER: &str = "queue";
/// The folders of the lanes, below the queue's.
pub const FOLDERS: [&str; 3] = ["normal", "critical", "dead"];

/// Which lane a reading goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneKind {
    Normal,
    Critical,
}

/// Why the queue cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LanesError {
    #[error(transparent)]
    Lane(#[from] OpenError),
    #[error("cannot open the dead letters: {0}")]
    Dead(#[from] dead::OpenError),
}

/// What opening each lane found to tell.
pub type OpenReports = Vec<(&'static str, OpenReport)>;

/// The open lanes. Cloning shares them.
#[derive(Clone)]
pub struct Lanes {
    pub normal: Lane,
    pub critical: Lane,
    /// What destinations refused for its own sake; the oldest makes room.
    pub dead: DeadLetters,
}

// === impl LaneKind ===

impl LaneKind {
    pub const ALL: [Self; 2] = [Self::Normal, Self::Critical];

    /// The lane that a reading of this class goes by.
    #[must_use]
    pub fn of(class: Class) -> Self {
        match class {
            Class::Telemetry => Self::Normal,
            Class::Event => Self::Critical,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Critical => "critical",
        }
    }

    /// The lane's letter in message ids.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Normal => 'n',
            Self::Critical => 'c',
        }
    }

    /// The lane of a letter in message ids.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

// === impl Lanes ===

impl Lanes {
    /// Opens the lanes below `dir`, and what opening found to tell. `clock` tells their records' ages. Blocks.
    ///
    /// # Errors
    /// When a lane's folder cannot be used at all.
    pub fn open(
        dir: &Path,
        settings: &QueueSettings,
        clock: &Clock,
    ) -> Result<(Self, OpenReports), LanesError> {
        let tools = Tools {
            ages: Arc::new(clock.clone()),
            thinner: Some(Arc::new(Telemetry)),
        };
        let open =
            |name, settings| Lane::open_with(&dir.join(name), options(settings), tools.clone());
        let (normal, normal_report) = open("normal", &settings.normal)?;
        let (critical, critical_report) = open("critical", &settings.critical)?;
        let dead_settings = LaneOptions::new(DEAD.bytes, OnFull::DropOldest);
        let (dead, dead_report) = Lane::open(&dir.join("dead"), dead_settings)?;
        let dead = DeadLetters::open(dead, dir.join("dead-letters.json"), DEAD)?;
        let reports = vec![
            ("normal", normal_report),
            ("critical", critical_report),
            ("dead", dead_report),
        ];
        Ok((
            Self {
                normal,
                critical,
                dead,
            },
            reports,
        ))
    }

    /// Every lane by the name of its folder.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Lane); 3] {
        let [normal, critical, dead] = FOLDERS;
        [
            (normal, &self.normal),
            (critical, &self.critical),
            (dead, self.dead.lane()),
        ]
    }

    #[must_use]
    pub fn get(&self, kind: LaneKind) -> &Lane {
        match kind {
            LaneKind::Normal => &self.normal,
            LaneKind::Critical => &self.critical,
        }
    }
}

fn options(settings: &LaneSettings) -> LaneOptions {
    let on_full = match settings.on_full {
        Full::DropOldest => OnFull::DropOldest,
        Full::Thin => OnFull::Thin,
        Full::RefuseNewest => OnFull::RefuseNewest,
    };
    let keep = settings.keep.as_ref().map(|keep| Keep {
        bytes: keep.bytes.0,
        age: keep.age.map_or(Duration::MAX, |age| age.0),
    });
    LaneOptions {
        max_age: settings.max_age.map(|age| age.0),
        keep_delivered: keep.unwrap_or_default(),
        ..LaneOptions::new(settings.max_bytes.0, on_full)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fieldgate_kit::settings::{ByteSize, Span};
    use fieldgate_model::Reading;
    use fieldgate_store::{Entry, PeekLimits, RouteMask, Seq, Urgency};

    use super::*;
    use crate::{
        clock::{FLOOR_MS, SimulatedTime},
        config::KeepSettings,
        pipeline::frame,
    };

    const LONG: Duration = Duration::from_secs(60);

    fn settings(normal: LaneSettings) -> QueueSettings {
        QueueSettings {
            normal,
            ..QueueSettings::default()
        }
    }

    fn small(on_full: Full) -> LaneSettings {
        LaneSettings {
            max_bytes: ByteSize(8 << 20),
            on_full,
            max_age: None,
            keep: None,
        }
    }

    fn clock(state: &Path) -> (Arc<SimulatedTime>, Clock) {
        let time = Arc::new(SimulatedTime::boot(1, FLOOR_MS + 1_000_000));
        time.synchronise(FLOOR_MS + 1_000_000);
        let clock = Clock::open(state, time.clone()).unwrap();
        (time, clock)
    }

    async fn until(holds: impl Fn() -> bool) {
        let waiting = async {
            let mut pause = tokio::time::interval(Duration::from_millis(5));
            while !holds() {
                pause.tick().await;
            }
        };
        tokio::time::timeout(LONG, waiting)
            .await
            .expect("it holds in time");
    }

    async fn append(lane: &Lane, entries: Vec<Entry>) {
        let ticket = lane.append(entries, Urgency::Waiting).await.unwrap();
        ticket.await.unwrap();
    }

    #[tokio::test]
    async fn a_lane_with_a_limit_of_age_lets_go_by_the_clock_of_the_gateway() {
        let dir = tempfile::tempdir().unwrap();
        let (time, clock) = clock(dir.path());
        let limit = LaneSettings {
            max_age: Some(Span(Duration::from_secs(1))),
            ..small(Full::RefuseNewest)
        };
        let (lanes, _) = Lanes::open(&dir.path().join("queue"), &settings(limit), &clock).unwrap();
        let lane = &lanes.normal;
        lane.consumer("a").unwrap();
        let routes = lane.route_bit("r→a", "a").unwrap().into();
        let at = clock.stamp();
        let body = Bytes::from_static(b"old");
        append(lane, vec![Entry { routes, at, body }]).await;
        time.pass(500);
        until(|| lane.stats().generations == 2).await; // it was sealed, by its age
        assert_eq!(lane.balance()[0].expired, 0);
        time.pass(1_000);
        until(|| lane.balance()[0].expired == 1).await;
    }

    #[tokio::test]
    async fn a_lane_that_thins_keeps_every_event_and_balances() {
        let dir = tempfile::tempdir().unwrap();
        let (_, clock) = clock(dir.path());
        let settings = settings(small(Full::Thin));
        let (lanes, _) = Lanes::open(&dir.path().join("queue"), &settings, &clock).unwrap();
        let lane = &lanes.normal;
        lane.consumer("a").unwrap();
        let routes: RouteMask = lane.route_bit("r→a", "a").unwrap().into();
        let (mut number, mut events) = (0i64, 0);
        while lane.balance()[0].evicted_by.thinned == 0 {
            let batch = (0..200).map(|_| {
                number += 1;
                let at = clock.resolve(clock.stamp()).wall;
                let text = format!("{number:0>600}");
                let mut reading = match number % 3 {
                    0 => Reading::new("press/line/state".parse().unwrap(), text.as_str(), at),
                    _ => Reading::new("press/line/temp".parse().unwrap(), number, at),
                };
                if number % 50 == 0 {
                    reading.class = Class::Event;
                    events += 1;
                }
                Entry {
                    routes,
                    at: clock.stamp(),
                    body: frame::encode(&reading, Vec::new()).into(),
                }
            });
            append(lane, batch.collect()).await;
        }
        let balance = lane.balance().remove(0);
        assert_eq!(balance.unaccounted(), 0);
        // A machine too slow to thin in time has the oldest go as full, counted, and their events with them.
        match balance.evicted_by.full {
            0 => assert_eq!(events_in(lane, routes).await, events),
            _ => assert!(events_in(lane, routes).await < events),
        }
    }

    async fn events_in(lane: &Lane, routes: RouteMask) -> u64 {
        let limits = PeekLimits {
            records: 1000,
            bytes: 1 << 20,
        };
        let (mut at, mut events) = (Seq(0), 0);
        while at < *lane.durable().borrow() {
            let page = lane.peek(at, routes, limits).await.unwrap();
            let readings = page
                .records
                .iter()
                .map(|record| frame::decode(record.body.bytes().unwrap()).unwrap());
            events += readings
                .filter(|reading| reading.class == Class::Event)
                .count() as u64;
            at = page.scanned_through;
        }
        events
    }

    #[test]
    fn what_is_kept_is_what_was_set() {
        let kept = LaneSettings {
            keep: Some(KeepSettings {
                bytes: ByteSize(1 << 20),
                age: None,
            }),
            ..small(Full::DropOldest)
        };
        let keep = Keep {
            bytes: 1 << 20,
            age: Duration::MAX,
        };
        assert_eq!(options(&kept).keep_delivered, keep);
        assert_eq!(
            options(&small(Full::DropOldest)).keep_delivered,
            Keep::default()
        );
    }
}
