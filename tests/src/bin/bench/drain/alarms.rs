//! A subscriber of the events, which notes how old each reading is when it comes.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use fieldgate_model::Timestamp;
use rumqttc::v5::{
    Client, Connection, Event, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};
use serde_json::Value as Json;

const TOPIC: &str = "fieldgate/bench/+/events";

/// The ages so far, in milliseconds.
#[derive(Clone)]
pub struct Alarms(Arc<Mutex<Vec<f64>>>);

// === impl Alarms ===

impl Alarms {
    /// Subscribed when this returns. The thread ends with the broker.
    pub fn listen(url: &str) -> Result<Self> {
        let port = url.rsplit(':').next().context("a port")?.parse()?;
        let mut options = MqttOptions::new("alarms", "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(60));
        let (client, connection) = Client::new(options, 16);
        client.subscribe(TOPIC, QoS::AtLeastOnce)?;
        let alarms = Self(Arc::default());
        let (ear, (subscribed, answer)) = (alarms.clone(), mpsc::sync_channel(1)); // said once
        // The client goes along: without it the connection ends.
        thread::spawn(move || ear.hear(connection, client, &subscribed));
        answer
            .recv_timeout(Duration::from_secs(10))
            .context("the subscription")?;
        Ok(alarms)
    }

    pub fn ages_ms(&self) -> Vec<f64> {
        self.0
            .lock()
            .expect("nothing panics while holding it")
            .clone()
    }

    fn hear(&self, mut connection: Connection, _client: Client, subscribed: &mpsc::SyncSender<()>) {
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Packet::SubAck(_))) => drop(subscribed.try_send(())),
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let ages = ages_ms(&publish.payload);
                    self.0
                        .lock()
                        .expect("nothing panics while holding it")
                        .extend(ages);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

fn ages_ms(payload: &[u8]) -> Vec<f64> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = since.as_secs_f64() * 1000.0;
    let message: Json = serde_json::from_slice(payload).unwrap_or_default();
    let entries = message.as_object().into_iter().flatten();
    entries
        .filter_map(|(_, entry)| Timestamp::parse(entry["SourceTimestamp"].as_str()?))
        .map(|at| now_ms - at.nanos() as f64 / 1e6)
        .collect()
}
