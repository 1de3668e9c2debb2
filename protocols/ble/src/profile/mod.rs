//! Profiles: what the bytes of a kind of device mean, as TOML files with their own examples.

mod bundled;
mod document;
mod example;
mod index;
mod layout;
mod matching;
mod named;
mod number;
mod parse;
#[cfg(test)]
mod tests;
mod try_out;

use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

pub(crate) use document::{hex, hex_of};
pub use layout::Layout;
pub(crate) use number::{DataType, Form, Raw, Scaling};
pub use try_out::{TryData, TryOut, try_out};

use crate::{Advertisement, CharacteristicRule, Decode, Decoded, Key, Memory, Nature};
use example::Example;
use index::Index;
use layout::Cut;
use matching::Match;

/// All profiles that are known, and which one an advertisement belongs to. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Profiles(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// People's own ones first.
    all: Vec<Arc<Profile>>,
    own: usize,
    index: Index,
}

/// One kind of device.
#[derive(Debug)]
pub struct Profile {
    id: Arc<str>,
    title: Arc<str>,
    vendor: Option<Arc<str>>,
    docs: Option<Arc<str>>,
    matches: Vec<Match>,
    /// Devices send it beside their own format.
    general: bool,
    expected_interval: Option<Duration>,
    sleeps: bool,
    sealed: bool,
    body: Body,
    characteristics: Vec<CharacteristicRule>,
    points: Vec<PointFacts>,
    examples: Vec<Example>,
}

/// How its bytes are read.
#[derive(Debug)]
enum Body {
    Places {
        layout: Layout,
        counter: Option<Counter>,
    },
    Code(Decode),
}

/// What tells packets apart.
#[derive(Debug)]
struct Counter {
    at: i32,
    cut: Cut,
    of: CounterOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CounterOf {
    /// It counts packets: the same number is the same packet.
    Packet,
    /// It counts what happened: the same number says that nothing did.
    Events,
}

/// What a profile says of one of its points, before a device was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct PointFacts {
    pub id: Arc<str>,
    /// UCUM code.
    pub unit: Option<Arc<str>>,
    pub nature: Nature,
}

// === impl Profiles ===

impl Profiles {
    /// Those that come with the program.
    #[must_use]
    pub fn bundled() -> Self {
        Self::of(bundled::bundled(), 0)
    }

    /// Those that come with the program, and those of folders: a later folder's file replaces an earlier one of its name. Files that
    /// are no profiles are told (`file:line: what, remedy`) and left out.
    #[must_use]
    pub fn with_folders(folders: &[PathBuf]) -> (Self, Vec<String>) {
        bundled::with_folders(folders)
    }

    fn of(all: Vec<Arc<Profile>>, own: usize) -> Self {
        let index = Index::of(&all, own);
        Self(Arc::new(Known { all, own, index }))
    }

    /// The one that this advertisement belongs to: people's own ones before those that come with the program, and of these the one
    /// whose match asks for most. General formats, which devices send beside their own, come last.
    #[must_use]
    pub fn find(&self, advertisement: &Advertisement) -> Option<&Arc<Profile>> {
        let number = self.0.index.find(&self.0.all, advertisement)?;
        self.0.all.get(number)
    }

    /// By its id, which is its file's name without the ending.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<Arc<Profile>> {
        let named = self.0.all.iter().find(|profile| profile.id() == id);
        named.cloned()
    }

    #[must_use]
    pub fn all(&self) -> &[Arc<Profile>] {
        &self.0.all
    }

    /// These and one more, which replaces one with the same id and is asked before the others.
    #[must_use]
    pub fn with(&self, profile: Profile) -> Self {
        let own = self.0.all.iter().take(self.0.own);
        let own = 1 + own.filter(|other| other.id != profile.id).count();
        let others = self.0.all.iter().filter(|other| other.id != profile.id);
        let others: Vec<_> = others.cloned().collect();
        let mut all = vec![Arc::new(profile)];
        all.extend(others);
        Self::of(all, own)
    }
}

// === impl Profile ===

