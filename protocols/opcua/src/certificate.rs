//! X.509 certificates (RFC 5280; OPC UA Part 6, 6.2.2): what is in one, in our own words. Pure.
//!
//! This file and its folder are the only ones of the source that name the crates `x509_cert` and `rsa`.

mod chain;
mod flaw;
mod make;
mod revocation;

use std::net::IpAddr;

use fieldgate_kit::trust::Certificate as Shown;
use fieldgate_model::Timestamp;
use rsa::{RsaPublicKey, traits::PublicKeyParts};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use x509_cert::{
    Certificate,
    der::{
        Decode, Encode, Header, PemReader, Reader, SliceReader, oid::ObjectIdentifier,
        referenced::OwnedToRef,
    },
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName, name::GeneralName},
    time::Time,
};

pub(crate) use self::{
    chain::{Authority, Signed, verify},
    flaw::{Flaw, Seen, flaws},
    make::{Key, Names},
    revocation::Revocations,
};

/// A certificate, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// What people compare.
    pub shown: Shown,
    /// Its application, as it says.
    pub uris: Vec<String>,
    pub hosts: Vec<String>,
    pub addresses: Vec<IpAddr>,
    /// Of its RSA key; none for other keys.
    pub key_bits: Option<usize>,
    inner: Certificate,
}

/// Reads a certificate in DER. Of a chain, the first.
///
/// # Errors
/// In words, when it is none.
pub(crate) fn read(der: &[u8]) -> Result<Facts, String> {
    let unreadable = |error: x509_cert::der::Error| format!("it is no certificate: {error}");
    let der = first(der);
    let inner = Certificate::from_der(der).map_err(unreadable)?;
    let tbs = &inner.tbs_certificate;
    let key = RsaPublicKey::try_from(tbs.subject_public_key_info.owned_to_ref()).ok();
    let names = names(&inner);
    let key_bits = key.as_ref().map(|key| key.n().bits());
    let shown = Shown {
        thumbprint: hex(&Sha1::digest(der)),
        sha256: hex(&Sha256::digest(der)),
        subject: tbs.subject.to_string(),
        issuer: tbs.issuer.to_string(),
        serial: hex(tbs.serial_number.as_bytes()),
        not_before: timestamp(tbs.validity.not_before),
        not_after: timestamp(tbs.validity.not_after),
        key: match key_bits {
            Some(bits) => format!("RSA {bits} bits"),
            None => other_key(tbs.subject_public_key_info.algorithm.oid),
        },
        signature: signature_words(inner.signature_algorithm.oid),
        names: names.iter().map(|name| name.1.clone()).collect(),
        usages: usages(&inner),
        authority: is_authority(&inner),
        der: der.to_vec(),
    };
    let of = |kind: Kind| {
        let named = names.iter().filter(move |name| name.0 == kind);
        named.map(|name| name.1.split_once(' ').unwrap_or_default().1.to_owned())
    };
    Ok(Facts {
        uris: of(Kind::Uri).collect(),
        hosts: of(Kind::Dns).collect(),
        addresses: of(Kind::Ip).filter_map(|ip| ip.parse().ok()).collect(),
        shown,
        key_bits,
        inner,
    })
}

/// What a file holds that a person imports.
#[derive(Debug)]
pub(crate) enum Imported {
    Certificate(Box<Facts>),
    Revocations(Box<Revocations>),
}

/// Certificates and lists of revocation, in DER or PEM, one or many.
///
/// # Errors
/// In words, when there is none in it, or something else; a private key is not welcome.
pub(crate) fn read_import(bytes: &[u8]) -> Result<Vec<Imported>, String> {
    const NOTHING: &str =
        "there is neither a certificate nor a list of revocation in it; send PEM or DER";
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if !text.contains("-----BEGIN") {
        if let Ok(facts) = read(bytes) {
            return Ok(vec![Imported::Certificate(Box::new(facts))]);
        }
        return match Revocations::read(bytes) {
            Ok(list) => Ok(vec![Imported::Revocations(Box::new(list))]),
            Err(_) => Err(NOTHING.to_owned()),
        };
    }
    let mut found = Vec::new();
    for block in text
        .split_inclusive("-----END")
        .skip_while(|block| !block.contains("-----BEGIN"))
    {
        let Some((_, block)) = block.split_once("-----BEGIN") else {
            continue;
        };
        let block = format!("-----BEGIN{block}");
        let label = block
            .trim_start_matches("-----BEGIN ")
            .split("-----")
            .next();
        let label = label.unwrap_or_default().to_owned();
        let der = pem_body(&block, &label)?;
        match label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                found.push(Imported::Certificate(Box::new(read(&der)?)));
            }
            "X509 CRL" => found.push(Imported::Revocations(Box::new(Revocations::read(&der)?))),
            label if label.contains("PRIVATE KEY") => {
                return Err("there is a private key in it; it belongs to nobody else: send the certificate alone".to_owned());
            }
            label => {
                return Err(format!(
                    "`{}` is not welcome here; send certificates or lists of revocation",
                    label.escape_debug()
                ));
            }
        }
    }
    match found.is_empty() {
        true => Err(NOTHING.to_owned()),
        false => Ok(found),
    }
}

