//! `Agent`: answers the questions of devices that pair (`org.bluez.Agent1`), and what BlueZ asks who listens passively
//! (`org.bluez.AdvertisementMonitor1`); both are objects of ours on the bus.
//!
//! Only a device that is being paired because somebody wanted it is answered. Others are turned down at once: BlueZ pairs by
//! itself when a protected characteristic is read, and its read would wait for a person who knows nothing of it. BlueZ never answers
//! such a read, so that whoever asked is told by us ([`Known::turned_down`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use dbus::{MethodErr, channel::MatchingReceiver, message::MatchRule, nonblock::SyncConnection};
use dbus_crossroads::{Context, Crossroads, IfaceBuilder};
use fieldgate_kit::scanner::{PairingReply, PairingWish};
use fieldgate_model::Timestamp;
use tokio::{sync::oneshot, time};

use super::{known::Known, report::Key};
use crate::{
    Address,
    radio::{
        Prompt, RadioError,
        outlet::{Outlet, now},
    },
};

pub(super) const AGENT: &str = "/org/fieldgate/agent";
pub(super) const MONITOR_ROOT: &str = "/org/fieldgate/monitors";
const MONITOR: &str = "/org/fieldgate/monitors/all";
/// How long a person may take. BlueZ and the device give up after 30 s to 60 s.
const PATIENCE: Duration = Duration::from_secs(50);
/// What nearly every advertisement begins or comes with; a monitor needs patterns, and the kernel takes sixteen:
/// the flags in use (Supplement to the Core Specification, Part A, 1.3), and data of services and companies of beacons without flags.
const PATTERNS: [(u8, u8, &[u8]); 14] = [
    (0, 0x01, &[0x02]),
    (0, 0x01, &[0x04]),
    (0, 0x01, &[0x05]),
    (0, 0x01, &[0x06]),
    (0, 0x01, &[0x08]),
    (0, 0x01, &[0x18]),
    (0, 0x01, &[0x1A]),
    (0, 0x16, &[0xD2, 0xFC]),
    (0, 0x16, &[0x95, 0xFE]),
    (0, 0x16, &[0xAA, 0xFE]),
    (0, 0x16, &[0x1A, 0x18]),
    (0, 0xFF, &[0x99, 0x04]),
    (0, 0xFF, &[0x4C, 0x00]),
    (0, 0xFF, &[0xE1, 0x02]),
];

/// See the module. Cloning shares it.
#[derive(Clone)]
pub(in super::super) struct Agent(Arc<Inner>);

struct Inner {
    outlet: Arc<Outlet>,
    known: Arc<Known>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    pairing: BTreeSet<Key>,
    asked: BTreeMap<u64, oneshot::Sender<PairingReply>>,
    /// The last number that was shown, since BlueZ shows it again with each digit that is typed.
    shown: Option<(Key, u32)>,
    monitored: bool,
}

/// A device is being paired until this is dropped.
pub(in super::super) struct Pairing(Agent, Key);

