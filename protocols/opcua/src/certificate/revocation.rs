//! Lists of revocation (RFC 5280, 5): which certificates an authority has taken back.

use std::collections::BTreeMap;

use fieldgate_model::Timestamp;
use x509_cert::{
    crl::CertificateList,
    der::{Decode, Encode},
};

use super::{Facts, chain::holds, timestamp};

/// An authority's list.
#[derive(Debug, Clone)]
pub(crate) struct Revocations {
    pub der: Vec<u8>,
    pub this_update: Timestamp,
    pub next_update: Option<Timestamp>,
    /// When each serial number was taken back.
    serials: BTreeMap<Vec<u8>, Timestamp>,
    inner: CertificateList,
}

// === impl Revocations ===

impl Revocations {
    /// Reads a list in DER.
    ///
    /// # Errors
    /// In words, when it is none.
    pub(crate) fn read(der: &[u8]) -> Result<Self, String> {
        let inner = CertificateList::from_der(der)
            .map_err(|error| format!("it is no list of revocation: {error}"))?;
        let list = &inner.tbs_cert_list;
        let serials = list.revoked_certificates.iter().flatten().map(|revoked| {
            (
                revoked.serial_number.as_bytes().to_vec(),
                timestamp(revoked.revocation_date),
            )
        });
        Ok(Self {
            der: der.to_vec(),
            this_update: timestamp(list.this_update),
            next_update: list.next_update.map(timestamp),
            serials: serials.collect(),
            inner,
        })
    }

    /// Whether it bears this authority's name and is signed with its key.
    pub(crate) fn is_of(&self, authority: &Facts) -> bool {
        let list = &self.inner.tbs_cert_list;
        if list.issuer != authority.inner.tbs_certificate.subject {
            return false;
        }
        list.to_der().is_ok_and(|signed| {
            let algorithm = self.inner.signature_algorithm.oid;
            holds(
                authority,
                algorithm,
                &signed,
                self.inner.signature.raw_bytes(),
            )
        })
    }

    /// The name of who wrote it.
    pub(crate) fn issuer(&self) -> String {
        self.inner.tbs_cert_list.issuer.to_string()
    }

    /// How many it takes back.
    pub(crate) fn len(&self) -> usize {
        self.serials.len()
    }

    /// When it took this certificate back, if it did.
    pub(super) fn revoked(&self, facts: &Facts) -> Option<Timestamp> {
        let serial = facts.inner.tbs_certificate.serial_number.as_bytes();
        self.serials.get(serial).copied()
    }
}
