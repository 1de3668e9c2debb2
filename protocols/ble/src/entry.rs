//! `Entry`: all that is kept of one advertiser, and what one more packet of it comes to.

mod link;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use fieldgate_kit::scanner::{Freshness, GattValue, Seal};
use fieldgate_model::{
    Class, Device, DeviceId, Point, PointId, Quality, Reading, Timestamp, Value,
};
use tokio::time::Instant;

pub(crate) use trial::Trial;

use crate::{
    Address, Advertisement, Decoded, Field, Key, Memory, Nature, Profile,
    presence::Presence,
    profile::Profiles,
    radio::Heard,
    rhythm::Rhythm,
    rules::{Known, Rules},
};

/// Packets that are kept for people.
const RECENT: usize = 16;
/// Values of the explorer that are kept.
const NOTIFIED: usize = 32;
/// Points that a device may have; what it says beyond that is passed over.
const POINTS: usize = 64;
/// Formats of a device that are told apart; most send one, some two or three in turn.
const FORMATS: usize = 8;
/// The longest name that is kept, in characters; the air has room for 248 bytes.
const LONGEST_NAME: usize = 64;
/// Packets a second of one device that are looked at, and how many may come at once.
const RATE: f64 = 100.0;
const BURST: f64 = 200.0;

/// One advertiser.
#[derive(Debug)]
pub(crate) struct Entry {
    pub address: Address,
    pub random: bool,
    /// Under which address it was heard last.
    pub there: Address,
    pub adapter: Arc<str>,
    pub name: Option<String>,
    pub vendor: Option<String>,
    pub known: Option<Arc<Known>>,
    /// What tells its key from another one, and which profile the settings chose.
    keyed: Option<u64>,
    chosen: Option<String>,
    /// Where its readings go; none: nowhere.
    pub device: Option<DeviceId>,
    pub ignored: bool,
    pub connectable: Option<bool>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub packets: u64,
    pub rhythm: Rhythm,
    pub freshness: Freshness,
    pub presence: Presence,
    pub profile: Option<Arc<Profile>>,
    pub seal: Seal,
    pub points: BTreeMap<Arc<str>, PointState>,
    pub recent: VecDeque<Recent>,
    pub trial: Option<Trial>,
    pub notified: VecDeque<GattValue>,
    /// Its device is another than was announced.
    pub changed: bool,
    /// By the profiles that its packets belong to, since one device may send several formats in turn.
    formats: Vec<Format>,
    /// The device itself said that it sends only when something happens.
    sleeps: Option<bool>,
    /// The last packet's data, to know it again.
    payload: Option<Payload>,
    /// The last packet was believed; what it said is told again when it comes again.
    believed: bool,
    says: Vec<Arc<str>>,
    /// When its values were last told; none: they are to be told again.
    told: Option<Instant>,
    near: Option<bool>,
    /// Connecting to it fails.
    failing: Option<link::Failing>,
    tokens: f64,
    refilled: Instant,
}

type Payload = (Vec<(u16, Vec<u8>)>, Vec<(uuid::Uuid, Vec<u8>)>);

/// What is kept of one format of a device.
#[derive(Debug)]
struct Format {
    /// The id of its profile.
    profile: Arc<str>,
    memory: Memory,
    /// The points of its last packet.
    says: Vec<Arc<str>>,
}

/// A point, its last value, and when it was told.
#[derive(Debug, Clone)]
pub(crate) struct PointState {
    pub id: Option<PointId>,
    pub field: Field,
    told: Option<Instant>,
    /// When it came over a connection; none: a packet said it.
    read: Option<Instant>,
}

/// A packet that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    pub at: Timestamp,
    pub rssi: Option<i16>,
    pub manufacturer: Vec<(u16, Vec<u8>)>,
    pub service_data: Vec<(uuid::Uuid, Vec<u8>)>,
    pub words: String,
}

