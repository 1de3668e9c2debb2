//! `Rules`: what the settings say, looked up by address. Secrets are read once, when an attempt begins.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::Secrets;
use fieldgate_model::DeviceId;

use crate::{
    Address, DeviceRule, Key, Settings, Take, gatt::Plan, identity::Identities, presence::Limits,
    profile::Profiles,
};

/// What the settings say.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub source: Arc<str>,
    pub take: Take,
    pub limits: Limits,
    /// Strength and nearness are points, too.
    pub presence: bool,
    /// A value that does not change is told again after so long.
    pub repeat: Duration,
    devices: HashMap<Address, Arc<Known>>,
    ignored: HashSet<Address>,
    ignored_vendors: Vec<String>,
}

/// A device of the settings.
#[derive(Debug)]
pub(crate) struct Known {
    pub address: Address,
    pub device: DeviceId,
    pub name: Option<String>,
    pub profile: Option<String>,
    pub key: Option<Key>,
    pub sealed_only: bool,
    pub interval: Option<Duration>,
    /// What is wrong with its settings, in words; it is listened to as far as that goes.
    pub problem: Option<String>,
}

/// Everything that an attempt needs from its settings.
pub(crate) struct Prepared {
    pub rules: Rules,
    pub identities: Identities,
    pub plans: Vec<Plan>,
}

// === impl Rules ===

impl Rules {
    /// The device of the settings with this address.
    pub(crate) fn known(&self, address: Address) -> Option<&Arc<Known>> {
        self.devices.get(&address)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.devices.values()
    }

    /// Nobody wants to see it.
    pub(crate) fn ignores(&self, address: Address, vendor: Option<&str>) -> bool {
        self.ignored.contains(&address)
            || vendor.is_some_and(|vendor| {
                let vendor = vendor.to_lowercase();
                let mut ignored = self.ignored_vendors.iter();
                ignored.any(|part| vendor.contains(part))
            })
    }

    /// Where the readings of a device go that nobody named.
    pub(crate) fn unnamed(&self, address: Address) -> Option<DeviceId> {
        DeviceId::new(&self.source, &segment(address)).ok()
    }
}

/// An address as a segment of an id: without colons, so that it is one word in topics and on the command line.
fn segment(address: Address) -> String {
    address.to_string().replace(':', "")
}

/// Reads the settings with their secrets.
pub(crate) fn prepare(
    source: &Arc<str>,
    settings: &Settings,
    secrets: &Secrets,
    profiles: &Profiles,
) -> Prepared {
    let mut devices = HashMap::new();
    let mut identities = Vec::new();
    let mut plans = Vec::new();
    for rule in &settings.devices {
        let Ok(address) = rule.address.parse::<Address>() else {
            continue; // Refused by the check of the settings.
        };
        let name = rule.name.clone().unwrap_or_else(|| segment(address));
        let Ok(device) = DeviceId::new(source, &name) else {
            continue; // As above.
        };
        let mut problems = Vec::new();
        let key = secret_key(rule, secrets, &mut problems);
        if let Some(identity) = identity_key(rule, secrets, &mut problems) {
            identities.push((address, identity));
        }
        let profile = profile_of(rule, profiles, &mut problems);
        let characteristics = match &profile {
            Some(profile) if rule.characteristics.is_empty() => profile.characteristics(),
            _ => &rule.characteristics,
        };
        if !characteristics.is_empty() {
            let (plan, wrong) = Plan::new(
                address,
                device.clone(),
                characteristics,
                rule.pair,
                rule.release,
            );
            problems.extend(wrong);
            plans.push(plan);
        }
        let known = Known {
            address,
            device,
            name: rule.name.clone(),
            profile: rule.profile.clone(),
            key,
            sealed_only: rule.sealed_only,
            interval: rule
                .interval_s
                .and_then(|s| Duration::try_from_secs_f64(s).ok()),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        };
        devices.insert(address, Arc::new(known));
    }
    let (ignored, ignored_vendors) = ignore_list(&settings.ignore);
    Prepared {
        rules: Rules {
            source: Arc::clone(source),
            take: settings.take,
            limits: Limits {
                near: settings.near_dbm,
                far: settings.far_dbm,
            },
            presence: settings.presence,
            repeat: Duration::from_secs(settings.repeat_s),
            devices,
            ignored,
            ignored_vendors,
        },
        identities: Identities::new(identities),
        plans,
    }
}

fn secret_key(rule: &DeviceRule, secrets: &Secrets, problems: &mut Vec<String>) -> Option<Key> {
    let text = read(rule.bind_key.as_ref()?, secrets, problems)?;
    Key::parse(text.reveal().trim())
        .map_err(|why| problems.push(format!("bind_key: {why}")))
        .ok()
}

fn identity_key(
    rule: &DeviceRule,
    secrets: &Secrets,
    problems: &mut Vec<String>,
) -> Option<[u8; 16]> {
    let text = read(rule.identity_key.as_ref()?, secrets, problems)?;
    let key = Key::parse(text.reveal().trim())
        .and_then(|key| {
            let bytes = key.bytes().try_into();
            bytes.map_err(|_| "it has 32 hexadecimal digits, not 24".to_owned())
        })
        .map_err(|why| problems.push(format!("identity_key: {why}")));
    key.ok()
}

fn read(
    reference: &fieldgate_kit::SecretRef,
    secrets: &Secrets,
    problems: &mut Vec<String>,
) -> Option<fieldgate_kit::Secret> {
    secrets
        .read(reference)
        .map_err(|error| problems.push(error.to_string()))
        .ok()
}

fn profile_of(
    rule: &DeviceRule,
    profiles: &Profiles,
    problems: &mut Vec<String>,
) -> Option<Arc<crate::Profile>> {
    let id = rule.profile.as_deref()?;
    let profile = profiles.named(id);
    if profile.is_none() {
        problems.push(format!(
            "there is no profile `{id}`; leave `profile` out, and the one that fits is taken"
        ));
    }
    profile
}

/// Addresses, and parts of makers' names in lower case.
fn ignore_list(entries: &[String]) -> (HashSet<Address>, Vec<String>) {
    let addresses = entries.iter().filter_map(|entry| entry.parse().ok());
    let vendors = entries
        .iter()
        .filter_map(|entry| entry.strip_prefix("vendor:"));
    let vendors = vendors.map(|part| part.trim().to_lowercase());
    (
        addresses.collect(),
        vendors.filter(|part| !part.is_empty()).collect(),
    )
}
