//! `Scanner`: what a source that listens to a radio can be asked by people: who is near, what they say, and what could be read from them.
//!
//! Like [`Explore`](crate::Explore) it is offered by a running source for as long as its attempt lasts. What it tells is bounded:
//! so many advertisers, so many packets of each. Everything that a device says of itself is a claim, and is passed on as text.

use std::{sync::Arc, time::Duration};

use fieldgate_model::{DeviceId, Timestamp, Value};
use tokio::sync::watch;

use crate::explore::{ExploreError, Explored};

/// A radio that listens, asked by people. Answers that need the air are futures, and end within their limits.
pub trait Scanner: Send + Sync {
    /// What is heard right now.
    fn report(&self) -> ScanReport;

    /// One advertiser with its last packets.
    ///
    /// # Errors
    /// When nobody was heard under this address, or it was forgotten.
    fn detail(&self, address: &str) -> Result<HeardDetail, ExploreError>;

    /// Tries a key on the next packets of an advertiser; [`HeardDetail::trial`] tells how it goes.
    ///
    /// # Errors
    /// When it is no key for what this device sends, and what one looks like.
    fn try_key(&self, address: &str, key: &str) -> Result<(), ExploreError>;

    /// Connects if need be, and tells what the device has. The connection is closed when nobody asked for a minute.
    fn services(&self, address: String) -> Explored<'_, GattTree>;

    /// Reads a characteristic.
    fn read(&self, characteristic: CharacteristicRef) -> Explored<'_, GattValue>;

    /// Lets a characteristic notify or indicate, or stops it; what comes is in [`HeardDetail::notified`].
    fn notify(&self, characteristic: CharacteristicRef, on: bool) -> Explored<'_, ()>;

    /// Closes the connection that was opened for looking around.
    fn disconnect(&self, address: String) -> Explored<'_, ()>;

    /// Pairs; what the device wants to be told or confirmed is in [`ScanReport::prompts`].
    fn pair(&self, address: String) -> Explored<'_, String>;

    /// Forgets a bond.
    fn unpair(&self, address: String) -> Explored<'_, String>;

    /// Answers what a device asked while it paired.
    ///
    /// # Errors
    /// When nobody waits for this answer any more.
    fn answer(&self, prompt: u64, reply: PairingReply) -> Result<(), ExploreError>;

    /// Begins to keep what is heard of a device, or of all of them, for at most ten minutes and 10,000 packets.
    ///
    /// # Errors
    /// When too many captures run.
    fn capture(&self, address: Option<&str>, time: Duration) -> Result<CaptureState, ExploreError>;

    /// What was captured so far, as JSON lines. The capture goes on until its time is over or it is stopped.
    ///
    /// # Errors
    /// When there is no such capture.
    fn captured(&self, id: u64) -> Result<String, ExploreError>;

    /// Ends a capture and keeps it until another one needs the room.
    ///
    /// # Errors
    /// When there is no such capture.
    fn stop_capture(&self, id: u64) -> Result<CaptureState, ExploreError>;

    /// Proposes where in the packets of a device a number is that people read off its display.
    ///
    /// # Errors
    /// When no layout explains the examples, and what would help.
    fn teach(&self, lesson: Lesson) -> Result<Vec<Proposal>, ExploreError>;

    /// Makes a profile of chosen proposals, with the captures as its examples, keeps it, and uses it from now on. Blocks on the disk.
    ///
    /// # Errors
    /// When it is no valid profile, cannot be written, or there are too many.
    fn learn(&self, taught: Taught) -> Result<String, ExploreError>;
}

/// What is heard right now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScanReport {
    /// A sentence: who listens, how, and what is wrong if something is.
    pub words: String,
    pub adapters: Vec<AdapterReport>,
    /// Advertisers that mean the same device tomorrow, or that a key resolves; the last heard first.
    pub heard: Vec<Heard>,
    /// Advertisers with random addresses that change, of the last minute; they are counted and not listed.
    pub passing: u64,
    /// Packets since the source began.
    pub packets: u64,
    pub packets_per_s: f64,
    /// Packets that were not looked at, by reason, since the source began.
    pub ignored: Vec<(String, u64)>,
    pub prompts: Vec<PairingPrompt>,
    pub captures: Vec<CaptureState>,
}

