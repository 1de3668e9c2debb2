//! `ScriptedBroker`: an MQTT 3.1.1 and 5 broker on loopback that misbehaves by a script, and writes down what it was sent.
//!
//! It knows the few packets that a publisher sends, and refuses every subscription. A script can be exchanged while the broker runs;
//! it is asked anew for every connection and every message.

mod connection;
mod wire;

use std::{
    collections::BTreeSet,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use crate::{
    port,
    received::{self, Reading},
    subscriber::Message,
};

/// A running broker. It accepts until the process ends; nothing of it outlives a test's process.
#[derive(Debug)]
pub struct ScriptedBroker {
    pub port: u16,
    shared: Arc<Shared>,
}

/// What the broker does. The default welcomes everybody and acknowledges everything at once.
#[derive(Clone)]
pub struct Script {
    greet: Arc<dyn Fn(&SignIn) -> Greeting + Send + Sync>,
    answer: Arc<dyn Fn(&Published) -> Answer + Send + Sync>,
}

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// From 1, in the order of arrival.
    pub connection: usize,
    /// 4 is MQTT 3.1.1, 5 is MQTT 5.
    pub version: u8,
    pub client_id: String,
    pub clean: bool,
    pub keep_alive_s: u16,
}

/// What a client is told to its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Welcome { session_present: bool },
    Refuse(u8),
    Silence,
}

/// What a client is told to a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Ack,
    AckTwice,
    /// Instead of its packet id, one that was never used.
    AckUnknown,
    /// Later than what is acknowledged at once after it, so out of order.
    AckAfter(Duration),
    /// PUBACK with a reason code of 0x80 and above; only MQTT 5 has them.
    Refuse(u8),
    Silence,
    /// The connection ends instead.
    Cut,
    /// Nothing more is read from this connection, so that the client's TCP window fills.
    StopReading,
}

/// A PUBLISH as it came.
#[derive(Debug, Clone)]
pub struct Published {
    pub connection: usize,
    /// How many came before it on the same connection.
    pub nth: usize,
    pub packet_id: u16,
    /// The client says that it may have sent it before.
    pub duplicate: bool,
    pub message: Message,
    /// What was done about it.
    pub answer: Option<Answer>,
}

#[derive(Debug, Default)]
struct Book {
    script: Script,
    sign_ins: Vec<SignIn>,
    published: Vec<Published>,
    pings: usize,
    streams: Vec<TcpStream>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Book>);

// === impl ScriptedBroker ===

impl ScriptedBroker {
    /// A broker that follows this script from its first connection on.
    ///
    /// # Panics
    /// When it cannot listen.
    #[track_caller]
    #[must_use]
    pub fn start(script: Script) -> Self {
        let port = port::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let shared = Arc::new(Shared::default());
        let broker = Self {
            port,
            shared: Arc::clone(&shared),
        };
        broker.play(script);
        thread::spawn(move || {
            for (before, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                connection::serve(stream, before + 1, Arc::clone(&shared));
            }
        });
        broker
    }

    /// Where the gateway publishes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Follows another script from now on, on the connections that there are too.
    pub fn play(&self, script: Script) {
        self.shared.lock().script = script;
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        for stream in std::mem::take(&mut self.shared.lock().streams) {
            // One that ended by itself is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Who signed in, or tried to.
    #[must_use]
    pub fn sign_ins(&self) -> Vec<SignIn> {
        self.shared.lock().sign_ins.clone()
    }

    /// How often somebody signed in, or tried to.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().sign_ins.len()
    }

    /// How many pings came.
    #[must_use]
    pub fn pings(&self) -> usize {
        self.shared.lock().pings
    }

    /// Every PUBLISH with readings, in the order of arrival; the gateway's own status is left out.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        let book = self.shared.lock();
        let data = book.published.iter().filter(|p| p.is_data());
        data.cloned().collect()
    }

    /// The readings of the messages that were acknowledged as taken, each once.
    #[must_use]
    pub fn acknowledged(&self) -> BTreeSet<String> {
        let published = self.published();
        let taken = published.iter().filter(|published| published.is_taken());
        taken
            .flat_map(Published::readings)
            .map(|reading| reading.id)
            .collect()
    }
}

impl Drop for ScriptedBroker {
    fn drop(&mut self) {
        self.cut();
    }
}

// === impl Script ===

impl Default for Script {
    fn default() -> Self {
        Self {
            greet: Arc::new(|_| Greeting::Welcome {
                session_present: false,
            }),
            answer: Arc::new(|_| Answer::Ack),
        }
    }
}

impl Script {
    /// Greets like this.
    #[must_use]
    pub fn greeting(self, greet: impl Fn(&SignIn) -> Greeting + Send + Sync + 'static) -> Self {
        Self {
            greet: Arc::new(greet),
            ..self
        }
    }

    /// Answers messages with readings like this, and acknowledges the gateway's status.
    #[must_use]
    pub fn answering(self, answer: impl Fn(&Published) -> Answer + Send + Sync + 'static) -> Self {
        let answer = move |published: &Published| match published.is_data() {
            true => answer(published),
            false => Answer::Ack,
        };
        Self {
            answer: Arc::new(answer),
            ..self
        }
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

// === impl Published ===

impl Published {
    /// It has readings: the gateway's status is retained, and they are not.
    #[must_use]
    pub fn is_data(&self) -> bool {
        !self.message.retained
    }

    /// The client may believe that the broker has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(
            self.answer,
            Some(Answer::Ack | Answer::AckTwice | Answer::AckAfter(_))
        )
    }

    /// The readings in it.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        received::readings(&self.message)
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().expect("nothing panics while holding it")
    }
}
