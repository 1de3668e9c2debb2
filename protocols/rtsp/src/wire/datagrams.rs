//! RTP over UDP (RFC 2326 clause 12.39): pairs of sockets that hear one camera only, whose datagrams the wire passes on as interleaved packets.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{io::ReadBuf, net::UdpSocket, time::Instant};

use crate::{error::StreamError, mask::tame, wire::head::Head, wire::rtp};

/// The sockets of all tracks.
pub(crate) struct Datagrams {
    local: IpAddr,
    camera: IpAddr,
    pairs: Vec<Pair>,
    told: Instant,
}

/// A track's sockets: packets, and their control one port above.
struct Pair {
    data: UdpSocket,
    control: UdpSocket,
    /// The channel that stands for it in what retina gets.
    channel: u8,
}

/// Where a camera sends from.
#[derive(Debug, PartialEq, Eq)]
struct Ports {
    data: u16,
    control: u16,
}

/// How often the camera hears that we are there.
const TELL: Duration = Duration::from_secs(5);
/// Room for a keyframe's burst; the kernel may give less.
const BUFFER_BYTES: usize = 4 << 20;
const TRIES: usize = 32;
/// Ours, in reports. Nobody checks it.
const SSRC: u32 = 0x0F1E_1D6A;

// === impl Datagrams ===

impl Datagrams {
    pub(crate) fn new(local: IpAddr, camera: IpAddr) -> Self {
        Self {
            local,
            camera,
            pairs: Vec::new(),
            told: Instant::now(),
        }
    }

    /// Asks for datagrams instead of interleaved packets.
    pub(crate) fn ask(&mut self, setup: &mut Head) -> Result<(), StreamError> {
        let channel = setup.get("Transport").and_then(channel).unwrap_or_default();
        let (data, control) = pair(self.local).map_err(|error| {
            StreamError::Broken(format!("no pair of UDP ports is free: {error}"))
        })?;
        let port = data.local_addr().map_or(0, |address| address.port());
        let next = port.saturating_add(1);
        setup.set(
            "Transport",
            format!("RTP/AVP;unicast;client_port={port}-{next}"),
        );
        self.pairs.push(Pair {
            data,
            control,
            channel,
        });
        Ok(())
    }

    /// Takes the camera's ports from its answer, and makes of it one for interleaved packets.
    pub(crate) async fn answer(&mut self, head: &mut Head) -> Result<(), StreamError> {
        let transport = head.get("Transport").unwrap_or_default().to_owned();
        let ports = server_ports(&transport)?;
        // Datagrams that come from elsewhere are somebody else's.
        let source =
            parameter(&transport, "source").and_then(|source| source.parse::<IpAddr>().ok());
        if source.is_some_and(|source| source != self.camera) {
            return Err(StreamError::Redirected);
        }
        let Some(pair) = self.pairs.last() else {
            return Err(StreamError::Broken("an answer to no SETUP".to_owned()));
        };
        let connected = async {
            pair.data
                .connect(SocketAddr::new(self.camera, ports.data))
                .await?;
            pair.control
                .connect(SocketAddr::new(self.camera, ports.control))
                .await
        };
        connected
            .await
            .map_err(|error| StreamError::broken(&error))?;
        pair.tell();
        let channel = pair.channel;
        let ssrc =
            parameter(&transport, "ssrc").map_or_else(String::new, |ssrc| format!(";ssrc={ssrc}"));
        let next = channel.wrapping_add(1);
        head.set(
            "Transport",
            format!("RTP/AVP/TCP;unicast;interleaved={channel}-{next}{ssrc}"),
        );
        Ok(())
    }

