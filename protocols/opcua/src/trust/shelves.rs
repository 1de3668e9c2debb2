//! The shelves as people see and change them: the kit's trait over the store.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use fieldgate_kit::trust::{
    Act, Distrust, Done, MOST_BYTES, Peer, Role, Shelf, Shelves as Shown, Trust, UsedBy,
};
use fieldgate_model::Timestamp;

use super::{
    own::KEY_BITS,
    store::{Binding, Entry, Note, Store},
};
use crate::certificate::{self, Facts, Imported, Revocations};

/// All sources' certificates.
#[derive(Debug)]
pub(crate) struct Shelves(Store);

// === impl Shelves ===

impl Shelves {
    pub(crate) fn open(kind_dir: PathBuf) -> Box<dyn Trust> {
        Box::new(Self(Store::at(&kind_dir)))
    }

    fn peers(&self) -> Result<Vec<Peer>, String> {
        let trusted = self.0.entries(Shelf::Trusted)?;
        let authorities = self.0.authorities()?;
        let mut peers = Vec::new();
        for shelf in Shelf::ALL {
            for Entry { facts, note } in self.0.entries(shelf)? {
                let instead_of = note.instead_of.as_ref().and_then(|sha256| {
                    let old = trusted.iter().find(|old| old.facts.shown.sha256 == *sha256);
                    old.map(|old| old.facts.shown.clone())
                });
                let mut words = note.words;
                if shelf == Shelf::Issuers {
                    let list = authorities
                        .iter()
                        .find(|authority| authority.facts.shown.sha256 == facts.shown.sha256)
                        .and_then(|authority| authority.revocations.as_ref());
                    words = format!("{words}; {}", list_words(list));
                }
                peers.push(Peer {
                    shelf,
                    certificate: facts.shown,
                    used_by: note.bindings.into_iter().map(used_by).collect(),
                    words,
                    instead_of,
                    since: note.since,
                });
            }
        }
        Ok(peers)
    }

    /// The one certificate that is meant, with its shelf.
    fn named(&self, named: &str) -> Result<(Shelf, Entry), String> {
        let mut found = Vec::new();
        for shelf in Shelf::ALL {
            let entries = self.0.entries(shelf)?;
            let meant = entries
                .into_iter()
                .filter(|entry| entry.facts.shown.is_named(named));
            found.extend(meant.map(|entry| (shelf, entry)));
        }
        let first = found
            .first()
            .map(|(_, entry)| entry.facts.shown.sha256.clone());
        let named = named.escape_debug();
        match first {
            None => Err(format!(
                "there is no certificate `{named}`; write at least six digits of a thumbprint that `fieldgate trust ls` shows"
            )),
            Some(first)
                if found
                    .iter()
                    .any(|(_, entry)| entry.facts.shown.sha256 != first) =>
            {
                Err(format!(
                    "`{named}` is the beginning of several thumbprints; write more of it"
                ))
            }
            // What waits is decided first; else a certificate lies on one shelf only.
            Some(_) => {
                let waits = found.iter().position(|(shelf, _)| *shelf == Shelf::Waiting);
                Ok(found.swap_remove(waits.unwrap_or(0)))
            }
        }
    }

    fn accept(&self, named: &str, now: Timestamp) -> Result<Done, String> {
        let (shelf, mut entry) = self.named(named)?;
        if shelf == Shelf::Issuers {
            return Err("it is an authority's, and what it signs is trusted already".to_owned());
        }
        let bindings = std::mem::take(&mut entry.note.bindings);
        let words = format!("{} is trusted", name(&entry.facts));
        // What a person has seen and accepted; what comes later is told again.
        entry.note.forgiven = entry.note.flaws.clone();
        entry.note.all |= bindings.is_empty();
        entry.note.words = "accepted by a person".to_owned();
        entry.note.since = now;
        entry.note.instead_of = None;
        self.0.trust(&entry, &bindings)?;
        self.0.remove(Shelf::Rejected, &entry.facts.shown.sha256)?;
        Ok(done(words, &bindings))
    }

    fn reject(&self, named: &str, now: Timestamp) -> Result<Done, String> {
        let (shelf, mut entry) = self.named(named)?;
        if shelf == Shelf::Issuers {
            return Err(
                "it is an authority's; remove it, and what it signs is no longer trusted"
                    .to_owned(),
            );
        }
        let was = std::mem::replace(&mut entry.note.words, "rejected by a person".to_owned());
        entry.note.since = now;
        entry.note.all = false;
        self.0.put(Shelf::Rejected, &entry)?;
        for other in [Shelf::Waiting, Shelf::Trusted] {
            self.0.remove(other, &entry.facts.shown.sha256)?;
        }
        tracing::info!(
            thumbprint = entry.facts.shown.thumbprint,
            was,
            "a certificate is rejected"
        );
        let mut words = format!("{} is rejected", name(&entry.facts));
        if shelf == Shelf::Trusted {
            words.push_str("; a connection that stands ends only when it is restarted");
        }
        Ok(done(words, &entry.note.bindings))
    }

