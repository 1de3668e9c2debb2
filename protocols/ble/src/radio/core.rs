//! `Core`: what lives in a radio's thread, and what it does when asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{self, Instant};

use super::{
    RadioError,
    bluez::{Agent, Bus, Known, number},
    doubts::{Bond, Dialled},
    link::{Links, Opened},
    outlet::Outlet,
    scan::Scans,
};
use crate::Address;

/// BlueZ itself gives up after 41 s.
const CONNECT_MOST: Duration = Duration::from_secs(45);
/// How long a disconnect may take that only cleans up.
const CLEAN_UP: Duration = Duration::from_secs(5);
/// How long an adapter listens between two connections, so that many of them do not make it deaf.
const BREATH: Duration = Duration::from_millis(500);
const PAIR: Duration = Duration::from_secs(60);
/// How long a device that was forgotten may take to be heard again. Of the minute, the rest is for people.
const HEARD_AGAIN: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// See [`super::link`]: the bus allows 512 match rules.
const STREAMS: u32 = 300;
/// So many also when connections are open, which the end of the radio closes.
const STREAMS_MOST: u32 = 450;

/// See the module.
pub(super) struct Core {
    pub(super) bus: Bus,
    pub(super) known: Arc<Known>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) agent: Agent,
    pub(super) scans: Scans,
    pub(super) links: Arc<Links>,
    /// BlueZ knows our agent.
    pub(super) has_agent: AtomicBool,
}

// === impl Core ===

impl Core {
    /// Connects and discovers the services, one device at a time, with the scan paused.
    pub(super) async fn connect(
        &self,
        adapter: &str,
        address: Address,
        limit: Duration,
    ) -> Result<Opened, RadioError> {
        let deadline = Instant::now() + limit.min(CONNECT_MOST);
        let number = number(adapter)?;
        self.ready_to_pair().await?;
        let turn = self.scans.adapter(number).connecting.clone();
        let turn = time::timeout_at(deadline, turn.lock_owned()).await;
        let turn = turn.map_err(|_| late(address, "other connections took all the time"))?;
        if !self.bus.has(number, address).await {
            return Err(RadioError::Away(format!(
                "cannot connect to {address}: {adapter} has not heard it lately"
            )));
        }
        let place = (number, address);
        let doubts = self.known.doubts();
        if self.known.is_bonded(number, address) {
            match doubts.dial(place, Instant::now()) {
                Bond::Good => doubts.heard(place, self.bus.signal(number, address).await),
                lost => return Err(lost_bond(address, lost)),
            }
        } else {
            doubts.clear(place);
        }
        self.scans.pause(number).await;
        let opened = time::timeout_at(deadline, self.links.connect(number, address)).await;
        let (opened, how) = match opened {
            Ok(Ok(opened)) => (Ok(opened), Dialled::Connected),
            Ok(Err((error, how))) => (Err(error), how),
            Err(_) => (
                Err(late(address, "the device does not answer")),
                Dialled::Failed,
            ),
        };
        doubts.dialled(place, how, Instant::now());
        if opened.is_err() {
            // BlueZ goes on trying otherwise, and the next attempt finds it busy.
            let _ = time::timeout(CLEAN_UP, self.bus.disconnect(number, address)).await;
        }
        self.scans.resume(number).await;
        self.end_before_leaks();
        tokio::spawn(async move {
            time::sleep(BREATH).await;
            drop(turn);
        });
        opened
    }

    /// Pairs within a minute.
    pub(super) async fn pair(&self, adapter: &str, address: Address) -> Result<(), RadioError> {
        let number = number(adapter)?;
        self.ready_to_pair().await?;
        let deadline = Instant::now() + PAIR;
        let turn = self.scans.adapter(number).connecting.clone();
        let turn = time::timeout_at(deadline, turn.lock_owned()).await;
        let _turn = turn.map_err(|_| late(address, "other connections took all the time"))?;
        if self.known.is_bonded(number, address) {
            // The device lost its bond, or nobody would ask. Using the old one crashes BlueZ and the kernel of Debian 12.
            self.forget(number, address).await?;
            let place = (number, address);
            self.known.doubts().renew(place, Instant::now());
        }
        // It was forgotten just now, or when a question of ours was not answered because of the pairing.
        self.heard_again(number, address).await?;
        let was_connected = self.known.connection(number, address).is_some();
        self.scans.pause(number).await;
        let pairing = self.agent.pairing(number, address);
        let left = deadline.saturating_duration_since(Instant::now());
        let paired = self.bus.pair(number, address, left).await;
        drop(pairing);
        if paired.is_err() || !(was_connected || self.links.has(number, address)) {
            let _ = time::timeout(CLEAN_UP, self.bus.disconnect(number, address)).await;
        }
        self.scans.resume(number).await;
        paired
    }

    /// Removes a device with its bond.
    pub(super) async fn forget(&self, number: u16, address: Address) -> Result<(), RadioError> {
        self.bus.remove(number, address).await?;
        self.known.doubts().clear((number, address));
        Ok(())
    }

    /// Reads only when BlueZ can ask somebody: without an agent the read of a protected characteristic never answers.
    pub(super) async fn ready_to_pair(&self) -> Result<(), RadioError> {
        if !self.has_agent.load(Ordering::Relaxed) {
            self.bus.register_agent().await?;
            self.has_agent.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn end_before_leaks(&self) {
        let streams = self.links.streams();
        if streams >= STREAMS_MOST || (streams >= STREAMS && self.links.count() == 0) {
            self.outlet.over(RadioError::Busy(format!(
                "the radio is opened anew after {streams} connections, before what the Bluetooth library leaves behind at \
                 the message bus is too much"
            )));
        }
    }

    async fn heard_again(&self, number: u16, address: Address) -> Result<(), RadioError> {
        let heard = time::timeout(HEARD_AGAIN, async {
            while !self.bus.has(number, address).await {
                time::sleep(LOOK_AGAIN).await;
            }
        });
        heard.await.map_err(|_| {
            RadioError::Away(format!(
                "{address} is not heard now; wake it up, and pair it again"
            ))
        })
    }
}

fn lost_bond(address: Address, bond: Bond) -> RadioError {
    let doing = format!("cannot connect to {address}");
    match bond {
        Bond::LostAgain => RadioError::Refused(format!(
            "{doing}: it was paired anew and has lost that bond as well, since its link breaks as soon as it is encrypted; \
             reset the device, and pair it under Bluetooth"
        )),
        Bond::Lost | Bond::Good => RadioError::Unpaired(format!(
            "{doing}: it seems to have lost its half of the bond, since its link breaks as soon as it is encrypted"
        )),
    }
}

fn late(address: Address, why: &str) -> RadioError {
    RadioError::Busy(format!("cannot connect to {address} in time: {why}"))
}