/// What a packet came to.
#[derive(Debug, Default)]
pub(crate) struct Came {
    pub readings: Vec<Reading>,
    /// Why it was not looked at.
    pub ignored: Option<&'static str>,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn new(who: Address, heard: &Heard, now: Instant) -> Self {
        Self {
            address: who,
            random: heard.advertisement.random,
            there: heard.advertisement.address,
            adapter: Arc::clone(&heard.adapter),
            name: None,
            vendor: None,
            known: None,
            keyed: None,
            chosen: None,
            device: None,
            ignored: false,
            connectable: None,
            first: heard.at,
            last: heard.at,
            packets: 0,
            rhythm: Rhythm::default(),
            freshness: Freshness::Learning,
            presence: Presence::default(),
            profile: None,
            seal: Seal::Open,
            points: BTreeMap::new(),
            recent: VecDeque::new(),
            trial: None,
            notified: VecDeque::new(),
            changed: false,
            formats: Vec::new(),
            sleeps: None,
            payload: None,
            believed: false,
            says: Vec::new(),
            told: None,
            near: None,
            failing: None,
            tokens: BURST,
            refilled: now,
        }
    }

    /// What the settings say of it, also when they are others than before.
    pub(crate) fn obey(&mut self, rules: &Rules) {
        self.known = rules.known(self.address).cloned();
        let known = self.known.as_deref();
        let keyed = known.and_then(|known| known.key.as_ref()).map(mark);
        if self.keyed != keyed {
            // Nothing that was sealed with another key can be played back to this one, and its counter may begin anywhere.
            for format in &mut self.formats {
                format.memory.counter = None;
                format.memory.restart = None;
            }
            self.keyed = keyed;
        }
        let chosen = known.and_then(|known| known.profile.clone());
        if self.chosen != chosen {
            self.profile = None;
            self.chosen = chosen;
        }
        self.decide(rules);
        self.payload = None;
        self.told = None;
    }

    /// Keeps nothing of the settings, which may be others or gone the next time, and no key.
    pub(crate) fn rest(&mut self) {
        self.known = None;
        self.trial = None;
    }

    /// Whether its readings go on, and where.
    fn decide(&mut self, rules: &Rules) {
        let before = self.device.clone();
        self.ignored = self.known.is_none() && rules.ignores(self.address, self.vendor.as_deref());
        self.device = match &self.known {
            Some(known) => Some(known.device.clone()),
            None if self.ignored || self.profile.is_none() => None,
            None if rules.take == crate::Take::Decoded => rules.unnamed(self.address),
            None => None,
        };
        let told = self.known.as_ref().and_then(|known| known.interval);
        let profile = self.profile.as_ref();
        self.rhythm.tell(
            told.or_else(|| profile.and_then(|profile| profile.expected_interval())),
            told.is_none()
                && (self.sleeps == Some(true) || profile.is_some_and(|profile| profile.sleeps())),
        );
        if self.device != before {
            for (id, state) in &mut self.points {
                state.id = self
                    .device
                    .as_ref()
                    .and_then(|device| device.point(id).ok());
                state.told = None;
            }
            self.changed = true;
        }
    }

    /// One more packet.
    pub(crate) fn heard(
        &mut self,
        heard: &Heard,
        now: Instant,
        rules: &Rules,
        profiles: &Profiles,
    ) -> Came {
        if !self.admit(now) {
            return Came::ignored("more than 100 packets a second from one device");
        }
        self.meet(heard, now, rules);
        let advertisement = &heard.advertisement;
        if advertisement.manufacturer.is_empty() && advertisement.service_data.is_empty() {
            return Came::default();
        }
        if self.is_same(advertisement) {
            if self.believed && self.only_sealed() {
                self.lives(heard, now, rules);
            }
            return match self.told {
                Some(told) if now.saturating_duration_since(told) < rules.repeat => Came::default(),
                _ => Came::readings(self.tell_again(heard.at, now, rules.repeat)),
            };
        }
        self.payload = Some((
            advertisement.manufacturer.clone(),
            advertisement.service_data.clone(),
        ));
        self.decode(heard, now, rules, profiles)
    }

    /// A bucket of packets that fills with time.
    fn admit(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = (self.tokens + passed * RATE).min(BURST);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }

    /// What a packet tells without being decoded.
    fn meet(&mut self, heard: &Heard, now: Instant, rules: &Rules) {
        let advertisement = &heard.advertisement;
        self.packets += 1;
        self.last = heard.at;
        self.there = advertisement.address;
        if self.adapter != heard.adapter {
            self.adapter = Arc::clone(&heard.adapter);
        }
        // Anybody can send under its address: where that is not believed, it is no sign of life either.
        if !self.only_sealed() {
            self.lives(heard, now, rules);
        }
        if advertisement.connectable.is_some() {
            self.connectable = advertisement.connectable;
        }
        if let Some(name) = &advertisement.name
            && self.name.as_deref() != Some(name)
            && !name.is_empty()
        {
            self.name = Some(name.chars().take(LONGEST_NAME).collect());
            self.changed = true;
        }
        if self.vendor.is_none()
            && let Some((company, _)) = advertisement.manufacturer.first()
        {
            self.vendor = crate::vendor::company(*company).map(str::to_owned);
            if self.vendor.is_some() {
                self.decide(rules);
            }
        }
    }

    /// It was heard itself: that is when, and so near it is.
    fn lives(&mut self, heard: &Heard, now: Instant, rules: &Rules) {
        self.rhythm.heard(now);
        if self.freshness == Freshness::Silent {
            // It is back: its values are news again.
            self.told = None;
            self.points.values_mut().for_each(|state| state.told = None);
        }
        if let Some(rssi) = heard.advertisement.rssi {
            self.presence.heard(rssi, rules.limits);
        }
        if let Some(dbm) = heard.advertisement.tx_power {
            self.presence.sends_with(dbm);
        }
    }

    fn only_sealed(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.sealed_only)
    }

    fn is_same(&self, advertisement: &Advertisement) -> bool {
        self.trial.as_ref().is_none_or(Trial::has_ended)
            && self
                .payload
                .as_ref()
                .is_some_and(|(manufacturer, service_data)| {
                    *manufacturer == advertisement.manufacturer
                        && *service_data == advertisement.service_data
                })
    }

    fn decode(&mut self, heard: &Heard, now: Instant, rules: &Rules, profiles: &Profiles) -> Came {
        let mut named;
        let mut advertisement = &heard.advertisement;
        if advertisement.name.is_none() && self.name.is_some() {
            // Many devices say their name only in some of their packets, and profiles may look at it.
            named = advertisement.clone();
            named.name.clone_from(&self.name);
            advertisement = &named;
        }
        let wanted = self
            .known
            .as_ref()
            .and_then(|known| known.profile.as_deref());
        let chosen = wanted.and_then(|id| profiles.named(id));
        let is_chosen = chosen.is_some();
        let found = chosen.or_else(|| profiles.find(advertisement).cloned());
        self.believed = false;
        self.says.clear();
        let Some(profile) = found else {
            self.remember(heard, "no profile fits".to_owned());
            return Came::default();
        };
        // A device that also sends a beacon's format stays what it is.
        if self.profile.as_ref().is_none_or(|before| {
            let sooner = is_chosen || before.is_general() || !profile.is_general();
            before.id() != profile.id() && sooner
        }) {
            self.profile = Some(Arc::clone(&profile));
            self.vendor = profile.vendor().map(str::to_owned).or(self.vendor.take());
            self.changed = true;
            self.decide(rules);
        }
        if let Some(trial) = &mut self.trial {
            trial.packet(&profile, advertisement);
        }
        let key = self.known.as_ref().and_then(|known| known.key.as_ref());
        let format = format_of(&mut self.formats, &profile);
        let decoded = profile.decode(advertisement, key, &mut format.memory);
        self.decoded(decoded, &profile, heard, now, rules)
    }

    fn decoded(
        &mut self,
        decoded: Decoded,
        profile: &Profile,
        heard: &Heard,
        now: Instant,
        rules: &Rules,
    ) -> Came {
        let (seal, words, ignored) = match &decoded {
            Decoded::Fields { sealed: true, .. } => (Some(Seal::Opened), None, None),
            Decoded::Fields { .. } => (Some(Seal::Open), None, None),
            Decoded::Repeated => (None, Some("the same as before"), None),
            Decoded::NeedsKey => (
                Some(Seal::NeedsKey),
                Some("encrypted; a bind key opens it"),
                None,
            ),
            Decoded::WrongKey => (
                Some(Seal::WrongKey),
                Some("encrypted with another key than the one given"),
                Some("the key does not fit"),
            ),
            Decoded::Replayed => (
                None,
                Some("its counter came before: played back by somebody?"),
                Some("played back: the counter came before"),
            ),
            Decoded::Unfit(_) => (None, None, Some("not as its format says")),
        };
        if let Some(seal) = seal {
            self.seal = seal;
        }
        let only_sealed = self.only_sealed();
        let Decoded::Fields { fields, sealed } = decoded else {
            let repeated = decoded == Decoded::Repeated;
            let words = match decoded {
                Decoded::Unfit(why) => why,
                _ => words.unwrap_or_default().to_owned(),
            };
            self.remember(heard, words);
            let mut readings = Vec::new();
            // It does not say whether a key opened it.
            if repeated && !only_sealed {
                self.believed = true;
                self.says
                    .clone_from(&format_of(&mut self.formats, profile).says);
                readings = self.tell_again(heard.at, now, rules.repeat);
            }
            return Came { readings, ignored };
        };
        self.remember(heard, in_words(&fields));
        if !sealed && only_sealed {
            return Came::ignored("in the clear, where only sealed packets count");
        }
        if only_sealed {
            self.lives(heard, now, rules);
        }
        self.believed = true;
        self.says = fields.iter().map(|field| Arc::clone(&field.id)).collect();
        let format = format_of(&mut self.formats, profile);
        format.says.clone_from(&self.says);
        if format.memory.sleeps.is_some() && format.memory.sleeps != self.sleeps {
            self.sleeps = format.memory.sleeps;
            self.decide(rules);
        }
        self.told = Some(now);
        Came::readings(self.take(fields, heard.at, now, rules.repeat))
    }

    fn remember(&mut self, heard: &Heard, words: String) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let advertisement = &heard.advertisement;
        self.recent.push_back(Recent {
            at: heard.at,
            rssi: advertisement.rssi,
            manufacturer: advertisement.manufacturer.clone(),
            service_data: advertisement.service_data.clone(),
            words,
        });
    }

    /// Values that came, by a packet or over a connection. Those that are the same as before are told again after `repeat`.
    fn take(
        &mut self,
        fields: Vec<Field>,
        at: Timestamp,
        now: Instant,
        repeat: Duration,
    ) -> Vec<Reading> {
        let mut readings = Vec::new();
        for field in fields {
            if !self.points.contains_key(&field.id) && self.points.len() >= POINTS {
                continue;
            }
            if &*field.id == "measured_power"
                && let Some(dbm) = field.value.as_f64()
            {
                self.presence.reference(dbm);
            }
            let device = self.device.as_ref();
            let changed = &mut self.changed;
            let state = self.points.entry(Arc::clone(&field.id)).or_insert_with(|| {
                *changed = true;
                PointState {
                    id: device.and_then(|device| device.point(&field.id).ok()),
                    field: field.clone(),
                    told: None,
                    read: None,
                }
            });
            let news = state.is_due(now, repeat)
                || field.nature == Nature::Happened
                || state.field.value != field.value;
            state.field = field;
            state.read = None;
            if news {
                state.told = Some(now);
                readings.extend(state.reading(at, Quality::Good));
            }
        }
        readings
    }

    /// A value of somebody who looks around.
    pub(crate) fn looked(&mut self, value: GattValue) {
        self.notified.push_front(value);
        self.notified.truncate(NOTIFIED);
    }

    /// What the last packet said, and nothing else: a value of another packet, or of a connection, was not heard again.
    fn tell_again(&mut self, at: Timestamp, now: Instant, repeat: Duration) -> Vec<Reading> {
        self.told = Some(now);
        let mut readings = Vec::new();
        for id in &self.says {
            let state = self.points.get_mut(id);
            let state = state.filter(|state| state.field.nature == Nature::Measured);
            if let Some(state) = state.filter(|state| state.is_due(now, repeat)) {
                state.told = Some(now);
                readings.extend(state.reading(at, Quality::Good));
            }
        }
        readings
    }

    /// Time has passed: who fell silent says so, and who came or went.
    pub(crate) fn tick(&mut self, now: Instant, at: Timestamp, rules: &Rules) -> Vec<Reading> {
        if let Some(trial) = &mut self.trial {
            trial.expire(now);
        }
        let freshness = self.rhythm.freshness(now);
        self.presence.freshness(freshness);
        let mut readings = Vec::new();
        if freshness == Freshness::Silent && self.freshness != Freshness::Silent {
            readings.extend(self.silent(now, at));
        } else if freshness != Freshness::Silent {
            readings.extend(self.out_of_reach(now, at));
        }
        self.freshness = freshness;
        if rules.presence && self.device.is_some() {
            readings.extend(self.present(now, at, rules.repeat));
        }
        readings
    }

    /// Its last values, which are not to be trusted any more.
    fn silent(&self, now: Instant, at: Timestamp) -> Vec<Reading> {
        let ago = self
            .rhythm
            .last()
            .map(|last| now.saturating_duration_since(last));
        let usual = self.rhythm.interval().map(words_of).unwrap_or_default();
        let why: Arc<str> = format!(
            "UncertainLastUsableValue: not heard for {}{}{usual}",
            words_of(ago.unwrap_or_default()),
            if usual.is_empty() {
                ""
            } else {
                ", and usually every "
            },
        )
        .into();
        let measured = self.points.values();
        let measured = measured.filter(|state| state.field.nature == Nature::Measured);
        measured
            .filter_map(|state| state.reading(at, Quality::Uncertain(Arc::clone(&why))))
            .collect()
    }

    fn present(&mut self, now: Instant, at: Timestamp, repeat: Duration) -> Vec<Reading> {
        let mut fields = Vec::new();
        let near = self.presence.is_near();
        if self.near.replace(near) != Some(near) {
            fields.push(Field::measured("present", near, None));
        }
        let due = |state: &PointState| state.is_due(now, repeat);
        if self.freshness != Freshness::Silent
            && let Some(rssi) = self.presence.rssi()
            && self.points.get("rssi").is_none_or(due)
        {
            let unit = Some("dB[mW]");
            fields.push(Field::measured("rssi", rssi.round(), unit));
        }
        self.take(fields, at, now, Duration::ZERO)
    }

    /// As it is announced.
    pub(crate) fn announcement(&self, problem: Option<&str>) -> Option<Device> {
        let device = self.device.clone()?;
        let unreachable = self.why_unreachable();
        let points = self.points.values().filter_map(|state| {
            // What packets say comes without a connection.
            let unreachable = unreachable.filter(|_| state.read.is_some());
            Some(Point {
                id: state.id.clone()?,
                name: state.field.id.replace('_', " "),
                unit: state.field.unit.as_deref().map(str::to_owned),
                range: None,
                description: None,
                data_type: None,
                address: format!("{} {}", self.address, state.field.id),
                remark: None,
                problem: problem.or(unreachable).map(str::to_owned),
            })
        });
        Some(Device {
            id: device,
            name: self.called(),
            model: self.model(),
            address: self.address.to_string(),
            points: points.collect(),
        })
    }

    /// What people call it.
    pub(crate) fn called(&self) -> String {
        let own = self.known.as_ref().and_then(|known| known.name.clone());
        own.or_else(|| self.name.clone()).unwrap_or_else(|| {
            let [.., a, b] = self.address.0;
            let kind = self.profile.as_ref().map(|profile| profile.title());
            format!(
                "{} {a:02X}{b:02X}",
                kind.or(self.vendor.as_deref()).unwrap_or("device")
            )
        })
    }

    fn model(&self) -> Option<String> {
        let title = self.profile.as_ref().map(|profile| profile.title());
        match (self.vendor.as_deref(), title) {
            (Some(vendor), Some(title)) if !title.contains(vendor) => {
                Some(format!("{vendor} {title}"))
            }
            (_, Some(title)) => Some(title.to_owned()),
            (Some(vendor), None) => Some(vendor.to_owned()),
            (None, None) => None,
        }
    }
}