type Device = (dbus::Path<'static>,);

// === impl Agent ===

impl Agent {
    pub(in super::super) fn new(outlet: Arc<Outlet>, known: Arc<Known>) -> Self {
        Self(Arc::new(Inner {
            outlet,
            known,
            state: Mutex::default(),
        }))
    }

    /// Serves both objects on a connection, to BlueZ and nobody else.
    pub(in super::super) fn serve(&self, connection: &Arc<SyncConnection>, owner: String) {
        let mut objects = Crossroads::new();
        objects.set_async_support(Some((
            connection.clone(),
            Box::new(|answering| {
                tokio::spawn(answering);
            }),
        )));
        let agent = objects.register("org.bluez.Agent1", |builder| self.describe_agent(builder));
        let monitor = objects.register("org.bluez.AdvertisementMonitor1", |builder| {
            self.describe_monitor(builder);
        });
        let root = objects.object_manager();
        objects.insert(AGENT, &[agent], ());
        objects.insert(MONITOR_ROOT, &[root], ());
        objects.insert(MONITOR, &[monitor], ());
        connection.start_receive(
            MatchRule::new_method_call(),
            Box::new(move |call, connection| {
                if call.sender().as_deref() == Some(owner.as_str()) {
                    // An error means that the answer could not be sent, and the bus is lost then.
                    let _ = objects.handle_message(call, connection);
                }
                true
            }),
        );
    }

    /// From now on the questions of this device are passed on.
    pub(in super::super) fn pairing(&self, adapter: u16, address: Address) -> Pairing {
        let key = Key { adapter, address };
        self.lock().pairing.insert(key);
        Pairing(self.clone(), key)
    }

    /// Answers a question.
    pub(in super::super) fn answer(&self, id: u64, reply: PairingReply) -> Result<(), RadioError> {
        let waits = self.lock().asked.remove(&id);
        waits
            .and_then(|waits| waits.send(reply).ok())
            .ok_or_else(|| {
                RadioError::Busy(
                    "the device does not wait for this answer any more; pair it again".to_owned(),
                )
            })
    }

    /// BlueZ listens passively for us.
    pub(in super::super) fn is_monitored(&self) -> bool {
        self.lock().monitored
    }

    fn describe_agent(&self, builder: &mut IfaceBuilder<()>) {
        builder.method("Release", (), (), |_, _, ()| Ok(()));
        let agent = self.clone();
        builder.method("Cancel", (), (), move |_, _, ()| {
            agent.lock().asked.clear();
            Ok(())
        });
        let agent = self.clone();
        builder.method_with_cr_async(
            "RequestPasskey",
            ("device",),
            ("passkey",),
            move |mut call: Context, _, (device,): Device| {
                let asked = agent.clone().ask(device, PairingWish::Passkey);
                async move {
                    let answer = match asked.await {
                        Some(PairingReply::Passkey(number)) if number <= 999_999 => Ok((number,)),
                        _ => Err(rejected()),
                    };
                    call.reply(answer)
                }
            },
        );
        let agent = self.clone();
        builder.method_with_cr_async(
            "RequestConfirmation",
            ("device", "passkey"),
            (),
            move |call, _, (device, number): (dbus::Path<'static>, u32)| {
                let asked = agent.clone().ask(device, PairingWish::Compare(number));
                async move { confirm(call, asked.await) }
            },
        );
        let agent = self.clone();
        // Somebody asked for it already: it is the question that `just works` has left.
        builder.method(
            "RequestAuthorization",
            ("device",),
            (),
            move |_, _, (device,): Device| agent.wanted(&device).map(|_| ()).ok_or_else(rejected),
        );
        let agent = self.clone();
        builder.method(
            "DisplayPasskey",
            ("device", "passkey", "entered"),
            (),
            move |_, _, (device, number, _): (dbus::Path<'static>, u32, u16)| {
                agent.show(&device, number);
                Ok(())
            },
        );
        // These belong to Bluetooth Classic.
        builder.method(
            "RequestPinCode",
            ("device",),
            ("pincode",),
            |_, _, _: Device| Err::<(String,), _>(rejected()),
        );
        builder.method(
            "DisplayPinCode",
            ("device", "pincode"),
            (),
            |_, _, _: (dbus::Path<'static>, String)| Ok(()),
        );
        builder.method(
            "AuthorizeService",
            ("device", "uuid"),
            (),
            |_, _, _: (dbus::Path<'static>, String)| Err::<(), _>(rejected()),
        );
    }

    fn describe_monitor(&self, builder: &mut IfaceBuilder<()>) {
        builder
            .property("Type")
            .get(|_, ()| Ok("or_patterns".to_owned()));
        builder.property("Patterns").get(|_, ()| {
            let patterns = PATTERNS.iter();
            let patterns: Vec<(u8, u8, Vec<u8>)> = patterns
                .map(|(start, kind, bytes)| (*start, *kind, bytes.to_vec()))
                .collect();
            Ok(patterns)
        });
        // Every advertisement is told, not only the first and one a second.
        builder.property("RSSISamplingPeriod").get(|_, ()| Ok(0u16));
        for (method, monitored) in [("Activate", true), ("Release", false)] {
            let agent = self.clone();
            builder.method(method, (), (), move |_, _, ()| {
                agent.lock().monitored = monitored;
                if !monitored {
                    agent.0.outlet.adapters_changed();
                }
                Ok(())
            });
        }
        for method in ["DeviceFound", "DeviceLost"] {
            builder.method(method, ("device",), (), |_, _, _: Device| Ok(()));
        }
    }

    /// Asks a person; none when nobody answered in time, or nobody wanted to pair this device.
    async fn ask(self, device: dbus::Path<'static>, wants: PairingWish) -> Option<PairingReply> {
        let key = self.wanted(&device)?;
        let (reply, answered) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            state.next += 1;
            let id = state.next;
            state.asked.insert(id, reply);
            id
        };
        self.0.outlet.ask(prompt(id, key, wants));
        let answer = time::timeout(PATIENCE, answered).await;
        self.lock().asked.remove(&id);
        answer.ok()?.ok()
    }

    fn show(&self, device: &str, number: u32) {
        let Some(key) = self.wanted(device) else {
            return;
        };
        let id = {
            let mut state = self.lock();
            if state.shown.replace((key, number)) == Some((key, number)) {
                return;
            }
            state.next += 1;
            state.next
        };
        self.0
            .outlet
            .ask(prompt(id, key, PairingWish::Show(number)));
    }

    fn wanted(&self, device: &str) -> Option<Key> {
        let key = Key::of_path(device)?;
        let wanted = self.lock().pairing.contains(&key);
        if !wanted {
            self.0.known.turn_down(key);
        }
        wanted.then_some(key)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("nothing panics while holding it")
    }
}

impl Drop for Pairing {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pairing.remove(&self.1);
        state.shown = None;
    }
}

fn confirm(mut call: Context, answer: Option<PairingReply>) -> PhantomData<()> {
    call.reply(match answer {
        Some(PairingReply::Yes) => Ok(()),
        _ => Err(rejected()),
    })
}

fn prompt(id: u64, key: Key, wants: PairingWish) -> Prompt {
    let patience = i64::try_from(PATIENCE.as_nanos()).unwrap_or(i64::MAX);
    Prompt {
        id,
        address: key.address,
        wants,
        until: Timestamp::from_nanos(now().nanos().saturating_add(patience)),
    }
}

fn rejected() -> MethodErr {
    MethodErr::from(("org.bluez.Error.Rejected", "nobody here said yes"))
}
