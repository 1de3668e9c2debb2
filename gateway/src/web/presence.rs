//! `Presences`: what sources know of their devices' pace and signal, as far as they listen to a radio.

use std::collections::BTreeMap;

use fieldgate_api::state::Presence;
use fieldgate_kit::scanner::Heard;
use fieldgate_model::DeviceId;

use super::scanner::freshness;
use crate::gateway::Gateway;

/// What a device's charge is called, in all profiles.
const BATTERY: &str = "battery";

/// Of all devices, at one moment.
pub struct Presences(BTreeMap<String, Presence>);

// === impl Presences ===

impl Presences {
    pub fn now(gateway: &Gateway) -> Self {
        let scanners: Vec<_> = gateway.running(|running| {
            let sources = running.sources.values();
            sources
                .filter_map(|state| state.scanning.offered())
                .collect()
        });
        let heard = scanners
            .iter()
            .flat_map(|scanner| scanner.report().heard)
            .filter_map(|heard| Some((heard.added.as_ref()?.to_string(), presence(&heard))));
        Self(heard.collect())
    }

    pub fn of(&self, device: &DeviceId) -> Option<Presence> {
        self.0.get(device.as_str()).cloned()
    }
}

fn presence(heard: &Heard) -> Presence {
    let mut fields = heard.fields.iter();
    let battery = fields.find(|field| field.id == BATTERY);
    Presence {
        freshness: freshness(heard.freshness),
        heard: Some(heard.last),
        interval_ms: heard
            .interval
            .map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)),
        rssi: heard.rssi.filter(|rssi| rssi.is_finite()),
        battery: battery
            .and_then(|field| field.value.as_f64())
            .filter(|percent| percent.is_finite()),
    }
}
