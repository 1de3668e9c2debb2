//! A gateway with one source, one destination and one route in a file, served on a free port of loopback.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

use fieldgate::{
    clock::{Clock, Kernel},
    config::{Desired, Locations},
    gateway::Gateway,
    lanes::Lanes,
    pipeline::frame,
    registry::Registry,
    supervisor::Supervisor,
    web::{self, Listeners, Web},
};
use fieldgate_model::{Device, PointId, Reading, Timestamp, Value};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing listens on port 1; both units are kept from trying by being paused.
const CONFIG: &str = r#"
[gateway]
name = "line-4"

[[source]]
id = "press"
kind = "opcua"
paused = true
endpoint = "opc.tcp://127.0.0.1:1"
select = ["Objects/Line/**"]

[[destination]]
id = "broker"
kind = "mqtt"
paused = true
url = "mqtt://127.0.0.1:1"

[[route]]
id = "everything"
from = ["press/**"]
steps = [{ scale = { by = 2.0 } }]
to = "broker"
"#;

pub struct Rig {
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    pub desired: Arc<Desired>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<io::Result<()>>,
    pub state: tempfile::TempDir,
}

impl Rig {
    /// Served and ready.
    pub async fn start() -> Self {
        let rig = Self::start_unready().await;
        rig.apply().await;
        rig
    }

    /// Served, the configuration not yet applied.
    pub async fn start_unready() -> Self {
        Self::serve(CONFIG, &Registry::all())
    }

    /// Served and ready, with another configuration and other protocols.
    pub async fn start_with(config: &str, registry: &Registry) -> Self {
        let rig = Self::serve(config, registry);
        rig.apply().await;
        rig
    }

    fn serve(config: &str, registry: &Registry) -> Self {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("fieldgate.toml");
        fs::write(&file, config).unwrap();
        let locations = Locations {
            files: vec![file],
            state: state.path().join("state"),
            ..Locations::default()
        };
        fs::create_dir(&locations.state).unwrap();
        let state_dir = locations.state.clone();
        let (desired, loaded) = Desired::open(locations, registry.clone()).unwrap();
        let clock = Clock::open(&state_dir, Arc::new(Kernel::default())).unwrap();
        let queue = state_dir.join("queue");
        let (lanes, _) = Lanes::open(&queue, &loaded.config.queue, &clock).unwrap();
        let gateway =
            Gateway::new(registry.clone(), lanes, clock, state_dir, desired.secrets()).unwrap();
        let (gateway, desired) = (Arc::new(gateway), Arc::new(desired));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let web = Web {
            gateway: Arc::clone(&gateway),
            desired: Arc::clone(&desired),
        };
        let control = web::control::listen(&state.path().join("control.sock")).unwrap();
        let listeners = Listeners {
            console: listener,
            control: Some(control),
        };
        let serving = tokio::spawn(web::serve(web, listeners, shutdown.clone()));
        Self {
            address,
            gateway,
            desired,
            shutdown,
            serving,
            state,
        }
    }

    /// Puts the configuration in force to work; what it starts stops again at once.
    pub async fn apply(&self) {
        let mut supervisor = Supervisor::new(Arc::clone(&self.gateway));
        let config = Arc::new(self.desired.current().config.clone());
        supervisor.apply(&config).await.unwrap();
        supervisor.stop().await;
    }

    /// Where the control socket is.
    pub fn control(&self) -> PathBuf {
        self.state.path().join("control.sock")
    }

    /// A reading as it lies in its lane.
    pub fn frame(&self, id: &str, value: impl Into<Value>) -> bytes::Bytes {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let reading = Reading::new(id.parse().unwrap(), value, at);
        frame::encode(&reading, Vec::new()).into()
    }

    /// Announces a device with these points.
    pub fn announce(&self, points: &[&str]) {
        let ids: Vec<PointId> = points.iter().map(|id| id.parse().unwrap()).collect();
        let (_, _, devices) = self
            .gateway
            .running(|running| running.source(&"press".into()));
        devices.announce(Device {
            id: ids[0].device_id(),
            name: "Line \u{202e}1".into(),
            model: None,
            address: "Objects/Line".into(),
            points: ids
                .into_iter()
                .map(|id| fieldgate_model::Point {
                    name: id.point().to_owned(),
                    id,
                    unit: Some("Cel".into()),
                    range: None,
                    description: None,
                    data_type: Some("Double".into()),
                    address: "ns=2;s=T".into(),
                    remark: None,
                    problem: None,
                })
                .collect(),
        });
    }

    /// A reading of a point, as its pipeline would record it.
    pub fn observe(&self, id: &str, value: impl Into<Value>) {
        let id: PointId = id.parse().unwrap();
        let reading = Reading::new(id.clone(), value, Timestamp::from_millis(1_700_000_000_000));
        self.gateway.live.point(&id).record(&reading);
    }
}
