//! `Report`: what a D-Bus signal of BlueZ said of a device, and `Devices`: what is remembered to make a whole advertisement of it.
//!
//! BlueZ tells what changed. With duplicates wanted it tells the data of manufacturers and services with every advertising
//! report, and only those of this report (`device_set_manufacturer_data` of its src/device.c clears them first); signal strength,
//! name, services and transmit power it tells when they are others than before, so those that it leaves out are the last ones.
//! Without that wish, as it is while listening passively, it gathers all data that it ever heard and tells all of them again:
//! the new ones are found by comparing.

use std::collections::HashMap;

use dbus::arg::{ArgType, Iter};
use uuid::Uuid;

use crate::{Address, Advertisement, radio::doubts::Place};

/// What was said of a device. What was not said is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub random: Option<bool>,
    pub name: Option<String>,
    pub rssi: Option<i16>,
    pub tx_power: Option<i16>,
    pub manufacturer: Option<Vec<(u16, Vec<u8>)>>,
    pub service_data: Option<Vec<(Uuid, Vec<u8>)>>,
    pub services: Option<Vec<Uuid>>,
    pub connected: Option<bool>,
    pub bonded: Option<bool>,
}

/// Which device, on which adapter. The adapter is the number in `hci0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub adapter: u16,
    pub address: Address,
}

/// How BlueZ tells what it hears on an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The data of each report by themselves.
    Each,
    /// All that it ever heard of the device.
    Gathered,
}

/// What is remembered of the devices that were heard; of the first 4,096 to 8,192, whatever a flood of addresses does.
#[derive(Debug, Default)]
pub(super) struct Devices {
    young: HashMap<Key, Device>,
    old: HashMap<Key, Device>,
}

#[derive(Debug, Default)]
struct Device {
    random: bool,
    connected: bool,
    name: Option<String>,
    rssi: Option<i16>,
    tx_power: Option<i16>,
    services: Vec<Uuid>,
    /// Only while they are gathered.
    manufacturer: Vec<(u16, Vec<u8>)>,
    service_data: Vec<(Uuid, Vec<u8>)>,
}

/// When so many were heard, those are forgotten that were not heard since the same number before.
const GENERATION: usize = 4_096;
/// Names are claims of strangers; the longest that fits into an extended advertisement is 248 bytes.
const NAME_MOST: usize = 248;
/// As many as fit into an extended advertisement, of the longest that a controller may take.
const DATA_MOST: usize = 1650;

// === impl Report ===

impl Report {
    /// Reads `a{sv}`, the properties of `org.bluez.Device1`. Whatever has another type than it should is left out.
    pub(super) fn read(properties: &mut Iter<'_>) -> Self {
        let mut report = Self::default();
        each(properties, |name, value| match name {
            "AddressType" => report.random = value.get::<&str>().map(|kind| kind == "random"),
            "Name" => report.name = value.get::<&str>().map(claimed),
            "RSSI" => report.rssi = value.get(),
            "TxPower" => report.tx_power = value.get(),
            "Connected" => report.connected = value.get(),
            "Paired" | "Bonded" => {
                report.bonded = Some(report.bonded == Some(true) || value.get() == Some(true));
            }
            "UUIDs" => report.services = value.recurse(ArgType::Array).map(uuids),
            "ManufacturerData" => {
                report.manufacturer = value
                    .recurse(ArgType::Array)
                    .map(|data| entries(data, |key| key.get::<u16>()));
            }
            "ServiceData" => {
                report.service_data = value
                    .recurse(ArgType::Array)
                    .map(|data| entries(data, |key| Uuid::parse_str(key.get()?).ok()));
            }
            _ => {}
        });
        report
    }

    /// Something that was advertised is in it. What a connected device says by other ways has no signal strength and no data.
    fn is_heard(&self, connected: bool) -> bool {
        let data = self.manufacturer.is_some() || self.service_data.is_some();
        let said = self.name.is_some() || self.services.is_some() || self.tx_power.is_some();
        data || self.rssi.is_some() || (said && !connected)
    }
}

// === impl Devices ===

impl Devices {
    /// Whether it is known what kind of address this one has.
    pub(super) fn knows(&self, key: Key) -> bool {
        self.young.contains_key(&key) || self.old.contains_key(&key)
    }

    /// Remembers what was said, and makes an advertisement of it if it is one.
    pub(super) fn hear(&mut self, key: Key, report: Report, told: Told) -> Option<Advertisement> {
        let device = self.entry(key);
        device.random = report.random.unwrap_or(device.random);
        device.connected = report.connected.unwrap_or(device.connected);
        let heard = report.is_heard(device.connected);
        if report.rssi.is_some() {
            device.rssi = report.rssi;
        }
        if report.tx_power.is_some() {
            device.tx_power = report.tx_power;
        }
        if report.name.is_some() {
            device.name = report.name;
        }
        if let Some(services) = report.services {
            device.services = services;
        }
        if !heard {
            return None;
        }
        let mut manufacturer = report.manufacturer.unwrap_or_default();
        let mut service_data = report.service_data.unwrap_or_default();
        if told == Told::Gathered {
            news(&mut manufacturer, &mut device.manufacturer);
            news(&mut service_data, &mut device.service_data);
        }
        Some(Advertisement {
            address: key.address,
            random: device.random,
            name: device.name.clone(),
            rssi: device.rssi,
            tx_power: device.tx_power,
            manufacturer,
            service_data,
            services: device.services.clone(),
            connectable: None,
        })
    }

