//! Our own certificate: made when it is first needed, renewed before it expires, or signed by an authority.
//!
//! ```text
//! own/current/   cert.der, key.pem, accepted.json   in use
//! own/next/      the same, offered first while the one in use still works
//! own/request/   key.pem, request.der                to be signed by an authority
//! ```
//!
//! A renewal is a certificate that the servers do not know yet. So it is offered first at each connection; who refuses it
//! is offered the one in use, in the same attempt, and finds the new one among its rejected ones. Once every server that
//! took the old one takes the new one, or the old one has expired, the new one is the one in use.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use fieldgate_kit::trust::{Identity, Role};
use fieldgate_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::{self, Store};
use crate::certificate::{self, Facts, Key, Names, moment};

/// How long a certificate is valid that we make.
const VALID: Duration = Duration::from_secs(5 * 365 * 86_400);
/// So long before it expires the next one is made.
const RENEWED_BEFORE: Duration = Duration::from_secs(90 * 86_400);
/// What our keys have when nobody says otherwise: all policies take it, the weak ones nothing larger.
pub(crate) const KEY_BITS: u32 = 2048;
/// Of many network interfaces, so many addresses go into the certificate.
const MOST_ADDRESSES: usize = 16;

/// One of ours, ready to be used.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub role: Role,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub facts: Facts,
}

/// Which sources' servers have taken it, and when last.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Accepted {
    version: u32,
    sources: BTreeMap<String, Timestamp>,
}

// === impl Own ===

impl Own {
    /// The application URI that it names.
    pub(crate) fn uri(&self) -> &str {
        self.facts.uris.first().map_or("urn:fieldgate", |uri| uri)
    }

    /// Whether the server of this source has taken it before.
    pub(crate) fn was_taken_by(&self, source: &str) -> bool {
        let file = self.certificate.with_file_name("accepted.json");
        let accepted: Option<Accepted> = store::read_json(&file);
        accepted.is_some_and(|accepted| accepted.sources.contains_key(source))
    }
}

impl Store {
    /// The certificates to offer, in this order; makes what is missing. Only for threads that may block.
    pub(crate) fn offers(&self, now: Timestamp) -> Result<Vec<Own>, String> {
        let _guard = self.change()?;
        self.repair()?;
        let current = match self.read_own(Role::Own)? {
            Some(current) => current,
            None => {
                let names = names(fresh_uri(&host()));
                self.make(Role::Own, &names, KEY_BITS, now)?
            }
        };
        let mut next = self.read_own(Role::Next)?;
        let left = remaining(&current.facts, now);
        if next.is_none() && left < RENEWED_BEFORE {
            let names = names(current.uri().to_owned());
            let bits = current.facts.key_bits.map_or(KEY_BITS, bits);
            next = Some(self.make(Role::Next, &names, bits, now)?);
            tracing::info!(
                expires = %current.facts.shown.not_after,
                "the gateway's OPC UA certificate expires soon; the next one is offered from now on, trust it on the servers"
            );
        }
        match next {
            Some(next) if left.is_zero() => {
                self.promote()?;
                Ok(vec![self.read_own(Role::Own)?.unwrap_or(next)])
            }
            Some(next) => Ok(vec![next, current]),
            None => Ok(vec![current]),
        }
    }

    /// A server took it. The next one becomes the one in use once all have taken it.
    pub(crate) fn accepted(&self, own: &Own, source: &str, now: Timestamp) -> Result<(), String> {
        let _guard = self.change()?;
        self.trusts_us(source)?;
        let file = own.certificate.with_file_name("accepted.json");
        // It may have been renewed or promoted meanwhile; the next connection notes it again.
        if !own.certificate.exists() {
            return Ok(());
        }
        let mut accepted: Accepted = store::read_json(&file).unwrap_or_default();
        accepted.version = 1;
        accepted.sources.insert(source.to_owned(), now);
        store::write(&file, &store::json(&accepted)?)?;
        if own.role == Role::Next {
            let current = self.own().join("current/accepted.json");
            let current: Accepted = store::read_json(&current).unwrap_or_default();
            let all = current.sources.keys();
            if all
                .into_iter()
                .all(|source| accepted.sources.contains_key(source))
            {
                tracing::info!(
                    "every server takes the gateway's next OPC UA certificate; it is the one in use now"
                );
                self.promote()?;
            }
        }
        Ok(())
    }