    fn remove(&self, named: &str) -> Result<Done, String> {
        if named == "request" {
            self.0.withdraw(Role::Request)?;
            return Ok(Done {
                words: "the request is withdrawn; what an authority makes of it is no longer taken"
                    .to_owned(),
                ..Done::default()
            });
        }
        if let Some(next) = self.0.read_own(Role::Next)?
            && next.facts.shown.is_named(named)
        {
            self.0.withdraw(Role::Next)?;
            return Ok(Done {
                words: format!("{} is no longer offered", name(&next.facts)),
                ..Done::default()
            });
        }
        let (shelf, entry) = self.named(named)?;
        self.0.remove(shelf, &entry.facts.shown.sha256)?;
        let words = format!("{} is forgotten", name(&entry.facts));
        Ok(done(words, &entry.note.bindings))
    }

    fn import(&self, bytes: &[u8], now: Timestamp) -> Result<Done, String> {
        if bytes.len() > MOST_BYTES {
            return Err(format!(
                "it is larger than {} KiB; send less",
                MOST_BYTES >> 10
            ));
        }
        let mut items = certificate::read_import(bytes)?;
        // A list needs its authority, which may stand behind it.
        items.sort_by_key(|item| matches!(item, Imported::Revocations(_)));
        let mut words = Vec::new();
        for item in items {
            words.push(match item {
                Imported::Revocations(list) => self.import_list(&list)?,
                Imported::Certificate(facts) => self.import_certificate(*facts, now)?,
            });
        }
        Ok(Done {
            words: words.join("; "),
            retry: Vec::new(),
            all: true,
        })
    }

    fn import_certificate(&self, facts: Facts, now: Timestamp) -> Result<String, String> {
        let name = name(&facts);
        if self.0.adopt(&facts)? {
            return Ok(format!("{name} is this gateway's own next certificate"));
        }
        let (shelf, words) = match facts.shown.authority {
            true => (Shelf::Issuers, format!("what {name} signs is trusted")),
            false => (Shelf::Trusted, format!("{name} is trusted")),
        };
        let entry = Entry {
            note: Note {
                all: true,
                words: "imported by a person".to_owned(),
                since: now,
                ..Note::default()
            },
            facts,
        };
        match shelf {
            Shelf::Trusted => {
                self.0.remove(Shelf::Rejected, &entry.facts.shown.sha256)?;
                self.0.trust(&entry, &[])?;
            }
            shelf => self.0.put(shelf, &entry)?,
        }
        Ok(words)
    }

    fn import_list(&self, list: &Revocations) -> Result<String, String> {
        let authorities = self.0.authorities()?;
        let issuer = list.issuer();
        let authority = authorities
            .iter()
            .find(|authority| list.is_of(&authority.facts));
        let Some(authority) = authority else {
            return Err(format!(
                "the list of revocation is of {}, which is no trusted authority, or it is not signed with its key; import the authority first",
                issuer.escape_debug()
            ));
        };
        if let Some(before) = &authority.revocations
            && before.this_update > list.this_update
        {
            return Err(format!(
                "there is a newer list of {issuer} already, of {}",
                certificate::moment(before.this_update)
            ));
        }
        self.0.put_list(&authority.facts, list)?;
        Ok(format!("{issuer} has revoked {} certificates", list.len()))
    }
}

impl Trust for Shelves {
    fn shelves(&self) -> Result<Shown, String> {
        let distrusting = self.0.distrusting()?.into_iter().map(|note| Distrust {
            source: note.source,
            address: note.address,
            words: note.words,
            thumbprint: note.thumbprint,
            since: note.since,
            tried: note.tried,
        });
        Ok(Shown {
            identities: self.0.identities(now())?,
            peers: self.peers()?,
            distrusting: distrusting.collect(),
        })
    }

    fn waiting(&self) -> usize {
        self.0.waiting()
    }

    fn act(&self, act: Act) -> Result<Done, String> {
        let _guard = self.0.change()?;
        let now = now();
        match act {
            Act::Accept(named) => self.accept(&named, now),
            Act::Reject(named) => self.reject(&named, now),
            Act::Remove(named) => self.remove(&named),
            Act::Import(bytes) => self.import(&bytes, now),
            Act::Renew { key_bits } => {
                let own = self.0.renew(expect_bits(key_bits)?, now)?;
                Ok(Done {
                    words: format!(
                        "the certificate {} is offered from the next connection on; trust it on the servers",
                        own.facts.shown.thumbprint
                    ),
                    retry: Vec::new(),
                    all: true,
                })
            }
            Act::Request { key_bits } => Ok(Done {
                words: self.0.request(expect_bits(key_bits)?)?,
                ..Done::default()
            }),
        }
    }
}

fn expect_bits(bits: u32) -> Result<u32, String> {
    match bits {
        0 => Ok(KEY_BITS),
        2048 | 3072 => Ok(bits),
        other => Err(format!(
            "{other} bits are no size for a key; write 2048 or 3072"
        )),
    }
}

fn done(words: String, bindings: &[Binding]) -> Done {
    Done {
        words,
        all: bindings.is_empty(),
        retry: bindings.iter().map(|bound| bound.source.clone()).collect(),
    }
}

fn used_by(binding: Binding) -> UsedBy {
    UsedBy {
        source: binding.source,
        address: binding.address,
    }
}

fn name(facts: &Facts) -> String {
    format!("{} ({})", facts.shown.subject, super::short(facts))
}

fn list_words(list: Option<&Revocations>) -> String {
    match list {
        None => "without a list of revocation: what it took back is not known".to_owned(),
        Some(list) => {
            let until = list.next_update.map_or_else(String::new, |until| {
                format!(", good until {}", certificate::moment(until))
            });
            format!(
                "its list of revocation of {} names {}{until}",
                certificate::moment(list.this_update),
                list.len()
            )
        }
    }
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