    /// It is no longer known to BlueZ.
    pub(super) fn forget(&mut self, key: Key) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Its signal strength is not told any more: the scan ended.
    pub(super) fn lose_rssi(&mut self, key: Key) {
        for devices in [&mut self.young, &mut self.old] {
            if let Some(device) = devices.get_mut(&key) {
                device.rssi = None;
            }
        }
    }

    fn entry(&mut self, key: Key) -> &mut Device {
        if self.young.len() >= GENERATION && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young
            .entry(key)
            .or_insert_with(|| old.remove(&key).unwrap_or_default())
    }
}

// === impl Key ===

impl Key {
    pub(super) fn place(self) -> Place {
        (self.adapter, self.address)
    }

    /// Of `/org/bluez/hci0/dev_A4_C1_38_0B_F5_11`, and not of what lies below.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let (adapter, device) = path.strip_prefix("/org/bluez/hci")?.split_once('/')?;
        let digits = device.strip_prefix("dev_")?.as_bytes();
        if digits.len() != 17 {
            return None;
        }
        let mut address = [0; 6];
        for (byte, pair) in address.iter_mut().zip(digits.chunks(3)) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Some(Self {
            adapter: adapter.parse().ok()?,
            address: Address(address),
        })
    }

    /// The path of the object that BlueZ has for it.
    pub(super) fn path(self) -> String {
        let address = self.address.to_string().replace(':', "_");
        format!("/org/bluez/hci{}/dev_{address}", self.adapter)
    }
}

/// Calls `tell` with every key and value of `a{sv}`.
fn each<'a>(properties: &mut Iter<'a>, mut tell: impl FnMut(&'a str, &mut Iter<'a>)) {
    let Some(mut entries) = properties.recurse(ArgType::Array) else {
        return;
    };
    while let Some(mut entry) = entries.recurse(ArgType::DictEntry) {
        if let Some(name) = entry.get::<&str>()
            && entry.next()
            && let Some(mut value) = entry.recurse(ArgType::Variant)
        {
            tell(name, &mut value);
        }
        entries.next();
    }
}

/// The entries of a map with bytes as values.
fn entries<K>(
    mut map: Iter<'_>,
    key: impl for<'a> Fn(&mut Iter<'a>) -> Option<K>,
) -> Vec<(K, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(mut entry) = map.recurse(ArgType::DictEntry) {
        let key = key(&mut entry);
        if let Some(key) = key
            && entry.next()
            && let Some(mut value) = entry.recurse(ArgType::Variant)
            && let Some(bytes) = value.get::<&[u8]>()
        {
            all.push((key, bytes[..bytes.len().min(DATA_MOST)].to_vec()));
        }
        map.next();
    }
    all
}

fn uuids(mut list: Iter<'_>) -> Vec<Uuid> {
    let mut all = Vec::new();
    while let Some(text) = list.get::<&str>() {
        all.extend(Uuid::parse_str(text).ok());
        list.next();
    }
    all
}

