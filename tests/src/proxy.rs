//! `Proxy`: stands between client and server on loopback and cuts their connections when told to.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A proxy for one server. It accepts until the process ends; nothing of it outlives a test's process.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy before `127.0.0.1:to`.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Without a server the client finds its connection closed.
                if let Ok(pair) = join(&client, to) {
                    kept.lock().expect("nobody panics").extend(pair);
                }
            }
        });
        Self { port, streams }
    }

    /// Cuts every connection there is; new ones are let through. How many were cut.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    #[must_use]
    pub fn cut(&self) -> usize {
        let streams = std::mem::take(&mut *self.streams.lock().expect("nobody panics"));
        for stream in &streams {
            // One that ended by itself is as good as cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
        streams.len() / 2
    }
}

fn join(client: &TcpStream, to: u16) -> io::Result<[TcpStream; 2]> {
    let server = TcpStream::connect(("127.0.0.1", to))?;
    copy(client.try_clone()?, server.try_clone()?);
    copy(server.try_clone()?, client.try_clone()?);
    Ok([client.try_clone()?, server])
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // Either end closing is how a connection ends.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
