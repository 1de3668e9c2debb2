//! One connection to the scripted broker: a thread that reads and decides, and one that answers, late where it is told to.

use std::{
    collections::BTreeMap,
    io::{BufReader, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Answer, Greeting, Published, Shared, SignIn,
    wire::{self, Packet},
};

/// A packet id that no client of ours gets to.
const UNKNOWN_ID: u16 = 65_000;

struct Connection {
    number: usize,
    shared: Arc<Shared>,
    stream: TcpStream,
    version: u8,
    /// Unbounded: a test's messages.
    out: Sender<(Instant, Vec<u8>)>,
    count: usize,
}

/// What is done after a packet.
enum Next {
    Read,
    /// The connection stays, unread: the broker still holds it.
    Leave,
    Close,
}

/// Serves a client from threads of its own.
pub(super) fn serve(stream: TcpStream, number: usize, shared: Arc<Shared>) {
    let [Ok(kept), Ok(voice)] = [stream.try_clone(), stream.try_clone()] else {
        return;
    };
    // An answer of a few bytes must not wait for the client's acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    shared.lock().streams.push(kept);
    let (out, answers) = channel();
    thread::spawn(move || speak(voice, &answers));
    let connection = Connection {
        number,
        shared,
        stream,
        version: 4,
        out,
        count: 0,
    };
    thread::spawn(move || connection.listen());
}

/// Writes each answer when it is due.
fn speak(mut stream: TcpStream, answers: &Receiver<(Instant, Vec<u8>)>) {
    let mut waiting: BTreeMap<(Instant, u64), Vec<u8>> = BTreeMap::new();
    for number in 0.. {
        let heard = match waiting.first_key_value() {
            None => answers.recv().map_err(RecvTimeoutError::from),
            Some(((due, _), _)) => match due.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Err(RecvTimeoutError::Timeout),
                left => answers.recv_timeout(left),
            },
        };
        match heard {
            Ok((due, bytes)) => drop(waiting.insert((due, number), bytes)),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let (_, bytes) = waiting.pop_first().expect("one is due");
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        }
    }
}

// === impl Connection ===

impl Connection {
    fn listen(mut self) {
        let Ok(ears) = self.stream.try_clone() else {
            return;
        };
        let mut ears = BufReader::with_capacity(16 << 10, ears);
        loop {
            let next = match wire::read(&mut ears, self.version) {
                Ok(packet) => self.hear(packet),
                Err(_) => Next::Close,
            };
            match next {
                Next::Read => {}
                Next::Leave => return,
                Next::Close => break,
            }
        }
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn hear(&mut self, packet: Packet) -> Next {
        match packet {
            Packet::Connect {
                version,
                clean,
                keep_alive_s,
                client_id,
            } => {
                self.version = version;
                self.greet(SignIn {
                    connection: self.number,
                    version,
                    client_id,
                    clean,
                    keep_alive_s,
                });
                Next::Read
            }
            Packet::Publish {
                packet_id,
                duplicate,
                message,
            } => {
                self.count += 1;
                self.take(Published {
                    connection: self.number,
                    nth: self.count - 1,
                    packet_id,
                    duplicate,
                    message,
                    answer: None,
                })
            }
            Packet::Subscribe { packet_id } => {
                self.say(Instant::now(), wire::no_suback(self.version, packet_id));
                Next::Read
            }
            Packet::Ping => {
                self.shared.lock().pings += 1;
                self.say(Instant::now(), wire::pong());
                Next::Read
            }
            Packet::Disconnect | Packet::Other => Next::Close,
        }
    }

    fn greet(&self, sign_in: SignIn) {
        let script = {
            let mut book = self.shared.lock();
            book.sign_ins.push(sign_in.clone());
            book.script.clone()
        };
        let (session_present, reason) = match (script.greet)(&sign_in) {
            Greeting::Welcome { session_present } => (session_present, 0),
            Greeting::Refuse(reason) => (false, reason),
            Greeting::Silence => return,
        };
        let connack = wire::connack(self.version, session_present, reason);
        self.say(Instant::now(), connack);
    }

    /// Decides about a message, writes both down, and answers.
    fn take(&mut self, mut published: Published) -> Next {
        let script = self.shared.lock().script.clone();
        let answer = (script.answer)(&published);
        let id = published.packet_id;
        published.answer = Some(answer);
        self.shared.lock().published.push(published);
        let now = Instant::now();
        match answer {
            Answer::Ack => self.ack(id),
            Answer::AckTwice => {
                self.ack(id);
                self.ack(id);
            }
            Answer::AckUnknown => self.ack(UNKNOWN_ID),
            Answer::AckAfter(wait) => self.say(now + wait, wire::puback(self.version, id, 0)),
            Answer::Refuse(reason) => self.say(now, wire::puback(self.version, id, reason)),
            Answer::Silence => {}
            Answer::Cut => return Next::Close,
            Answer::StopReading => return Next::Leave,
        }
        Next::Read
    }

    fn ack(&self, id: u16) {
        self.say(Instant::now(), wire::puback(self.version, id, 0));
    }

    fn say(&self, due: Instant, bytes: Vec<u8>) {
        // The speaker ends when the client is gone; then nobody is there to hear it.
        let _ = self.out.send((due, bytes));
    }
}