impl Profile {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }

    /// Devices send it beside their own format.
    pub(crate) fn is_general(&self) -> bool {
        self.general
    }

    /// What such devices are called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Who makes them.
    #[must_use]
    pub fn vendor(&self) -> Option<&str> {
        self.vendor.as_deref()
    }

    /// Where the format is published.
    #[must_use]
    pub fn docs(&self) -> Option<&str> {
        self.docs.as_deref()
    }

    /// How often such a device usually sends.
    #[must_use]
    pub fn expected_interval(&self) -> Option<Duration> {
        self.expected_interval
    }

    /// It sends only when something happens.
    #[must_use]
    pub fn sleeps(&self) -> bool {
        self.sleeps
    }

    /// Its packets can be encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// What it usually tells.
    #[must_use]
    pub fn points(&self) -> &[PointFacts] {
        &self.points
    }

    /// What is read from such a device over a connection, where its settings say nothing else.
    #[must_use]
    pub fn characteristics(&self) -> &[CharacteristicRule] {
        &self.characteristics
    }

    /// What an advertisement says. A packet of such a device that is of another format has no fields.
    pub fn decode(
        &self,
        advertisement: &Advertisement,
        key: Option<&Key>,
        memory: &mut Memory,
    ) -> Decoded {
        let (layout, counter) = match &self.body {
            Body::Code(decode) => return decode(advertisement, key, memory),
            Body::Places { layout, counter } => (layout, counter.as_ref()),
        };
        let mut fields = Vec::with_capacity(layout.places.len());
        if let Some(data) = self.matched(advertisement) {
            let count = counter.and_then(|counter| counter.read(&data));
            let seen = memory.packet.is_some() && memory.packet == count;
            let of_packets = counter.is_some_and(|counter| counter.of == CounterOf::Packet);
            if seen && of_packets {
                return Decoded::Repeated;
            }
            // The first number of a counter of events says nothing: they may have been long ago. Without a number nothing tells the
            // packet from the same one before.
            let happened = count.is_some() && !seen && (of_packets || memory.packet.is_some());
            let read = layout.each(&data, Some(advertisement), |field, _| {
                if field.nature == Nature::Measured || happened {
                    fields.push(field);
                }
            });
            if let Err(unfit) = read {
                return Decoded::Unfit(unfit.to_string());
            }
            memory.packet = count.or(memory.packet);
        }
        Decoded::Fields {
            fields,
            sealed: false,
        }
    }

    /// Tries its examples: what it does not read as they say, a line each.
    #[must_use]
    pub fn check(&self, all: &Profiles) -> Vec<String> {
        let tried = self.examples.iter();
        let tried = tried.filter_map(|example| example.check(self, all).err());
        tried.collect()
    }

    /// The bytes that its fields are in. Where somebody chose the profile, the device need not say its name.
    fn matched<'a>(&self, advertisement: &'a Advertisement) -> Option<Cow<'a, [u8]>> {
        let fits = self.matches.iter();
        let fits = fits.filter_map(|found| found.find(advertisement));
        let data = self.matches.iter();
        let data = data.filter_map(|found| found.data(advertisement));
        fits.chain(data).next()
    }

    /// Puts bytes where the first match that fits them wants them.
    fn dress(&self, bytes: &[u8], advertisement: &mut Advertisement) {
        let bare = advertisement.clone();
        for found in self.matches.iter().filter(|found| found.has_data()) {
            advertisement.clone_from(&bare);
            found.dress(bytes, advertisement);
            if found.find(advertisement).is_some() {
                return;
            }
        }
        // None fits: the first one says best what is missing.
        advertisement.clone_from(&bare);
        if let Some(found) = self.matches.first() {
            found.dress(bytes, advertisement);
        }
    }
}

// === impl Counter ===

impl Counter {
    fn read(&self, data: &[u8]) -> Option<u64> {
        self.cut.at(self.at, data).map(i64::cast_unsigned)
    }
}

#[cfg(test)]
impl Profile {
    /// The whole numbers among its places, for tests that write them.
    pub(crate) fn numbers(&self) -> Vec<(Arc<str>, usize, DataType, Scaling)> {
        let Body::Places { layout, .. } = &self.body else {
            return Vec::new();
        };
        let number = |place: &layout::Place| match place.what {
            layout::What::Number { cut, scaling } if cut.bits.is_none() => {
                let at = usize::try_from(place.at).ok()?;
                Some((Arc::clone(&place.id), at, cut.data_type, scaling))
            }
            _ => None,
        };
        layout.places.iter().filter_map(number).collect()
    }
}
