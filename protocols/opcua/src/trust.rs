//! Trust in the server's certificate: pinned where it was met, or signed by a trusted authority; everything else is a person's to decide.

pub(crate) mod own;
mod shelves;
pub(crate) mod store;

use fieldgate_kit::{SourceError, trust::Shelf};
use fieldgate_model::Timestamp;

pub(crate) use self::shelves::Shelves;
use self::store::{Binding, DistrustNote, Entry, Note, Store};
use crate::{
    certificate::{self, Facts, Flaw, Seen, Signed, flaws, verify},
    settings::ServerTrust,
};

/// Where a certificate was met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meeting<'a> {
    pub source: &'a str,
    /// The endpoint's URL.
    pub address: &'a str,
    pub seen: Seen<'a>,
}

/// Whether a certificate is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With the reason, for instance `the certificate … is trusted`.
    Trusted(String),
    /// Nothing is pinned yet: it is trusted from now on, once [`Store::pin`] has kept it.
    First,
}

/// It is not.
#[derive(Debug)]
pub(crate) struct NotTrusted {
    /// The whole sentence.
    pub words: String,
    /// What a person should decide on; none when nothing is left to decide.
    pub undecided: Option<Box<Entry>>,
}

// === impl Store ===

impl Store {
    /// Compares a server's certificate with what is trusted. Writes nothing.
    ///
    /// # Errors
    /// With what is wrong, and what to do.
    pub(crate) fn judge(
        &self,
        der: &[u8],
        trust: &ServerTrust,
        meeting: Meeting<'_>,
    ) -> Result<Verdict, NotTrusted> {
        let refused = |words: String| NotTrusted {
            words,
            undecided: None,
        };
        let at = meeting.address;
        let unreadable = |why: String| {
            refused(format!(
                "cannot tell whether to trust the server at {at}: {why}"
            ))
        };
        let facts = certificate::read(der).map_err(unreadable)?;
        let shown = &facts.shown;
        let who = format!("{} ({})", shown.thumbprint, shown.subject);
        if let Some(entry) = self
            .find(Shelf::Rejected, &shown.sha256)
            .map_err(unreadable)?
        {
            return Err(refused(format!(
                "the server at {at} shows the certificate {who}, which was rejected on {}; if that was a mistake, accept it on the Trust page, or with `fieldgate trust accept {}`",
                certificate::moment(entry.note.since),
                short(&facts)
            )));
        }
        let authorities = self.authorities().map_err(unreadable)?;
        let signed = verify(&facts, &authorities, meeting.seen.now);
        if let Signed::Revoked(why) = &signed {
            return Err(refused(format!(
                "the certificate {who} of the server at {at} is not trusted: {why}"
            )));
        }
        if let ServerTrust::Thumbprint(only) = trust {
            return match only == &shown.thumbprint {
                true => Ok(trusted(&facts, "")),
                false => Err(refused(format!(
                    "the server at {at} shows the certificate {who}, and only {only} is trusted; find out who answers there, then change `server_certificate`"
                ))),
            };
        }
        let found = flaws(&facts, meeting.seen);
        let pinned = self.entries(Shelf::Trusted).map_err(unreadable)?;
        let binding = meeting.binding();
        let is_bound = |entry: &&Entry| entry.note.bindings.contains(&binding);
        let same = pinned
            .iter()
            .find(|entry| entry.facts.shown.der == shown.der);
        if let Some(entry) = same.filter(|entry| entry.note.all || is_bound(entry)) {
            let news: Vec<Flaw> = found
                .into_iter()
                .filter(|flaw| !entry.note.forgiven.contains(flaw))
                .collect();
            if news.is_empty() {
                return Ok(trusted(&facts, ""));
            }
            let why = words_of(&news, &facts, meeting.seen);
            let words = format!(
                "the certificate {who} of the server at {at} is no longer good: {why}; or accept it as it is, {}",
                how(&facts)
            );
            return Err(undecided(facts, why, news, None, words));
        }
        let mut broken = None;
        match &signed {
            Signed::Good { by, note } if found.is_empty() => {
                let note = note
                    .as_ref()
                    .map_or_else(String::new, |note| format!("; {note}"));
                return Ok(trusted(&facts, &format!(", as {by} has signed it{note}")));
            }
            Signed::Broken(why) => broken = Some(why.clone()),
            _ => {}
        }
        let mut wrong = words_of(&found, &facts, meeting.seen);
        if let Some(broken) = broken {
            wrong = [wrong, broken]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
        if let Some(before) = pinned.iter().find(is_bound) {
            let old = &before.facts.shown;
            let mut why = format!("another certificate than before: it was {}", old.thumbprint);
            if !wrong.is_empty() {
                why.push_str(&format!("; and {wrong}"));
            }
            let words = format!(
                "the server at {at} shows another certificate than before: {who} instead of {}{}; if the server was renewed, accept it {}",
                old.thumbprint,
                if wrong.is_empty() {
                    String::new()
                } else {
                    format!(", and {wrong}")
                },
                how(&facts)
            );
            return Err(undecided(
                facts,
                why,
                found,
                Some(old.sha256.clone()),
                words,
            ));
        }
        match (trust, wrong.is_empty()) {
            (ServerTrust::First, true) => Ok(Verdict::First),
            (_, true) => {
                let words = format!(
                    "the server at {at} shows the certificate {who}, which nobody has accepted yet; compare it with the server's own, then accept or reject it {}",
                    how(&facts)
                );
                Err(undecided(
                    facts,
                    "not accepted yet".to_owned(),
                    found,
                    None,
                    words,
                ))
            }
            (_, false) => {
                let words = format!(
                    "the certificate {who} of the server at {at} is not trusted at first sight: {wrong}; or accept it as it is {}",
                    how(&facts)
                );
                Err(undecided(facts, wrong, found, None, words))
            }
        }
    }

    /// Keeps what a person has to decide on. Only for threads that may block.
    pub(crate) fn ask(
        &self,
        entry: &Entry,
        meeting: &Binding,
        now: Timestamp,
    ) -> Result<(), String> {
        let _guard = self.change()?;
        let mut entry = entry.clone();
        entry.note.since = now;
        self.wait(&entry, meeting)
    }

    /// Trusts the first certificate that was seen there. Only for threads that may block.
    ///
    /// # Errors
    /// When it cannot be kept: without memory there is no trust.
    pub(crate) fn pin(&self, der: &[u8], meeting: &Binding, now: Timestamp) -> Result<(), String> {
        let _guard = self.change()?;
        let entry = Entry {
            facts: certificate::read(der)?,
            note: Note {
                words: "trusted as the first one that was seen".to_owned(),
                since: now,
                ..Note::default()
            },
        };
        self.trust(&entry, std::slice::from_ref(meeting))
    }

    /// A certificate that is trusted there, when there is one: then security was spoken before.
    pub(crate) fn pinned(&self, binding: &Binding) -> Option<Entry> {
        let entries = self.entries(Shelf::Trusted).ok()?;
        entries
            .into_iter()
            .find(|entry| entry.note.bindings.contains(binding))
    }

    /// Remembers that a server does not trust us. Only for threads that may block.
    pub(crate) fn note_distrust(&self, note: DistrustNote) -> Result<(), String> {
        let _guard = self.change()?;
        self.distrusted(note)
    }
}

impl From<NotTrusted> for SourceError {
    fn from(not: NotTrusted) -> Self {
        Self::Refused(not.words)
    }
}

// === impl Meeting ===

impl Meeting<'_> {
    pub(crate) fn binding(&self) -> Binding {
        Binding {
            source: self.source.to_owned(),
            address: self.address.to_owned(),
        }
    }
}

fn trusted(facts: &Facts, why: &str) -> Verdict {
    Verdict::Trusted(format!(
        "the certificate {} is trusted{why}",
        facts.shown.thumbprint
    ))
}

fn undecided(
    facts: Facts,
    why: String,
    flaws: Vec<Flaw>,
    instead_of: Option<String>,
    words: String,
) -> NotTrusted {
    NotTrusted {
        words,
        undecided: Some(Box::new(Entry {
            facts,
            note: Note {
                words: why,
                flaws,
                instead_of,
                ..Note::default()
            },
        })),
    }
}

fn words_of(flaws: &[Flaw], facts: &Facts, seen: Seen<'_>) -> String {
    let words: Vec<String> = flaws.iter().map(|flaw| flaw.words(facts, seen)).collect();
    words.join("; ")
}

fn how(facts: &Facts) -> String {
    format!(
        "on the Trust page, or with `fieldgate trust accept {}`",
        short(facts)
    )
}

/// Enough of the thumbprint to name it.
pub(crate) fn short(facts: &Facts) -> &str {
    &facts.shown.thumbprint[..12]
}

#[cfg(test)]
mod tests;
