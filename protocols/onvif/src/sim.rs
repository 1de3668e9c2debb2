//! A simulated ONVIF device on loopback, written from the specifications: for the demonstration and for tests, with faults on request.
//!
//! It answers device, media, media 2, movement, imaging and events, keeps the state of each, and has a clock of its own that can be wrong.

mod answer;
mod clock;
mod door;
mod encoders;
mod events;
mod fault;
mod imaging;
mod probe;
mod ptz;
mod server;
mod services;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::Notify,
    task::JoinHandle,
};

#[cfg(test)]
pub(crate) use self::fault::billion_laughs;
use self::{
    clock::SimClock, door::Door, encoders::Encoders, events::Bell, imaging::Imager, ptz::Motors,
};
pub use self::{door::Signing, fault::Fault};
use crate::discovery::{GROUP, PORT};

/// What the device is.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// Whom it lets in; anybody when it is `None`.
    pub user: Option<(String, String)>,
    pub signing: Signing,
    /// What its clock is ahead of ours, in seconds.
    pub drift_seconds: i64,
    /// `urn:uuid:…`
    pub endpoint: String,
    pub name: String,
    /// Profile T.
    pub media2: bool,
    pub ptz: bool,
    /// What it tells as the stream of its main and its sub profile.
    pub stream_uris: [String; 2],
    pub snapshot_uri: String,
    /// The host that it believes to be, where it is behind a translated address.
    pub believed_host: Option<String>,
    /// Its subscriptions share one address, and are told apart by a reference parameter.
    pub by_parameter: bool,
}

/// A device that runs until this is dropped.
pub struct Simulator {
    address: SocketAddr,
    device: Arc<SimDevice>,
    server: JoinHandle<()>,
    responder: Option<(SocketAddr, JoinHandle<()>)>,
}

/// What all its connections share.
struct SimDevice {
    settings: SimSettings,
    address: SocketAddr,
    state: Mutex<SimState>,
    /// Rung when there is something to pull, or something ended.
    bell: Notify,
}

struct SimState {
    clock: SimClock,
    door: Door,
    encoders: Encoders,
    motors: Motors,
    imager: Imager,
    events: Bell,
    faults: Vec<fault::Planned>,
    /// Operations in the order in which they were asked, the last thousand.
    asked: std::collections::VecDeque<String>,
    reboots: u32,
}

/// Operations that are remembered.
const MAX_ASKED: usize = 1_000;

// === impl SimSettings ===

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            user: Some(("admin".to_owned(), "secret".to_owned())),
            signing: Signing::Either,
            drift_seconds: 0,
            endpoint: "urn:uuid:3fa1fe68-b915-4053-a3e1-c006c3afec0e".to_owned(),
            name: "Simulated camera".to_owned(),
            media2: true,
            ptz: true,
            stream_uris: [
                "rtsp://127.0.0.1:8554/main".to_owned(),
                "rtsp://127.0.0.1:8554/sub".to_owned(),
            ],
            snapshot_uri: "http://127.0.0.1:8080/snapshot.jpg".to_owned(),
            believed_host: None,
            by_parameter: false,
        }
    }
}

// === impl Simulator ===

