//! `Subscriber`: an MQTT 5 client with a persistent session that keeps every message.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rumqttc::v5::{
    Client, Connection, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, Publish},
    },
};
use serde_json::Value as Json;

use crate::wait::{SOON, pace, until, until_true};

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
    pub content_type: Option<String>,
    pub user_properties: Vec<(String, String)>,
}

/// A client that listens from a thread of its own, and reconnects as long as it lives.
pub struct Subscriber {
    client: Client,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    messages: Vec<Message>,
    subscribed: bool,
    closed: bool,
}

/// What messages the broker may send ahead of their acknowledgement: all of them.
const RECEIVE_MAXIMUM: u16 = u16::MAX;

// === impl Subscriber ===

impl Subscriber {
    /// Subscribed to everything under `fieldgate/` when this returns.
    #[track_caller]
    #[must_use]
    pub fn start(port: u16) -> Self {
        Self::named("test-subscriber", port)
    }

    /// As [`Self::start`], with a client id: a broker has one connection for each.
    #[track_caller]
    #[must_use]
    pub fn named(id: &str, port: u16) -> Self {
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(3600))
            .set_receive_maximum(Some(RECEIVE_MAXIMUM))
            .set_max_packet_size(Some(16 << 20))
            .set_keep_alive(Duration::from_secs(60));
        let (client, connection) = Client::new(options, 16);
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (ear, voice) = (Arc::clone(&heard), client.clone());
        thread::spawn(move || listen(connection, &voice, &ear));
        let subscriber = Self { client, heard };
        until_true("the subscription", SOON, || subscriber.look().subscribed);
        subscriber
    }

    /// The messages from the `from`th on, repeated ones included.
    #[must_use]
    pub fn messages_from(&self, from: usize) -> Vec<Message> {
        self.look().messages[from..].to_vec()
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.look().messages.len()
    }

    /// Waits for a message, from the `from`th on, that `pick` makes something of.
    #[track_caller]
    pub fn message<T>(&self, what: &str, from: usize, pick: impl Fn(&Message) -> Option<T>) -> T {
        let mut next = from;
        until(&format!("the message: {what}"), SOON, || {
            for message in self.messages_from(next) {
                next += 1;
                if let Some(picked) = pick(&message) {
                    return Ok(picked);
                }
            }
            Err(format!("there were {} others", next - from))
        })
    }

    fn look(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().expect("nothing panics while holding it")
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.look().closed = true;
        // Wakes the thread; if it is not connected, it sees the mark at its next attempt.
        let _ = self.client.try_disconnect();
    }
}

// === impl Message ===

impl Message {
    /// The payload.
    ///
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| {
            let text = String::from_utf8_lossy(&self.payload);
            panic!("{error} in a message on {}: {text}", self.topic)
        })
    }
}

impl From<Publish> for Message {
    fn from(publish: Publish) -> Self {
        let properties = publish.properties.unwrap_or_default();
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            retained: publish.retain,
            content_type: properties.content_type,
            user_properties: properties.user_properties,
        }
    }
}

fn listen(mut connection: Connection, client: &Client, heard: &Mutex<Heard>) {
    for event in connection.iter() {
        let mut heard = heard.lock().expect("nothing panics while holding it");
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // Also in a session that the broker remembers: asking twice does no harm.
                let asked = client.try_subscribe("fieldgate/#", QoS::AtLeastOnce);
                asked.expect("there is room for one request");
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => heard.subscribed = true,
            Ok(Event::Incoming(Packet::Publish(publish))) => heard.messages.push(publish.into()),
            Ok(_) => {}
            Err(_) if heard.closed => return,
            Err(_) => {
                heard.subscribed = false;
                drop(heard);
                pace();
            }
        }
    }
}
