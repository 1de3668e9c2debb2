//! `Table`: everybody who is heard, within bounds: strangers make room for strangers, and nobody for a flood.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::scanner::{self, Freshness, GattValue, Packet, PacketPart, Seal};
use fieldgate_model::{Device, Reading, Timestamp};
use tokio::time::Instant;

use crate::{
    Address, Field, Key, advert,
    capture::to_hex,
    entry::{Came, Entry, Trial},
    gatt::{DeviceStatus, Phase, Route, service_name},
    identity::{Identities, Passing, Who},
    profile::Profiles,
    radio::Heard,
    rules::{Known, Rules},
};

/// Advertisers that are kept; devices of the settings always are.
const ROOM: usize = 2_000;
/// Strangers a second that are let in, and how many may come at once.
const STRANGERS: f64 = 100.0;
const STRANGERS_AT_ONCE: f64 = 500.0;
/// The rate of packets is smoothed over this time.
const RATE_OVER: Duration = Duration::from_secs(5);

/// Everybody who is heard.
#[derive(Debug)]
pub(crate) struct Table {
    rules: Rules,
    profiles: Profiles,
    identities: Identities,
    entries: HashMap<Address, Entry>,
    passing: Passing,
    tokens: f64,
    refilled: Instant,
    packets: u64,
    rate: f64,
    counted: (Instant, u64),
    ignored: BTreeMap<&'static str, u64>,
}

// === impl Table ===

impl Table {
    pub(crate) fn new(
        rules: Rules,
        identities: Identities,
        profiles: Profiles,
        now: Instant,
    ) -> Self {
        Self {
            rules,
            profiles,
            identities,
            entries: HashMap::new(),
            passing: Passing::new(now),
            tokens: STRANGERS_AT_ONCE,
            refilled: now,
            packets: 0,
            rate: 0.0,
            counted: (now, 0),
            ignored: BTreeMap::new(),
        }
    }

    /// With nobody, and no rules.
    pub(crate) fn empty(now: Instant) -> Self {
        Self::new(
            Rules::default(),
            Identities::default(),
            Profiles::default(),
            now,
        )
    }

    /// The same advertisers under other settings.
    pub(crate) fn obey(&mut self, rules: Rules, identities: Identities, profiles: Profiles) {
        self.rules = rules;
        self.identities = identities;
        self.profiles = profiles;
        for entry in self.entries.values_mut() {
            entry.obey(&self.rules);
        }
    }

    /// Keeps who was heard, and nothing of the settings.
    pub(crate) fn rest(&mut self) {
        self.rules = Rules::default();
        self.identities = Identities::default();
        self.entries.values_mut().for_each(Entry::rest);
    }

    /// One more packet, and the readings that it comes to.
    pub(crate) fn heard(&mut self, heard: &Heard, now: Instant) -> (Option<Address>, Vec<Reading>) {
        self.packets += 1;
        let advertisement = &heard.advertisement;
        let address = advertisement.address;
        let who = match self.identities.who(address, advertisement.random) {
            Who::Known(who) => who,
            Who::Passing => {
                self.passing.heard(address, now);
                return (None, Vec::new());
            }
        };
        if !self.entries.contains_key(&who) && !self.admit(who, heard, now) {
            return (None, Vec::new());
        }
        let entry = self.entries.get_mut(&who).expect("it was just admitted");
        let Came { readings, ignored } = entry.heard(heard, now, &self.rules, &self.profiles);
        if let Some(why) = ignored {
            *self.ignored.entry(why).or_default() += 1;
        }
        (Some(who), readings)
    }

    /// Lets somebody new in, if there is room and no flood.
    fn admit(&mut self, who: Address, heard: &Heard, now: Instant) -> bool {
        let known = self.rules.known(who).is_some();
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = (self.tokens + passed * STRANGERS).min(STRANGERS_AT_ONCE);
        if !known && self.tokens < 1.0 {
            let why = "more than 100 new devices a second";
            *self.ignored.entry(why).or_default() += 1;
            return false;
        }
        if !known {
            self.tokens -= 1.0;
        }
        if self.entries.len() >= ROOM {
            let strangers = self.entries.values().filter(|entry| entry.known.is_none());
            let oldest = strangers
                .min_by_key(|entry| entry.last)
                .map(|entry| entry.address);
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        let mut entry = Entry::new(who, heard, now);
        entry.obey(&self.rules);
        self.entries.insert(who, entry);
        true
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant, at: Timestamp) -> Vec<Reading> {
        let passed = now.saturating_duration_since(self.counted.0);
        if passed >= RATE_OVER {
            let came = self.packets - self.counted.1;
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = came as f64 / passed.as_secs_f64();
            self.rate = rate;
            self.counted = (now, self.packets);
        }
        let rules = &self.rules;
        let entries = self.entries.values_mut();
        entries
            .flat_map(|entry| entry.tick(now, at, rules))
            .collect()
    }

    /// How the connection of a device is.
    pub(crate) fn linked(&mut self, status: &DeviceStatus, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&status.address) {
            if status.phase == Phase::Connected {
                // Many do not advertise meanwhile. Whether it works again is known when values come.
                entry.rhythm.held(now);
                return;
            }
            let fails = status.failures > 0;
            entry.fails(status.cause.as_deref().filter(|_| fails), now);
        }
    }

