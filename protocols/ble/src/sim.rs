//! A radio that is simulated: devices that do not exist, or packets that were captured before.
//!
//! It is a stream of what it tells, so that it needs no task of its own and runs in virtual time.

mod connection;
mod devices;
mod replay;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::scanner::{AdapterState, PairingReply, ScanMode};
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::time::{Instant, sleep_until};

use self::{connection::SimConnection, devices::Beacon};
use crate::{
    Address, capture,
    clock::now,
    radio::{AdapterFacts, Asked, Connection, Heard, Radio, RadioError, RadioEvent},
};

/// The only adapter.
const ADAPTER: &str = "sim0";
/// How long a connection takes.
const CONNECTING: Duration = Duration::from_millis(300);

/// The simulated radio.
pub(crate) struct SimRadio {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    scanning: bool,
    bonds: Vec<Address>,
}

/// Devices that do not exist: thermometers in the clear and sealed, a door, a button, a beacon, an oven to connect to.
pub(crate) fn simulated() -> (Arc<dyn Radio>, BoxStream<'static, RadioEvent>) {
    let start = Instant::now();
    let beacons: Vec<Beacon> = devices::all();
    let due: Vec<Instant> = beacons.iter().map(|beacon| start + beacon.every).collect();
    let events = stream::unfold(
        (beacons, due, start),
        async |(mut beacons, mut due, start)| {
            let next = (0..due.len()).min_by_key(|index| due[*index])?;
            sleep_until(due[next]).await;
            due[next] += beacons[next].every;
            let advertisement = beacons[next].next(start.elapsed());
            let heard = Heard {
                adapter: ADAPTER.into(),
                at: now(),
                advertisement,
            };
            Some((RadioEvent::Heard(heard), (beacons, due, start)))
        },
    );
    (radio(), events.boxed())
}

/// The packets of a file, in the time between them as it was; then silence.
///
/// # Errors
/// In words, when it cannot be read.
pub(crate) fn replayed(
    file: &Path,
) -> Result<(Arc<dyn Radio>, BoxStream<'static, RadioEvent>), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the capture {}: {error}", file.display()))?;
    let packets = capture::from_lines(&text).map_err(|why| format!("{}: {why}", file.display()))?;
    Ok((radio(), replay::stream(packets).boxed()))
}

fn radio() -> Arc<dyn Radio> {
    Arc::new(SimRadio {
        state: Arc::default(),
    })
}

// === impl SimRadio ===

impl SimRadio {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Radio for SimRadio {
    fn adapters(&self) -> Asked<'_, Vec<AdapterFacts>> {
        let facts = AdapterFacts {
            id: ADAPTER.into(),
            address: Some(Address([0x02, 0, 0, 0, 0, 1])),
            state: AdapterState::Listening,
            scanning: self.state().scanning,
            passive: true,
            connections: 0,
        };
        Box::pin(async move { Ok(vec![facts]) })
    }

    fn listen(&self, _adapter: &str, _mode: ScanMode) -> Asked<'_, ()> {
        self.state().scanning = true;
        Box::pin(async { Ok(()) })
    }

    fn rest(&self, _adapter: &str) -> Asked<'_, ()> {
        self.state().scanning = false;
        Box::pin(async { Ok(()) })
    }

    fn power(&self, _adapter: &str, _on: bool) -> Asked<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn connect(
        &self,
        _adapter: &str,
        address: Address,
        _limit: Duration,
    ) -> Asked<'_, Box<dyn Connection>> {
        Box::pin(async move {
            tokio::time::sleep(CONNECTING).await;
            if address != devices::OVEN {
                return Err(RadioError::Away(format!(
                    "{address} takes no connections; it only advertises"
                )));
            }
            let connection: Box<dyn Connection> = Box::new(SimConnection::new());
            Ok(connection)
        })
    }

    fn pair(&self, _adapter: &str, address: Address) -> Asked<'_, ()> {
        let mut state = self.state();
        if !state.bonds.contains(&address) {
            state.bonds.push(address);
        }
        Box::pin(async { Ok(()) })
    }

    fn answer(&self, prompt: u64, _reply: PairingReply) -> Result<(), RadioError> {
        Err(RadioError::Refused(format!(
            "nobody waits for an answer to question {prompt}"
        )))
    }

    fn bonds(&self, _adapter: &str) -> Asked<'_, Vec<Address>> {
        let bonds = self.state().bonds.clone();
        Box::pin(async move { Ok(bonds) })
    }

    fn forget(&self, _adapter: &str, address: Address) -> Asked<'_, ()> {
        self.state().bonds.retain(|bond| *bond != address);
        Box::pin(async { Ok(()) })
    }
}