/// A certificate, a list or a request in PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use x509_cert::der::pem::{LineEnding, encode_string};
    // It fails only for a label that is none.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

/// The bytes of a PEM block whose last line was cut behind its `-----END`.
fn pem_body(block: &str, label: &str) -> Result<Vec<u8>, String> {
    let body = block.trim_end_matches("-----END");
    let whole = format!("{body}-----END {label}-----\n");
    let unreadable = |error: x509_cert::der::Error| format!("its PEM is damaged: {error}");
    let mut reader = PemReader::new(whole.as_bytes()).map_err(unreadable)?;
    let length = reader.remaining_len();
    let bytes = reader.read_vec(length).map_err(unreadable)?;
    Ok(bytes)
}

/// The first element of a chain: servers may send their authorities behind their own certificate (OPC UA Part 6, 6.2.6).
fn first(der: &[u8]) -> &[u8] {
    let length = SliceReader::new(der).and_then(|mut reader| {
        let header = Header::decode(&mut reader)?;
        header.encoded_len()? + header.length
    });
    let length = length.ok().and_then(|length| usize::try_from(length).ok());
    length.and_then(|length| der.get(..length)).unwrap_or(der)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Uri,
    Dns,
    Ip,
    Other,
}

fn names(certificate: &Certificate) -> Vec<(Kind, String)> {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate.get::<SubjectAltName>()
    else {
        return Vec::new();
    };
    let words = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => (Kind::Uri, format!("URI {uri}")),
        GeneralName::DnsName(name) => (Kind::Dns, format!("DNS {name}")),
        GeneralName::IpAddress(bytes) => match ip(bytes.as_bytes()) {
            Some(ip) => (Kind::Ip, format!("IP {ip}")),
            None => (Kind::Other, "an unreadable IP address".to_owned()),
        },
        GeneralName::Rfc822Name(mail) => (Kind::Other, format!("mail {mail}")),
        GeneralName::DirectoryName(name) => (Kind::Other, format!("name {name}")),
        _ => (Kind::Other, "another name".to_owned()),
    };
    names.iter().map(words).collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn usages(certificate: &Certificate) -> Vec<String> {
    let mut words = Vec::new();
    if let Ok(Some((_, usage))) = certificate.tbs_certificate.get::<KeyUsage>() {
        for (has, word) in [
            (usage.digital_signature(), "digital signature"),
            (usage.non_repudiation(), "non-repudiation"),
            (usage.key_encipherment(), "key encipherment"),
            (usage.data_encipherment(), "data encipherment"),
            (usage.key_agreement(), "key agreement"),
            (usage.key_cert_sign(), "certificate signing"),
            (usage.crl_sign(), "revocation lists"),
        ] {
            if has {
                words.push(word.to_owned());
            }
        }
    }
    if let Ok(Some((_, ExtendedKeyUsage(extended)))) =
        certificate.tbs_certificate.get::<ExtendedKeyUsage>()
    {
        words.extend(
            extended
                .iter()
                .map(|usage| match usage.to_string().as_str() {
                    "1.3.6.1.5.5.7.3.1" => "server authentication".to_owned(),
                    "1.3.6.1.5.5.7.3.2" => "client authentication".to_owned(),
                    other => other.to_owned(),
                }),
        );
    }
    words
}

/// It says that it may sign others, and its usage does not forbid it.
fn is_authority(certificate: &Certificate) -> bool {
    let tbs = &certificate.tbs_certificate;
    let may = matches!(tbs.get::<BasicConstraints>(), Ok(Some((_, basic))) if basic.ca);
    let usage = tbs.get::<KeyUsage>();
    may && usage.is_ok_and(|usage| usage.is_none_or(|(_, usage)| usage.key_cert_sign()))
}

fn other_key(algorithm: ObjectIdentifier) -> String {
    match algorithm.to_string().as_str() {
        "1.2.840.10045.2.1" => "elliptic curve".to_owned(),
        other => format!("key of the kind {other}"),
    }
}

fn signature_words(algorithm: ObjectIdentifier) -> String {
    match algorithm.to_string().as_str() {
        "1.2.840.113549.1.1.4" => "MD5 with RSA".to_owned(),
        "1.2.840.113549.1.1.5" => "SHA-1 with RSA".to_owned(),
        "1.2.840.113549.1.1.11" => "SHA-256 with RSA".to_owned(),
        "1.2.840.113549.1.1.12" => "SHA-384 with RSA".to_owned(),
        "1.2.840.113549.1.1.13" => "SHA-512 with RSA".to_owned(),
        "1.2.840.10045.4.3.2" => "SHA-256 with ECDSA".to_owned(),
        "1.2.840.10045.4.3.3" => "SHA-384 with ECDSA".to_owned(),
        other => other.to_owned(),
    }
}

/// Saturates in 2262.
fn timestamp(time: Time) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment as people write it: `2027-03-01 12:00 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

// === impl Facts ===

impl Facts {
    /// Its public key, in DER.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        let key = &self.inner.tbs_certificate.subject_public_key_info;
        key.to_der().unwrap_or_default()
    }

    /// Signed by the name that it bears itself.
    pub(crate) fn self_issued(&self) -> bool {
        self.inner.tbs_certificate.issuer == self.inner.tbs_certificate.subject
    }
}
