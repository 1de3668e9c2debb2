//! `Bus`: asks BlueZ. Every call has a limit.

use std::{path::Path, sync::Arc, time::Duration};

use dbus::{
    arg::{AppendAll, PropMap, ReadAll, Variant, prop_cast},
    nonblock::{Proxy, SyncConnection},
};
use dbus_tokio::connection::{self, IOResource};
use fieldgate_kit::scanner::AdapterState;

use super::{
    agent,
    known::Known,
    report::Key,
    rfkill,
    words::{self, About},
};
use crate::{
    Address,
    radio::{AdapterFacts, RadioError},
};

const BLUEZ: &str = "org.bluez";
const ADAPTER: &str = "org.bluez.Adapter1";
const DEVICE: &str = "org.bluez.Device1";
const MONITORS: &str = "org.bluez.AdvertisementMonitorManager1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Shorter than the ten seconds that a call of a radio may take.
const CALL: Duration = Duration::from_secs(9);
const START: Duration = Duration::from_secs(8);
const RFKILL: &str = "/sys/class/rfkill";

/// See the module. Cloning shares the connection.
#[derive(Clone)]
pub(in super::super) struct Bus {
    connection: Arc<SyncConnection>,
}

/// What BlueZ says of an adapter.
#[derive(Debug, Default)]
struct Adapter {
    address: Option<Address>,
    powered: bool,
    discovering: bool,
    /// Held by rfkill, by BlueZ's word; older ones do not tell.
    blocked: bool,
}

// === impl Bus ===

impl Bus {
    /// Connects to the system bus. The resource ends when the bus is lost. Blocks shortly.
    pub(in super::super) fn open() -> Result<(IOResource<SyncConnection>, Self), RadioError> {
        let (resource, connection) =
            connection::new_system_sync().map_err(|error| words::no_bus(&error))?;
        Ok((resource, Self { connection }))
    }

    pub(in super::super) fn connection(&self) -> &Arc<SyncConnection> {
        &self.connection
    }

    /// Words for the end of the resource.
    pub(in super::super) fn lost(why: &str) -> RadioError {
        words::bus_lost(why)
    }

    /// The unique name of BlueZ, which is started if it does not run.
    pub(in super::super) async fn daemon(&self) -> Result<String, RadioError> {
        if let Some(owner) = self.owner().await? {
            return Ok(owner);
        }
        let (activatable,): (Vec<String>,) = self
            .ask_bus("ask who could be started", "ListActivatableNames", ())
            .await?;
        if !activatable.iter().any(|name| name == BLUEZ) {
            return Err(words::not_installed());
        }
        let proxy = self.proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", START);
        let started: Result<(u32,), _> = proxy
            .method_call("org.freedesktop.DBus", "StartServiceByName", (BLUEZ, 0u32))
            .await;
        let owner = self.owner().await?;
        if let Err(error) = started {
            tracing::debug!(%error, "BlueZ was not started");
        }
        owner.ok_or_else(words::not_running)
    }

    async fn owner(&self) -> Result<Option<String>, RadioError> {
        let proxy = self.proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", CALL);
        let owner: Result<(String,), dbus::Error> = proxy
            .method_call("org.freedesktop.DBus", "GetNameOwner", (BLUEZ,))
            .await;
        match owner {
            Ok((owner,)) => Ok(Some(owner)),
            Err(error) if error.name() == Some("org.freedesktop.DBus.Error.NameHasNoOwner") => {
                Ok(None)
            }
            Err(error) => Err(words::of_dbus("look for BlueZ", About::Daemon, &error)),
        }
    }

    /// The adapters, each asked anew: a daemon that hangs is found out by this.
    pub(in super::super) async fn adapters(
        &self,
        known: &Known,
    ) -> Result<Vec<(u16, AdapterFacts)>, RadioError> {
        let held = rfkill::held(Path::new(RFKILL));
        let mut all = Vec::new();
        for number in known.adapters() {
            let id = format!("hci{number}");
            let path = format!("/org/bluez/{id}");
            let asked = self
                .ask_all(&path, ADAPTER, &format!("ask how {id} is"))
                .await;
            let adapter = match asked {
                // It was unplugged just now.
                Err(RadioError::NoAdapter(_)) => continue,
                Err(error) => return Err(error),
                Ok(properties) => Adapter::read(&properties),
            };
            let passive = self.offers_monitors(&path).await;
            let facts = AdapterFacts {
                state: adapter.state(held.contains(&id)),
                id: id.into(),
                address: adapter.address,
                scanning: adapter.discovering,
                passive,
                connections: known.connections(number),
            };
            all.push((number, facts));
        }
        Ok(all)
    }

    /// Whether a switch holds Bluetooth, or a part of it.
    pub(in super::super) fn is_held() -> bool {
        !rfkill::held(Path::new(RFKILL)).is_empty()
    }

