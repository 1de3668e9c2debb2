//! BlueZ over D-Bus: all that btleplug does not offer, and the only place that speaks D-Bus by itself.
//!
//! Three connections to the bus, each for its own reason: one that asks (`bus`, over dbus-tokio; it also serves the pairing agent,
//! which BlueZ looks for where the question came from), one that listens (`ears`), and btleplug's.

mod agent;
mod bus;
mod ears;
mod known;
mod report;
mod rfkill;
mod words;

pub(super) use agent::Agent;
pub(super) use bus::Bus;
pub(super) use ears::Ears;
pub(super) use known::Known;
pub(super) use words::{About, gave_up, of_dbus};

use report::Key;

use super::RadioError;
use crate::Address;

/// The number of `hci0`, which is how BlueZ and the kernel call adapters.
pub(super) fn number(adapter: &str) -> Result<u16, RadioError> {
    adapter
        .strip_prefix("hci")
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            let adapter = adapter.escape_debug();
            RadioError::NoAdapter(format!(
                "`{adapter}` is no Bluetooth adapter; they are called hci0, hci1, …, as `bluetoothctl list` or `ls \
                 /sys/class/bluetooth` shows"
            ))
        })
}

/// `hci0/dev_A4_C1_38_0B_F5_11`, as bluez-async reads it.
pub(super) fn device_id(adapter: u16, address: Address) -> String {
    let path = Key { adapter, address }.path();
    path.trim_start_matches("/org/bluez/").to_owned()
}
