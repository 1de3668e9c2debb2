//! `SystemRadios`: the Bluetooth of this machine.
//!
//! Each radio is a thread with a tokio runtime of its own, which ends with it: a connection to the bus that btleplug made closes in
//! no other way, and a panic inside it ends there. Those who ask send jobs to the thread and wait for the answers.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use fieldgate_kit::scanner::{PairingReply, ScanMode};
use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    runtime,
    sync::{Mutex, mpsc, oneshot},
    time,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    AdapterFacts, Asked, CharacteristicId, Connection, Notification, Radio, RadioError, RadioEvent,
    Radios, Service, Write,
    bluez::{Agent, Bus, Ears, Known, number},
    core::Core,
    doubts::Doubts,
    link::{Links, Opened},
    outlet::Outlet,
    scan::Scans,
};
use crate::Address;

/// How long opening may take: BlueZ may have to be started.
const OPEN: Duration = Duration::from_secs(20);
/// What every call but the long ones may take.
const CALL: Duration = Duration::from_secs(10);
/// How long the connections may take to close at the end, and the radio before this one to be gone.
const CLOSE: Duration = Duration::from_secs(3);
/// Jobs that wait to be begun; who asks waits for room.
const JOBS: usize = 32;

type Job = Box<dyn FnOnce(Arc<Core>) -> BoxFuture<'static, ()> + Send>;
type Ended = oneshot::Receiver<()>;

/// See the module.
#[derive(Debug, Default)]
pub struct SystemRadios {
    /// The end of the last radio. The next one waits for it, or the old one would close connections that the new one opens.
    last: Arc<Mutex<Option<Ended>>>,
    doubts: Arc<Doubts>,
}

struct SystemRadio {
    jobs: Jobs,
    agent: Agent,
    _cancel: DropGuard,
}

struct SystemConnection {
    jobs: Jobs,
    id: u64,
    services: Arc<[Service]>,
    notified: mpsc::Receiver<Notification>,
    _close: DropGuard,
}

/// The way into the thread.
#[derive(Clone)]
struct Jobs(mpsc::Sender<Job>);

// === impl SystemRadios ===

impl Radios for SystemRadios {
    fn open(&self) -> Asked<'_, (Box<dyn Radio>, mpsc::Receiver<RadioEvent>)> {
        Box::pin(async move {
            let mut last = self.last.lock().await;
            if let Some(ended) = last.take() {
                // Either it ended, or it hangs in something that does not end: the kernel closes its sockets then some day.
                let _ = time::timeout(2 * CLOSE, ended).await;
            }
            let (outlet, events) = Outlet::new();
            let (jobs, asked) = mpsc::channel(JOBS);
            let (ready, opened) = oneshot::channel();
            let (end, ended) = oneshot::channel();
            let cancelled = CancellationToken::new();
            let cancel = cancelled.clone().drop_guard();
            let outlet = Arc::new(outlet);
            let known = Arc::new(Known::new(self.doubts.clone()));
            thread::Builder::new()
                .name("ble-radio".to_owned())
                .spawn(move || live(&outlet, known, asked, ready, cancelled, end))
                .map_err(|error| RadioError::Busy(format!("no thread for Bluetooth: {error}")))?;
            *last = Some(ended);
            let agent = time::timeout(OPEN, opened).await;
            let agent = agent
                .map_err(|_| {
                    RadioError::NoDaemon(format!(
                        "the system's Bluetooth did not answer in {} s; see `systemctl status bluetooth`",
                        OPEN.as_secs()
                    ))
                })?
                .map_err(|_| panicked())??;
            let radio = SystemRadio {
                jobs: Jobs(jobs),
                agent,
                _cancel: cancel,
            };
            Ok((Box::new(radio) as Box<dyn Radio>, events))
        })
    }
}

/// The thread of a radio.
fn live(
    outlet: &Arc<Outlet>,
    known: Arc<Known>,
    jobs: mpsc::Receiver<Job>,
    ready: oneshot::Sender<Result<Agent, RadioError>>,
    cancelled: CancellationToken,
    end: oneshot::Sender<()>,
) {
    // Two workers: the connections to the bus and what is done with them never wait for one that is busy.
    let built = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("ble-radio")
        .enable_all()
        .build();
    match built {
        Ok(runtime) => {
            let living = run(outlet.clone(), known, jobs, ready, cancelled);
            let lived = runtime.block_on(AssertUnwindSafe(living).catch_unwind());
            if lived.is_err() {
                outlet.over(panicked());
            }
            runtime.block_on(async {
                // Ends at once when nobody listens, or when the end was told.
                let _ = time::timeout(CLOSE, outlet.forward()).await;
            });
            runtime.shutdown_timeout(CLOSE);
        }
        Err(error) => {
            let _ = ready.send(Err(RadioError::Busy(format!(
                "no runtime for Bluetooth: {error}"
            ))));
        }
    }
    let _ = end.send(());
}

