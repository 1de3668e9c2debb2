//! `Twin`: a simulated radio with devices that misbehave as real ones do, for tests. Time is tokio's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use fieldgate_kit::scanner::{PairingReply, ScanMode};
use fieldgate_model::Timestamp;
use tokio::time::Instant;

use super::{Route, Routes};
use crate::{
    Address, clock,
    radio::{
        AdapterFacts, Asked, Characteristic, CharacteristicId, Connection, Notification, Radio,
        RadioError, Service, Write,
    },
};

/// A radio and its devices. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Twin(Arc<Mutex<World>>);

#[derive(Default)]
pub(super) struct World {
    pub devices: BTreeMap<Address, Device>,
    /// Connections that are open, and the most that ever were.
    pub open: usize,
    pub most_open: usize,
    connecting: usize,
    /// Pairing says that it worked, and did not.
    pub bonds_fail: bool,
    /// What was done, in order: `connect`, `subscribe 2a6e`, `read 2a19`, `close` …
    pub log: Vec<String>,
}

/// One device, and how it behaves.
#[derive(Clone)]
pub(super) struct Device {
    pub services: Vec<Service>,
    pub values: BTreeMap<CharacteristicId, Vec<u8>>,
    /// What it tells by itself, and how often.
    pub tells: Option<(CharacteristicId, Duration)>,
    pub heard: bool,
    pub reachable: bool,
    pub wants_pairing: bool,
    pub bonded: bool,
    /// Its own half of the bond is lost.
    pub bond_lost: bool,
    /// And it hangs up because of it, as the radio has found out.
    pub hangs_up: bool,
    /// Its connections are closed when it is paired.
    pub pairing_closes: bool,
    /// How many times that happened.
    pub closed: u32,
    /// The link breaks so long after connecting.
    pub breaks_after: Option<Duration>,
    /// It tells nothing any more so long after connecting, and its link stays.
    pub mute_after: Option<Duration>,
    /// Reading it never has an answer.
    pub hangs: bool,
    /// Reading it has no answer before the clock of the wall shows this.
    pub reads_from: Option<Timestamp>,
    /// These it refuses to read.
    pub refuses: BTreeSet<CharacteristicId>,
}

struct Link {
    twin: Twin,
    who: Address,
    /// How many times its connections had been closed before.
    closed: u32,
    since: Instant,
    next: Instant,
    subscribed: Mutex<BTreeSet<CharacteristicId>>,
}

pub(super) fn characteristic(uuid: uuid::Uuid, can: &str) -> Characteristic {
    Characteristic {
        uuid,
        read: can.contains('r'),
        write: can.contains('w'),
        write_without_response: can.contains('W'),
        notify: can.contains('n'),
        indicate: can.contains('i'),
    }
}

// === impl Twin ===

impl Twin {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(super) fn add(&self, who: Address, device: Device) {
        self.world().devices.insert(who, device);
    }

    pub(super) fn change(&self, who: Address, change: impl FnOnce(&mut Device)) {
        change(self.world().devices.get_mut(&who).unwrap());
    }

    pub(super) fn count(&self, what: &str) -> usize {
        self.world().log.iter().filter(|line| *line == what).count()
    }

    fn log(&self, line: impl Into<String>) {
        self.world().log.push(line.into());
    }

    fn device(&self, who: Address) -> Device {
        self.world().devices[&who].clone()
    }
}

impl Routes for Twin {
    fn route(&self, device: Address, _since: Option<Instant>) -> Option<Route> {
        let heard = self.world().devices.get(&device)?.heard;
        heard.then(|| Route {
            adapter: Arc::from("hci0"),
            address: device,
        })
    }
}

/// Counts itself as a connection that is being made.
struct Making(Twin);

impl Making {
    fn new(twin: Twin) -> Self {
        let mut world = twin.world();
        world.connecting += 1;
        assert_eq!(world.connecting, 1, "two connections are made at once");
        drop(world);
        Self(twin)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.0.world().connecting -= 1;
    }
}

