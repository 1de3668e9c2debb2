//! `Ears`: a thread that hears the signals of BlueZ on a connection to the bus of its own, and makes advertisements of them.
//!
//! btleplug makes events of the same signals, yet asks BlueZ for all properties of the device with each of them, one after the
//! other; under a flood that costs most of what the bus can carry, and what changes meanwhile is told twice or never. Here a
//! signal is read where it arrives. A thread, because the loop of dbus-tokio does not yield while there is something to read.

use std::{
    collections::HashMap,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use dbus::{
    Message,
    arg::{ArgType, Iter},
    channel::{BusType, Channel},
};
use tokio_util::sync::CancellationToken;

use super::{
    known::Known,
    report::{Devices, Key, Report},
    words::{self, About},
};
use crate::radio::{
    Heard, RadioError,
    outlet::{Outlet, now},
};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const OBJECTS: &str = "org.freedesktop.DBus.ObjectManager";
const DEVICE: &str = "org.bluez.Device1";
const ADAPTER: &str = "org.bluez.Adapter1";
/// Only what is needed comes over the bus: properties of services and characteristics do not.
const MATCHES: [&str; 5] = [
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.bluez.Device1'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='org.bluez.Adapter1'",
    "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.ObjectManager'",
    "type='signal',sender='org.bluez',interface='org.bluez.Device1',member='Disconnected'",
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
];
/// How long it takes at most to notice that the radio was dropped.
const LOOK_UP: Duration = Duration::from_millis(250);
const CALL: Duration = Duration::from_secs(9);
/// Devices whose kind of address is being asked for. More at once are counted as missed.
const ASKED: usize = 256;

/// See the module.
pub(in super::super) struct Ears {
    channel: Channel,
    /// The unique name of BlueZ: nobody else is believed.
    owner: String,
    devices: Devices,
    known: Arc<Known>,
    outlet: Arc<Outlet>,
    names: HashMap<u16, Arc<str>>,
    /// By the serial of the question, what was said before it was known who speaks.
    asked: HashMap<u32, (Key, Report)>,
}

/// The listening goes on.
type GoesOn = bool;

// === impl Ears ===

impl Ears {
    /// Begins to listen, and knows all that BlueZ knows when this returns. Blocks for as long as BlueZ takes to answer.
    pub(in super::super) fn open(
        owner: String,
        known: Arc<Known>,
        outlet: Arc<Outlet>,
    ) -> Result<Self, RadioError> {
        let mut channel =
            Channel::get_private(BusType::System).map_err(|error| words::no_bus(&error))?;
        channel.set_watch_enabled(false);
        let mut ears = Self {
            channel,
            owner,
            devices: Devices::default(),
            known,
            outlet,
            names: HashMap::new(),
            asked: HashMap::new(),
        };
        for rule in MATCHES {
            let call = Message::call_with_args(
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
                "AddMatch",
                (rule,),
            );
            ears.call("listen to the bus", call)?;
        }
        let call = Message::call_with_args("org.bluez", "/", OBJECTS, "GetManagedObjects", ());
        let objects = ears.call("ask BlueZ what it knows", call)?;
        ears.learn(&objects);
        Ok(ears)
    }

    /// Listens in a thread until cancelled. The end of BlueZ or of the bus is told, and ends it, too.
    pub(in super::super) fn listen(
        mut self,
        cancelled: CancellationToken,
        over: CancellationToken,
    ) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name("ble-ears".to_owned())
            .spawn(move || {
                // However this ends, also by a panic: a radio that hears nothing must not go on.
                let _over = over.drop_guard();
                while !cancelled.is_cancelled() {
                    if self.channel.read_write(Some(LOOK_UP)).is_err() {
                        self.outlet.over(words::bus_lost("closed by the bus"));
                        return;
                    }
                    while let Some(message) = self.channel.pop_message() {
                        if !self.take(&message) {
                            return;
                        }
                    }
                }
            })
    }

    fn take(&mut self, message: &Message) -> GoesOn {
        if let Some(serial) = message.get_reply_serial() {
            self.answered(serial, message);
            return true;
        }
        let Some(member) = message.member() else {
            return true;
        };
        if &*member == "NameOwnerChanged" {
            return self.owner_changed(message);
        }
        if message.sender().as_deref() != Some(self.owner.as_str()) {
            return true;
        }
        match &*member {
            "PropertiesChanged" => self.properties_changed(message),
            "Disconnected" => self.disconnected(message),
            "InterfacesAdded" => self.interfaces_added(message),
            "InterfacesRemoved" => self.interfaces_removed(message),
            _ => {}
        }
        true
    }

    fn owner_changed(&mut self, message: &Message) -> GoesOn {
        let (name, _, new): (Option<&str>, Option<&str>, Option<&str>) = message.get3();
        let ours = message.sender().as_deref() == Some("org.freedesktop.DBus");
        if ours && name == Some("org.bluez") && new != Some(self.owner.as_str()) {
            self.known.daemon_went();
            self.outlet.over(words::gone());
            return false;
        }
        true
    }

    fn properties_changed(&mut self, message: &Message) {
        let mut arguments = message.iter_init();
        let interface = arguments.read::<&str>();
        if interface == Ok(ADAPTER) {
            self.outlet.adapters_changed();
            return;
        }
        let path = message.path();
        let Some(key) = path.as_deref().and_then(Key::of_path) else {
            return;
        };
        if interface != Ok(DEVICE) {
            return;
        }
        let report = Report::read(&mut arguments);
        self.note_links(key, &report);
        // What there was before is told with the object.
        if report.bonded == Some(true) {
            self.known.bond_made(key);
        }
        arguments.next();
        if says(&mut arguments, "RSSI") {
            self.devices.lose_rssi(key);
        }
        if self.devices.knows(key) {
            self.hear(key, report);
        } else {
            self.ask(key, report);
        }
    }

    /// From BlueZ 5.83 on it says why (org.bluez.Device, Disconnected).
    fn disconnected(&self, message: &Message) {
        let path = message.path();
        if let Some(key) = path.as_deref().and_then(Key::of_path)
            && let Some(reason) = message.get1::<&str>()
        {
            self.known.link_ended(key, reason);
        }
    }

    fn interfaces_added(&mut self, message: &Message) {
        let mut arguments = message.iter_init();
        if let Ok(path) = arguments.read::<dbus::Path<'_>>() {
            self.object_came(&path, &mut arguments, true);
        }
    }

    fn interfaces_removed(&mut self, message: &Message) {
        let mut arguments = message.iter_init();
        let Ok(path) = arguments.read::<dbus::Path<'_>>() else {
            return;
        };
        if let Some(adapter) = adapter_of(&path) {
            if says(&mut arguments, ADAPTER) {
                self.known.adapter_went(adapter);
                self.outlet.adapters_changed();
            }
        } else if let Some(key) = Key::of_path(&path)
            && says(&mut arguments, DEVICE)
        {
            self.known.connected(key, false);
            self.known.bonded(key, false);
            self.devices.forget(key);
        }
    }

    /// Takes the interfaces of an object, `a{sa{sv}}`; of a device that is heard right now also its first advertisement.
    fn object_came(&mut self, path: &str, interfaces: &mut Iter<'_>, heard: bool) {
        let Some(mut entries) = interfaces.recurse(ArgType::Array) else {
            return;
        };
        while let Some(mut entry) = entries.recurse(ArgType::DictEntry) {
            let interface = entry.get::<&str>();
            entry.next();
            match interface {
                Some(ADAPTER) => {
                    if let Some(adapter) = adapter_of(path) {
                        self.known.adapter_came(adapter);
                        self.outlet.adapters_changed();
                    }
                }
                Some(DEVICE) => {
                    if let Some(key) = Key::of_path(path) {
                        let report = Report::read(&mut entry);
                        self.note_links(key, &report);
                        // BlueZ brings back the devices that it has a bond with, too, whether they are near or not.
                        if heard && report.rssi.is_some() {
                            self.hear(key, report);
                        } else {
                            let told = self.known.told(key.adapter);
                            self.devices.hear(key, report, told);
                        }
                    }
                }
                _ => {}
            }
            entries.next();
        }
    }

    /// Takes all objects that there were before we listened, `a{oa{sa{sv}}}`.
    fn learn(&mut self, objects: &Message) {
        let Some(mut all) = objects.iter_init().recurse(ArgType::Array) else {
            return;
        };
        while let Some(mut entry) = all.recurse(ArgType::DictEntry) {
            if let Ok(path) = entry.read::<dbus::Path<'_>>() {
                self.object_came(&path, &mut entry, false);
            }
            all.next();
        }
    }

    fn note_links(&self, key: Key, report: &Report) {
        if let Some(connected) = report.connected {
            self.known.connected(key, connected);
        }
        if let Some(bonded) = report.bonded {
            self.known.bonded(key, bonded);
        }
    }

    fn hear(&mut self, key: Key, report: Report) {
        let told = self.known.told(key.adapter);
        if let Some(advertisement) = self.devices.hear(key, report, told) {
            let adapter = self
                .names
                .entry(key.adapter)
                .or_insert_with(|| format!("hci{}", key.adapter).into());
            self.outlet.heard(Heard {
                adapter: adapter.clone(),
                at: now(),
                advertisement,
            });
        }
    }

    /// Who speaks was forgotten in a flood: asks BlueZ what kind of address it has, and lets it be heard then.
    fn ask(&mut self, key: Key, report: Report) {
        let call =
            Message::call_with_args("org.bluez", key.path(), PROPERTIES, "GetAll", (DEVICE,));
        if self.asked.len() < ASKED
            && let Ok(serial) = self.channel.send(call)
        {
            self.asked.insert(serial, (key, report));
        } else {
            self.outlet.miss(1);
        }
    }

    fn answered(&mut self, serial: u32, answer: &Message) {
        let Some((key, mut report)) = self.asked.remove(&serial) else {
            return;
        };
        if answer.msg_type() != dbus::MessageType::MethodReturn {
            self.outlet.miss(1);
            return;
        }
        let all = Report::read(&mut answer.iter_init());
        report.random = report.random.or(all.random);
        report.name = report.name.or(all.name);
        report.rssi = report.rssi.or(all.rssi);
        report.tx_power = report.tx_power.or(all.tx_power);
        report.services = report.services.or(all.services);
        self.hear(key, report);
    }

    fn call(&self, doing: &str, call: Message) -> Result<Message, RadioError> {
        self.channel
            .send_with_reply_and_block(call, CALL)
            .map_err(|error| words::of_dbus(doing, About::Daemon, &error))
    }
}

/// Whether a name is in `as`.
fn says(names: &mut Iter<'_>, wanted: &str) -> bool {
    let Some(mut names) = names.recurse(ArgType::Array) else {
        return false;
    };
    while let Some(name) = names.get::<&str>() {
        if name == wanted {
            return true;
        }
        names.next();
    }
    false
}

/// The number of `/org/bluez/hci0`.
fn adapter_of(path: &str) -> Option<u16> {
    path.strip_prefix("/org/bluez/hci")?.parse().ok()
}