    async fn offers_monitors(&self, path: &str) -> bool {
        let types: Result<(Variant<Vec<String>>,), _> = self
            .call(
                (path, PROPERTIES, "Get"),
                (MONITORS, "SupportedMonitorTypes"),
                "ask for monitors",
                About::Adapter,
                CALL,
            )
            .await;
        types.is_ok_and(|(Variant(types),)| types.iter().any(|name| name == "or_patterns"))
    }

    /// Switches an adapter on or off.
    pub(in super::super) async fn power(&self, adapter: u16, on: bool) -> Result<(), RadioError> {
        let doing = format!("switch hci{adapter} {}", if on { "on" } else { "off" });
        self.set(
            &adapter_path(adapter),
            ADAPTER,
            "Powered",
            on,
            &doing,
            About::Adapter,
        )
        .await
    }

    /// Begins to scan actively.
    ///
    /// Not by btleplug: it asks for `auto`, and an adapter that can do both then spends half of its time on the inquiry of Bluetooth
    /// Classic; and it switches the adapter on, which nobody asked for.
    pub(in super::super) async fn discover(&self, adapter: u16) -> Result<(), RadioError> {
        let path = adapter_path(adapter);
        let doing = format!("scan with hci{adapter}");
        let mut filter = PropMap::new();
        filter.insert("Transport".to_owned(), Variant(Box::new("le".to_owned())));
        filter.insert("DuplicateData".to_owned(), Variant(Box::new(true)));
        let _: () = self
            .call(
                (&path, ADAPTER, "SetDiscoveryFilter"),
                (filter,),
                &doing,
                About::Adapter,
                CALL,
            )
            .await?;
        self.call(
            (&path, ADAPTER, "StartDiscovery"),
            (),
            &doing,
            About::Adapter,
            CALL,
        )
        .await
    }

    /// Ends the active scan. That there was none is no error.
    pub(in super::super) async fn stop(&self, adapter: u16) -> Result<(), RadioError> {
        let doing = format!("end the scan of hci{adapter}");
        let path = adapter_path(adapter);
        let stopped: Result<(), _> = self
            .call(
                (&path, ADAPTER, "StopDiscovery"),
                (),
                &doing,
                About::Adapter,
                CALL,
            )
            .await;
        match stopped {
            Err(RadioError::Refused(_)) => Ok(()),
            other => other,
        }
    }

    /// Begins or ends to listen passively.
    pub(in super::super) async fn monitor(
        &self,
        adapter: u16,
        known: &Known,
        on: bool,
    ) -> Result<(), RadioError> {
        let doing = format!("listen passively with hci{adapter}");
        let method = if on {
            "RegisterMonitor"
        } else {
            "UnregisterMonitor"
        };
        known.gather(adapter, on);
        let done: Result<(), _> = self
            .call(
                (&adapter_path(adapter), MONITORS, method),
                (dbus::Path::from(agent::MONITOR_ROOT),),
                &doing,
                About::Adapter,
                CALL,
            )
            .await;
        match done {
            Err(_) if !on => Ok(()),
            Err(error) => {
                known.gather(adapter, false);
                Err(error)
            }
            done => done,
        }
    }

    /// Tells BlueZ who answers the questions of pairing.
    pub(in super::super) async fn register_agent(&self) -> Result<(), RadioError> {
        let doing = "answer devices that pair";
        let path = dbus::Path::from(agent::AGENT);
        let target = |method| ("/org/bluez", "org.bluez.AgentManager1", method);
        let _: () = self
            .call(
                target("RegisterAgent"),
                (path.clone(), "KeyboardDisplay"),
                doing,
                About::Daemon,
                CALL,
            )
            .await?;
        self.call(
            target("RequestDefaultAgent"),
            (path,),
            doing,
            About::Daemon,
            CALL,
        )
        .await
    }

    pub(in super::super) async fn pair(
        &self,
        adapter: u16,
        address: Address,
        limit: Duration,
    ) -> Result<(), RadioError> {
        let path = Key { adapter, address }.path();
        let doing = format!("pair with {address}");
        let _: () = self
            .call((&path, DEVICE, "Pair"), (), &doing, About::Device, limit)
            .await?;
        // Without it BlueZ forgets a device that is not there for a while, and asks whether it may connect.
        self.set(&path, DEVICE, "Trusted", true, &doing, About::Device)
            .await
    }

    pub(in super::super) async fn disconnect(
        &self,
        adapter: u16,
        address: Address,
    ) -> Result<(), RadioError> {
        let path = Key { adapter, address }.path();
        let doing = format!("disconnect {address}");
        self.call(
            (&path, DEVICE, "Disconnect"),
            (),
            &doing,
            About::Device,
            CALL,
        )
        .await
    }

