//! The console's side of the gateway: the endpoint table mounted, the live WebSocket, metrics, the console's files.
//!
//! ```text
//! request ──▶ guard (own host? own origin? guard header? or the control socket) ──▶ table row ──▶ one file a resource ──▶ view of raw state
//!                                                        └──▶ /metrics, /api/v1/live, the console's files
//! ```
//!
//! actix-web is known here and nowhere else. Views are computed from the gateway's state when they are asked for;
//! nothing is kept here but what a request cannot know: the rates of devices, and how many sockets are open.

mod alarms;
mod assets;
mod camera;
mod check;
mod commands;
mod config;
pub mod control;
mod dead;
mod destinations;
mod devices;
mod discover;
mod error;
mod explore;
mod export;
mod guard;
mod health;
mod kinds;
mod live;
mod mount;
pub mod openapi;
mod overview;
mod points;
mod presence;
mod purge;
mod queue;
mod receipts;
mod replay;
mod review;
mod routes;
mod rules;
mod scanner;
mod scrape;
mod searches;
mod selection;
mod sources;
mod trial;
mod trust;
mod value;
mod verdict;
mod words;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{Data, PayloadConfig, ServiceConfig},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{config::Desired, discovery::Searches, explorers::Explorers, gateway::Gateway};
pub use check::PATH as QUEUE_CHECK_PATH;
pub use dead::EXPORT_PATH as DEAD_EXPORT_PATH;
pub use export::PATH as QUEUE_EXPORT_PATH;
use mount::Mounts;
use points::Rates;
pub use receipts::export_path as receipt_path;
pub use trust::export_path as trust_path;

/// The largest body that is taken, in bytes.
const MAX_BODY_BYTES: usize = 1 << 20;
/// How long a client may take for the head of its request.
const HEAD_LIMIT: Duration = Duration::from_secs(8);
/// How long a connection may stand idle.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const MAX_CONNECTIONS: usize = 256;
const BACKLOG: u32 = 64;
/// Tabs that watch live values; one more is refused.
const MAX_SOCKETS: usize = 64;
/// Tests of settings at once; one more is refused.
const MAX_TRIALS: usize = 4;
/// Questions about a far side at once; one more is refused.
const MAX_EXPLORATIONS: usize = 8;
/// Threads for what touches the disk.
const BLOCKING_THREADS: usize = 4;
/// What a stop waits for answers under way, in seconds.
const STOP_SECONDS: u64 = 1;

/// What the console shows and changes.
pub struct Web {
    pub gateway: Arc<Gateway>,
    pub desired: Arc<Desired>,
}

/// Where it is asked.
pub struct Listeners {
    /// The console's address.
    pub console: TcpListener,
    /// The control socket, for the command line.
    pub control: Option<UnixListener>,
}

/// What every request can reach.
struct Shared {
    gateway: Arc<Gateway>,
    desired: Arc<Desired>,
    /// The machine's name, by which the console may be called besides `localhost`.
    host_name: String,
    rates: Mutex<Rates>,
    sockets: Arc<Semaphore>,
    trials: Semaphore,
    explorations: Semaphore,
    explorers: Explorers,
    searches: Searches,
    shutdown: CancellationToken,
}

/// Serves the console until `shutdown`, and then for at most a second more.
///
/// # Errors
/// When a listener cannot be used.
pub async fn serve(web: Web, listeners: Listeners, shutdown: CancellationToken) -> io::Result<()> {
    let server = server(Shared::new(web, shutdown.clone()), listeners)?;
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown.cancelled() => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

/// The server, started.
fn server(shared: Shared, listeners: Listeners) -> io::Result<Server> {
    let shared = Data::new(shared);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(PayloadConfig::new(MAX_BODY_BYTES))
            .configure(|config| drop(mount_all(config)))
            .wrap(from_fn(guard::guard))
    };
    let mut server = HttpServer::new(app)
        .on_connect(control::mark)
        .workers(1)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .disable_signals()
        .backlog(BACKLOG)
        .max_connections(MAX_CONNECTIONS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_LIMIT)
        .shutdown_timeout(STOP_SECONDS)
        .listen(listeners.console)?;
    if let Some(control) = listeners.control {
        server = server.listen_uds(control)?;
    }
    Ok(server.run())
}

/// Until there are accounts, only who sits at the machine may use the console.
///
/// # Errors
/// In words, when the address can be reached from elsewhere.
pub fn loopback_only(address: SocketAddr) -> Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "the console cannot listen on {address}: it has no accounts yet, so everybody on the network could change the gateway; \
         listen on 127.0.0.1:{port}, and reach it from elsewhere by `ssh -L {port}:127.0.0.1:{port} HOST`",
        port = address.port()
    ))
}

// === impl Shared ===

impl Shared {
    fn new(web: Web, shutdown: CancellationToken) -> Self {
        let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            gateway: web.gateway,
            desired: web.desired,
            host_name: host_name.trim().to_ascii_lowercase(),
            rates: Mutex::default(),
            sockets: Arc::new(Semaphore::new(MAX_SOCKETS)),
            trials: Semaphore::new(MAX_TRIALS),
            explorations: Semaphore::new(MAX_EXPLORATIONS),
            explorers: Explorers::new(shutdown.clone()),
            searches: Searches::new(shutdown.clone()),
            shutdown,
        }
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().expect("nothing panics while holding it")
    }
}

/// Mounts the whole table and what stands beside it.
fn mount_all(config: &mut ServiceConfig) -> Mounts<'_> {
    live::mount(config);
    scrape::mount(config);
    dead::mount_export(config);
    receipts::mount_export(config);
    trust::mount_export(config);
    export::mount(config);
    selection::mount_file(config);
    scanner::mount_file(config);
    camera::mount_picture(config);
    check::mount(config);
    openapi::mount(config);
    config.default_service(actix_web::web::to(assets::fallback));
    let mut mounts = Mounts::new(config);
    health::mount(&mut mounts);
    overview::mount(&mut mounts);
    kinds::mount(&mut mounts);
    sources::mount(&mut mounts);
    discover::mount(&mut mounts);
    searches::mount(&mut mounts);
    review::mount(&mut mounts);
    selection::mount(&mut mounts);
    explore::mount(&mut mounts);
    scanner::mount(&mut mounts);
    camera::mount(&mut mounts);
    destinations::mount(&mut mounts);
    routes::mount(&mut mounts);
    rules::mount(&mut mounts);
    trust::mount(&mut mounts);
    devices::mount(&mut mounts);
    commands::mount(&mut mounts);
    alarms::mount(&mut mounts);
    queue::mount(&mut mounts);
    receipts::mount(&mut mounts);
    purge::mount(&mut mounts);
    replay::mount(&mut mounts);
    dead::mount(&mut mounts);
    config::mount(&mut mounts);
    mounts
}

#[cfg(test)]
mod tests {
    use fieldgate_api::endpoint::TABLE;

    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for (address, good) in [
            ("127.0.0.1:8443", true),
            ("127.3.2.1:1", true),
            ("[::1]:8443", true),
            ("0.0.0.0:8443", false),
            ("192.168.1.2:8443", false),
            ("[::]:8443", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(loopback_only(address).is_ok(), good, "{address}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_mounted_and_nothing_else() {
        let mut mounted = Vec::new();
        let app = App::new().configure(|config| {
            mounted = mount_all(config).rows().to_vec();
        });
        drop(app);
        let mut wanted: Vec<_> = TABLE
            .iter()
            .map(|row| (row.method.as_str(), row.path))
            .collect();
        wanted.sort_unstable();
        mounted.sort_unstable();
        assert_eq!(mounted, wanted);
    }
}
