//! `Wire`: one socket that speaks OPC UA's binary protocol, in place of the library's, which believes whatever size a
//! server announces and recurses as deep as a server likes.
//!
//! Polled by the library's event loop. Each poll waits for one thing only, and none of them loses anything when it is
//! dropped.

use std::{
    future::pending,
    sync::{Arc, OnceLock},
    time::Instant,
};

use futures::StreamExt;
use opcua::{
    client::transport::{
        RequestRecv, SecureChannelState, Transport, TransportConfiguration, TransportPollResult,
    },
    core::{
        RequestMessage,
        comms::{
            buffer::SendBuffer,
            tcp_codec::Message,
            tcp_types::{AcknowledgeMessage, HelloMessage, MIN_CHUNK_SIZE},
        },
    },
    types::{Error, SimpleBinaryEncodable, StatusCode},
};
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::codec::FramedRead;

use super::{frames::Frames, inbox::Inbox};
use crate::{status::Status, value};

/// Why a connection could not go on, for whoever is left.
pub(super) type Ended = Arc<OnceLock<Status>>;

pub(super) struct Wire {
    read: FramedRead<OwnedReadHalf, Frames>,
    write: OwnedWriteHalf,
    outgoing: RequestRecv,
    buffer: SendBuffer,
    channel: Arc<SecureChannelState>,
    inbox: Inbox,
    url: String,
    ended: Ended,
    /// The good-bye is on its way.
    leaving: bool,
    closed: Option<StatusCode>,
}

/// Says hello on a fresh socket.
pub(super) async fn greet(
    stream: TcpStream,
    url: String,
    ended: Ended,
    channel: Arc<SecureChannelState>,
    outgoing: RequestRecv,
    config: TransportConfiguration,
) -> Result<Wire, Error> {
    let (options, policy) = {
        let secure = channel.secure_channel().read();
        (secure.decoding_options(), secure.security_policy())
    };
    let (read, mut write) = stream.into_split();
    let mut read = FramedRead::new(read, Frames::new(options));
    let hello = HelloMessage::new(
        &url,
        config.send_buffer_size,
        config.recv_buffer_size,
        config.max_message_size,
        config.max_chunk_count,
    );
    let closed = |why: String| Error::new(StatusCode::BadConnectionClosed, why);
    write
        .write_all(&hello.encode_to_vec())
        .await
        .map_err(|why| closed(why.to_string()))?;
    let acknowledged = match read.next().await {
        Some(Ok(Message::Acknowledge(acknowledged))) => acknowledged,
        Some(Ok(Message::Error(error))) => {
            return Err(Error::new(error.error, error.reason.to_string()));
        }
        _ => return Err(closed("no answer to the hello".to_owned())),
    };
    check(&hello, &acknowledged)?;
    let mut buffer = SendBuffer::new(
        config.send_buffer_size,
        config.max_message_size,
        config.max_chunk_count,
        policy.legacy_sequence_numbers(),
    );
    let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
    buffer.revise(
        size(acknowledged.receive_buffer_size),
        size(acknowledged.max_message_size),
        size(acknowledged.max_chunk_count),
    );
    Ok(Wire {
        read,
        write,
        outgoing,
        buffer,
        inbox: Inbox::new(channel.clone()),
        channel,
        url,
        ended,
        leaving: false,
        closed: None,
    })
}

/// OPC UA Part 6, 7.1.2.4.
fn check(hello: &HelloMessage, acknowledged: &AcknowledgeMessage) -> Result<(), Error> {
    if acknowledged.protocol_version > hello.protocol_version {
        return Err(Error::new(
            StatusCode::BadProtocolVersionUnsupported,
            "the server speaks a newer protocol than it was asked for",
        ));
    }
    let sizes = [
        acknowledged.send_buffer_size,
        acknowledged.receive_buffer_size,
    ];
    if sizes
        .into_iter()
        .any(|size| usize::try_from(size).unwrap_or(usize::MAX) < MIN_CHUNK_SIZE)
    {
        return Err(Error::new(
            StatusCode::BadTcpInternalError,
            "the server's chunks are smaller than the protocol allows",
        ));
    }
    Ok(())
}

