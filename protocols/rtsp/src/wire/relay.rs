//! The wire at work: one loop that reads from both ends and the datagrams, and acts on what came before it reads on.

use std::{future::poll_fn, io, sync::Arc, time::Duration};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    connect::Io,
    error::StreamError,
    options::{HEAD_BYTES, SDP_BYTES},
    wire::{
        Meters,
        datagrams::{Datagrams, channel},
        door::Door,
        head::{Head, Start, parse},
        media::Media,
        order::Order,
        sdp,
        talk::{Reaction, Talk},
    },
};

/// Both ends and what is known of them.
pub(crate) struct Relay {
    pub(crate) talk: Talk,
    pub(crate) media: Media,
    pub(crate) camera: Box<dyn Io>,
    pub(crate) datagrams: Option<Datagrams>,
    pub(crate) meters: Arc<Meters>,
    /// How long the end of a session may take.
    pub(crate) teardown: Duration,
}

/// What came.
enum Event {
    Ours(io::Result<usize>),
    Camera(io::Result<usize>),
    Datagram(u8, usize),
}

/// What stands first in the camera's bytes.
enum Message {
    /// A packet on a channel, of this length with its four bytes before it.
    Packet(u8, usize),
    /// A head, and the length of its body.
    Head(Head, usize),
}

/// What a read makes room for.
const READ_BYTES: usize = 64 << 10;
/// A request is small; a camera that does not take it hangs.
const WRITE: Duration = Duration::from_secs(5);
/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

// === impl Relay ===

impl Relay {
    /// Runs until one end is gone.
    pub(crate) async fn run(mut self, door: Door) -> Result<(), StreamError> {
        let (mut ours, mut requests) = door.admit().await?;
        let mut answers = BytesMut::with_capacity(READ_BYTES);
        let mut datagram = match self.datagrams {
            Some(_) => vec![0; DATAGRAM_BYTES],
            None => Vec::new(),
        };
        loop {
            while let Some(request) = next_request(&mut requests)? {
                self.ask(request).await?;
            }
            let mut onward = BytesMut::new();
            self.answers(&mut answers, &mut onward).await?;
            if pass(&mut ours, &onward).await.is_err() {
                break;
            }
            make_room(&mut requests);
            make_room(&mut answers);
            // Only reads are abandoned here, and those take nothing when they are.
            let event = tokio::select! {
                biased;
                read = ours.read_buf(&mut requests) => Event::Ours(read),
                (channel, length) = heard(self.datagrams.as_ref(), &mut datagram) => Event::Datagram(channel, length),
                read = self.camera.read_buf(&mut answers) => Event::Camera(read),
            };
            match event {
                Event::Ours(Ok(0) | Err(_)) => break,
                Event::Camera(Ok(0)) => return Err(self.hung_up()),
                Event::Camera(Err(error)) => {
                    return Err(match StreamError::broken(&error) {
                        StreamError::Ended(_) => self.hung_up(),
                        broken => broken,
                    });
                }
                Event::Ours(Ok(_)) | Event::Camera(Ok(_)) => {}
                Event::Datagram(channel, length) => {
                    self.packet(channel, &datagram[..length])?;
                    if let Some(datagrams) = &mut self.datagrams {
                        datagrams.keep();
                    }
                }
            }
        }
        self.leave(&mut answers).await;
        Ok(())
    }

    /// Sends a request of retina on to the camera.
    async fn ask(&mut self, mut request: Head) -> Result<(), StreamError> {
        let setup = matches!(&request.start, Start::Request { method, .. } if method == "SETUP");
        if let Some(datagrams) = self.datagrams.as_mut().filter(|_| setup) {
            datagrams.ask(&mut request)?;
        }
        let bytes = self.talk.ask(request)?;
        self.send(&bytes).await
    }

    /// Acts on all that is whole of what the camera sent, and collects what goes on to retina.
    async fn answers(
        &mut self,
        answers: &mut BytesMut,
        onward: &mut BytesMut,
    ) -> Result<(), StreamError> {
        while let Some(message) = next_message(answers)? {
            match message {
                Message::Packet(channel, length) => {
                    let packet = answers.split_to(length);
                    self.packet(channel, &packet[4..])?;
                }
                Message::Head(head, body) => {
                    let body = answers.split_to(body);
                    self.head(head, &body, onward).await?;
                }
            }
            if let Some(batch) = self.media.take() {
                onward.extend_from_slice(&batch);
            }
        }
        if let Some(batch) = self.media.take() {
            onward.extend_from_slice(&batch);
        }
        Ok(())
    }

    fn packet(&mut self, channel: u8, packet: &[u8]) -> Result<(), StreamError> {
        let at = self.meters.elapsed();
        let mut meters = self.meters.lock();
        self.media.packet(channel, packet, at, &mut meters)
    }

    async fn head(
        &mut self,
        head: Head,
        body: &[u8],
        onward: &mut BytesMut,
    ) -> Result<(), StreamError> {
        if let Start::Request { method, .. } = &head.start {
            return self.obey(&method.clone(), &head).await;
        }
        match self.talk.answer(head)? {
            Reaction::Ignore => Ok(()),
            Reaction::Again(bytes) => self.send(&bytes).await,
            Reaction::Answer { method, mut head } => {
                match method.as_str() {
                    "DESCRIBE" => sdp::check(body).map_err(|why| garbage(&why))?,
                    "SETUP" => self.set_up(&mut head).await?,
                    "PLAY" => self.media.play(),
                    _ => {}
                }
                onward.extend_from_slice(&head.to_bytes());
                onward.extend_from_slice(body);
                Ok(())
            }
        }
    }