/// The life of a radio: until it is dropped, or the bus or BlueZ are lost.
async fn run(
    outlet: Arc<Outlet>,
    known: Arc<Known>,
    mut jobs: mpsc::Receiver<Job>,
    ready: oneshot::Sender<Result<Agent, RadioError>>,
    cancelled: CancellationToken,
) {
    let over = CancellationToken::new();
    let core = match open(&outlet, known, &cancelled, &over).await {
        Ok(core) => Arc::new(core),
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    if ready.send(Ok(core.agent.clone())).is_err() {
        return;
    }
    let forwarding = async {
        outlet.forward().await;
        // Nobody listens, or the end was told.
    };
    tokio::pin!(forwarding);
    loop {
        tokio::select! {
            () = cancelled.cancelled() => break,
            () = over.cancelled() => break,
            () = &mut forwarding => break,
            job = jobs.recv() => match job {
                // Each has its limit. A panic ends in its task: who asked sees that there is no answer.
                Some(job) => drop(tokio::spawn(job(core.clone()))),
                None => break,
            },
        }
    }
    let _ = time::timeout(CLOSE, core.links.close_all()).await;
}

async fn open(
    outlet: &Arc<Outlet>,
    known: Arc<Known>,
    cancelled: &CancellationToken,
    over: &CancellationToken,
) -> Result<Core, RadioError> {
    let (resource, bus) = Bus::open()?;
    let ending = (outlet.clone(), over.clone().drop_guard());
    tokio::spawn(async move {
        let why = resource.await.to_string();
        ending.0.over(Bus::lost(&why));
        drop(ending);
    });
    let owner = bus.daemon().await?;
    let agent = Agent::new(outlet.clone(), known.clone());
    agent.serve(bus.connection(), owner.clone());
    let hearing = (known.clone(), outlet.clone());
    let ears = tokio::task::spawn_blocking(move || Ears::open(owner, hearing.0, hearing.1)).await;
    let ears = ears.map_err(|_| panicked())??;
    ears.listen(cancelled.clone(), over.clone())
        .map_err(|error| RadioError::Busy(format!("no thread for Bluetooth: {error}")))?;
    let links = Links::new(bus.clone(), known.clone(), outlet.clone()).await?;
    let core = Core {
        scans: Scans::new(bus.clone(), known.clone(), agent.clone()),
        links: Arc::new(links),
        has_agent: AtomicBool::new(false),
        outlet: outlet.clone(),
        bus,
        known,
        agent,
    };
    if let Err(error) = core.ready_to_pair().await {
        tracing::warn!(%error, "Bluetooth devices cannot be paired or connected for now; it is tried again with each of them");
    }
    Ok(core)
}

// === impl Jobs ===

impl Jobs {
    /// Lets something be done in the thread, within a limit.
    async fn ask<T, F>(
        &self,
        limit: Duration,
        job: impl FnOnce(Arc<Core>) -> F + Send + 'static,
    ) -> Result<T, RadioError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RadioError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |core| {
            Box::pin(async move {
                let done = time::timeout(limit, job(core)).await;
                // A connection that nobody waits for any more is closed by being dropped.
                let _ = reply.send(done.unwrap_or_else(|_| {
                    Err(RadioError::Busy(format!(
                        "the system's Bluetooth did not answer in {} s",
                        limit.as_secs()
                    )))
                }));
            })
        });
        self.0.send(job).await.map_err(|_| ended())?;
        answer.await.map_err(|_| panicked_or_ended(&self.0))?
    }
}

// === impl SystemRadio ===

