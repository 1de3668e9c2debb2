//! The gateway as a whole: opens the queue, applies the configuration, serves the console, stops without losing anything.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fieldgate_api::trouble::ConfigProblem;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::SOCKET,
    clock::{Clock, TimeSource},
    config::{Desired, Loaded, Locations},
    gateway::Gateway,
    lanes::{Lanes, LanesError, QUEUE_FOLDER},
    registry::Registry,
    supervisor::{ApplyError, Supervisor},
    web::{self, Listeners, Web},
};

/// A stop takes at most this long; what is not acknowledged by then is on the disk and is sent again.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Of that, what closing the queue may need.
const CLOSE_RESERVE: Duration = Duration::from_secs(1);

/// How the gateway is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files and folders; none means `/etc/fieldgate`.
    pub config: Vec<PathBuf>,
    pub state: PathBuf,
    /// Loopback only until there are accounts; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the command line asks; none means `control.sock` in the state folder.
    pub control: Option<PathBuf>,
    /// Start the demonstration devices.
    pub demo: bool,
    /// Where the time comes from: [`Kernel`](crate::clock::Kernel), but in tests of wrong clocks.
    pub time: Arc<dyn TimeSource>,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration has {} problem(s)", .0.len())]
    Config(Vec<ConfigProblem>),
    #[error("{0}")]
    Listen(String),
    #[error(
        "cannot use the state folder {path}: {source}; make it writable, or name another one with --state"
    )]
    State { path: PathBuf, source: io::Error },
    #[error(
        "cannot make the control socket {path}: {source}; choose another place with --control, such as /run/fieldgate/control.sock"
    )]
    Control { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Queue(#[from] LanesError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("the console stopped: {0}")]
    Web(io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
    #[error("cannot start the demonstration: {0}")]
    Demo(String),
}

/// Runs until `shutdown`. `reload` reads the configuration files again. `listening` is told the console's address.
///
/// # Errors
/// When it cannot start; nothing is left running then.
pub async fn run(
    options: Options,
    shutdown: CancellationToken,
    reload: Arc<Notify>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), StartError> {
    // Whoever installed a provider before has installed the same one: there is only one in the build.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    web::loopback_only(options.listen).map_err(StartError::Listen)?;
    let listener =
        TcpListener::bind(options.listen).map_err(|error| cannot_listen(options.listen, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| cannot_listen(options.listen, &error))?;
    make_private(&options.state).map_err(|source| unusable(&options, source))?;

    let demo = Demo::start(&options).await?;
    let (desired, loaded) = open_config(&options, demo.text()).await?;
    let gateway = open_gateway(&options, &desired, &loaded).await?;
    let mut supervisor = Supervisor::new(Arc::clone(&gateway));
    supervisor.apply(&Arc::new(loaded.config.clone())).await?;

    let console = Web {
        gateway: Arc::clone(&gateway),
        desired: Arc::clone(&desired),
    };
    let stop_console = CancellationToken::new();
    let socket = options.control.clone();
    let socket = socket.unwrap_or_else(|| options.state.join(SOCKET));
    let control = web::control::listen(&socket).map_err(|source| StartError::Control {
        path: socket.clone(),
        source,
    });
    let listeners = Listeners {
        console: listener,
        control: Some(control?),
    };
    let serving = web::serve(console, listeners, stop_console.clone());
    tokio::pin!(serving);
    listening(address);
    let outcome = tokio::select! {
        () = keep_applying(&mut supervisor, &desired, &gateway, &reload) => Ok(()),
        ended = &mut serving => Err(StartError::Web(ended.err().unwrap_or_else(|| io::Error::other("it ended by itself")))),
        () = shutdown.cancelled() => Ok(()),
    };

    let deadline = Instant::now() + STOP_LIMIT;
    stop_console.cancel();
    let stopping = async {
        if outcome.is_ok() {
            let (ended, ()) = tokio::join!(&mut serving, supervisor.stop());
            if let Err(error) = ended {
                tracing::warn!(%error, "the console did not stop in an orderly way");
            }
        } else {
            supervisor.stop().await;
        }
    };
    if timeout_at(deadline - CLOSE_RESERVE, stopping)
        .await
        .is_err()
    {
        tracing::warn!("not every unit stopped in time; what was accepted is on the disk");
    }
    save_clock(gateway.clock.clone()).await;
    close(gateway.lanes.clone(), deadline).await;
    demo.stop().await;
    forget(&socket);
    outcome
}

/// Puts every change of the configuration to work, and gives the meters their sense of time. Never ends.
async fn keep_applying(
    supervisor: &mut Supervisor,
    desired: &Arc<Desired>,
    gateway: &Arc<Gateway>,
    reload: &Notify,
) {
    let mut changes = desired.watch();
    changes.mark_unchanged();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                gateway.sample();
                look_at_clock(&gateway.clock).await;
                gateway.take_notes().await;
            }
            () = reload.notified() => read_again(desired).await,
            changed = changes.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
                let loaded = Arc::clone(&changes.borrow_and_update());
                if let Err(error) = supervisor.apply(&Arc::new(loaded.config.clone())).await {
                    tracing::error!(%error, "the configuration could not be put to work");
                }
            }
        }
    }
}