    /// The next datagram: its channel and its length in `buffer`.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(u8, usize)> {
        for pair in &self.pairs {
            let sockets = [
                (&pair.control, pair.channel.wrapping_add(1)),
                (&pair.data, pair.channel),
            ];
            for (socket, channel) in sockets {
                let mut into = ReadBuf::new(buffer);
                // An error is the echo of a report to a port that nobody listens at: it takes nothing away.
                while let Poll::Ready(received) = socket.poll_recv(cx, &mut into) {
                    if received.is_ok() && !into.filled().is_empty() {
                        return Poll::Ready((channel, into.filled().len()));
                    }
                    into.clear();
                }
            }
        }
        Poll::Pending
    }

    /// Tells the camera now and then that we are there.
    pub(crate) fn keep(&mut self) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            self.pairs.iter().for_each(Pair::tell);
        }
    }
}

// === impl Pair ===

impl Pair {
    /// Opens the way through firewalls, and keeps a session without RTSP alive. What cannot be sent is sent again soon.
    fn tell(&self) {
        let report = rtp::receiver_report(SSRC);
        let _ = self.control.try_send(&report);
        let _ = self.data.try_send(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// An even port and the one above it.
fn pair(local: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let mut failed = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let first = std::net::UdpSocket::bind((local, 0))?;
        let port = first.local_addr()?.port();
        let other = if port % 2 == 0 { port + 1 } else { port - 1 };
        let second = match std::net::UdpSocket::bind((local, other)) {
            Ok(second) => second,
            Err(error) => {
                failed = error;
                continue;
            }
        };
        let (data, control) = if port % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        SockRef::from(&data).set_recv_buffer_size(BUFFER_BYTES)?;
        data.set_nonblocking(true)?;
        control.set_nonblocking(true)?;
        return Ok((UdpSocket::from_std(data)?, UdpSocket::from_std(control)?));
    }
    Err(failed)
}

/// The first channel of `interleaved=0-1`.
pub(crate) fn channel(transport: &str) -> Option<u8> {
    let channels = parameter(transport, "interleaved")?;
    channels.split('-').next()?.trim().parse().ok()
}

fn server_ports(transport: &str) -> Result<Ports, StreamError> {
    let told = parameter(transport, "server_port").unwrap_or_default();
    let mut ports = told.splitn(2, '-').map(|port| port.trim().parse::<u16>());
    let ports = match (ports.next(), ports.next()) {
        (Some(Ok(data)), None) if data < u16::MAX => Some(Ports {
            data,
            control: data + 1,
        }),
        (Some(Ok(data)), Some(Ok(control))) => Some(Ports { data, control }),
        _ => None,
    };
    ports
        .filter(|ports| ports.data != 0 && ports.control != 0)
        .ok_or_else(|| StreamError::Garbage(format!("`{}` as its ports", tame(told, 40))))
}

fn parameter<'a>(transport: &'a str, name: &str) -> Option<&'a str> {
    transport.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_cameras() {
        for (transport, expected) in [
            (
                "RTP/AVP;unicast;client_port=1-2;server_port=5000-5001",
                Some((5000, 5001)),
            ),
            ("RTP/AVP;server_port=5000", Some((5000, 5001))),
            ("RTP/AVP;SERVER_PORT = 5000-5005", Some((5000, 5005))),
            ("RTP/AVP;server_port=-1--2", None),
            ("RTP/AVP;server_port=0-1", None),
            ("RTP/AVP;server_port=70000-70001", None),
            ("RTP/AVP;unicast", None),
        ] {
            let found = server_ports(transport).ok();
            let expected = expected.map(|(data, control)| Ports { data, control });
            assert_eq!(found, expected, "{transport}");
        }
        assert_eq!(channel("RTP/AVP/TCP;unicast;interleaved=4-5"), Some(4));
        assert_eq!(channel("RTP/AVP/TCP;interleaved=-4"), None);
    }

    #[tokio::test]
    async fn pairs_are_adjacent_and_even() {
        let (data, control) = pair("127.0.0.1".parse().unwrap()).unwrap();
        let (data, control) = (
            data.local_addr().unwrap().port(),
            control.local_addr().unwrap().port(),
        );
        assert_eq!((data % 2, control), (0, data + 1));
    }
}