    /// Removes a device with its bond. That it is not there is no error.
    pub(in super::super) async fn remove(
        &self,
        adapter: u16,
        address: Address,
    ) -> Result<(), RadioError> {
        let device = dbus::Path::from(Key { adapter, address }.path());
        let doing = format!("forget {address}");
        let removed: Result<(), _> = self
            .call(
                (&adapter_path(adapter), ADAPTER, "RemoveDevice"),
                (device,),
                &doing,
                About::Device,
                CALL,
            )
            .await;
        match removed {
            Err(RadioError::Away(_)) => Ok(()),
            other => other,
        }
    }

    /// Whether BlueZ has an object of this device, without which nothing can be asked of it.
    pub(in super::super) async fn has(&self, adapter: u16, address: Address) -> bool {
        let path = Key { adapter, address }.path();
        let asked: Result<(Variant<bool>,), _> = self
            .call(
                (&path, PROPERTIES, "Get"),
                (DEVICE, "Paired"),
                "look it up",
                About::Device,
                CALL,
            )
            .await;
        asked.is_ok()
    }

    /// The strength of the last signal of a device, in dBm; none when it was not heard in this scan.
    pub(in super::super) async fn signal(&self, adapter: u16, address: Address) -> Option<i16> {
        let path = Key { adapter, address }.path();
        let asked: Result<(Variant<i16>,), _> = self
            .call(
                (&path, PROPERTIES, "Get"),
                (DEVICE, "RSSI"),
                "look it up",
                About::Device,
                CALL,
            )
            .await;
        asked.ok().map(|(Variant(dbm),)| dbm)
    }

    /// Whether a device is connected, asked anew.
    pub(in super::super) async fn is_connected(
        &self,
        adapter: u16,
        address: Address,
    ) -> Result<bool, RadioError> {
        let path = Key { adapter, address }.path();
        let doing = format!("ask whether {address} is connected");
        let asked: Result<(Variant<bool>,), _> = self
            .call(
                (&path, PROPERTIES, "Get"),
                (DEVICE, "Connected"),
                &doing,
                About::Device,
                CALL,
            )
            .await;
        match asked {
            Ok((Variant(connected),)) => Ok(connected),
            Err(RadioError::Away(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn set(
        &self,
        path: &str,
        interface: &str,
        name: &str,
        value: bool,
        doing: &str,
        about: About,
    ) -> Result<(), RadioError> {
        self.call(
            (path, PROPERTIES, "Set"),
            (interface, name, Variant(value)),
            doing,
            about,
            CALL,
        )
        .await
    }

    async fn ask_all(
        &self,
        path: &str,
        interface: &str,
        doing: &str,
    ) -> Result<PropMap, RadioError> {
        let (all,): (PropMap,) = self
            .call(
                (path, PROPERTIES, "GetAll"),
                (interface,),
                doing,
                About::Adapter,
                CALL,
            )
            .await?;
        Ok(all)
    }

    async fn ask_bus<R: ReadAll + 'static>(
        &self,
        doing: &str,
        method: &str,
        arguments: impl AppendAll,
    ) -> Result<R, RadioError> {
        let proxy = self.proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", CALL);
        proxy
            .method_call("org.freedesktop.DBus", method, arguments)
            .await
            .map_err(|error| words::of_dbus(doing, About::Daemon, &error))
    }

    async fn call<R: ReadAll + 'static>(
        &self,
        (path, interface, method): (&str, &str, &str),
        arguments: impl AppendAll,
        doing: &str,
        about: About,
        limit: Duration,
    ) -> Result<R, RadioError> {
        let proxy = self.proxy(BLUEZ, path, limit);
        proxy
            .method_call(interface, method, arguments)
            .await
            .map_err(|error| words::of_dbus(doing, about, &error))
    }

    fn proxy<'a>(
        &self,
        name: &'a str,
        path: &'a str,
        limit: Duration,
    ) -> Proxy<'a, Arc<SyncConnection>> {
        Proxy::new(name, path, limit, self.connection.clone())
    }
}

// === impl Adapter ===

impl Adapter {
    fn read(properties: &PropMap) -> Self {
        let text = |name| prop_cast::<String>(properties, name).map(String::as_str);
        let flag = |name| prop_cast::<bool>(properties, name) == Some(&true);
        let address = text("Address").and_then(|text| text.parse().ok());
        Self {
            // An adapter that is still being set up says so with nothing but zeros.
            address: address.filter(|address| *address != Address([0; 6])),
            powered: flag("Powered"),
            discovering: flag("Discovering"),
            blocked: text("PowerState") == Some("off-blocked"),
        }
    }

    fn state(&self, held: bool) -> AdapterState {
        if self.blocked || (held && !self.powered) {
            AdapterState::Blocked
        } else if !self.powered {
            AdapterState::Off
        } else if self.discovering {
            AdapterState::Listening
        } else {
            AdapterState::Starting
        }
    }
}

fn adapter_path(adapter: u16) -> String {
    format!("/org/bluez/hci{adapter}")
}