impl Simulator {
    /// On a free port of loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(settings: SimSettings) -> io::Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST, settings).await
    }

    /// On a free port of one of loopback's addresses.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start_at(ip: Ipv4Addr, settings: SimSettings) -> io::Result<Self> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let device = Arc::new(SimDevice::new(settings, address));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&device)));
        Ok(Self {
            address,
            device,
            server,
            responder: None,
        })
    }

    /// Of the device service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/onvif/device_service", self.address)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers probes that are sent to the address that comes back, not to the group.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn discoverable(&mut self) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        self.respond(socket)
    }

    /// Answers probes that are sent to the group, on loopback.
    ///
    /// # Errors
    /// When another program has the port for itself.
    pub fn discoverable_to_all(&mut self) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((GROUP, PORT)).into())?;
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
        self.respond(UdpSocket::from_std(socket.into())?)
    }

    fn respond(&mut self, socket: UdpSocket) -> io::Result<SocketAddr> {
        let address = socket.local_addr()?;
        let task = tokio::spawn(probe::answer(socket, Arc::clone(&self.device)));
        if let Some((_, before)) = self.responder.replace((address, task)) {
            before.abort();
        }
        Ok(address)
    }

    /// Sets the clock.
    pub fn set_drift(&self, seconds: i64) {
        self.device.lock().clock.set_drift(seconds);
    }

    /// Changes the password.
    pub fn set_password(&self, password: &str) {
        self.device.lock().door.set_password(password);
    }

    /// The next so many requests of an operation (`*` for any) go wrong.
    pub fn fail(&self, operation: &str, fault: Fault, times: u32) {
        self.device.lock().faults.push(fault::Planned {
            operation: operation.to_owned(),
            fault,
            times,
        });
    }

    /// From now on nothing goes wrong.
    pub fn heal(&self) {
        self.device.lock().faults.clear();
    }

    /// Something is on or off: `tns1:VideoSource/MotionAlarm`, its source items, and the item that says so.
    pub fn set_state(&self, topic: &str, source: &[(&str, &str)], item: &str, on: bool) {
        let mut state = self.device.lock();
        let at = state.clock.now();
        state
            .events
            .set(topic, source, (item, if on { "true" } else { "false" }), at);
        drop(state);
        self.device.bell.notify_waiters();
    }

    /// Motion of its one lens.
    pub fn set_motion(&self, on: bool) {
        let source = [
            ("VideoSourceConfigurationToken", "VSC_1"),
            ("VideoAnalyticsConfigurationToken", "VAC_1"),
            ("Rule", "Motion"),
        ];
        self.set_state(
            "tns1:RuleEngine/CellMotionDetector/Motion",
            &source,
            "IsMotion",
            on,
        );
    }

    /// Something happens that has no state.
    pub fn happen(&self, topic: &str, source: &[(&str, &str)], data: &[(&str, &str)]) {
        let mut state = self.device.lock();
        let at = state.clock.now();
        state.events.happen(topic, source, data, at);
        drop(state);
        self.device.bell.notify_waiters();
    }

    /// Forgets its subscriptions, as a device does that restarts.
    pub fn forget_subscriptions(&self) {
        self.device.lock().events.forget();
        self.device.bell.notify_waiters();
    }

    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.device.lock().events.count()
    }

    #[must_use]
    pub fn reboots(&self) -> u32 {
        self.device.lock().reboots
    }

    /// How often an operation was asked for.
    #[must_use]
    pub fn asked(&self, operation: &str) -> usize {
        let state = self.device.lock();
        state
            .asked
            .iter()
            .filter(|asked| *asked == operation)
            .count()
    }

    /// Where its motors are now: pan, tilt, zoom.
    #[must_use]
    pub fn position(&self) -> (f64, f64, f64) {
        self.device.lock().motors.position()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
        if let Some((_, responder)) = &self.responder {
            responder.abort();
        }
    }
}

// === impl SimDevice ===

impl SimDevice {
    fn new(settings: SimSettings, address: SocketAddr) -> Self {
        let state = SimState {
            clock: SimClock::new(settings.drift_seconds),
            door: Door::new(settings.user.clone(), settings.signing),
            encoders: Encoders::default(),
            motors: Motors::default(),
            imager: Imager::default(),
            events: Bell::default(),
            faults: Vec::new(),
            asked: std::collections::VecDeque::new(),
            reboots: 0,
        };
        Self {
            settings,
            address,
            state: Mutex::new(state),
            bell: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SimState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it says that a service is.
    fn service_url(&self, path: &str) -> String {
        match &self.settings.believed_host {
            Some(host) => format!("http://{host}/onvif/{path}"),
            None => format!("http://{}/onvif/{path}", self.address),
        }
    }
}

// === impl SimState ===

impl SimState {
    fn note(&mut self, operation: &str) {
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(operation.to_owned());
    }
}