    /// A new key and certificate, offered from now on.
    pub(crate) fn renew(&self, key_bits: u32, now: Timestamp) -> Result<Own, String> {
        let uri = match self.read_own(Role::Own)? {
            Some(own) => own.uri().to_owned(),
            None => return self.make(Role::Own, &names(fresh_uri(&host())), key_bits, now),
        };
        self.make(Role::Next, &names(uri), key_bits, now)
    }

    /// A new key, and a request for an authority to sign.
    pub(crate) fn request(&self, key_bits: u32) -> Result<String, String> {
        let uri = match self.read_own(Role::Own)? {
            Some(own) => own.uri().to_owned(),
            None => fresh_uri(&host()),
        };
        let folder = self.own().join("request");
        store::private(&folder)?;
        let key = Key::new(key_bits)?;
        let request = key.request(&names(uri))?;
        store::write(&folder.join("key.pem"), key.to_pem()?.as_bytes())?;
        store::write(&folder.join("request.der"), &request)?;
        Ok(certificate::pem("CERTIFICATE REQUEST", &request))
    }

    /// A certificate that an authority signed for one of our keys becomes the next one. False when it is not for us.
    pub(crate) fn adopt(&self, facts: &Facts) -> Result<bool, String> {
        let own = self.own();
        let public = facts.public_key();
        for folder in ["request", "current", "next"] {
            let file = own.join(folder).join("key.pem");
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            if Key::from_pem(&text)?.public_key() != public {
                continue;
            }
            if facts.uris.is_empty() {
                return Err("the authority left the application URI out of the certificate; ask for one with the subject alternative names of the request".to_owned());
            }
            let role = match self.read_own(Role::Own)? {
                Some(_) => Role::Next,
                None => Role::Own,
            };
            self.place(role, &facts.shown.der, &text)?;
            if folder == "request" {
                remove(&own.join("request"))?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Withdraws the next certificate, or the request.
    pub(crate) fn withdraw(&self, role: Role) -> Result<(), String> {
        remove(&self.own().join(folder(role)))
    }

    /// All of ours, for people.
    pub(crate) fn identities(&self, now: Timestamp) -> Result<Vec<Identity>, String> {
        let mut identities = Vec::new();
        let next = self.read_own(Role::Next)?;
        if let Some(own) = self.read_own(Role::Own)? {
            let left = remaining(&own.facts, now);
            let until = moment(own.facts.shown.not_after);
            let words = match &next {
                _ if left.is_zero() => {
                    format!("It has expired on {until}; with the next connection it is renewed.")
                }
                Some(_) => format!(
                    "In use until all servers take the next one, at the latest until {until}."
                ),
                None => format!(
                    "In use, valid until {until}; {} days before, the next one is made and offered.",
                    RENEWED_BEFORE.as_secs() / 86_400
                ),
            };
            identities.push(Identity {
                role: Role::Own,
                certificate: Some(own.facts.shown),
                request: None,
                words,
            });
        }
        if let Some(next) = next {
            let taken: Accepted =
                store::read_json(&next.certificate.with_file_name("accepted.json"))
                    .unwrap_or_default();
            let old: Accepted =
                store::read_json(&self.own().join("current/accepted.json")).unwrap_or_default();
            let missing: Vec<&str> = old
                .sources
                .keys()
                .filter(|source| !taken.sources.contains_key(*source))
                .map(String::as_str)
                .collect();
            let words = match missing.as_slice() {
                [] => "Offered from the next connection on; then it is the one in use.".to_owned(),
                missing => format!(
                    "Offered first at each connection. Trust it on the servers of {}; until then they take the one in use.",
                    missing.join(", ")
                ),
            };
            identities.push(Identity {
                role: Role::Next,
                certificate: Some(next.facts.shown),
                request: None,
                words,
            });
        }
        if let Ok(der) = fs::read(self.own().join("request/request.der")) {
            identities.push(Identity {
                role: Role::Request,
                certificate: None,
                request: Some(certificate::pem("CERTIFICATE REQUEST", &der)),
                words: "Let your authority sign it, with the names that it asks for, and import the certificate here.".to_owned(),
            });
        }
        Ok(identities)
    }

    pub(crate) fn read_own(&self, role: Role) -> Result<Option<Own>, String> {
        let folder = self.own().join(folder(role));
        let (certificate, key) = (folder.join("cert.der"), folder.join("key.pem"));
        let der = match fs::read(&certificate) {
            Ok(der) => der,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(store::failed(&certificate, &error)),
        };
        let facts = certificate::read(&der).map_err(|why| {
            format!(
                "{}: {why}; remove it, and another is made",
                certificate.display()
            )
        })?;
        Ok(Some(Own {
            role,
            certificate,
            key,
            facts,
        }))
    }

    fn make(
        &self,
        role: Role,
        names: &Names,
        key_bits: u32,
        now: Timestamp,
    ) -> Result<Own, String> {
        let key = Key::new(key_bits)?;
        let der = key.certify(names, now, VALID)?;
        self.place(role, &der, &key.to_pem()?)
    }

    /// The key first: a certificate without it is of no use.
    fn place(&self, role: Role, der: &[u8], key: &str) -> Result<Own, String> {
        let target = self.own().join(folder(role));
        let new = self.own().join(format!("{}.new", folder(role)));
        remove(&new)?;
        store::private(&new)?;
        store::write(&new.join("key.pem"), key.as_bytes())?;
        store::write(&new.join("cert.der"), der)?;
        remove(&target)?;
        fs::rename(&new, &target).map_err(|error| store::failed(&target, &error))?;
        self.read_own(role)?
            .ok_or_else(|| format!("{} is gone again", target.display()))
    }

    /// The next one becomes the one in use.
    fn promote(&self) -> Result<(), String> {
        let own = self.own();
        let (current, next) = (own.join("current"), own.join("next"));
        remove(&current)?;
        fs::rename(&next, &current).map_err(|error| store::failed(&next, &error))
    }

    /// After a crash between the two steps of a promotion, or of placing the first one.
    fn repair(&self) -> Result<(), String> {
        let own = self.own();
        let current = own.join("current");
        for other in ["next", "current.new"] {
            let other = own.join(other);
            if !current.join("cert.der").exists() && other.join("cert.der").exists() {
                remove(&current)?;
                fs::rename(&other, &current).map_err(|error| store::failed(&other, &error))?;
            }
        }
        Ok(())
    }
}

fn folder(role: Role) -> &'static str {
    match role {
        Role::Own => "current",
        Role::Next => "next",
        Role::Request => "request",
    }
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(store::failed(folder, &error)),
        _ => Ok(()),
    }
}

fn remaining(facts: &Facts, now: Timestamp) -> Duration {
    let left = facts.shown.not_after.millis().saturating_sub(now.millis());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}

fn bits(bits: usize) -> u32 {
    if bits > 2048 { 3072 } else { KEY_BITS }
}

/// Unique for this gateway, and the same for ever: servers know us by it. Machines made from one image share a host's name.
fn fresh_uri(host: &str) -> String {
    format!("urn:{host}:fieldgate:{:08x}", rand::random::<u32>())
}

fn names(uri: String) -> Names {
    Names {
        uri,
        hosts: vec![host()],
        addresses: addresses(
            &fs::read_to_string("/proc/net/fib_trie").unwrap_or_default(),
            &fs::read_to_string("/proc/net/if_inet6").unwrap_or_default(),
        ),
    }
}

/// This machine's name.
pub(crate) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    match name.trim() {
        name if !name.is_empty() && name.len() <= 63 && name.chars().all(plain) => name.to_owned(),
        _ => "gateway".to_owned(),
    }
}

