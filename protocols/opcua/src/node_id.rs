//! Node ids: how settings write them, and what they are within one session (OPC UA Part 6, 5.3.1.10 and 5.3.1.11).

use std::{fmt, str::FromStr};

/// What identifies a node within its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identifier {
    Numeric(u32),
    Text(String),
    /// Lower case, with hyphens.
    Guid(String),
    /// Base64.
    Opaque(String),
}

/// A node as one session of one server knows it. The namespace's number can change at the server's next start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    pub namespace: u16,
    pub identifier: Identifier,
}

/// A node as settings write it: `nsu=urn:plant;s=Temp`, `ns=2;i=1001` or `i=2258`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    pub namespace: Namespace,
    pub identifier: Identifier,
}

/// The namespace of a [`NodeAddress`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// The number is taken as it is.
    Index(u16),
    /// Looked up in the server's NamespaceArray at each connect.
    Uri(String),
}

/// Why a text is no node id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no node id: {why}")]
pub struct NodeIdError {
    text: String,
    why: &'static str,
}

// === impl NodeId ===

impl NodeId {
    #[must_use]
    pub const fn numeric(namespace: u16, identifier: u32) -> Self {
        Self {
            namespace,
            identifier: Identifier::Numeric(identifier),
        }
    }

    /// The form that survives the server's restart: `nsu=urn:plant;s=Temp`, and `i=2258` for namespace 0.
    #[must_use]
    pub fn address(&self, namespaces: &[String]) -> String {
        match namespaces.get(usize::from(self.namespace)) {
            _ if self.namespace == 0 => self.identifier.to_string(),
            Some(uri) => format!("nsu={};{}", escape_uri(uri), self.identifier),
            None => format!("ns={};{}", self.namespace, self.identifier),
        }
    }
}

// === impl NodeAddress ===

impl NodeAddress {
    /// The node of this session; `None` when the server has no such namespace.
    #[must_use]
    pub fn resolve(&self, namespaces: &[String]) -> Option<NodeId> {
        let namespace = match &self.namespace {
            Namespace::Index(index) => *index,
            Namespace::Uri(uri) => {
                u16::try_from(namespaces.iter().position(|known| known == uri)?).ok()?
            }
        };
        Some(NodeId {
            namespace,
            identifier: self.identifier.clone(),
        })
    }
}

impl FromStr for NodeAddress {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let refuse = |why| NodeIdError {
            text: text.to_owned(),
            why,
        };
        let (namespace, identifier) = if let Some(rest) = text.strip_prefix("nsu=") {
            let (uri, rest) = rest
                .split_once(';')
                .ok_or_else(|| refuse("after nsu=… a `;` and the identifier must follow"))?;
            (Namespace::Uri(unescape_uri(uri)), rest)
        } else if let Some(rest) = text.strip_prefix("ns=") {
            let (index, rest) = rest
                .split_once(';')
                .ok_or_else(|| refuse("after ns=… a `;` and the identifier must follow"))?;
            let index = index
                .parse()
                .map_err(|_| refuse("ns= takes a number from 0 to 65535"))?;
            (Namespace::Index(index), rest)
        } else {
            (Namespace::Index(0), text)
        };
        let identifier = parse_identifier(identifier).map_err(refuse)?;
        Ok(Self {
            namespace,
            identifier,
        })
    }
}

// === impl Identifier ===

impl Identifier {
    /// The identifier alone, without its kind: a name for a point that has no better one.
    #[must_use]
    pub fn bare(&self) -> String {
        match self {
            Self::Numeric(number) => number.to_string(),
            Self::Text(text) | Self::Guid(text) | Self::Opaque(text) => text.clone(),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric(number) => write!(f, "i={number}"),
            Self::Text(text) => write!(f, "s={text}"),
            Self::Guid(text) => write!(f, "g={text}"),
            Self::Opaque(text) => write!(f, "b={text}"),
        }
    }
}

fn parse_identifier(text: &str) -> Result<Identifier, &'static str> {
    let (kind, rest) = text
        .split_once('=')
        .ok_or("write it like nsu=urn:plant;s=Temp, ns=2;i=1001 or i=2258")?;
    match kind {
        "i" => rest
            .parse()
            .map(Identifier::Numeric)
            .map_err(|_| "i= takes a number from 0 to 4294967295"),
        "s" if !rest.is_empty() => Ok(Identifier::Text(rest.to_owned())),
        "s" => Err("s= takes a text that is not empty"),
        "g" if is_guid(rest) => Ok(Identifier::Guid(rest.to_ascii_lowercase())),
        "g" => Err("g= takes a GUID like 09087e75-8e5e-499b-954f-f2a9603db28a"),
        "b" if is_base64(rest) => Ok(Identifier::Opaque(rest.to_owned())),
        "b" => Err("b= takes bytes in Base64"),
        _ => Err("the identifier starts with i=, s=, g= or b="),
    }
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Part 6, 5.3.1.11: `;` and `%` of a namespace URI are percent-escaped.
pub(crate) fn escape_uri(uri: &str) -> String {
    uri.replace('%', "%25").replace(';', "%3B")
}

pub(crate) fn unescape_uri(uri: &str) -> String {
    uri.replace("%3B", ";")
        .replace("%3b", ";")
        .replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<NodeId>) {
        let namespaces = ["http://opcfoundation.org/UA/", "urn:server", "urn:a;b"];
        let namespaces = namespaces.map(str::to_owned);
        let resolved = text
            .parse::<NodeAddress>()
            .ok()
            .and_then(|address| address.resolve(&namespaces));
        assert_eq!(resolved, expected, "{text}");
    }

    #[test]
    fn every_form_is_read() {
        check("i=2258", Some(NodeId::numeric(0, 2258)));
        check("ns=7;i=1", Some(NodeId::numeric(7, 1)));
        check("nsu=urn:server;i=5", Some(NodeId::numeric(1, 5)));
        check("nsu=urn:a%3Bb;i=5", Some(NodeId::numeric(2, 5)));
        check("nsu=urn:other;i=5", None);
        for (text, identifier) in [
            ("ns=2;s=a=b;c", Identifier::Text("a=b;c".into())),
            (
                "ns=2;g=09087E75-8e5e-499b-954f-f2a9603db28a",
                Identifier::Guid("09087e75-8e5e-499b-954f-f2a9603db28a".into()),
            ),
            (
                "ns=2;b=M/RbKBsRVkePCePcx24oRA==",
                Identifier::Opaque("M/RbKBsRVkePCePcx24oRA==".into()),
            ),
        ] {
            check(
                text,
                Some(NodeId {
                    namespace: 2,
                    identifier,
                }),
            );
        }
    }

    #[test]
    fn what_is_no_node_id_is_refused() {
        for text in [
            "",
            "Temp",
            "i=-1",
            "i=4294967296",
            "s=",
            "g=1",
            "b=*",
            "x=1",
            "ns=70000;i=1",
            "ns=2",
            "nsu=urn:x",
            "nsu=urn:x;Temp",
        ] {
            assert!(text.parse::<NodeAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_survives_renumbering() {
        let before = ["ua", "urn:plant"].map(str::to_owned);
        let after = ["ua", "urn:new", "urn:plant"].map(str::to_owned);
        let address = NodeId::numeric(1, 7).address(&before);
        let parsed: NodeAddress = address.parse().unwrap();
        assert_eq!(parsed.resolve(&after), Some(NodeId::numeric(2, 7)));
    }
}
