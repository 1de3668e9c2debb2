//! GATT: what configured devices have is read over connections, commands are carried out, and people look around.
//!
//! ```text
//!             ┌ turns: who may be connected, within the adapter's budget
//! Gatt::run ──┼ session of a device: connect, pair, subscribe, read ──Told──▶ source
//!             └ session of a device that somebody looks at
//! commands, questions ──Ask──▶ the device's session
//! ```
//!
//! Nothing here spawns: [`Gatt::run`] is one future that the source polls beside its other work.

mod ask;
mod desk;
mod device;
pub(crate) mod encode;
mod look;
mod names;
mod orders;
mod pace;
mod plan;
mod session;
mod standard;
mod status;
#[cfg(test)]
mod tests;
mod title;
mod turns;
#[cfg(test)]
mod twin;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::{
    ExploreError,
    scanner::{CharacteristicRef, GattTree, GattValue},
};
use fieldgate_model::{DeviceId, Timestamp};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

pub use plan::{Plan, PointHint, Rule};
pub use standard::{read_standard, standard_points, write_standard};
pub use status::{DeviceStatus, Phase};
pub use title::{appearance_name, characteristic_name, service_name};

use self::{
    ask::{Ask, Reply},
    desk::Desk,
    device::Driver,
    session::Pairing,
};
use crate::{Address, Field, radio::Radio};

/// The longest that a person waits: for a turn, 45 s of connecting, and an answer.
const QUESTION: Duration = Duration::from_secs(90);
/// Turns end with time, not only with what happens.
const REGULATE: Duration = Duration::from_secs(1);

/// Devices that are looked at, on their way to the future that runs them.
type Newcomers = mpsc::Receiver<(Address, mpsc::Receiver<Ask>)>;

/// All connections of a source. Questions and commands are answered while [`Gatt::run`] is polled.
pub struct Gatt {
    plans: Vec<Arc<Plan>>,
    desk: Desk,
    start: Mutex<Option<Start>>,
}

/// What [`Gatt::run`] begins with. The mailboxes of configured devices are open from the beginning: a command that comes before the
/// first poll must not find a device that nobody answers for.
struct Start {
    configured: Vec<(Arc<Plan>, mpsc::Receiver<Ask>)>,
    newcomers: Newcomers,
}

/// All that the connections may touch.
#[derive(Clone, Copy)]
pub struct GattCtx<'a> {
    pub radio: &'a dyn Radio,
    /// Where a device can be reached right now.
    pub routes: &'a dyn Routes,
    /// Where values go. When it is full, the device whose value it is waits: nothing is dropped here.
    pub told: &'a mpsc::Sender<Told>,
}

/// Who knows by which adapter a device can be reached, and under which address.
pub trait Routes: Send + Sync {
    /// None while it is not heard, or has not been since; then nobody tries to connect.
    fn route(&self, device: Address, since: Option<Instant>) -> Option<Route>;
}

/// A way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub adapter: Arc<str>,
    /// Under which it is there now: one whose address changes is not where its identity says.
    pub address: Address,
}

/// What comes out of connections.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Values of a configured device.
    Values {
        address: Address,
        device: DeviceId,
        /// Which of [`Plan::rules`].
        rule: usize,
        fields: Vec<Field>,
        at: Timestamp,
    },
    /// A value of a device that somebody looks at.
    Looked(Address, GattValue),
}

// === impl Gatt ===

impl Gatt {
    /// With at most so many connections at once on an adapter.
    #[must_use]
    pub fn new(plans: Vec<Plan>, connections: u32) -> Self {
        let (desk, newcomers) = Desk::new(connections);
        let plans: Vec<_> = plans.into_iter().map(Arc::new).collect();
        for plan in &plans {
            desk.tell(plan.address, |_| {});
        }
        let read = plans.iter().filter(|plan| !plan.rules.is_empty());
        let configured = read
            .map(|plan| (Arc::clone(plan), desk.open(plan.address)))
            .collect();
        let start = Start {
            configured,
            newcomers,
        };
        Self {
            plans,
            desk,
            start: Mutex::new(Some(start)),
        }
    }