    /// What people call a device of the settings.
    pub(crate) fn called(&self, address: Address) -> Option<String> {
        let entry = self.entries.get(&address);
        entry
            .filter(|entry| entry.known.is_some())
            .map(Entry::called)
    }

    /// Values of a device of the settings, which came over a connection.
    pub(crate) fn connected(
        &mut self,
        address: Address,
        fields: Vec<Field>,
        at: Timestamp,
        now: Instant,
    ) -> Vec<Reading> {
        let entry = self.entries.get_mut(&address);
        entry.map_or_else(Vec::new, |entry| entry.connected(fields, at, now))
    }

    /// A value of a device that somebody looks at.
    pub(crate) fn looked(&mut self, address: Address, value: GattValue) {
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.looked(value);
        }
    }

    /// Tries a key on the next packets of a device.
    pub(crate) fn try_key(&mut self, address: Address, key: Key, now: Instant) -> bool {
        let entry = self.entries.get_mut(&address);
        entry.is_some_and(|entry| {
            entry.trial = Some(Trial::new(key, now));
            true
        })
    }

    /// One more profile, from now on.
    pub(crate) fn learn(&mut self, profile: crate::Profile) {
        self.profiles = self.profiles.with(profile);
        for entry in self.entries.values_mut() {
            entry.obey(&self.rules);
        }
    }

    /// By which adapter a device can be reached that was heard since.
    pub(crate) fn route(&self, device: Address, since: Option<Instant>) -> Option<Route> {
        let entry = self.entries.get(&device)?;
        let again = since.is_none_or(|since| entry.rhythm.heard_last() > Some(since));
        let there = entry.freshness != Freshness::Silent && again;
        there.then(|| Route {
            adapter: Arc::clone(&entry.adapter),
            address: entry.there,
        })
    }

    /// The devices that are others than was announced.
    pub(crate) fn changed(&mut self) -> Vec<Device> {
        let changed = self.entries.values_mut().filter(|entry| entry.changed);
        let announced = changed.filter_map(|entry| {
            entry.changed = false;
            let known = entry.known.clone();
            entry.announcement(known.as_ref().and_then(|known| known.problem.as_deref()))
        });
        announced.collect()
    }

    /// All devices whose readings go on, heard or not.
    pub(crate) fn devices(&mut self) -> Vec<Device> {
        for entry in self.entries.values_mut() {
            entry.changed = true;
        }
        let mut devices = self.changed();
        let unheard = self
            .rules
            .all()
            .filter(|known| !self.entries.contains_key(&known.address));
        devices.extend(unheard.map(|known| unheard_device(known)));
        devices.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
        devices
    }

    /// How many devices of the settings are heard and how many of the others are only late, and how many there are.
    pub(crate) fn attendance(&self, now: Instant) -> (usize, usize, usize) {
        let (mut heard, mut late, mut all) = (0, 0, 0);
        for known in self.rules.all() {
            all += 1;
            let Some(entry) = self.entries.get(&known.address) else {
                continue;
            };
            match entry.freshness {
                Freshness::Silent => {}
                Freshness::Late => late += 1,
                Freshness::Learning if entry.rhythm.is_quiet(now) => late += 1,
                Freshness::OnTime | Freshness::Learning | Freshness::Sleeping => heard += 1,
            }
        }
        (heard, late, all)
    }

    /// How many are there whose readings go nowhere, though nobody ignores them.
    pub(crate) fn nearby(&self) -> usize {
        let entries = self.entries.values();
        entries
            .filter(|entry| entry.device.is_none() && !entry.ignored)
            .filter(|entry| entry.freshness != Freshness::Silent)
            .count()
    }

    pub(crate) fn knows(&self, address: Address) -> bool {
        self.entries.contains_key(&address)
    }

    pub(crate) fn name(&self, address: Address) -> Option<String> {
        self.entries.get(&address)?.name.clone()
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    pub(crate) fn passing(&mut self, now: Instant) -> u64 {
        self.passing.count(now)
    }

    pub(crate) fn ignored(&self) -> Vec<(String, u64)> {
        let ignored = self.ignored.iter();
        ignored
            .map(|(why, count)| ((*why).to_owned(), *count))
            .collect()
    }

    /// Everybody, the last heard first.
    pub(crate) fn report(&self) -> Vec<scanner::Heard> {
        let mut heard: Vec<_> = self.entries.values().map(Entry::report).collect();
        heard.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.address.cmp(&b.address)));
        heard
    }

    /// One of them, with its packets.
    pub(crate) fn detail(&self, address: Address) -> Option<scanner::HeardDetail> {
        self.entries.get(&address).map(Entry::detail)
    }
}

