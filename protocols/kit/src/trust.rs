//! Trust: what a protocol whose peers show certificates offers to people: who we are to them, and who they are to us.
//!
//! A kind of source that has it sets [`Source::TRUST`](crate::Source::TRUST). Everything lies in one folder that all
//! sources of the kind share, beside their own ones, and is read and changed there: nothing is kept in memory.

use std::path::{Path, PathBuf};

use fieldgate_model::Timestamp;

/// The largest certificate, list or bundle that is taken.
pub const MOST_BYTES: usize = 256 << 10;

/// The folder that all sources of a kind share, for instance for certificates: beside each one's own.
#[must_use]
pub fn shared_dir(state_dir: &Path, kind: &str) -> PathBuf {
    state_dir.with_file_name(format!("kind-{kind}"))
}

/// A kind's certificates, opened in the folder that its sources share. Every call reads the disk, and may make a key,
/// which takes seconds on a small machine.
pub trait Trust: Send + Sync {
    /// Everything there is.
    ///
    /// # Errors
    /// In words, when the folder cannot be read.
    fn shelves(&self) -> Result<Shelves, String>;

    /// How many peers wait for a person; cheap, as the overview asks it.
    fn waiting(&self) -> usize;

    /// Does what a person decided.
    ///
    /// # Errors
    /// In words, when it cannot be done.
    fn act(&self, act: Act) -> Result<Done, String>;
}

/// Our identities and the others' certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelves {
    pub identities: Vec<Identity>,
    pub peers: Vec<Peer>,
    /// Peers that do not trust us yet.
    pub distrusting: Vec<Distrust>,
}

/// A certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub role: Role,
    /// None for a request.
    pub certificate: Option<Certificate>,
    /// A request for an authority, in PEM.
    pub request: Option<String>,
    /// How it stands with it, and what a person has to do.
    pub words: String,
}

/// What a certificate of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// In use.
    Own,
    /// Offered first, while the one in use still works.
    Next,
    /// To be signed by an authority.
    Request,
}

/// Where a peer's certificate lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shelf {
    Trusted,
    /// Authorities: what they sign is trusted.
    Issuers,
    /// Seen, and not decided.
    Waiting,
    Rejected,
}

/// A peer's certificate, or an authority's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub shelf: Shelf,
    pub certificate: Certificate,
    /// Which sources it is for, and where they met it. Empty: for all.
    pub used_by: Vec<UsedBy>,
    /// Why it lies there, and what a person should look at before deciding.
    pub words: String,
    /// The certificate that is trusted for the same source so far, when this one is to take its place.
    pub instead_of: Option<Certificate>,
    pub since: Timestamp,
}

/// A source that meets a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedBy {
    pub source: String,
    pub address: String,
}

/// A peer that does not trust us yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    pub source: String,
    pub address: String,
    /// What the peer said, and what its operator has to do.
    pub words: String,
    /// Of the certificate of ours that it has to trust.
    pub thumbprint: String,
    pub since: Timestamp,
    /// When it was tried last.
    pub tried: Timestamp,
}

/// What people compare of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1, 40 lower-case hexadecimal digits.
    pub thumbprint: String,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    pub subject: String,
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// `RSA 2048 bits`
    pub key: String,
    /// `SHA-256 with RSA`
    pub signature: String,
    /// The names that it is for: `URI …`, `DNS …`, `IP …`.
    pub names: Vec<String>,
    /// What its key may be used for.
    pub usages: Vec<String>,
    /// It may sign others.
    pub authority: bool,
    pub der: Vec<u8>,
}

/// A person's decision. Certificates are named by their SHA-256, or by the beginning of one of their thumbprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Trust it from now on, with the flaws that were shown.
    Accept(String),
    /// Refuse it for ever.
    Reject(String),
    /// Forget it.
    Remove(String),
    /// Certificates, lists of revocation or our own certificate signed by an authority, in PEM or DER.
    Import(Vec<u8>),
    /// A new key and certificate for ourselves.
    Renew { key_bits: u32 },
    /// A new key, and a request for an authority to sign.
    Request { key_bits: u32 },
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    pub words: String,
    /// Sources that should try again now; none named: all of the kind, if `all` is set.
    pub retry: Vec<String>,
    pub all: bool,
}

// === impl Shelf ===

impl Shelf {
    pub const ALL: [Self; 4] = [Self::Trusted, Self::Issuers, Self::Waiting, Self::Rejected];

    /// As it is called on disk and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Issuers => "issuers",
            Self::Waiting => "waiting",
            Self::Rejected => "rejected",
        }
    }
}

// === impl Certificate ===

impl Certificate {
    /// Whether `named` is this certificate: a whole thumbprint, or the beginning of one of at least 6 digits.
    #[must_use]
    pub fn is_named(&self, named: &str) -> bool {
        let plain: String = named
            .chars()
            .filter(|c| !matches!(c, ':' | ' '))
            .collect::<String>()
            .to_ascii_lowercase();
        plain.len() >= 6 && (self.sha256.starts_with(&plain) || self.thumbprint.starts_with(&plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_by_the_beginning_of_a_thumbprint() {
        let certificate = Certificate {
            thumbprint: "aabbccdd00".into(),
            sha256: "11223344".into(),
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            not_before: Timestamp::default(),
            not_after: Timestamp::default(),
            key: String::new(),
            signature: String::new(),
            names: Vec::new(),
            usages: Vec::new(),
            authority: false,
            der: Vec::new(),
        };
        for (named, expected) in [
            ("AA:BB:CC", true),
            ("aabbccdd00", true),
            ("112233", true),
            ("aabb", false),
            ("223344", false),
            ("", false),
        ] {
            assert_eq!(certificate.is_named(named), expected, "{named}");
        }
    }

    #[test]
    fn the_shared_folder_lies_beside_a_sources_own() {
        let own = Path::new("/state/units/source-press");
        assert_eq!(
            shared_dir(own, "opcua"),
            Path::new("/state/units/kind-opcua")
        );
    }
}
