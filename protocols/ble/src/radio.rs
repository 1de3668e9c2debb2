//! `Radio`: all that is asked of Bluetooth, in our own words; btleplug and BlueZ stand behind it, and a simulated twin.
//!
//! One attempt of the source opens a radio, and closes it by dropping it: whatever the vendor's crates hold is gone then.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::scanner::{AdapterState, PairingReply, PairingWish, ScanMode};
use fieldgate_model::Timestamp;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use uuid::Uuid;

mod bluez;
mod core;
mod doubts;
mod link;
mod outlet;
mod scan;
mod system;

pub use system::SystemRadios;

use crate::{Address, Advertisement};

/// What comes out of asking a radio.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, RadioError>>;

/// Opens radios. The source is given one, so that its tests give it a simulated one.
pub trait Radios: Send + Sync + 'static {
    /// A radio, and what it tells from now on. The channel is bounded: advertisements that find no room are counted
    /// ([`RadioEvent::Missed`]), everything else waits for room.
    fn open(&self) -> Asked<'_, (Box<dyn Radio>, mpsc::Receiver<RadioEvent>)>;
}

/// Bluetooth on this machine. Every call ends within ten seconds, unless it says otherwise.
pub trait Radio: Send + Sync {
    /// The adapters that there are, in the system's order.
    fn adapters(&self) -> Asked<'_, Vec<AdapterFacts>>;

    /// Begins to scan, or begins anew where it scans already: duplicates are wanted.
    fn listen(&self, adapter: &str, mode: ScanMode) -> Asked<'_, ()>;

    /// Ends the scan.
    fn rest(&self, adapter: &str) -> Asked<'_, ()>;

    /// Switches an adapter on or off.
    fn power(&self, adapter: &str, on: bool) -> Asked<'_, ()>;

    /// Connects and discovers the services, within `limit`. The scan of the adapter is paused meanwhile, since a controller that
    /// filters duplicates may not hear the device again for ten seconds.
    fn connect(
        &self,
        adapter: &str,
        address: Address,
        limit: Duration,
    ) -> Asked<'_, Box<dyn Connection>>;

    /// Pairs within 60 s; a bond that there is already is removed first. What the device wants to know comes as [`RadioEvent::Pairing`].
    fn pair(&self, adapter: &str, address: Address) -> Asked<'_, ()>;

    /// Answers a question of a device that pairs.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    fn answer(&self, prompt: u64, reply: PairingReply) -> Result<(), RadioError>;

    /// The devices with a bond.
    fn bonds(&self, adapter: &str) -> Asked<'_, Vec<Address>>;

    /// Removes a bond, and all that the system remembers of the device.
    fn forget(&self, adapter: &str, address: Address) -> Asked<'_, ()>;
}

/// An open connection. Dropping it closes it. When its link breaks, whatever is under way ends at once with [`RadioError::Broken`].
pub trait Connection: Send + Sync {
    /// What the device has, as it was discovered.
    fn services(&self) -> Arc<[Service]>;

    fn read(&self, characteristic: CharacteristicId) -> Asked<'_, Vec<u8>>;

    fn write(&self, characteristic: CharacteristicId, value: Vec<u8>, how: Write) -> Asked<'_, ()>;

    /// Lets it notify or indicate, whichever it can.
    fn subscribe(&self, characteristic: CharacteristicId) -> Asked<'_, ()>;

    fn unsubscribe(&self, characteristic: CharacteristicId) -> Asked<'_, ()>;

    /// The next value that came by itself; an error when the link is gone. Never ends otherwise. A value is not lost when this is
    /// dropped and asked again.
    fn notified(&mut self) -> Asked<'_, Notification>;

    /// Whether the link is still there, by the system's word.
    fn alive(&self) -> Asked<'_, bool>;

    /// Closes it.
    fn close(self: Box<Self>) -> Asked<'static, ()>;
}

/// What a radio tells by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum RadioEvent {
    Heard(Heard),
    /// Advertisements that found no room since the last one of these.
    Missed(u64),
    /// An adapter came, went, or is another than it was: ask for [`Radio::adapters`].
    AdaptersChanged,
    /// A connection broke. Whoever holds it has heard that already, from [`Connection`].
    Disconnected(Address),
    Pairing(Prompt),
    /// The system's Bluetooth is gone or restarted: this radio is of no use any more.
    Over(RadioError),
}

/// An advertisement, where and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub adapter: Arc<str>,
    pub at: Timestamp,
    pub advertisement: Advertisement,
}

/// A question of a device that pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub id: u64,
    pub address: Address,
    pub wants: PairingWish,
    pub until: Timestamp,
}

/// Stands for the adapters that a switch of the machine took away.
pub const TAKEN_AWAY: &str = "Bluetooth";

/// An adapter, as the system describes it; [`AdapterFacts::taken_away`] where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterFacts {
    /// `hci0`.
    pub id: Arc<str>,
    pub address: Option<Address>,
    /// Only what the system knows: [`AdapterState::Deaf`], `Recovering` and `Standby` are ours to decide.
    pub state: AdapterState,
    /// The system says that it scans.
    pub scanning: bool,
    /// It can listen without asking for scan responses.
    pub passive: bool,
    /// The connections that it has now.
    pub connections: u32,
}

impl AdapterFacts {
    /// There is no adapter, and a switch holds Bluetooth.
    #[must_use]
    pub fn taken_away() -> Self {
        Self {
            id: TAKEN_AWAY.into(),
            address: None,
            state: AdapterState::Blocked,
            scanning: false,
            passive: false,
            connections: 0,
        }
    }
}

/// A service of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub uuid: Uuid,
    pub characteristics: Vec<Characteristic>,
}

/// A characteristic of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Characteristic {
    pub uuid: Uuid,
    pub read: bool,
    pub write: bool,
    pub write_without_response: bool,
    pub notify: bool,
    pub indicate: bool,
}

/// Which characteristic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CharacteristicId {
    pub service: Uuid,
    pub characteristic: Uuid,
}

/// A value that a device sent by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub characteristic: CharacteristicId,
    pub at: Timestamp,
    pub value: Vec<u8>,
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The device answers.
    WithResponse,
    /// Nobody knows whether it arrived.
    WithoutResponse,
}

/// Why a radio did not do it, by what can be done. The text is for people: what, where, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RadioError {
    /// The system's Bluetooth does not answer: not installed, not running, or just gone.
    #[error("{0}")]
    NoDaemon(String),
    /// We may not.
    #[error("{0}")]
    NoPermission(String),
    /// There is no such adapter, or it is off or blocked.
    #[error("{0}")]
    NoAdapter(String),
    /// The device is not there: not heard, or it does not answer.
    #[error("{0}")]
    Away(String),
    /// The link broke while it was used.
    #[error("{0}")]
    Broken(String),
    /// It must be paired first, or its bond is no longer good.
    #[error("{0}")]
    Unpaired(String),
    /// The device or the system refused just this.
    #[error("{0}")]
    Refused(String),
    /// It took too long, or something else is under way; again later.
    #[error("{0}")]
    Busy(String),
}
