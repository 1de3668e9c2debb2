//! Bluetooth LE: hears what is near, decodes it by profiles, talks to devices over GATT, and never goes deaf.

mod address;
mod advert;
mod air;
pub mod capture;
mod clock;
pub mod crypto;
mod decode;
mod decoded;
mod entry;
mod field;
pub mod gatt;
mod identity;
mod kept;
mod outbox;
mod presence;
mod probe;
pub mod profile;
pub mod radio;
mod recorder;
mod rhythm;
mod rules;
mod settings;
mod sim;
mod source;
mod table;
pub mod teach;
pub mod vendor;
pub mod watch;

use std::sync::Arc;

use fieldgate_kit::{Probe, ProbeCtx, Problem, Source, SourceCtx, SourceError};

pub use address::{Address, AddressKind, NoAddress};
pub use advert::{Advertisement, short_of, uuid16};
pub use decoded::{Decode, Decoded, Key, Memory};
pub use field::{Field, Nature};
pub use profile::{Layout, Profile, Profiles};
pub use settings::{
    CharacteristicRule, DeviceRule, How, Pair, RadioChoice, Scan, Settings, Take, uuid_of,
};

/// Bluetooth LE.
#[derive(Debug, Clone, Copy)]
pub struct Ble;

impl Source for Ble {
    const KIND: &'static str = "ble";
    const TITLE: &'static str = "Bluetooth LE";
    const ABOUT: &'static str = "Hears the sensors, beacons and buttons that are near, and talks to those that take connections";
    type Settings = Settings;

    const COMMANDS: bool = true;
    const SCANS: bool = true;

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.problems()
    }

    async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
        source::run(settings, ctx).await
    }

    async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
        probe::probe(settings, ctx, probe).await;
    }
}
