//! A connection to the simulated oven: its battery, its temperature, and a setpoint that can be written.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::devices::oven_temperature;
use crate::{
    clock::now,
    radio::{
        Asked, Characteristic, CharacteristicId, Connection, Notification, RadioError, Service,
        Write,
    },
    uuid16,
};

const EVERY: Duration = Duration::from_secs(1);
/// The oven's own service, and what is wanted of it, in tenths of a degree.
const OVEN_SERVICE: Uuid = Uuid::from_u128(0xf1e1_0001_0000_4000_8000_0000_0000_0006);
const SETPOINT: Uuid = Uuid::from_u128(0xf1e1_0002_0000_4000_8000_0000_0000_0006);

pub(super) struct SimConnection {
    since: Instant,
    state: std::sync::Mutex<State>,
}

#[derive(Debug)]
struct State {
    setpoint: i16,
    notifies: bool,
}

// === impl SimConnection ===

impl SimConnection {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            state: std::sync::Mutex::new(State {
                setpoint: 1_800,
                notifies: false,
            }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        let state = self.state.lock();
        state.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn value(&self, of: Uuid) -> Option<Vec<u8>> {
        let setpoint = self.state().setpoint;
        if of == uuid16(0x2A19) {
            Some(vec![87])
        } else if of == uuid16(0x2A6E) {
            let degrees = oven_temperature(
                self.since.elapsed().as_secs_f64(),
                f64::from(setpoint) / 10.0,
            );
            #[expect(
                clippy::cast_possible_truncation,
                reason = "an oven's temperature is small"
            )]
            let hundredths = (degrees * 100.0).round() as i16;
            Some(hundredths.to_le_bytes().to_vec())
        } else if of == SETPOINT {
            Some(setpoint.to_le_bytes().to_vec())
        } else {
            None
        }
    }
}

fn none(of: CharacteristicId) -> RadioError {
    RadioError::Refused(format!(
        "the oven has no characteristic {}",
        of.characteristic
    ))
}

fn characteristic(uuid: Uuid, write: bool, notify: bool) -> Characteristic {
    Characteristic {
        uuid,
        read: true,
        write,
        write_without_response: false,
        notify,
        indicate: false,
    }
}

impl Connection for SimConnection {
    fn services(&self) -> Arc<[Service]> {
        let service = |uuid, characteristics| Service {
            uuid,
            characteristics,
        };
        Arc::new([
            service(
                uuid16(0x180F),
                vec![characteristic(uuid16(0x2A19), false, false)],
            ),
            service(
                uuid16(0x181A),
                vec![characteristic(uuid16(0x2A6E), false, true)],
            ),
            service(OVEN_SERVICE, vec![characteristic(SETPOINT, true, false)]),
        ])
    }

    fn read(&self, characteristic: CharacteristicId) -> Asked<'_, Vec<u8>> {
        let value = self.value(characteristic.characteristic);
        Box::pin(async move { value.ok_or_else(|| none(characteristic)) })
    }

    fn write(&self, of: CharacteristicId, value: Vec<u8>, _how: Write) -> Asked<'_, ()> {
        let written = match (of.characteristic == SETPOINT, value.as_slice()) {
            (true, [low, high]) => {
                self.state().setpoint = i16::from_le_bytes([*low, *high]);
                Ok(())
            }
            (true, other) => Err(RadioError::Refused(format!(
                "the setpoint has 2 bytes, not {}",
                other.len()
            ))),
            (false, _) => Err(none(of)),
        };
        Box::pin(async move { written })
    }

    fn subscribe(&self, _characteristic: CharacteristicId) -> Asked<'_, ()> {
        self.state().notifies = true;
        Box::pin(async { Ok(()) })
    }

    fn unsubscribe(&self, _characteristic: CharacteristicId) -> Asked<'_, ()> {
        self.state().notifies = false;
        Box::pin(async { Ok(()) })
    }

    fn notified(&mut self) -> Asked<'_, Notification> {
        Box::pin(async {
            loop {
                sleep(EVERY).await;
                let of = CharacteristicId {
                    service: uuid16(0x181A),
                    characteristic: uuid16(0x2A6E),
                };
                let notifies = self.state().notifies;
                if let (true, Some(value)) = (notifies, self.value(of.characteristic)) {
                    return Ok(Notification {
                        characteristic: of,
                        at: now(),
                        value,
                    });
                }
            }
        })
    }

    fn alive(&self) -> Asked<'_, bool> {
        Box::pin(async { Ok(true) })
    }

    fn close(self: Box<Self>) -> Asked<'static, ()> {
        Box::pin(async { Ok(()) })
    }
}