/// The addresses of this machine that others can dial, as the kernel lists them.
fn addresses(fib_trie: &str, if_inet6: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut last = None;
    for line in fib_trie.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line.contains("/32 host LOCAL") {
            found.extend(last.filter(|ip| !ip.is_loopback()).map(IpAddr::from));
        }
    }
    for line in if_inet6.lines() {
        let mut fields = line.split_whitespace();
        let digits = fields
            .next()
            .and_then(|text| u128::from_str_radix(text, 16).ok());
        let global = fields.nth(2) == Some("00");
        found.extend(
            digits
                .filter(|_| global)
                .map(|digits| IpAddr::from(Ipv6Addr::from(digits))),
        );
    }
    let mut seen = Vec::new();
    for address in found {
        if !address.is_loopback() && !seen.contains(&address) && seen.len() < MOST_ADDRESSES {
            seen.push(address);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_addresses_are_read_from_the_kernels_lists() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.168.7.4\n        /32 host LOCAL\n     |-- 192.168.7.255\n        /32 link BROADCAST\n     |-- 192.168.7.4\n        /32 host LOCAL\n";
        let inet6 = "fe800000000000000000000000000001 02 40 20 80 eth0\n20010db8000000000000000000000007 02 40 00 80 eth0\n00000000000000000000000000000001 01 80 10 80 lo\n";
        let found: Vec<String> = addresses(trie, inet6)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["192.168.7.4", "2001:db8::7"]);
    }
}