/// What people look for in a list comes first, then what nobody ranked, and last what only says that a device lives.
fn rank(id: &str) -> usize {
    const FIRST: [&str; 14] = [
        "temperature",
        "humidity",
        "co2",
        "opening",
        "motion",
        "button",
        "moisture",
        "power",
        "energy",
        "weight",
        "pressure",
        "pm25",
        "illuminance",
        "battery",
    ];
    const LAST: [&str; 6] = [
        "acceleration_x",
        "acceleration_y",
        "acceleration_z",
        "movement_counter",
        "sequence",
        "packet_id",
    ];
    let place = |list: &[&str]| list.iter().position(|known| *known == id);
    match (place(&FIRST), place(&LAST)) {
        (Some(place), _) => place,
        (None, None) => FIRST.len(),
        (None, Some(place)) => FIRST.len() + 1 + place,
    }
}

fn unheard_device(known: &Known) -> Device {
    Device {
        id: known.device.clone(),
        name: known
            .name
            .clone()
            .unwrap_or_else(|| known.address.to_string()),
        model: None,
        address: known.address.to_string(),
        points: Vec::new(),
    }
}

// === impl Entry ===

impl Entry {
    fn report(&self) -> scanner::Heard {
        let profile = self.profile.as_ref();
        scanner::Heard {
            address: self.address.to_string(),
            address_kind: self.address.kind(self.random).as_str(),
            name: self.name.clone(),
            vendor: self.vendor.clone(),
            rssi: self.presence.rssi(),
            rssi_history: self.presence.history().to_vec(),
            distance_m: self.presence.distance_m(),
            present: self.presence.is_near(),
            interval: self.rhythm.interval(),
            first: self.first,
            last: self.last,
            freshness: self.freshness,
            adapter: self.adapter.to_string(),
            packets: self.packets,
            connectable: self.connectable,
            profile: profile.map(|profile| (profile.id().to_owned(), profile.title().to_owned())),
            fields: self.fields(),
            seal: match self.seal {
                Seal::Open
                    if profile
                        .is_some_and(|profile| profile.is_sealed() && self.points.is_empty()) =>
                {
                    Seal::NeedsKey
                }
                seal => seal,
            },
            added: self.known.as_ref().map(|known| known.device.clone()),
            ignored: self.ignored,
            connected: false,
            bonded: false,
        }
    }

    /// Its values, those first that people look for.
    fn fields(&self) -> Vec<scanner::HeardField> {
        let mut fields: Vec<_> = self
            .points
            .values()
            .map(|state| field(&state.field))
            .collect();
        fields.sort_by_key(|field| rank(&field.id));
        fields
    }

    fn detail(&self) -> scanner::HeardDetail {
        let mut settings = serde_json::Map::new();
        settings.insert("address".to_owned(), self.address.to_string().into());
        scanner::HeardDetail {
            heard: self.report(),
            settings: settings.into(),
            packets: self.recent.iter().rev().map(packet).collect(),
            trial: self.trial.as_ref().map(Trial::state),
            notified: self.notified.iter().cloned().collect(),
        }
    }
}

fn packet(recent: &crate::entry::Recent) -> Packet {
    let manufacturer = recent
        .manufacturer
        .iter()
        .map(|(company, data)| PacketPart {
            title: match crate::vendor::company(*company) {
                Some(name) => format!("manufacturer 0x{company:04X} {name}"),
                None => format!("manufacturer 0x{company:04X}"),
            },
            hex: to_hex(data),
        });
    let service_data = recent
        .service_data
        .iter()
        .map(|(service, data)| PacketPart {
            title: match (advert::short_of(*service), service_name(*service)) {
                (Some(short), Some(name)) => format!("service data 0x{short:04X} {name}"),
                (Some(short), None) => format!("service data 0x{short:04X}"),
                (None, _) => format!("service data {service}"),
            },
            hex: to_hex(data),
        });
    Packet {
        at: recent.at,
        rssi: recent.rssi,
        parts: manufacturer.chain(service_data).collect(),
        words: recent.words.clone(),
    }
}

/// A field as the scanner tells it.
pub(crate) fn field(field: &Field) -> scanner::HeardField {
    scanner::HeardField {
        id: field.id.to_string(),
        value: field.value.clone(),
        unit: field.unit.as_deref().map(str::to_owned),
        event: field.nature == crate::Nature::Happened,
    }
}

/// Where profiles are that people made: the administrator's, and those of the console.
pub(crate) fn profile_folders(state_dir: &std::path::Path) -> [PathBuf; 2] {
    let taught = fieldgate_kit::trust::shared_dir(state_dir, "ble").join("profiles");
    [PathBuf::from("/etc/fieldgate/profiles.d"), taught]
}
