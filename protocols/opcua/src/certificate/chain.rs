//! Who signed a certificate: a chain up to an authority that is trusted, checked link by link.

use fieldgate_model::Timestamp;
use rsa::{
    RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    signature::Verifier,
};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use x509_cert::der::{Encode, oid::ObjectIdentifier, referenced::OwnedToRef};

use super::{Facts, Revocations, moment};

/// More links than this are a circle or a joke.
const LONGEST: usize = 8;

/// A trusted authority, and what it has revoked.
#[derive(Debug)]
pub(crate) struct Authority {
    pub facts: Facts,
    pub revocations: Option<Revocations>,
}

/// What the authorities say about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By an authority that is trusted; with its subject, and a note where something could not be checked.
    Good { by: String, note: Option<String> },
    /// By none that is known.
    Unknown,
    /// By one that is known, but it does not hold.
    Broken(String),
    /// Its authority has taken it back.
    Revoked(String),
}

/// Goes up from `facts` to an authority that signs itself, or to the highest one that is known.
pub(crate) fn verify(facts: &Facts, authorities: &[Authority], now: Timestamp) -> Signed {
    let mut current = facts;
    let mut note = None;
    for link in 0..LONGEST {
        let Some(authority) = issuer_of(current, authorities) else {
            return match link {
                0 => Signed::Unknown,
                // The highest one that is known is trusted as it is.
                _ => good(current, note),
            };
        };
        match step(current, authority, now) {
            Ok(said) => note = note.or(said),
            Err(outcome) => return outcome,
        }
        current = &authority.facts;
        if current.self_issued() {
            return good(current, note);
        }
    }
    Signed::Broken(format!(
        "its chain of authorities has more than {LONGEST} links"
    ))
}

fn good(top: &Facts, note: Option<String>) -> Signed {
    Signed::Good {
        by: top.shown.subject.clone(),
        note,
    }
}

/// The authority whose name it bears as its issuer, and whose key signed it.
fn issuer_of<'a>(facts: &Facts, authorities: &'a [Authority]) -> Option<&'a Authority> {
    let named = |authority: &&Authority| {
        authority.facts.inner.tbs_certificate.subject == facts.inner.tbs_certificate.issuer
    };
    let mut all = authorities.iter().filter(named);
    // An authority may have been renewed under its old name.
    all.clone()
        .find(|authority| is_signed_by(facts, &authority.facts))
        .or_else(|| all.next())
}

/// One link: signature, right to sign, validity, revocation. A note where something could not be checked.
fn step(facts: &Facts, authority: &Authority, now: Timestamp) -> Result<Option<String>, Signed> {
    let Authority {
        facts: issuer,
        revocations,
    } = authority;
    let name = &issuer.shown.subject;
    if !is_signed_by(facts, issuer) {
        return Err(Signed::Broken(format!(
            "it bears the name of the authority {name}, but is not signed with its key: it is forged, or the authority has another key now; import the authority's new certificate if it has"
        )));
    }
    if !issuer.shown.authority {
        return Err(Signed::Broken(format!(
            "it is signed by {name}, which is no authority"
        )));
    }
    if now > issuer.shown.not_after || now < issuer.shown.not_before {
        return Err(Signed::Broken(format!(
            "its authority {name} was valid from {} to {}; import its new certificate, or compare the clocks",
            moment(issuer.shown.not_before),
            moment(issuer.shown.not_after)
        )));
    }
    let Some(list) = revocations else {
        return Ok(Some(format!(
            "there is no list of revocation of {name}, so that nobody knows whether it was taken back; import one"
        )));
    };
    if let Some(at) = list.revoked(facts) {
        return Err(Signed::Revoked(format!(
            "its authority {name} has revoked it on {}: give the server a new certificate",
            moment(at)
        )));
    }
    if list.next_update.is_some_and(|until| now > until) {
        return Err(Signed::Broken(format!(
            "the list of revocation of its authority {name} was good until {}; import a newer one",
            list.next_update.map(moment).unwrap_or_default()
        )));
    }
    Ok(None)
}

fn is_signed_by(facts: &Facts, issuer: &Facts) -> bool {
    let Ok(signed) = facts.inner.tbs_certificate.to_der() else {
        return false;
    };
    holds(
        issuer,
        facts.inner.signature_algorithm.oid,
        &signed,
        facts.inner.signature.raw_bytes(),
    )
}

/// Whether a signature was made with the issuer's key. SHA-1 and elliptic curves are not taken.
pub(super) fn holds(
    issuer: &Facts,
    algorithm: ObjectIdentifier,
    signed: &[u8],
    signature: &[u8],
) -> bool {
    let key = &issuer.inner.tbs_certificate.subject_public_key_info;
    let Ok(key) = RsaPublicKey::try_from(key.owned_to_ref()) else {
        return false;
    };
    let Ok(signature) = Signature::try_from(signature) else {
        return false;
    };
    let held = match algorithm.to_string().as_str() {
        "1.2.840.113549.1.1.11" => VerifyingKey::<Sha256>::new(key).verify(signed, &signature),
        "1.2.840.113549.1.1.12" => VerifyingKey::<Sha384>::new(key).verify(signed, &signature),
        "1.2.840.113549.1.1.13" => VerifyingKey::<Sha512>::new(key).verify(signed, &signature),
        // What a plant's old authority signed is still its own; forging one needs a collision made beforehand.
        "1.2.840.113549.1.1.5" => VerifyingKey::<Sha1>::new(key).verify(signed, &signature),
        _ => return false,
    };
    held.is_ok()
}