// === impl Wire ===

impl Wire {
    async fn step(&mut self) -> TransportPollResult {
        if self.buffer.should_encode_chunks() {
            let secure = self.channel.secure_channel().read();
            if let Err(status) = self.buffer.encode_next_chunk(&secure) {
                return TransportPollResult::Closed(status);
            }
        }
        if self.buffer.can_read() {
            return tokio::select! {
                sent = self.buffer.read_into_async(&mut self.write) => match sent {
                    Ok(()) => TransportPollResult::OutgoingMessageSent,
                    Err(_) => TransportPollResult::Closed(StatusCode::BadConnectionClosed),
                },
                incoming = self.read.next() => self.incoming(incoming),
            };
        }
        if self.leaving {
            return TransportPollResult::Closed(StatusCode::Good);
        }
        let deadline = self.inbox.next_deadline();
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = late => {
                self.inbox.expire(Instant::now());
                TransportPollResult::RecoverableError(StatusCode::BadTimeout)
            }
            outgoing = self.outgoing.recv() => match outgoing {
                Some(outgoing) => {
                    let id = self.buffer.next_request_id();
                    let request = self.inbox.expect(id, outgoing);
                    self.send(id, request)
                }
                None => TransportPollResult::Closed(StatusCode::Good),
            },
            incoming = self.read.next() => self.incoming(incoming),
        }
    }

    fn send(&mut self, id: u32, request: RequestMessage) -> TransportPollResult {
        if matches!(request, RequestMessage::CloseSecureChannel(_)) {
            self.leaving = true;
        }
        let written = {
            let secure = self.channel.secure_channel().read();
            self.buffer.write(id, request, &secure)
        };
        match written {
            Ok(_) => TransportPollResult::OutgoingMessage,
            Err(why) => {
                let status = why.status();
                self.inbox.fail(id, why);
                TransportPollResult::RecoverableError(status)
            }
        }
    }

    fn incoming(
        &mut self,
        incoming: Option<Result<Message, std::io::Error>>,
    ) -> TransportPollResult {
        let taken = match incoming {
            Some(Ok(message)) => self.inbox.take(message),
            Some(Err(why)) if why.kind() == std::io::ErrorKind::InvalidData => {
                Err(Error::new(StatusCode::BadTcpMessageTooLarge, why))
            }
            Some(Err(why)) => Err(Error::new(StatusCode::BadConnectionClosed, why)),
            None => Err(Error::new(
                StatusCode::BadConnectionClosed,
                "the server closed the connection",
            )),
        };
        match taken {
            Ok(()) => TransportPollResult::IncomingMessage,
            Err(why) => {
                tracing::debug!(%why, "the connection cannot go on");
                TransportPollResult::Closed(why.status())
            }
        }
    }

    /// Those who still wait for an answer are told that none comes.
    fn close(&mut self, status: StatusCode) {
        let told = if status.is_good() {
            StatusCode::BadConnectionClosed
        } else {
            status
        };
        // The first reason is the one.
        let _known = self.ended.set(value::status(told));
        self.inbox.close(told);
        self.outgoing.close();
        while let Ok(outgoing) = self.outgoing.try_recv() {
            if let Some(answer) = outgoing.callback {
                let _told = answer.send(Err(Error::new(told, "the connection is closed")));
            }
        }
        self.closed = Some(status);
    }
}

impl Transport for Wire {
    async fn poll(&mut self) -> TransportPollResult {
        if let Some(status) = self.closed {
            return TransportPollResult::Closed(status);
        }
        let result = self.step().await;
        if let TransportPollResult::Closed(status) = &result {
            self.close(*status);
        }
        result
    }

    fn connected_url(&self) -> &str {
        &self.url
    }
}