/// One adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterReport {
    /// As the system calls it, `hci0`.
    pub id: String,
    pub address: Option<String>,
    pub state: AdapterState,
    /// What that means, and what to do.
    pub words: String,
    pub mode: Option<ScanMode>,
    pub packets_per_s: f64,
    /// Connections that are open, and how many it may have.
    pub connections: (u32, u32),
    /// What was done lately to bring it back, the last one last.
    pub steps: Vec<(Timestamp, String)>,
}

/// How an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdapterState {
    /// There is none.
    Missing,
    /// The Bluetooth daemon does not run.
    NoDaemon,
    /// We may not use it.
    NoPermission,
    /// A switch or rfkill holds it.
    Blocked,
    /// It is powered off.
    Off,
    Starting,
    Listening,
    /// It says that it scans, and nothing is heard.
    Deaf,
    /// Something is being done about it.
    Recovering,
    /// Another one listens; this one would take over.
    Standby,
}

impl AdapterState {
    /// It can be listened and connected with.
    #[must_use]
    pub fn is_usable(self) -> bool {
        match self {
            Self::Missing | Self::NoDaemon | Self::NoPermission | Self::Blocked | Self::Off => {
                false
            }
            Self::Starting | Self::Listening | Self::Deaf | Self::Recovering | Self::Standby => {
                true
            }
        }
    }
}

/// How it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanMode {
    /// It asks for scan responses, where many devices have their names.
    Active,
    /// It only listens, which saves the devices' batteries.
    Passive,
}

/// One advertiser.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its address, or the identity that a key resolves its addresses to.
    pub address: String,
    /// In words, `public`, `random, static`, `random, resolvable`.
    pub address_kind: &'static str,
    /// As it calls itself.
    pub name: Option<String>,
    /// Who made it, by its company identifier or address.
    pub vendor: Option<String>,
    /// dBm, smoothed.
    pub rssi: Option<f64>,
    /// dBm of the last packets, the last one last.
    pub rssi_history: Vec<i16>,
    /// How far away it seems, in metres; a guess.
    pub distance_m: Option<f64>,
    /// Near enough, with hysteresis.
    pub present: bool,
    /// How often it is heard, as it was learnt.
    pub interval: Option<Duration>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub freshness: Freshness,
    pub adapter: String,
    pub packets: u64,
    pub connectable: Option<bool>,
    /// The profile that decodes it, by its id and title.
    pub profile: Option<(String, String)>,
    pub fields: Vec<HeardField>,
    pub seal: Seal,
    /// The device of the configuration that it is.
    pub added: Option<DeviceId>,
    /// Somebody does not want to see it.
    pub ignored: bool,
    pub connected: bool,
    pub bonded: bool,
}

/// Whether it comes when it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Too little is known yet.
    Learning,
    OnTime,
    Late,
    Silent,
    /// It is a device that sends only when something happens.
    Sleeping,
}

/// Whether its data can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seal {
    /// It is in the clear.
    Open,
    /// It is encrypted, and there is no key.
    NeedsKey,
    /// It is encrypted, and the key does not fit.
    WrongKey,
    /// It is encrypted, and the key fits.
    Opened,
}

/// One decoded value.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardField {
    pub id: String,
    pub value: Value,
    pub unit: Option<String>,
    /// Something happened, such as a button that was pressed.
    pub event: bool,
}

/// One advertiser with everything that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardDetail {
    pub heard: Heard,
    /// What it looks like in settings, to be added.
    pub settings: serde_json::Value,
    /// The last packets, the last one first.
    pub packets: Vec<Packet>,
    pub trial: Option<KeyTrial>,
    /// Values that came while looking around, the last one first.
    pub notified: Vec<GattValue>,
}

/// One packet, or the part of it that one company or service defined.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub at: Timestamp,
    pub rssi: Option<i16>,
    pub parts: Vec<PacketPart>,
    /// What it was decoded to, or why not, in words.
    pub words: String,
}

/// The data of one company or service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketPart {
    /// Whose it is, for instance `manufacturer 0x0499 Ruuvi Innovations Ltd.`, `service data 0xFCD2 BTHome`.
    pub title: String,
    /// Without separators, lower case.
    pub hex: String,
}