fn claimed(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_MOST)].to_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Leaves in `now` what is not in `before`, all of it if nothing is new, and remembers it.
fn news<K: PartialEq + Clone>(now: &mut Vec<(K, Vec<u8>)>, before: &mut Vec<(K, Vec<u8>)>) {
    let all = now.clone();
    now.retain(|entry| !before.contains(entry));
    if now.is_empty() {
        now.clone_from(&all);
    }
    if !all.is_empty() {
        *before = all;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use dbus::{
        Message,
        arg::{PropMap, RefArg, Variant},
    };

    use super::*;
    use crate::uuid16;

    const KEY: Key = Key {
        adapter: 0,
        address: Address([0xC0, 0xDE, 0, 0, 0, 1]),
    };

    fn read(properties: Vec<(&str, Box<dyn RefArg>)>) -> Report {
        let properties: PropMap = properties
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Variant(value)))
            .collect();
        let message = Message::new_signal("/a", "a.b", "c").unwrap();
        let message = message.append1(properties);
        Report::read(&mut message.iter_init())
    }

    fn manufacturer(data: &[(u16, &[u8])]) -> Box<dyn RefArg> {
        let data: HashMap<u16, Variant<Vec<u8>>> = data
            .iter()
            .map(|(company, bytes)| (*company, Variant(bytes.to_vec())))
            .collect();
        Box::new(data)
    }

    #[test]
    fn the_path_of_a_device_names_it() {
        assert_eq!(
            Key::of_path("/org/bluez/hci0/dev_C0_DE_00_00_00_01"),
            Some(KEY)
        );
        assert_eq!(KEY.path(), "/org/bluez/hci0/dev_C0_DE_00_00_00_01");
        for no in [
            "/org/bluez/hci0",
            "/org/bluez/hci0/dev_C0_DE_00_00_00_01/service0006",
            "/org/bluez/hci0/dev_C0_DE_00_00_00_0",
            "/org/bluez/hci0/dev_C0_DE_00_00_00_0G",
            "/org/other/hci0/dev_C0_DE_00_00_00_01",
        ] {
            assert_eq!(Key::of_path(no), None, "{no}");
        }
    }

    #[test]
    fn properties_are_read_by_their_types_and_others_left_out() {
        let service_data: HashMap<String, Variant<Vec<u8>>> =
            HashMap::from([(uuid16(0xFCD2).to_string(), Variant(vec![0x40, 0]))]);
        let report = read(vec![
            ("AddressType", Box::new("random".to_owned())),
            ("Name", Box::new("Fridge".to_owned())),
            ("RSSI", Box::new(-60i16)),
            ("TxPower", Box::new("loud".to_owned())),
            ("ManufacturerData", manufacturer(&[(0x0499, &[5, 1])])),
            ("ServiceData", Box::new(service_data)),
            (
                "UUIDs",
                Box::new(vec![uuid16(0x180F).to_string(), "none".to_owned()]),
            ),
            ("Paired", Box::new(true)),
            ("Bonded", Box::new(false)),
        ]);
        assert_eq!(report.random, Some(true));
        assert_eq!(report.name.as_deref(), Some("Fridge"));
        assert_eq!((report.rssi, report.tx_power), (Some(-60), None));
        assert_eq!(report.manufacturer, Some(vec![(0x0499, vec![5, 1])]));
        assert_eq!(
            report.service_data,
            Some(vec![(uuid16(0xFCD2), vec![0x40, 0])])
        );
        assert_eq!(report.services, Some(vec![uuid16(0x180F)]));
        assert_eq!(report.bonded, Some(true));
    }

    #[test]
    fn what_bluez_leaves_out_because_it_is_the_same_is_there_and_old_data_are_not() {
        let mut devices = Devices::default();
        let first = read(vec![
            ("AddressType", Box::new("random".to_owned())),
            ("Name", Box::new("Fridge".to_owned())),
            ("RSSI", Box::new(-60i16)),
            ("ManufacturerData", manufacturer(&[(1, &[1])])),
        ]);
        devices.hear(KEY, first, Told::Each).unwrap();
        let second = read(vec![("ManufacturerData", manufacturer(&[(1, &[2])]))]);
        let heard = devices.hear(KEY, second, Told::Each).unwrap();
        assert!(heard.random);
        assert_eq!(heard.name.as_deref(), Some("Fridge"));
        assert_eq!(heard.rssi, Some(-60));
        assert_eq!(heard.manufacturer, [(1, vec![2])]);
        let third = read(vec![("RSSI", Box::new(-61i16))]);
        let heard = devices.hear(KEY, third, Told::Each).unwrap();
        assert_eq!((heard.rssi, heard.manufacturer.len()), (Some(-61), 0));
        devices.lose_rssi(KEY);
        let fourth = read(vec![("ManufacturerData", manufacturer(&[(1, &[2])]))]);
        assert_eq!(devices.hear(KEY, fourth, Told::Each).unwrap().rssi, None);
    }

    #[test]
    fn what_a_connection_tells_is_no_advertisement() {
        let mut devices = Devices::default();
        let connected = read(vec![("Connected", Box::new(true))]);
        assert_eq!(devices.hear(KEY, connected, Told::Each), None);
        let resolved = read(vec![
            ("UUIDs", Box::new(vec![uuid16(0x180F).to_string()])),
            ("ServicesResolved", Box::new(true)),
        ]);
        assert_eq!(devices.hear(KEY, resolved, Told::Each), None);
    }

    #[test]
    fn of_gathered_data_only_the_new_ones_go_on() {
        let mut devices = Devices::default();
        let mut hear = |data: &[(u16, &[u8])]| {
            let report = read(vec![("ManufacturerData", manufacturer(data))]);
            let mut heard = devices
                .hear(KEY, report, Told::Gathered)
                .unwrap()
                .manufacturer;
            heard.sort();
            heard
        };
        assert_eq!(hear(&[(1, &[1])]), [(1, vec![1])]);
        assert_eq!(hear(&[(1, &[1]), (2, &[9])]), [(2, vec![9])]);
        assert_eq!(hear(&[(1, &[3]), (2, &[9])]), [(1, vec![3])]);
        assert_eq!(
            hear(&[(1, &[3]), (2, &[9])]),
            [(1, vec![3]), (2, vec![9])],
            "heard again"
        );
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_memory() {
        let mut devices = Devices::default();
        for number in 0..100_000u32 {
            let [a, b, c, d] = number.to_be_bytes();
            let key = Key {
                adapter: 0,
                address: Address([0x40, 0, a, b, c, d]),
            };
            let report = Report {
                rssi: Some(-80),
                ..Report::default()
            };
            assert!(devices.hear(key, report, Told::Each).is_some());
            assert!(devices.young.len() + devices.old.len() <= 2 * GENERATION);
        }
    }
}
