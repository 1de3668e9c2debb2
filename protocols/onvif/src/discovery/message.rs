//! Messages of WS-Discovery (April 2005, as ONVIF Core Specification clause 7 has it), written and read; pure.

use uuid::Uuid;

use crate::{
    words::bounded,
    xml::{Element, parse},
};

/// What a device says about itself, or that it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// `ProbeMatches`, `ResolveMatches` or `Hello`.
    Here(Said),
    /// `Bye`.
    Gone { endpoint: String },
}

/// One device in a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The endpoint reference: the device's identity, whatever its address.
    pub endpoint: String,
    /// Local names.
    pub types: Vec<String>,
    pub scopes: Vec<String>,
    /// As they were told; nobody has looked where they lead.
    pub addresses: Vec<String>,
    /// Grows when the device changes what it says.
    pub version: u32,
}

/// A datagram is no longer.
pub(super) const MAX_DATAGRAM: usize = 65_507;
/// Devices in one message.
const MAX_MATCHES: usize = 16;
/// Addresses of one device.
const MAX_ADDRESSES: usize = 8;
const MAX_TYPES: usize = 16;
const MAX_SCOPES: usize = 64;
const MAX_TEXT: usize = 256;

/// What to ask for: cameras, and everything that has a device service.
pub(super) const TYPES: [(&str, &str, &str); 2] = [
    (
        "dn",
        "http://www.onvif.org/ver10/network/wsdl",
        "NetworkVideoTransmitter",
    ),
    ("tds", "http://www.onvif.org/ver10/device/wsdl", "Device"),
];

/// `Probe` for one of [`TYPES`].
pub(super) fn probe(id: Uuid, (prefix, namespace, name): (&str, &str, &str)) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:{prefix}=\"{namespace}\"><s:Header><a:Action s:mustUnderstand=\"1\">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>\
         <a:MessageID>urn:uuid:{id}</a:MessageID><a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
         <a:To s:mustUnderstand=\"1\">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>\
         <s:Body><d:Probe><d:Types>{prefix}:{name}</d:Types></d:Probe></s:Body></s:Envelope>"
    )
}

/// The message that an answer is to, as far as it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub relates_to: Option<String>,
    pub announcements: Vec<Announcement>,
}

/// Reads a datagram. `None` when it is no message that announces something.
pub(super) fn read(datagram: &[u8]) -> Option<Letter> {
    if datagram.len() > MAX_DATAGRAM {
        return None;
    }
    let root = parse(datagram).ok()?;
    if root.local() != "Envelope" {
        return None;
    }
    let relates_to = root
        .word(&["Header", "RelatesTo"])
        .map(|id| bounded(id, MAX_TEXT));
    let body = root.child("Body")?;
    let mut announcements = Vec::new();
    for (list, one) in [
        ("ProbeMatches", "ProbeMatch"),
        ("ResolveMatches", "ResolveMatch"),
    ] {
        if let Some(list) = body.child(list) {
            announcements.extend(
                list.named(one)
                    .take(MAX_MATCHES)
                    .filter_map(said)
                    .map(Announcement::Here),
            );
        }
    }
    if let Some(hello) = body.child("Hello") {
        announcements.extend(said(hello).map(Announcement::Here));
    }
    if let Some(bye) = body.child("Bye")
        && let Some(endpoint) = bye.word(&["EndpointReference", "Address"])
    {
        announcements.push(Announcement::Gone {
            endpoint: endpoint_reference(endpoint),
        });
    }
    (!announcements.is_empty()).then_some(Letter {
        relates_to,
        announcements,
    })
}

/// An endpoint reference in one form: devices write `urn:uuid:`, `uuid:` or nothing before the same identity.
pub(crate) fn endpoint_reference(text: &str) -> String {
    let text = bounded(text, MAX_TEXT).to_ascii_lowercase();
    let bare = text.strip_prefix("urn:").unwrap_or(&text);
    let bare = bare.strip_prefix("uuid:").unwrap_or(bare);
    match Uuid::try_parse(bare) {
        Ok(uuid) => format!("urn:uuid:{uuid}"),
        Err(_) => text,
    }
}

fn said(of: &Element) -> Option<Said> {
    let words = |name: &str, most: usize| -> Vec<String> {
        let words = of
            .word(&[name])
            .unwrap_or_default()
            .split_ascii_whitespace();
        words
            .take(most)
            .map(|word| bounded(word, MAX_TEXT))
            .collect()
    };
    Some(Said {
        endpoint: endpoint_reference(of.word(&["EndpointReference", "Address"])?),
        types: words("Types", MAX_TYPES)
            .into_iter()
            .map(|name| {
                name.rsplit_once(':')
                    .map_or(name.clone(), |(_, local)| local.to_owned())
            })
            .collect(),
        scopes: words("Scopes", MAX_SCOPES),
        addresses: words("XAddrs", MAX_ADDRESSES),
        version: of.number(&["MetadataVersion"]).unwrap_or_default(),
    })
}

// === impl Announcement ===

impl Announcement {
    /// What a datagram announces; nothing when it is no such message.
    #[must_use]
    pub fn read(datagram: &[u8]) -> Vec<Self> {
        read(datagram)
            .map(|letter| letter.announcements)
            .unwrap_or_default()
    }
}

// === impl Said ===

impl Said {
    /// Printers and computers answer to WS-Discovery as well.
    #[must_use]
    pub fn is_onvif(&self) -> bool {
        self.types
            .iter()
            .any(|name| name == "NetworkVideoTransmitter")
            || self.scopes.iter().any(|scope| {
                scope
                    .to_ascii_lowercase()
                    .starts_with("onvif://www.onvif.org/")
            })
    }
}

#[cfg(test)]
mod tests;
