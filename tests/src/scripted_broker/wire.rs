//! The few MQTT packets that a publisher and its broker exchange, and the refusal of a subscription: OASIS MQTT 3.1.1 and 5.0, §2 and §3.

use std::io::{self, Read};

use crate::subscriber::Message;

/// What a client sends.
#[derive(Debug)]
pub(super) enum Packet {
    Connect {
        version: u8,
        clean: bool,
        keep_alive_s: u16,
        client_id: String,
    },
    Publish {
        packet_id: u16,
        duplicate: bool,
        message: Message,
    },
    Subscribe {
        packet_id: u16,
    },
    Ping,
    Disconnect,
    /// One that a publisher has no need to send.
    Other,
}

/// Nobody sends more in a test.
const MAX_BYTES: usize = 64 << 20;

/// A body that is read from front to back.
struct Body<'a>(&'a [u8]);

/// Reads a packet of a client that speaks this version.
pub(super) fn read(from: &mut impl Read, version: u8) -> io::Result<Packet> {
    let mut first = [0];
    from.read_exact(&mut first)?;
    let length = read_length(from)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    let mut body = Body(&bytes);
    match first[0] >> 4 {
        1 => connect(&mut body),
        3 => publish(&mut body, first[0], version),
        8 => Ok(Packet::Subscribe {
            packet_id: body.short()?,
        }),
        12 => Ok(Packet::Ping),
        14 => Ok(Packet::Disconnect),
        _ => Ok(Packet::Other),
    }
}

/// CONNACK. MQTT 5 adds an empty list of properties.
pub(super) fn connack(version: u8, session_present: bool, reason: u8) -> Vec<u8> {
    match version {
        5 => vec![0x20, 3, u8::from(session_present), reason, 0],
        _ => vec![0x20, 2, u8::from(session_present), reason],
    }
}

/// PUBACK. Only MQTT 5 has a reason.
pub(super) fn puback(version: u8, packet_id: u16, reason: u8) -> Vec<u8> {
    let [high, low] = packet_id.to_be_bytes();
    match version {
        5 if reason != 0 => vec![0x40, 3, high, low, reason],
        _ => vec![0x40, 2, high, low],
    }
}

/// SUBACK that refuses one filter: not authorized, which 3.1.1 has no code for.
pub(super) fn no_suback(version: u8, packet_id: u16) -> Vec<u8> {
    let [high, low] = packet_id.to_be_bytes();
    match version {
        5 => vec![0x90, 4, high, low, 0, 0x87],
        _ => vec![0x90, 3, high, low, 0x80],
    }
}

/// PINGRESP.
pub(super) fn pong() -> Vec<u8> {
    vec![0xD0, 0]
}

fn connect(body: &mut Body<'_>) -> io::Result<Packet> {
    body.text()?;
    let version = body.byte()?;
    let flags = body.byte()?;
    let keep_alive_s = body.short()?;
    if version == 5 {
        let properties = body.length()?;
        body.take(properties)?;
    }
    Ok(Packet::Connect {
        version,
        clean: flags & 2 != 0,
        keep_alive_s,
        client_id: body.text()?,
    })
}

fn publish(body: &mut Body<'_>, first: u8, version: u8) -> io::Result<Packet> {
    let topic = body.text()?;
    let packet_id = if first & 6 == 0 { 0 } else { body.short()? };
    let (content_type, user_properties) = match version {
        5 => properties(body)?,
        _ => (None, Vec::new()),
    };
    Ok(Packet::Publish {
        packet_id,
        duplicate: first & 8 != 0,
        message: Message {
            topic,
            payload: body.0.to_vec(),
            retained: first & 1 != 0,
            content_type,
            user_properties,
        },
    })
}

/// The content type and the user properties of a PUBLISH (MQTT 5 §3.3.2.3).
#[expect(clippy::type_complexity, reason = "a pair of what a message holds")]
fn properties(body: &mut Body<'_>) -> io::Result<(Option<String>, Vec<(String, String)>)> {
    let length = body.length()?;
    let mut rest = Body(body.take(length)?);
    let (mut content_type, mut user) = (None, Vec::new());
    while !rest.0.is_empty() {
        match rest.byte()? {
            // Payload format; message expiry; topic alias.
            0x01 => drop(rest.take(1)?),
            0x02 => drop(rest.take(4)?),
            0x23 => drop(rest.take(2)?),
            0x03 => content_type = Some(rest.text()?),
            // Response topic, correlation data: both begin with their length.
            0x08 | 0x09 => drop(rest.counted()?),
            0x26 => user.push((rest.text()?, rest.text()?)),
            other => return Err(bad(&format!("property {other:#x}"))),
        }
    }
    Ok((content_type, user))
}

// === impl Body ===

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| bad("a packet that ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> io::Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn counted(&mut self) -> io::Result<&'a [u8]> {
        let count = self.short()?;
        self.take(count.into())
    }

    fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.counted()?.to_vec()).map_err(|_| bad("a text that is none"))
    }

    fn length(&mut self) -> io::Result<usize> {
        read_length(&mut self.0)
    }
}

/// A variable byte integer (MQTT 5 §1.5.5).
fn read_length(from: &mut impl Read) -> io::Result<usize> {
    let mut length = 0;
    for place in 0..4 {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << (7 * place);
        if byte[0] & 0x80 == 0 {
            return match length {
                length if length <= MAX_BYTES => Ok(length),
                _ => Err(bad("a packet beyond all measure")),
            };
        }
    }
    Err(bad("a length of more than four bytes"))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