async fn read_again(desired: &Arc<Desired>) {
    let desired = Arc::clone(desired);
    let outcome = tokio::task::spawn_blocking(move || desired.reload()).await;
    match outcome {
        Ok(Ok(_)) => tracing::info!("the configuration was read again"),
        Ok(Err(problems)) => {
            for problem in &problems {
                tracing::error!("{}", crate::config::line(problem));
            }
            tracing::error!(
                "the configuration was not taken over; the last good one stays in force"
            );
        }
        Err(error) => tracing::error!(%error, "reading the configuration broke off"),
    }
}

async fn open_config(
    options: &Options,
    demo: Option<String>,
) -> Result<(Arc<Desired>, Arc<Loaded>), StartError> {
    let locations = Locations {
        files: options.config.clone(),
        state: options.state.clone(),
        env: std::env::vars().collect(),
        flags: Vec::new(),
        demo,
    };
    let opened =
        tokio::task::spawn_blocking(move || Desired::open(locations, Registry::all())).await;
    let (desired, loaded) = opened
        .expect("opening the configuration does not panic")
        .map_err(StartError::Config)?;
    Ok((Arc::new(desired), loaded))
}

async fn open_gateway(
    options: &Options,
    desired: &Desired,
    loaded: &Arc<Loaded>,
) -> Result<Arc<Gateway>, StartError> {
    let (dir, queue) = (
        options.state.join(QUEUE_FOLDER),
        loaded.config.queue.clone(),
    );
    let (state, time) = (options.state.clone(), Arc::clone(&options.time));
    let open = move || {
        let clock = Clock::open(&state, time)?;
        let opened = Lanes::open(&dir, &queue, &clock);
        Ok((clock, opened))
    };
    let opened = tokio::task::spawn_blocking(open)
        .await
        .expect("opening the clock and the queue does not panic");
    let (clock, opened) = opened.map_err(|source| unusable(options, source))?;
    let (lanes, reports) = opened?;
    for (lane, report) in reports {
        for finding in &report.findings {
            tracing::error!(lane, "{finding}");
        }
        tracing::info!(lane, records = report.records, took = ?report.took, "queue open");
    }
    let gateway = Gateway::new(
        Registry::all(),
        lanes,
        clock,
        options.state.clone(),
        desired.secrets(),
    );
    let gateway = gateway.map_err(|source| unusable(options, source))?;
    Ok(Arc::new(gateway))
}

fn unusable(options: &Options, source: io::Error) -> StartError {
    StartError::State {
        path: options.state.clone(),
        source,
    }
}

/// Looks at the clock, and keeps what is known of it when that is due.
async fn look_at_clock(clock: &Clock) {
    if clock.observe() {
        save_clock(clock.clone()).await;
    }
}

async fn save_clock(clock: Clock) {
    let saved = tokio::task::spawn_blocking(move || clock.save()).await;
    if let Ok(Err(error)) = saved {
        tracing::warn!(%error, "what is known of the clock could not be saved; it is tried again");
    }
}

async fn close(lanes: Lanes, deadline: Instant) {
    let closing = async {
        let Lanes {
            normal,
            critical,
            dead,
        } = lanes;
        tokio::join!(normal.close(), critical.close(), dead.close())
    };
    match timeout_at(deadline, closing).await {
        Err(_) => tracing::warn!(
            "the queue did not close in time; acknowledgements of the last second may be repeated"
        ),
        Ok((normal, critical, dead)) => {
            for error in [normal, critical, dead].into_iter().filter_map(Result::err) {
                tracing::warn!(%error, "a lane did not close in an orderly way");
            }
        }
    }
}

/// A socket that nobody listens to any more; a next start would replace it.
fn forget(socket: &Path) {
    if let Err(error) = std::fs::remove_file(socket) {
        tracing::debug!(%error, socket = %socket.display(), "the control socket could not be removed");
    }
}

/// The folder, readable for the gateway's user only.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> StartError {
    StartError::Listen(format!(
        "the console cannot listen on {address}: {error}; stop what listens there, or choose another address with --listen"
    ))
}

#[cfg(feature = "demo")]
use crate::demo::Demo;

/// In a build without the demonstration.
#[cfg(not(feature = "demo"))]
struct Demo;

#[cfg(not(feature = "demo"))]
impl Demo {
    #[expect(
        clippy::unused_async,
        reason = "the same shape as the build with the demonstration has"
    )]
    async fn start(_: &Options) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn text(&self) -> Option<String> {
        None
    }

    #[expect(
        clippy::unused_async,
        reason = "the same shape as the build with the demonstration has"
    )]
    async fn stop(self) {}
}