impl Radio for SystemRadio {
    fn adapters(&self) -> Asked<'_, Vec<AdapterFacts>> {
        Box::pin(
            self.jobs
                .ask(CALL, |core| async move { core.scans.facts().await }),
        )
    }

    fn listen(&self, adapter: &str, mode: ScanMode) -> Asked<'_, ()> {
        let adapter = adapter.to_owned();
        let job =
            move |core: Arc<Core>| async move { core.scans.listen(number(&adapter)?, mode).await };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn rest(&self, adapter: &str) -> Asked<'_, ()> {
        let adapter = adapter.to_owned();
        let job = move |core: Arc<Core>| async move { core.scans.rest(number(&adapter)?).await };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn power(&self, adapter: &str, on: bool) -> Asked<'_, ()> {
        let adapter = adapter.to_owned();
        let job = move |core: Arc<Core>| async move { core.bus.power(number(&adapter)?, on).await };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn connect(
        &self,
        adapter: &str,
        address: Address,
        limit: Duration,
    ) -> Asked<'_, Box<dyn Connection>> {
        let adapter = adapter.to_owned();
        Box::pin(async move {
            let job =
                move |core: Arc<Core>| async move { core.connect(&adapter, address, limit).await };
            // It has its own limit, and cleans up after it.
            let opened: Opened = self.jobs.ask(limit + 4 * CALL, job).await?;
            Ok(Box::new(SystemConnection {
                jobs: self.jobs.clone(),
                id: opened.id,
                services: opened.services,
                notified: opened.notified,
                _close: opened.close,
            }) as Box<dyn Connection>)
        })
    }

    fn pair(&self, adapter: &str, address: Address) -> Asked<'_, ()> {
        let adapter = adapter.to_owned();
        let job = move |core: Arc<Core>| async move { core.pair(&adapter, address).await };
        Box::pin(self.jobs.ask(10 * CALL, job))
    }

    fn answer(&self, prompt: u64, reply: PairingReply) -> Result<(), RadioError> {
        self.agent.answer(prompt, reply)
    }

    fn bonds(&self, adapter: &str) -> Asked<'_, Vec<Address>> {
        let adapter = adapter.to_owned();
        let job = move |core: Arc<Core>| async move { Ok(core.known.bonds(number(&adapter)?)) };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn forget(&self, adapter: &str, address: Address) -> Asked<'_, ()> {
        let adapter = adapter.to_owned();
        let job =
            move |core: Arc<Core>| async move { core.forget(number(&adapter)?, address).await };
        Box::pin(self.jobs.ask(CALL, job))
    }
}

// === impl SystemConnection ===

impl Connection for SystemConnection {
    fn services(&self) -> Arc<[Service]> {
        self.services.clone()
    }

    fn read(&self, characteristic: CharacteristicId) -> Asked<'_, Vec<u8>> {
        let id = self.id;
        let job = move |core: Arc<Core>| async move {
            core.ready_to_pair().await?;
            core.links.link(id)?.read(characteristic).await
        };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn write(&self, characteristic: CharacteristicId, value: Vec<u8>, how: Write) -> Asked<'_, ()> {
        let id = self.id;
        let job = move |core: Arc<Core>| async move {
            core.ready_to_pair().await?;
            core.links
                .link(id)?
                .write(characteristic, &value, how)
                .await
        };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn subscribe(&self, characteristic: CharacteristicId) -> Asked<'_, ()> {
        let id = self.id;
        let job = move |core: Arc<Core>| async move {
            core.ready_to_pair().await?;
            core.links.subscribe(id, characteristic).await
        };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn unsubscribe(&self, characteristic: CharacteristicId) -> Asked<'_, ()> {
        let id = self.id;
        let job = move |core: Arc<Core>| async move {
            core.links.link(id)?.unsubscribe(characteristic).await
        };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn notified(&mut self) -> Asked<'_, Notification> {
        Box::pin(async move {
            let next = self.notified.recv().await;
            next.ok_or_else(|| RadioError::Broken("the connection is gone".to_owned()))
        })
    }

    fn alive(&self) -> Asked<'_, bool> {
        let id = self.id;
        let job = move |core: Arc<Core>| async move {
            let Ok(link) = core.links.link(id) else {
                return Ok(false);
            };
            let (adapter, address) = link.place();
            core.bus.is_connected(adapter, address).await
        };
        Box::pin(self.jobs.ask(CALL, job))
    }

    fn close(self: Box<Self>) -> Asked<'static, ()> {
        let id = self.id;
        Box::pin(async move {
            let job = move |core: Arc<Core>| async move {
                core.links.close(id).await?;
                core.end_before_leaks();
                Ok(())
            };
            self.jobs.ask(CALL, job).await
        })
    }
}

fn ended() -> RadioError {
    RadioError::NoDaemon("this radio ended; it is opened anew".to_owned())
}

fn panicked() -> RadioError {
    RadioError::Busy(
        "the Bluetooth library failed inside; the radio is opened anew. Please report it with the log".to_owned(),
    )
}

fn panicked_or_ended(jobs: &mpsc::Sender<Job>) -> RadioError {
    if jobs.is_closed() {
        ended()
    } else {
        panicked()
    }
}
