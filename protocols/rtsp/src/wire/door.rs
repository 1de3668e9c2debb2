//! The loopback end of the wire: one connection, from whoever knows its secret path, which is retina in this process.

use std::time::Duration;

use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    error::StreamError,
    random,
    wire::head::{Start, parse},
};

/// A socket that only this process finds the way through.
pub(crate) struct Door {
    listener: TcpListener,
    /// `rtsp://127.0.0.1:port/secret`
    pub(crate) url: String,
}

/// How long a caller may take to say the secret, and how many may fail.
const PATIENCE: Duration = Duration::from_secs(1);
const MOST_CALLERS: usize = 32;

// === impl Door ===

impl Door {
    pub(crate) async fn open() -> Result<Self, StreamError> {
        let broken = |error: std::io::Error| {
            StreamError::Broken(format!("a loopback socket cannot be opened: {error}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(broken)?;
        let port = listener.local_addr().map_err(broken)?.port();
        let secret = random::bytes::<16>()
            .ok_or_else(|| StreamError::Broken("this system gives no random numbers".to_owned()))?;
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let url = format!("rtsp://127.0.0.1:{port}/{secret}");
        Ok(Self { listener, url })
    }

    /// Waits for the one that knows the secret, and returns it with what it said so far. Whoever else on this machine comes is
    /// hung up on, and the door closes behind the right one.
    pub(crate) async fn admit(self) -> Result<(TcpStream, BytesMut), StreamError> {
        for _ in 0..MOST_CALLERS {
            let accepted = self.listener.accept().await;
            let Ok((mut caller, _)) = accepted else {
                continue;
            };
            let said = timeout(PATIENCE, first_words(&mut caller)).await;
            if let Ok(Some((uri, words))) = said
                && uri == self.url
            {
                // An error here costs a little delay, not the stream.
                let _ = caller.set_nodelay(true);
                return Ok((caller, words));
            }
        }
        Err(StreamError::Broken(
            "others on this machine crowd a loopback socket".to_owned(),
        ))
    }
}

/// The URI of the first request, and its bytes.
async fn first_words(caller: &mut TcpStream) -> Option<(String, BytesMut)> {
    let mut words = BytesMut::with_capacity(1024);
    loop {
        if caller.read_buf(&mut words).await.ok()? == 0 {
            return None;
        }
        if let Some((head, _)) = parse(&words).ok()? {
            return match head.start {
                Start::Request { uri, .. } => Some((uri, words)),
                Start::Response { .. } => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, join};

    use super::*;

    #[tokio::test]
    async fn only_who_knows_the_secret_comes_in() {
        let door = Door::open().await.unwrap();
        let url = door.url.clone();
        let place = url.split('/').nth(2).unwrap().to_owned();
        let callers = async {
            let mut silent = TcpStream::connect(&place).await.unwrap();
            let mut wrong = TcpStream::connect(&place).await.unwrap();
            let guess = format!("DESCRIBE rtsp://{place}/0123 RTSP/1.0\r\n\r\n");
            wrong.write_all(guess.as_bytes()).await.unwrap();
            let mut right = TcpStream::connect(&place).await.unwrap();
            let ask = format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
            right.write_all(ask.as_bytes()).await.unwrap();
            let mut end = [0];
            assert!(matches!(silent.read(&mut end).await, Ok(0) | Err(_)));
            assert!(matches!(wrong.read(&mut end).await, Ok(0) | Err(_)));
            right.local_addr().unwrap()
        };
        let (admitted, right) = join!(door.admit(), callers);
        let (stream, words) = admitted.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), right);
        assert!(words.starts_with(b"DESCRIBE"));
    }
}