impl Radio for Twin {
    fn adapters(&self) -> Asked<'_, Vec<AdapterFacts>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn listen(&self, _adapter: &str, _mode: ScanMode) -> Asked<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn rest(&self, _adapter: &str) -> Asked<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn power(&self, _adapter: &str, _on: bool) -> Asked<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn connect(
        &self,
        _adapter: &str,
        who: Address,
        limit: Duration,
    ) -> Asked<'_, Box<dyn Connection>> {
        Box::pin(async move {
            let making = Making::new(self.clone());
            if !self.device(who).reachable {
                tokio::time::sleep(limit).await;
                return Err(RadioError::Away(format!("{who} does not answer")));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(making);
            let device = self.device(who);
            if device.hangs_up && device.bonded && device.bond_lost {
                self.log("refuse");
                return Err(RadioError::Unpaired("it lost its bond".to_owned()));
            }
            self.log("connect");
            let closed = self.device(who).closed;
            let mut world = self.world();
            world.open += 1;
            world.most_open = world.most_open.max(world.open);
            let now = Instant::now();
            let link: Box<dyn Connection> = Box::new(Link {
                twin: self.clone(),
                who,
                closed,
                since: now,
                next: now,
                subscribed: Mutex::default(),
            });
            Ok(link)
        })
    }

    fn pair(&self, _adapter: &str, who: Address) -> Asked<'_, ()> {
        Box::pin(async move {
            self.log("pair");
            tokio::time::sleep(Duration::from_secs(2)).await;
            let fails = self.world().bonds_fail;
            self.change(who, |device| {
                // With an old bond goes the connection.
                device.closed += u32::from(device.bonded || device.pairing_closes);
                (device.bonded, device.bond_lost) = (true, fails)
            });
            Ok(())
        })
    }

    fn answer(&self, _prompt: u64, _reply: PairingReply) -> Result<(), RadioError> {
        Ok(())
    }

    fn bonds(&self, _adapter: &str) -> Asked<'_, Vec<Address>> {
        Box::pin(async {
            let world = self.world();
            let bonded = world.devices.iter().filter(|(_, device)| device.bonded);
            Ok(bonded.map(|(who, _)| *who).collect())
        })
    }

    fn forget(&self, _adapter: &str, who: Address) -> Asked<'_, ()> {
        Box::pin(async move {
            self.log("forget");
            self.change(who, |device| device.bonded = false);
            Ok(())
        })
    }
}

// === impl Link ===

impl Link {
    fn broken(&self) -> bool {
        let device = self.twin.device(self.who);
        let breaks = device.breaks_after;
        device.closed != self.closed || breaks.is_some_and(|breaks| self.since.elapsed() >= breaks)
    }

    fn check(&self) -> Result<Device, RadioError> {
        let device = self.twin.device(self.who);
        if self.broken() {
            return Err(RadioError::Broken("the link was lost".to_owned()));
        }
        if device.wants_pairing && (!device.bonded || device.bond_lost) {
            return Err(RadioError::Unpaired(
                "insufficient authentication".to_owned(),
            ));
        }
        Ok(device)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut world = self.twin.world();
        world.open -= 1;
        world.log.push("close".to_owned());
    }
}

impl Connection for Link {
    fn services(&self) -> Arc<[Service]> {
        self.twin.device(self.who).services.into()
    }

    fn read(&self, of: CharacteristicId) -> Asked<'_, Vec<u8>> {
        Box::pin(async move {
            self.twin.log(format!(
                "read {}",
                super::plan::uuid_text(of.characteristic)
            ));
            let device = self.check()?;
            if device.hangs {
                std::future::pending::<()>().await;
            }
            while device.reads_from.is_some_and(|from| clock::now() < from) {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            if device.refuses.contains(&of) {
                return Err(RadioError::Refused("reading is not permitted".to_owned()));
            }
            Ok(device.values.get(&of).cloned().unwrap_or_default())
        })
    }

    fn write(&self, of: CharacteristicId, value: Vec<u8>, how: Write) -> Asked<'_, ()> {
        Box::pin(async move {
            self.twin.log(format!("write {how:?}"));
            self.check()?;
            self.twin.change(self.who, |device| {
                device.values.insert(of, value);
            });
            Ok(())
        })
    }

    fn subscribe(&self, of: CharacteristicId) -> Asked<'_, ()> {
        Box::pin(async move {
            self.twin.log(format!(
                "subscribe {}",
                super::plan::uuid_text(of.characteristic)
            ));
            self.check()?;
            self.subscribed.lock().unwrap().insert(of);
            Ok(())
        })
    }

    fn unsubscribe(&self, of: CharacteristicId) -> Asked<'_, ()> {
        Box::pin(async move {
            self.subscribed.lock().unwrap().remove(&of);
            Ok(())
        })
    }

    fn notified(&mut self) -> Asked<'_, Notification> {
        Box::pin(async move {
            let device = self.twin.device(self.who);
            let breaks = device.breaks_after.map(|after| self.since + after);
            let tells = device
                .tells
                .filter(|(of, _)| self.subscribed.lock().unwrap().contains(of));
            let mute = device
                .mute_after
                .is_some_and(|after| self.next >= self.since + after);
            let next = tells
                .filter(|_| !mute)
                .map(|(of, every)| (of, self.next + every));
            match (next, breaks) {
                (Some((of, next)), breaks) if breaks.is_none_or(|breaks| next < breaks) => {
                    tokio::time::sleep_until(next).await;
                    self.next = next;
                    Ok(Notification {
                        characteristic: of,
                        at: clock::now(),
                        value: self.twin.device(self.who).values[&of].clone(),
                    })
                }
                (_, Some(breaks)) => {
                    tokio::time::sleep_until(breaks).await;
                    Err(RadioError::Broken("the link was lost".to_owned()))
                }
                (_, None) => std::future::pending().await,
            }
        })
    }

    fn alive(&self) -> Asked<'_, bool> {
        Box::pin(async { Ok(!self.broken()) })
    }

    fn close(self: Box<Self>) -> Asked<'static, ()> {
        Box::pin(async move {
            drop(self);
            Ok(())
        })
    }
}
