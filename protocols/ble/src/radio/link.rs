//! `Links`: connections to devices, by btleplug.
//!
//! Each `connect` and each `notifications` of it makes a stream that leaves a match rule behind at the bus now and then: when it
//! is dropped, a task unwraps the removal of the rule, which races with signals (`MessageStream` of bluez-async 0.9). The panic ends in
//! that task; the rules add up, and the bus allows 512. So streams are counted, and before they are too many the radio ends.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bluez_async::{BluetoothError, DeviceId};
use btleplug::{
    api::{
        Central as _, CharPropFlags, Characteristic as Described, Manager as _, Peripheral as _,
        ValueNotification, WriteType,
    },
    platform::{Adapter, Manager, Peripheral},
};
use futures::{Stream, StreamExt as _};
use tokio::{
    sync::{Mutex as Turn, mpsc},
    time,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Characteristic, CharacteristicId, Notification, RadioError, Service, Write,
    bluez::{About, Bus, Known, device_id, gave_up, of_dbus},
    doubts::Dialled,
    outlet::{Outlet, now},
};
use crate::Address;

/// Values that a device may be ahead of its reader. More are dropped and counted as missed.
const NOTIFIED: usize = 256;
/// How long one read or write may take. A device that is asleep between its connection events answers within seconds.
const ONE: Duration = Duration::from_secs(9);
/// How long a device may take to be forgotten whose pairing was turned down.
const SETTLE: Duration = Duration::from_secs(5);
/// How long BlueZ may take to say why a link broke that was being made usable.
const WHY: Duration = Duration::from_secs(1);
/// How long the bus may take to tell that a connection is there which was just made.
const TOLD: Duration = Duration::from_secs(5);

type Values = Pin<Box<dyn Stream<Item = ValueNotification> + Send>>;

/// See the module.
pub(super) struct Links {
    manager: Manager,
    bus: Bus,
    known: Arc<Known>,
    outlet: Arc<Outlet>,
    adapters: Turn<HashMap<u16, Adapter>>,
    open: Mutex<HashMap<u64, Arc<Link>>>,
    next: AtomicU64,
    streams: AtomicU32,
}

/// One connection.
pub(super) struct Link {
    adapter: u16,
    address: Address,
    peripheral: Peripheral,
    bus: Bus,
    known: Arc<Known>,
    characteristics: BTreeMap<CharacteristicId, Described>,
    subscribed: Mutex<HashSet<CharacteristicId>>,
    /// Whether values are listened to, which is begun with the first subscription.
    listening: Turn<bool>,
    values: mpsc::Sender<Values>,
    close: CancellationToken,
    closed: CancellationToken,
}

/// What the one who asked for a connection gets. Dropping it closes the connection.
pub(super) struct Opened {
    pub id: u64,
    pub services: Arc<[Service]>,
    pub notified: mpsc::Receiver<Notification>,
    pub close: DropGuard,
}

// === impl Links ===

