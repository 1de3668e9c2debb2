//! `Asker`: an MQTT client, 5 or 3.1.1, that commands through a broker and keeps every answer.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rumqttc::{self as v4, v5};
use serde_json::Value as Json;

use crate::wait::{SOON, pace, until, until_true};

/// A message on a topic of answers.
#[derive(Debug, Clone)]
pub struct Answered {
    pub topic: String,
    /// Only MQTT 5 carries it.
    pub correlation: Option<Vec<u8>>,
    pub json: Json,
}

/// How a command is sent with MQTT 5.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    pub response_topic: Option<&'a str>,
    pub correlation: Option<&'a [u8]>,
    /// The user property `from`.
    pub from: Option<&'a str>,
    pub retain: bool,
}

/// A client that listens to its topics of answers from a thread of its own, and reconnects as long as it lives.
pub struct Asker {
    client: Client,
    heard: Arc<Mutex<Heard>>,
}

enum Client {
    V4(v4::Client),
    V5(v5::Client),
}

#[derive(Default)]
struct Heard {
    answers: Vec<Answered>,
    subscribed: bool,
    closed: bool,
}

const KEEP_ALIVE: Duration = Duration::from_secs(60);

// === impl Asker ===

impl Asker {
    /// With MQTT 5; subscribed to this topic when this returns.
    #[track_caller]
    #[must_use]
    pub fn v5(id: &str, port: u16, topic: &str) -> Self {
        let mut options = v5::MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(KEEP_ALIVE);
        let (client, mut connection) = v5::Client::new(options, 64);
        let asker = Self::of(Client::V5(client.clone()));
        let (ear, topic) = (Arc::clone(&asker.heard), topic.to_owned());
        thread::spawn(move || {
            use v5::{Event, mqttbytes::v5::Packet};
            for event in connection.iter() {
                let known = match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let asked = client.try_subscribe(&topic, v5::mqttbytes::QoS::AtLeastOnce);
                        asked.expect("there is room for one request");
                        true
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => subscribed(&ear),
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let topic = String::from_utf8_lossy(&message.topic).into_owned();
                        let correlation = message.properties.and_then(|all| all.correlation_data);
                        let correlation = correlation.map(|data| data.to_vec());
                        keep(&ear, topic, correlation, &message.payload)
                    }
                    other => other.is_ok(),
                };
                if !known && lost(&ear) {
                    return;
                }
            }
        });
        asker.ready()
    }

    /// With MQTT 3.1.1; subscribed to this topic when this returns.
    #[track_caller]
    #[must_use]
    pub fn v311(id: &str, port: u16, topic: &str) -> Self {
        let mut options = v4::MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(KEEP_ALIVE);
        let (client, mut connection) = v4::Client::new(options, 64);
        let asker = Self::of(Client::V4(client.clone()));
        let (ear, topic) = (Arc::clone(&asker.heard), topic.to_owned());
        thread::spawn(move || {
            use v4::{Event, Packet};
            for event in connection.iter() {
                let known = match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let asked = client.try_subscribe(&topic, v4::QoS::AtLeastOnce);
                        asked.expect("there is room for one request");
                        true
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => subscribed(&ear),
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        keep(&ear, message.topic, None, &message.payload)
                    }
                    other => other.is_ok(),
                };
                if !known && lost(&ear) {
                    return;
                }
            }
        });
        asker.ready()
    }

    /// Sends a command.
    ///
    /// # Panics
    /// When the client takes no more.
    #[track_caller]
    pub fn ask(&self, topic: &str, command: &Json, wish: Wish<'_>) {
        self.send(topic, command.to_string().into_bytes(), wish);
    }

    /// Sends whatever it is.
    ///
    /// # Panics
    /// When the client takes no more.
    #[track_caller]
    pub fn send(&self, topic: &str, payload: Vec<u8>, wish: Wish<'_>) {
        match &self.client {
            Client::V4(client) => client
                .publish(topic, v4::QoS::AtLeastOnce, wish.retain, payload)
                .expect("the client lives"),
            Client::V5(client) => {
                let from = wish.from.map(|from| ("from".to_owned(), from.to_owned()));
                let properties = v5::mqttbytes::v5::PublishProperties {
                    response_topic: wish.response_topic.map(str::to_owned),
                    correlation_data: wish.correlation.map(|data| data.to_vec().into()),
                    user_properties: from.into_iter().collect(),
                    ..Default::default()
                };
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                client
                    .publish_with_properties(topic, qos, wish.retain, payload, properties)
                    .expect("the client lives");
            }
        }
    }

    /// Waits for the answer with this id, from the `from`th on.
    #[track_caller]
    pub fn answer(&self, from: usize, id: &str) -> Answered {
        self.answer_that(from, &format!("the answer to {id}"), |answer| {
            answer.json["id"] == id
        })
    }

    /// Waits for an answer, from the `from`th on.
    #[track_caller]
    pub fn answer_that(
        &self,
        from: usize,
        what: &str,
        wanted: impl Fn(&Answered) -> bool,
    ) -> Answered {
        until(what, SOON, || {
            let answers = self.answers();
            let found = answers.iter().skip(from).find(|answer| wanted(answer));
            found
                .cloned()
                .ok_or_else(|| format!("there was only {answers:?}"))
        })
    }

    /// All that came so far.
    #[must_use]
    pub fn answers(&self) -> Vec<Answered> {
        self.look().answers.clone()
    }

    /// Waits until it listens again after the broker was away.
    #[track_caller]
    pub fn listens(&self) {
        until_true("the asker's subscription", SOON, || self.look().subscribed);
    }

    /// Waits until it has noticed that the broker is away.
    #[track_caller]
    pub fn is_deaf(&self) {
        until_true("the asker to lose its broker", SOON, || {
            !self.look().subscribed
        });
    }

    fn of(client: Client) -> Self {
        Self {
            client,
            heard: Arc::default(),
        }
    }

    #[track_caller]
    fn ready(self) -> Self {
        self.listens();
        self
    }

    fn look(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nothing panics while holding it")
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.look().closed = true;
        // Wakes the thread; if it is not connected, it sees the mark at its next attempt.
        match &self.client {
            Client::V4(client) => drop(client.try_disconnect()),
            Client::V5(client) => drop(client.try_disconnect()),
        }
    }
}

fn subscribed(ear: &Mutex<Heard>) -> bool {
    locked(ear).subscribed = true;
    true
}

fn keep(ear: &Mutex<Heard>, topic: String, correlation: Option<Vec<u8>>, payload: &[u8]) -> bool {
    let json = serde_json::from_slice(payload).unwrap_or(Json::Null);
    locked(ear).answers.push(Answered {
        topic,
        correlation,
        json,
    });
    true
}

/// The connection is lost; whether it is to stay so.
fn lost(ear: &Mutex<Heard>) -> bool {
    let closed = {
        let mut heard = locked(ear);
        heard.subscribed = false;
        heard.closed
    };
    if !closed {
        pace();
    }
    closed
}

fn locked(ear: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    ear.lock().expect("nothing panics while holding it")
}