    /// A track has its channel.
    async fn set_up(&mut self, head: &mut Head) -> Result<(), StreamError> {
        let order = match &mut self.datagrams {
            Some(datagrams) => {
                datagrams.answer(head).await?;
                Order::of_datagrams()
            }
            None => Order::of_bytes(),
        };
        let transport = head.get("Transport").unwrap_or_default();
        let first = channel(transport).ok_or(StreamError::TransportRefused(
            "TCP, but over something else",
        ))?;
        self.media.add(first, order);
        Ok(())
    }

    /// A request of the camera: RFC 2326 allows some, and few cameras make them.
    async fn obey(&mut self, method: &str, head: &Head) -> Result<(), StreamError> {
        let (status, reason) = match method {
            "TEARDOWN" => return Err(StreamError::Ended("it tore the session down".to_owned())),
            "REDIRECT" => return Err(StreamError::Redirected),
            "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" | "ANNOUNCE" => (200, "OK"),
            _ => (501, "Not Implemented"),
        };
        let mut answer = Head::response(status, reason);
        if let Some(cseq) = head.cseq() {
            answer.set("CSeq", cseq.to_string());
        }
        self.send(&answer.to_bytes()).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        let written = timeout(WRITE, async {
            self.camera.write_all(bytes).await?;
            self.camera.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|error| StreamError::broken(&error)),
            Err(_) => Err(StreamError::Broken("it takes no request".to_owned())),
        }
    }

    fn hung_up(&self) -> StreamError {
        StreamError::Ended(match self.talk.awaits() {
            Some(method) => format!("it closed the connection instead of answering {method}"),
            None => "it closed the connection".to_owned(),
        })
    }

    /// Tears the session down, and waits a little for the camera to say so: some let nobody in before they noticed.
    async fn leave(&mut self, answers: &mut BytesMut) {
        let Some(Ok(bytes)) = self.talk.teardown() else {
            return;
        };
        let limit = self.teardown;
        let torn_down = async {
            self.send(&bytes).await?;
            loop {
                make_room(answers);
                let read = self.camera.read_buf(answers).await;
                if read.map_err(|error| StreamError::broken(&error))? == 0 {
                    return Ok(());
                }
                while let Some(message) = next_message(answers)? {
                    let (Message::Packet(_, length) | Message::Head(_, length)) = message;
                    answers.advance(length);
                    let Message::Head(head, _) = message else {
                        continue;
                    };
                    match self.talk.answer(head)? {
                        Reaction::Ignore => {}
                        Reaction::Again(bytes) => self.send(&bytes).await?,
                        Reaction::Answer { .. } => return Ok(()),
                    }
                }
            }
        };
        // Whatever goes wrong now, nobody is left to whom it matters: the camera ends the session by its own timeout.
        let _: Result<Result<(), StreamError>, _> = timeout(limit, torn_down).await;
    }
}

/// The next request of retina.
fn next_request(requests: &mut BytesMut) -> Result<Option<Head>, StreamError> {
    match parse(requests).map_err(|why| garbage(&why))? {
        Some((head, taken)) => {
            requests.advance(taken);
            Ok(Some(head))
        }
        None => Ok(None),
    }
}

/// What stands first of the camera's bytes, when it is whole; heads are taken off, bodies and packets are left.
fn next_message(answers: &mut BytesMut) -> Result<Option<Message>, StreamError> {
    // Empty lines between messages are nothing.
    while let [b'\r' | b'\n', ..] = answers[..] {
        answers.advance(1);
    }
    match answers[..] {
        [] => Ok(None),
        [b'$', channel, high, low, ..] => {
            let length = 4 + usize::from(u16::from_be_bytes([high, low]));
            Ok((answers.len() >= length).then_some(Message::Packet(channel, length)))
        }
        [b'$', ..] => Ok(None),
        _ => {
            let Some((head, taken)) = parse(answers).map_err(|why| garbage(&why))? else {
                return Ok(None);
            };
            let body = head
                .content_length(SDP_BYTES)
                .map_err(|why| garbage(&why))?;
            if answers.len() < taken + body {
                return Ok(None);
            }
            answers.advance(taken);
            Ok(Some(Message::Head(head, body)))
        }
    }
}

/// The next datagram; never, where there are none.
async fn heard(datagrams: Option<&Datagrams>, buffer: &mut [u8]) -> (u8, usize) {
    match datagrams {
        Some(datagrams) => poll_fn(|cx| datagrams.poll(cx, buffer)).await,
        None => std::future::pending().await,
    }
}

/// Waits for retina to take it: that is how a consumer that is slow holds the camera back.
async fn pass(ours: &mut TcpStream, onward: &[u8]) -> io::Result<()> {
    if onward.is_empty() {
        return Ok(());
    }
    ours.write_all(onward).await
}

/// Everything that is whole has been taken off, so what is left is less than the largest message, and this is bounded.
fn make_room(buffer: &mut BytesMut) {
    debug_assert!(buffer.len() <= HEAD_BYTES + SDP_BYTES + READ_BYTES);
    if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
        buffer.reserve(READ_BYTES);
    }
}

fn garbage(why: &dyn std::error::Error) -> StreamError {
    StreamError::Garbage(why.to_string())
}