impl Links {
    pub(super) async fn new(
        bus: Bus,
        known: Arc<Known>,
        outlet: Arc<Outlet>,
    ) -> Result<Self, RadioError> {
        let manager = Manager::new()
            .await
            .map_err(|error| of_btleplug("open the system's Bluetooth", error))?;
        Ok(Self {
            manager,
            bus,
            known,
            outlet,
            adapters: Turn::default(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
            streams: AtomicU32::new(0),
        })
    }

    /// How many streams were made, each of which may have left a match rule behind.
    pub(super) fn streams(&self) -> u32 {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// There is an open connection to this device.
    pub(super) fn has(&self, adapter: u16, address: Address) -> bool {
        self.lock()
            .values()
            .any(|link| (link.adapter, link.address) == (adapter, address))
    }

    pub(super) fn link(&self, id: u64) -> Result<Arc<Link>, RadioError> {
        self.lock()
            .get(&id)
            .cloned()
            .ok_or_else(|| RadioError::Broken("the connection is gone".to_owned()))
    }

    /// Connects and discovers the services. The caller limits it, and disconnects when it fails. An error comes with what it says of
    /// the device's bond.
    pub(super) async fn connect(
        self: &Arc<Self>,
        adapter: u16,
        address: Address,
    ) -> Result<Opened, (RadioError, Dialled)> {
        let doing = format!("connect to {address}");
        let wrong = |error| wrong(&doing, error);
        let device: DeviceId = device_id(adapter, address)
            .parse()
            .map_err(|error: BluetoothError| wrong(error.into()))?;
        let central = self.central(adapter).await;
        let central = central.map_err(|error| failed(error, Dialled::Failed))?;
        let peripheral = central.peripheral(&device.into()).await.map_err(wrong)?;
        self.streams.fetch_add(1, Ordering::Relaxed);
        {
            let connecting = async {
                peripheral.connect().await?;
                peripheral.discover_services().await
            };
            tokio::pin!(connecting);
            tokio::select! {
                done = &mut connecting => done.map_err(wrong)?,
                // btleplug goes on waiting for the services, and everybody else for their turn.
                () = self.made_and_gone(adapter, address) => {
                    if let Ok(Err(error)) = time::timeout(WHY, connecting).await {
                        return Err(wrong(error));
                    }
                    let error = RadioError::Broken(format!(
                        "cannot {doing}: the link broke while its services were asked for"
                    ));
                    return Err(failed(error, Dialled::Failed));
                }
            }
        }
        Ok(self.open(adapter, address, peripheral))
    }

    /// Closes one, and waits until it is closed.
    pub(super) async fn close(&self, id: u64) -> Result<(), RadioError> {
        let Ok(link) = self.link(id) else {
            return Ok(());
        };
        link.close.cancel();
        link.closed.cancelled().await;
        Ok(())
    }

    /// Closes all of them.
    pub(super) async fn close_all(&self) {
        let all: Vec<_> = self.lock().values().cloned().collect();
        for link in &all {
            link.close.cancel();
        }
        for link in &all {
            link.closed.cancelled().await;
        }
    }

    /// Lets a characteristic tell its values.
    pub(super) async fn subscribe(
        &self,
        id: u64,
        characteristic: CharacteristicId,
    ) -> Result<(), RadioError> {
        let link = self.link(id)?;
        let described = link.described(characteristic)?;
        let doing = format!("subscribe to {}", link.name(characteristic));
        {
            let mut listening = link.listening.lock().await;
            if !*listening {
                // Before the subscription, or its first value is lost.
                self.streams.fetch_add(1, Ordering::Relaxed);
                let values = link.peripheral.notifications().await;
                let values = values.map_err(|error| of_btleplug(&doing, error))?;
                *listening = link.values.send(values).await.is_ok();
            }
        }
        link.subscribed().insert(characteristic);
        let done = link.ask(&doing, link.peripheral.subscribe(described)).await;
        if done.is_err() {
            link.subscribed().remove(&characteristic);
        }
        done
    }

    async fn central(&self, adapter: u16) -> Result<Adapter, RadioError> {
        let mut adapters = self.adapters.lock().await;
        if let Some(central) = adapters.get(&adapter) {
            return Ok(central.clone());
        }
        let wrong = |error| of_btleplug("list the adapters", error);
        let id = format!("hci{adapter}");
        for central in self.manager.adapters().await.map_err(wrong)? {
            // `hci0 (usb:v1D6Bp0246d0542)`
            let info = central.adapter_info().await.map_err(wrong)?;
            if info.split(' ').next() == Some(&id) {
                adapters.insert(adapter, central.clone());
                return Ok(central);
            }
        }
        Err(RadioError::NoAdapter(format!(
            "{id} is gone; plug it in again"
        )))
    }

    fn open(self: &Arc<Self>, adapter: u16, address: Address, peripheral: Peripheral) -> Opened {
        let described = peripheral.services();
        let services = described.iter().map(service).collect();
        let characteristics = described
            .into_iter()
            .flat_map(|service| service.characteristics)
            .map(|described| (id_of(&described), described))
            .collect();
        let (values, streams) = mpsc::channel(1);
        let (notify, notified) = mpsc::channel(NOTIFIED);
        let link = Arc::new(Link {
            adapter,
            address,
            peripheral,
            bus: self.bus.clone(),
            known: self.known.clone(),
            characteristics,
            subscribed: Mutex::default(),
            listening: Turn::default(),
            values,
            close: CancellationToken::new(),
            closed: CancellationToken::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, link.clone());
        let close = link.close.clone().drop_guard();
        let links = self.clone();
        tokio::spawn(async move { links.keep(id, link, streams, notify).await });
        Opened {
            id,
            services,
            notified,
            close,
        }
    }

    /// Keeps a connection until it is closed or gone.
    async fn keep(
        &self,
        id: u64,
        link: Arc<Link>,
        streams: mpsc::Receiver<Values>,
        notify: mpsc::Sender<Notification>,
    ) {
        let closing = tokio::select! {
            () = link.close.cancelled() => true,
            () = self.gone(&link) => false,
            () = self.pass_on(&link, streams, &notify) => false,
        };
        self.lock().remove(&id);
        if closing {
            let done = self.bus.disconnect(link.adapter, link.address).await;
            if let Err(error) = done {
                tracing::debug!(address = %link.address, %error, "the connection was gone already");
            }
        } else {
            self.outlet.disconnected(link.address);
        }
        link.closed.cancel();
    }

    async fn pass_on(
        &self,
        link: &Link,
        mut streams: mpsc::Receiver<Values>,
        notify: &mpsc::Sender<Notification>,
    ) {
        let Some(mut values) = streams.recv().await else {
            return std::future::pending().await;
        };
        while let Some(value) = values.next().await {
            let characteristic = CharacteristicId {
                service: value.service_uuid,
                characteristic: value.uuid,
            };
            // What was read comes by this way, too.
            if !link.subscribed().contains(&characteristic) {
                continue;
            }
            let notification = Notification {
                characteristic,
                at: now(),
                value: value.value,
            };
            if notify.try_send(notification).is_err() {
                self.outlet.miss(1);
            }
        }
    }

    /// Returns when the connection is gone.
    async fn gone(&self, link: &Link) {
        // The word that it is connected comes another way than the word that connecting was done.
        let made = time::timeout(TOLD, self.made(link.adapter, link.address, None)).await;
        if let Ok(this) = made {
            self.ended(link.adapter, link.address, this).await;
        }
    }

    /// Returns when a connection was made from now on and is gone.
    async fn made_and_gone(&self, adapter: u16, address: Address) {
        let before = self.known.connection(adapter, address);
        let this = self.made(adapter, address, before).await;
        self.ended(adapter, address, this).await;
    }

    /// The number of the connection, once there is another one than that.
    async fn made(&self, adapter: u16, address: Address, before: Option<u64>) -> u64 {
        let mut changes = self.known.links();
        loop {
            let number = self.known.connection(adapter, address);
            if let Some(number) = number.filter(|_| number != before) {
                return number;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn ended(&self, adapter: u16, address: Address, this: u64) {
        let mut changes = self.known.links();
        while self.known.connection(adapter, address) == Some(this) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.open.lock().expect("nothing panics while holding it")
    }
}

// === impl Link ===

impl Link {
    pub(super) async fn read(
        &self,
        characteristic: CharacteristicId,
    ) -> Result<Vec<u8>, RadioError> {
        let described = self.described(characteristic)?;
        let doing = format!("read {}", self.name(characteristic));
        self.ask(&doing, self.peripheral.read(described)).await
    }

    pub(super) async fn write(
        &self,
        characteristic: CharacteristicId,
        value: &[u8],
        how: Write,
    ) -> Result<(), RadioError> {
        let described = self.described(characteristic)?;
        let doing = format!("write {}", self.name(characteristic));
        let how = match how {
            Write::WithResponse => WriteType::WithResponse,
            Write::WithoutResponse => WriteType::WithoutResponse,
        };
        self.ask(&doing, self.peripheral.write(described, value, how))
            .await
    }

    pub(super) async fn unsubscribe(
        &self,
        characteristic: CharacteristicId,
    ) -> Result<(), RadioError> {
        let described = self.described(characteristic)?;
        let doing = format!("unsubscribe from {}", self.name(characteristic));
        self.subscribed().remove(&characteristic);
        self.ask(&doing, self.peripheral.unsubscribe(described))
            .await
    }

    /// Asks the device, for as long as the connection is there: BlueZ does not always answer what was under way when a link broke. Nor
    /// does it answer when the device wants to be paired for it and that was turned down, nor anything else by that connection, by which
    /// it cannot be paired either; BlueZ 5.82 even goes on waiting when it is closed. So the device is forgotten, which closes it.
    async fn ask<T>(
        &self,
        doing: &str,
        asked: impl Future<Output = btleplug::Result<T>>,
    ) -> Result<T, RadioError> {
        let turned_down = self.known.turned_down(self.adapter, self.address);
        tokio::select! {
            done = limited(doing, asked) => done,
            () = turned_down => {
                // A bond is not given up because of what somebody says who may not be the device.
                let forgotten = match self.known.is_bonded(self.adapter, self.address) {
                    true => false,
                    false => {
                        let forget = self.bus.remove(self.adapter, self.address);
                        matches!(time::timeout(SETTLE, forget).await, Ok(Ok(())))
                    }
                };
                if !forgotten {
                    self.close.cancel();
                }
                Err(RadioError::Unpaired(format!(
                    "cannot {doing}: the device wants to be paired for it; pair it first"
                )))
            }
            () = self.closed.cancelled() => {
                Err(RadioError::Broken(format!("cannot {doing}: the connection is gone")))
            }
        }
    }

    pub(super) fn place(&self) -> (u16, Address) {
        (self.adapter, self.address)
    }

    fn described(&self, id: CharacteristicId) -> Result<&Described, RadioError> {
        self.characteristics.get(&id).ok_or_else(|| {
            RadioError::Refused(format!(
                "{} is not there: Explore shows what the device has",
                self.name(id)
            ))
        })
    }

    fn name(&self, id: CharacteristicId) -> String {
        format!(
            "characteristic {} of service {} of {}",
            id.characteristic, id.service, self.address
        )
    }

    fn subscribed(&self) -> MutexGuard<'_, HashSet<CharacteristicId>> {
        self.subscribed
            .lock()
            .expect("nothing panics while holding it")
    }
}

/// One thing asked of a device, within its limit.
async fn limited<T>(
    doing: &str,
    asked: impl Future<Output = btleplug::Result<T>>,
) -> Result<T, RadioError> {
    match time::timeout(ONE, asked).await {
        Ok(done) => done.map_err(|error| of_btleplug(doing, error)),
        // BlueZ goes on waiting and answers nothing else of this device meanwhile.
        Err(_) => Err(RadioError::Busy(format!(
            "cannot {doing}: no answer in {} s; connect anew, since the system does nothing else with this device before",
            ONE.as_secs()
        ))),
    }
}

fn service(service: &btleplug::api::Service) -> Service {
    let characteristics = service.characteristics.iter().map(|characteristic| {
        let can = |flag| characteristic.properties.contains(flag);
        Characteristic {
            uuid: characteristic.uuid,
            read: can(CharPropFlags::READ),
            write: can(CharPropFlags::WRITE),
            write_without_response: can(CharPropFlags::WRITE_WITHOUT_RESPONSE),
            notify: can(CharPropFlags::NOTIFY),
            indicate: can(CharPropFlags::INDICATE),
        }
    });
    Service {
        uuid: service.uuid,
        characteristics: characteristics.collect(),
    }
}

fn id_of(characteristic: &Described) -> CharacteristicId {
    CharacteristicId {
        service: characteristic.service_uuid,
        characteristic: characteristic.uuid,
    }
}

fn failed(error: RadioError, how: Dialled) -> (RadioError, Dialled) {
    match error {
        RadioError::NoDaemon(_) => (error, Dialled::Died),
        error => (error, how),
    }
}

/// Connecting went wrong.
fn wrong(doing: &str, error: btleplug::Error) -> (RadioError, Dialled) {
    let of_bluez = match &error {
        btleplug::Error::Other(error) => error.downcast_ref::<BluetoothError>(),
        _ => None,
    };
    let how = match of_bluez {
        Some(BluetoothError::DbusError(error)) if gave_up(error) => Dialled::GivenUp,
        _ => Dialled::Failed,
    };
    failed(of_btleplug(doing, error), how)
}

fn of_btleplug(doing: &str, error: btleplug::Error) -> RadioError {
    match error {
        btleplug::Error::DeviceNotFound => RadioError::Away(format!(
            "cannot {doing}: the system does not know the device; it has to be heard first"
        )),
        btleplug::Error::NotConnected => {
            RadioError::Broken(format!("cannot {doing}: the connection is gone"))
        }
        btleplug::Error::Other(error) => match error.downcast_ref::<BluetoothError>() {
            Some(BluetoothError::DbusError(error)) => of_dbus(doing, About::Device, error),
            Some(BluetoothError::ServiceDiscoveryTimedOut) => RadioError::Busy(format!(
                "cannot {doing}: the device did not tell its services in time"
            )),
            _ => RadioError::Refused(format!("cannot {doing}: {error}")),
        },
        error => RadioError::Refused(format!("cannot {doing}: {error}")),
    }
}
