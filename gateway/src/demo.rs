//! The demonstration devices of `--demo`: an OPC UA server, a camera and an MQTT broker in this process, Bluetooth devices that do not
//! exist, and a route between them.

use std::time::Duration;

use fieldgate_camera::sim as camera;
use fieldgate_mqtt::sim as broker;
use fieldgate_opcua::sim as server;

use crate::daemon::{Options, StartError};

/// The running demonstration; nothing when it was not asked for.
pub struct Demo(Option<Running>);

struct Running {
    server: server::Sim,
    camera: camera::Sim,
    broker: broker::Sim,
}

impl Demo {
    /// Starts the devices, if they are asked for.
    pub(crate) async fn start(options: &Options) -> Result<Self, StartError> {
        if !options.demo {
            return Ok(Self(None));
        }
        let folder = options.state.join("demo");
        let server_options = server::Options {
            every: Duration::from_millis(500),
            acts: true,
            ..server::Options::new(&folder)
        };
        let starting = tokio::task::spawn_blocking(broker::start);
        let (server, camera, broker) = tokio::join!(
            server::start(server_options),
            camera::start(&folder),
            starting
        );
        let server = server.map_err(|error| StartError::Demo(error.to_string()))?;
        let camera = camera.map_err(|error| StartError::Demo(format!("the camera: {error}")))?;
        let broker = broker
            .expect("starting the broker does not panic")
            .map_err(|error| StartError::Demo(error.to_string()))?;
        Ok(Self(Some(Running {
            server,
            camera,
            broker,
        })))
    }

    /// The configuration that goes with them, the weakest layer but the built-in one.
    pub(crate) fn text(&self) -> Option<String> {
        let running = self.0.as_ref()?;
        Some(format!(
            r#"[[source]]
id = "demo"
kind = "opcua"
endpoint = "{endpoint}"
security = {{ policy = "None" }}
select = ["Objects/Demo/**"]
events = [{{ allow = ["acknowledge", "comment"] }}]
commands = [
    {{ path = "Objects/Demo/Press/SpeedLimit", allow = ["read", "write"], min = 10, max = 120 }},
    {{ path = "Objects/Demo/Press/Order", allow = ["call"] }},
]
publishing_ms = 100

[[source]]
id = "hall"
kind = "ble"
radio = "simulated"
devices = [{{ address = "C0:DE:0F:E1:00:02", name = "tag" }}]

[[source]]
id = "gate"
kind = "camera"
url = "{stream}"
user = {{ name = "{user}", password = {{ file = {password} }} }}
allow_local = true
clips = {{ before = "5 s", after = "5 s", with = ["demo/**"] }}
commands = ["snapshot", "clip"]

[[destination]]
id = "local"
kind = "mqtt"
url = "{url}"

[[route]]
id = "everything"
from = ["demo/**", "gate/**", "hall/**", "gateway/**"]
to = "local"
"#,
            endpoint = running.server.endpoint,
            stream = running.camera.url,
            user = camera::USER,
            // TOML's basic strings have the escapes of JSON's.
            password = serde_json::json!(running.camera.password.to_string_lossy()),
            url = running.broker.url,
        ))
    }

    pub(crate) async fn stop(self) {
        if let Some(Running {
            server,
            camera,
            broker,
        }) = self.0
        {
            server.stop().await;
            drop((camera, broker));
        }
    }
}
