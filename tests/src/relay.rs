//! `Relay`: lets a server that only listens connect to the gateway by itself, as servers behind a firewall do (OPC UA Part 6,
//! 7.1.3): it connects, says the reverse hello, and carries everything once the gateway answers.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A relay to one gateway. It ends with its test.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// Before it connects again when nobody took it.
const PAUSE: Duration = Duration::from_millis(200);

// === impl Relay ===

impl Relay {
    /// For the server at `127.0.0.1:server`, to the gateway at `127.0.0.1:gateway`. There is always one connection in
    /// reserve.
    #[must_use]
    pub fn start(server: u16, gateway: u16, uri: &str, endpoint: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let (of_thread, hello) = (Arc::clone(&shared), reverse_hello(uri, endpoint));
        thread::spawn(move || {
            while !of_thread.stopped.load(Ordering::Relaxed) {
                if offer(server, gateway, &hello, &of_thread).is_err() {
                    thread::sleep(PAUSE);
                }
            }
        });
        Self { shared }
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        for stream in self.shared.lock().drain(..) {
            // One that ended by itself is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.cut();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.streams
            .lock()
            .expect("nothing panics while holding it")
    }
}

/// One connection, until the gateway takes it.
fn offer(server: u16, gateway: u16, hello: &[u8], shared: &Shared) -> io::Result<()> {
    let mut client = TcpStream::connect(("127.0.0.1", gateway))?;
    client.set_nodelay(true)?;
    client.write_all(hello)?;
    shared.lock().push(client.try_clone()?);
    let mut first = [0; 4096];
    let count = match client.read(&mut first)? {
        // Nobody wants it.
        0 => return Err(io::ErrorKind::ConnectionReset.into()),
        count if first.starts_with(b"ERRF") => {
            return Err(io::Error::other(format!("{count} bytes of an error")));
        }
        count => count,
    };
    let mut line = TcpStream::connect(("127.0.0.1", server))?;
    line.set_nodelay(true)?;
    line.write_all(&first[..count])?;
    shared.lock().push(line.try_clone()?);
    carry(client.try_clone()?, line.try_clone()?);
    carry(line, client);
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ended = io::copy(&mut from, &mut to);
        // The other end hears of it, too.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

fn reverse_hello(uri: &str, endpoint: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for text in [uri, endpoint] {
        body.extend(
            u32::try_from(text.len())
                .expect("it is short")
                .to_le_bytes(),
        );
        body.extend(text.as_bytes());
    }
    let size = u32::try_from(8 + body.len()).expect("it is short");
    [&b"RHEF"[..], &size.to_le_bytes(), &body].concat()
}