// === impl Came ===

impl Came {
    fn ignored(why: &'static str) -> Self {
        Self {
            readings: Vec::new(),
            ignored: Some(why),
        }
    }

    fn readings(readings: Vec<Reading>) -> Self {
        Self {
            readings,
            ignored: None,
        }
    }
}

// === impl PointState ===

impl PointState {
    /// It was not told for so long, or never.
    fn is_due(&self, now: Instant, repeat: Duration) -> bool {
        self.told
            .is_none_or(|told| now.saturating_duration_since(told) >= repeat)
    }

    fn reading(&self, at: Timestamp, quality: Quality) -> Option<Reading> {
        Some(Reading {
            point: self.id.clone()?,
            value: self.field.value.clone(),
            quality,
            at,
            seen: at,
            unit: self.field.unit.clone(),
            class: match self.field.nature {
                Nature::Measured => Class::Telemetry,
                Nature::Happened => Class::Event,
            },
            backfilled: false,
        })
    }
}

/// What is kept of a format; where there is no room, another one goes, and of those that a key opened none: their counters tell what is
/// played back.
fn format_of<'f>(formats: &'f mut Vec<Format>, profile: &Profile) -> &'f mut Format {
    let place = formats
        .iter()
        .position(|format| *format.profile == *profile.id());
    let place = place.unwrap_or_else(|| {
        if formats.len() >= FORMATS
            && let Some(goes) = formats
                .iter()
                .position(|format| format.memory.counter.is_none())
        {
            formats.remove(goes);
        }
        formats.push(Format {
            profile: profile.shared_id(),
            memory: Memory::default(),
            says: Vec::new(),
        });
        formats.len() - 1
    });
    &mut formats[place]
}

/// The same for the same key, without being one.
fn mark(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.bytes().hash(&mut hasher);
    hasher.finish()
}

/// `temperature 21.5 Cel, humidity 46 %`.
fn in_words(fields: &[Field]) -> String {
    let words = fields.iter().map(|field| {
        let value = match &field.value {
            Value::Text(text) => text.clone(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::UInt(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bytes(bytes) => crate::capture::to_hex(bytes),
            _ => "…".to_owned(),
        };
        match &field.unit {
            Some(unit) => format!("{} {value} {unit}", field.id),
            None => format!("{} {value}", field.id),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// `1.3 s`, `40 s`, `12 min`, `3 h`.
fn words_of(span: Duration) -> String {
    match span.as_secs() {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