    /// Keeps all devices connected in turns, as long as it is polled. Never ends; a second one beside the first does nothing.
    pub async fn run(&self, ctx: GattCtx<'_>) {
        let start = self.start().take();
        let Some(Start {
            configured,
            mut newcomers,
        }) = start
        else {
            return std::future::pending().await;
        };
        let mut drivers = FuturesUnordered::new();
        for (plan, asks) in configured {
            drivers.push(self.driver(ctx, plan.address, Some(plan), asks).run());
        }
        let mut ticks = tokio::time::interval(REGULATE);
        loop {
            tokio::select! {
                Some((address, asks)) = newcomers.recv() => {
                    drivers.push(self.driver(ctx, address, None, asks).run());
                }
                Some(_gone) = drivers.next() => {}
                _ = ticks.tick() => self.desk.regulate(),
            }
        }
    }

    fn driver<'a>(
        &'a self,
        ctx: GattCtx<'a>,
        address: Address,
        plan: Option<Arc<Plan>>,
        asks: mpsc::Receiver<Ask>,
    ) -> Driver<'a> {
        Driver {
            desk: &self.desk,
            ctx,
            address,
            plan,
            asks,
            missed: None,
            pairing: Pairing::NotYet,
        }
    }

    fn start(&self) -> MutexGuard<'_, Option<Start>> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is read from the configured devices.
    #[must_use]
    pub fn plans(&self) -> &[Arc<Plan>] {
        &self.plans
    }

    /// How each device is that is configured or looked at, by its address.
    #[must_use]
    pub fn status(&self) -> Vec<DeviceStatus> {
        self.desk.statuses()
    }

    /// Connections that are open or being made on an adapter.
    #[must_use]
    pub fn connections(&self, adapter: &str) -> u32 {
        u32::try_from(self.desk.connections(adapter)).unwrap_or(u32::MAX)
    }

    /// What a device has. The connection is closed when nobody asked for a minute.
    ///
    /// # Errors
    /// In words, when it cannot be asked.
    pub async fn services(&self, address: Address) -> Result<GattTree, ExploreError> {
        self.question(address, Ask::Services).await
    }

    /// Reads a characteristic.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    pub async fn read(&self, of: &CharacteristicRef) -> Result<GattValue, ExploreError> {
        let (address, id) = look::meant(of).map_err(ExploreError::Refused)?;
        self.question(address, |reply| Ask::Read(id, reply)).await
    }

    /// Lets a characteristic notify or indicate, or stops it; what comes is [`Told::Looked`].
    ///
    /// # Errors
    /// In words, when it cannot.
    pub async fn notify(&self, of: &CharacteristicRef, on: bool) -> Result<(), ExploreError> {
        let (address, id) = look::meant(of).map_err(ExploreError::Refused)?;
        self.question(address, |reply| Ask::Notify(id, on, reply))
            .await
    }

    /// Closes the connection to a device. One that is configured is connected again when its turn comes.
    ///
    /// # Errors
    /// In words, when it cannot.
    pub async fn disconnect(&self, address: Address) -> Result<(), ExploreError> {
        self.question(address, Ask::Disconnect).await
    }

    /// Pairs, and says how that went.
    ///
    /// # Errors
    /// In words, when it cannot.
    pub async fn pair(&self, address: Address) -> Result<String, ExploreError> {
        self.question(address, Ask::Pair).await
    }

    /// Forgets a bond.
    ///
    /// # Errors
    /// In words, when it cannot.
    pub async fn unpair(&self, address: Address) -> Result<String, ExploreError> {
        self.question(address, Ask::Unpair).await
    }

    async fn question<T>(
        &self,
        address: Address,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<T, ExploreError> {
        let (reply, answer) = oneshot::channel();
        self.desk.put(address, ask(reply));
        match tokio::time::timeout(QUESTION, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(ExploreError::Gone(format!(
                "{address}: its connection ended; ask again"
            ))),
            Err(_) => Err(ExploreError::Gone(format!(
                "{address}: no answer within {} s; the adapter may be busy with other devices",
                QUESTION.as_secs()
            ))),
        }
    }
}