/// How a key does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTrial {
    /// Packets since it is tried.
    pub tried: u32,
    /// Of these, how many it opened.
    pub opened: u32,
    /// `3 of 3 packets decrypted`.
    pub words: String,
}

/// What a device has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GattTree {
    pub services: Vec<GattService>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GattService {
    pub uuid: String,
    /// By the Bluetooth SIG's tables.
    pub name: Option<String>,
    pub characteristics: Vec<GattCharacteristic>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GattCharacteristic {
    pub uuid: String,
    pub name: Option<String>,
    /// In the field's words: `read`, `write`, `write without response`, `notify`, `indicate`.
    pub properties: Vec<&'static str>,
    /// What it looks like as a point in the settings of its device.
    pub settings: serde_json::Value,
}

/// One characteristic of one device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CharacteristicRef {
    pub address: String,
    pub service: String,
    pub characteristic: String,
}

/// A characteristic's value.
#[derive(Debug, Clone, PartialEq)]
pub struct GattValue {
    pub characteristic: CharacteristicRef,
    pub at: Timestamp,
    pub hex: String,
    /// What it means, where its format is known.
    pub fields: Vec<HeardField>,
    /// Why it means nothing, where its format is known and does not fit.
    pub trouble: Option<String>,
}

/// What a device wants to know while it pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingPrompt {
    pub id: u64,
    pub address: String,
    pub name: Option<String>,
    pub wants: PairingWish,
    /// It gives up then.
    pub until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingWish {
    /// The number on its display or label, at most 999999.
    Passkey,
    /// Whether it shows this number.
    Compare(u32),
    /// Whether this device may pair.
    Allow,
    /// This number has to be typed at the device.
    Show(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingReply {
    Passkey(u32),
    Yes,
    No,
}

/// A capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureState {
    pub id: u64,
    /// Of one device; none: of all.
    pub address: Option<String>,
    pub since: Timestamp,
    pub until: Timestamp,
    pub packets: u64,
    pub running: bool,
}

/// What people read off a device's display, and the packets of these moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    pub address: String,
    pub examples: Vec<LessonExample>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LessonExample {
    /// One of the parts of [`Packet`], by its title.
    pub part: String,
    pub hex: String,
    /// What the display showed.
    pub shown: f64,
}

/// A way to read that number, the likeliest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub part: String,
    /// The byte at which it begins.
    pub at: usize,
    /// As profiles write it, `i16le`.
    pub data_type: String,
    pub scale: f64,
    pub offset: f64,
    /// In words, with what speaks for it and against it.
    pub words: String,
    /// What it reads in each example.
    pub reads: Vec<f64>,
    /// From 0 to 1.
    pub likelihood: f64,
}

/// What becomes a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Taught {
    pub address: String,
    /// What such devices are called.
    pub title: String,
    pub points: Vec<TaughtPoint>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TaughtPoint {
    pub id: String,
    pub unit: Option<String>,
    pub proposal: Proposal,
    pub examples: Vec<LessonExample>,
}

/// Where a scanner is offered. Cloning shares it.
#[derive(Clone)]
pub struct Scanning(watch::Sender<Option<Arc<dyn Scanner>>>);

/// A scanner while it is offered; dropping this withdraws it.
pub struct ScannerOffer(Scanning);

// === impl Scanning ===

impl Default for Scanning {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Scanning {
    /// Offers a scanner until what it returns is dropped.
    #[must_use]
    pub fn offer(&self, scanner: Arc<dyn Scanner>) -> ScannerOffer {
        self.0.send_replace(Some(scanner));
        ScannerOffer(self.clone())
    }

    /// The one that is offered right now.
    #[must_use]
    pub fn offered(&self) -> Option<Arc<dyn Scanner>> {
        self.0.borrow().clone()
    }
}

impl std::fmt::Debug for Scanning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offered = self.0.borrow().is_some();
        f.debug_tuple("Scanning").field(&offered).finish()
    }
}

impl Drop for ScannerOffer {
    fn drop(&mut self) {
        self.0.0.send_replace(None);
    }
}
