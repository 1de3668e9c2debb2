//! An in-process MQTT broker on a free port of 127.0.0.1, for the demonstration and this crate's tests.
//!
//! It is rumqttd, without disk and without access rules. Everything in it is gone when it is dropped. It logs under the
//! target `rumqttd`, warnings about every client that leaves included: silence it with [`QUIET`].
//! Listen to it with MQTT 5 (`mosquitto_sub -V 5`): rumqttd throws out a 3.1.1 subscriber when a message with MQTT 5
//! properties comes its way.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rumqttd::{
    ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings,
    protocol::{v4::V4, v5::V5},
};
use tokio_util::sync::CancellationToken;

/// A `tracing` filter directive that silences the broker.
pub const QUIET: &str = "rumqttd=off";

/// How long the broker may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(5);

/// A running broker. Dropping it closes its listeners and all connections.
#[derive(Debug)]
pub struct Sim {
    /// For MQTT 5.
    pub url: String,
    /// For MQTT 3.1.1: rumqttd has a listener for each version.
    pub url_v311: String,
    stop: CancellationToken,
}

/// Starts a broker; it listens when this returns.
///
/// # Errors
/// When there is no free port, or no thread.
pub fn start() -> io::Result<Sim> {
    let (v5, v311) = (free_address()?, free_address()?);
    let stop = CancellationToken::new();
    let router = Router::new(0, router_config()).spawn();
    let mut server_v5 = Server::new(settings("demo-v5", v5), router.clone(), V5);
    let mut server_v311 = Server::new(settings("demo-v311", v311), router, V4);
    serve("mqtt-sim", stop.clone(), async move {
        // Both run until they are dropped; an address that was taken meanwhile shows as a broker that never listens.
        let _ = futures::future::join(
            server_v5.start(LinkType::Remote),
            server_v311.start(LinkType::Remote),
        )
        .await;
    })?;
    let sim = Sim {
        url: format!("mqtt://{v5}"),
        url_v311: format!("mqtt://{v311}"),
        stop,
    };
    wait_until_listening(v5)?;
    wait_until_listening(v311)?;
    Ok(sim)
}

// === impl Sim ===

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs the servers on a thread and a runtime of their own: rumqttd spawns tasks that only end with their runtime.
fn serve(
    name: &str,
    stop: CancellationToken,
    servers: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = servers => {}
                }
            });
        })?;
    Ok(())
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn wait_until_listening(address: SocketAddr) -> io::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Small segments: the demonstration should not look as if the gateway took the memory.
fn router_config() -> RouterConfig {
    RouterConfig {
        max_connections: 64,
        max_outgoing_packet_count: 200,
        max_segment_size: 1 << 20,
        max_segment_count: 4,
        ..RouterConfig::default()
    }
}

fn settings(name: &str, listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: 5000,
            max_payload_size: 16 << 20,
            max_inflight_count: 1000,
            auth: None::<HashMap<String, String>>,
            external_auth: None,
            dynamic_filters: true,
        },
    }
}
