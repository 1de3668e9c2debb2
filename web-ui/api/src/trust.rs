//! Trust over the wire: our identities, the peers' certificates on their shelves, and what a person decides.

use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything that shows certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustView {
    /// The kinds of sources whose peers show certificates.
    pub kinds: Vec<TrustKind>,
    /// Who we are.
    pub identities: Vec<IdentityView>,
    /// Who the others are.
    pub peers: Vec<PeerView>,
    /// Peers that do not trust us yet.
    pub distrusting: Vec<DistrustView>,
    /// What could not be read, in words.
    pub problems: Vec<String>,
}

/// A kind of source whose peers show certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustKind {
    /// `opcua`, …
    pub kind: String,
    /// As a person would call it.
    pub title: String,
}

/// What a certificate of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IdentityRole {
    /// In use.
    Own,
    /// Offered first, while the one in use still works.
    Next,
    /// To be signed by an authority.
    Request,
}

/// A certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdentityView {
    pub kind: String,
    pub role: IdentityRole,
    /// None for a request.
    pub certificate: Option<CertificateView>,
    /// A request for an authority, in PEM.
    pub request: Option<String>,
    /// How it stands with it, and what a person has to do.
    pub words: String,
}

/// Where a peer's certificate lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ShelfName {
    Trusted,
    /// Authorities: what they sign is trusted.
    Issuers,
    /// Seen, and not decided.
    Waiting,
    Rejected,
}

/// A peer's certificate, or an authority's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerView {
    pub kind: String,
    pub shelf: ShelfName,
    pub certificate: CertificateView,
    /// The sources that it is for, and where they met it. Empty: for all.
    pub used_by: Vec<UsedByView>,
    /// Why it lies there, and what to look at before deciding.
    pub words: String,
    /// What is different from the certificate whose place it is to take; empty when there is none.
    pub differences: Vec<Difference>,
    pub since: Timestamp,
}

/// A source that meets a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsedByView {
    pub source: String,
    pub address: String,
}

/// One fact that differs between the trusted certificate and the one that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// `subject`, `key`, …
    pub what: String,
    pub trusted: String,
    pub waiting: String,
}

/// A peer that does not trust us yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DistrustView {
    pub kind: String,
    pub source: String,
    pub address: String,
    /// What it said, and what its operator has to do.
    pub words: String,
    /// Of the certificate of ours that it has to trust.
    pub thumbprint: String,
    pub since: Timestamp,
    /// When it was tried last; it is tried again by itself.
    pub tried: Timestamp,
}

/// What people compare of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CertificateView {
    /// SHA-1, 40 hexadecimal digits.
    pub thumbprint: String,
    /// SHA-256, 64 hexadecimal digits: its id in this API.
    pub sha256: String,
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Whole days until it expires, below zero once it has.
    pub days_left: i64,
    /// `RSA 2048 bits`
    pub key: String,
    /// `SHA-256 with RSA`
    pub signature: String,
    /// `URI …`, `DNS …`, `IP …`
    pub names: Vec<String>,
    /// What its key may be used for.
    pub usages: Vec<String>,
    /// It may sign others.
    pub authority: bool,
}

/// Certificates, a list of revocation, or our own certificate signed by an authority.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrustImport {
    /// `opcua`, …
    pub kind: String,
    /// In PEM.
    #[serde(default)]
    pub pem: Option<String>,
    /// In DER, as Base64.
    #[serde(default)]
    pub der_base64: Option<String>,
}

/// A new key for ourselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrustKey {
    /// `opcua`, …
    pub kind: String,
    /// 2048 or 3072; 2048 when it is not said.
    #[serde(default)]
    pub key_bits: Option<u32>,
}

/// What came of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrustDone {
    /// A sentence; for a request, the request in PEM.
    pub words: String,
    /// The sources that try again now.
    pub retried: Vec<String>,
}
