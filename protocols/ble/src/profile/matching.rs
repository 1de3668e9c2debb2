//! `Match`: which advertisements are of a profile.

use std::borrow::Cow;

use uuid::Uuid;

use super::document::{Node, Problems, Reader, hex_of};
use crate::{Advertisement, uuid_of};

const APPLE: u16 = 0x004C;

/// One way to recognise a device; all that it says holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Match {
    pub company: Option<Company>,
    /// The company identifier's two bytes are part of the data, as on the air: some makers put values there.
    company_is_data: bool,
    pub service_data: Option<Uuid>,
    pub service: Option<Uuid>,
    /// One of these fits.
    pub names: Vec<Glob>,
    starts: Vec<Starts>,
    length: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    One(u16),
    Any,
}

/// Bytes at a place, where the mask is set.
#[derive(Debug, Clone)]
struct Starts {
    at: usize,
    bytes: Vec<u8>,
    mask: Vec<u8>,
}

/// A name with `*` for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<String>);

// === impl Match ===

impl Match {
    pub(super) fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut reader = Reader::of(node, "`match`", problems)?;
        let company = company(&mut reader, problems);
        let company_is_data = reader.truth("company_is_data", problems);
        let uuid = |key, reader: &mut Reader<'_>, problems: &mut Problems| {
            let should = "a UUID, four hexadecimal digits such as \"fcd2\" or all 32";
            reader.read(key, should, problems, |node| uuid_of(node.text()?).ok())
        };
        let service_data = uuid("service_data", &mut reader, problems);
        let service = uuid("service", &mut reader, problems);
        let names = reader.texts("name", problems);
        let names: Vec<Glob> = names.into_iter().map(Glob::of).collect();
        let starts = Starts::parse(&mut reader, problems);
        let length = length(&mut reader, problems);
        let line = reader.line();
        reader.finish(problems);
        let has_data = company.is_some() || service_data.is_some();
        if !has_data && (!starts.is_empty() || length.is_some() || company_is_data) {
            problems.add(
                line,
                "`starts_with`, `length` and `company_is_data` are about the bytes of `manufacturer` or `service_data`; name one of these",
            );
        }
        if company_is_data && company.is_none() {
            problems.add(line, "`company_is_data` needs `manufacturer`");
        }
        if !has_data && service.is_none() && names.iter().all(|name| name.literal() < 2) {
            problems.add(
                line,
                "this would match nearly everything; say `manufacturer`, `service_data`, `service`, or two letters of a `name`",
            );
        }
        if company == Some(Company::Any)
            && names.is_empty()
            && service.is_none()
            && service_data.is_none()
            && starts.is_empty()
        {
            problems.add(
                line,
                "`manufacturer = \"any\"` needs a `name`, a service, or `starts_with`",
            );
        }
        Some(Self {
            company,
            company_is_data,
            service_data,
            service,
            names,
            starts,
            length,
        })
    }

    /// How much it asks for: what asks for more is asked first.
    pub(super) fn rank(&self) -> usize {
        let bits: u32 = self
            .starts
            .iter()
            .flat_map(|starts| &starts.mask)
            .map(|mask| mask.count_ones())
            .sum();
        let length = match self.length {
            Some((least, most)) if least == most => 10,
            Some(_) => 4,
            None => 0,
        };
        let name = self.names.iter().map(Glob::literal).min().unwrap_or(0);
        let part = |said: bool| usize::from(said) * 8;
        let rank = usize::try_from(bits).unwrap_or(0)
            + length
            + name.min(8) * 4
            + part(matches!(self.company, Some(Company::One(_))))
            + part(self.service_data.is_some())
            + part(self.service.is_some());
        // Many makers let Apple's beacon run beside their own data, which are what the device is about.
        if self.company == Some(Company::One(APPLE)) {
            rank / 16
        } else {
            rank
        }
    }

    /// The pairs of letters that are in each name that it asks for.
    pub(super) fn pairs(&self) -> u64 {
        let names = self.names.iter().map(Glob::pairs);
        names.reduce(|one, other| one & other).unwrap_or(0)
    }

    /// The bytes that the fields are in, where it fits; empty where it names none.
    pub(super) fn find<'a>(&self, advertisement: &'a Advertisement) -> Option<Cow<'a, [u8]>> {
        let service = self
            .service
            .is_none_or(|uuid| advertisement.services.contains(&uuid));
        let name = self.names.is_empty()
            || advertisement
                .name
                .as_deref()
                .is_some_and(|name| self.names.iter().any(|glob| glob.fits(name)));
        if service && name {
            self.data(advertisement)
        } else {
            None
        }
    }

    /// The same without a look at the name and the services, which a passive scan does not hear.
    pub(super) fn data<'a>(&self, advertisement: &'a Advertisement) -> Option<Cow<'a, [u8]>> {
        let Some(company) = self.company else {
            return self.of_service(advertisement);
        };
        if self.service_data.is_some() {
            self.of_service(advertisement)?;
        }
        advertisement
            .manufacturer
            .iter()
            .filter(|(id, _)| company == Company::Any || company == Company::One(*id))
            // Before anything is copied.
            .filter(|(_, bytes)| {
                self.fits_length(bytes.len() + 2 * usize::from(self.company_is_data))
            })
            .map(|(id, bytes)| {
                if self.company_is_data {
                    let mut whole = Vec::with_capacity(bytes.len() + 2);
                    whole.extend(id.to_le_bytes());
                    whole.extend(bytes);
                    Cow::Owned(whole)
                } else {
                    Cow::Borrowed(bytes.as_slice())
                }
            })
            .find(|bytes| self.fits(bytes))
    }

    fn of_service<'a>(&self, advertisement: &'a Advertisement) -> Option<Cow<'a, [u8]>> {
        let Some(uuid) = self.service_data else {
            return Some(Cow::Borrowed(&[]));
        };
        // Where the manufacturer's data are named too, what is said of bytes is about those.
        let looked_at = self.company.is_none();
        advertisement
            .service_data
            .iter()
            .filter(|(id, _)| *id == uuid)
            .map(|(_, bytes)| bytes.as_slice())
            .find(|bytes| !looked_at || self.fits(bytes))
            .map(Cow::Borrowed)
    }

    fn fits(&self, bytes: &[u8]) -> bool {
        self.fits_length(bytes.len()) && self.starts.iter().all(|starts| starts.fits(bytes))
    }

    fn fits_length(&self, length: usize) -> bool {
        self.length
            .is_none_or(|(least, most)| (least..=most).contains(&length))
    }

    /// It names bytes.
    pub(super) fn has_data(&self) -> bool {
        self.company.is_some() || self.service_data.is_some()
    }

    /// An advertisement of these bytes that it could fit, for who has only the bytes.
    pub(super) fn dress(&self, bytes: &[u8], advertisement: &mut Advertisement) {
        match self.company {
            Some(Company::One(id)) if !self.company_is_data => {
                advertisement.manufacturer.push((id, bytes.to_vec()));
            }
            Some(_) if self.company_is_data && bytes.len() >= 2 => {
                let id = u16::from_le_bytes([bytes[0], bytes[1]]);
                advertisement.manufacturer.push((id, bytes[2..].to_vec()));
            }
            Some(_) => advertisement.manufacturer.push((0xFFFF, bytes.to_vec())),
            None => {}
        }
        if let Some(uuid) = self.service_data {
            let bytes = if self.company.is_none() { bytes } else { &[] };
            advertisement.service_data.push((uuid, bytes.to_vec()));
        }
        if let Some(uuid) = self.service {
            advertisement.services.push(uuid);
        }
        if advertisement.name.is_none()
            && let Some(name) = self.names.first()
        {
            advertisement.name = Some(name.0.join(""));
        }
    }
}

fn company(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<Company> {
    let should = "a company identifier such as 0x0499, or \"any\"";
    reader.read("manufacturer", should, problems, |node| {
        if node.text() == Some("any") {
            return Some(Company::Any);
        }
        u16::try_from(node.integer()?).ok().map(Company::One)
    })
}

/// So many bytes, or `[least, most]`.
fn length(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<(usize, usize)> {
    let should = "how many bytes there are, or [the fewest, the most]";
    reader.read("length", should, problems, |node| {
        let counts = node.items().iter();
        let counts: Vec<usize> = counts
            .map(|node| usize::try_from(node.integer()?).ok())
            .collect::<Option<_>>()?;
        match counts.as_slice() {
            [exact] => Some((*exact, *exact)),
            [least, most] if least <= most => Some((*least, *most)),
            _ => None,
        }
    })
}

// === impl Starts ===

impl Starts {
    /// `starts_with`, with `at` and `mask`; or several of these as tables.
    fn parse(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Self> {
        let starts = reader.take("starts_with");
        let bytes = |node: &Node| {
            let bytes = hex_of(node.text()?)?;
            (1..=64).contains(&bytes.len()).then_some(bytes)
        };
        let should = "hexadecimal digits, as many as `starts_with` has";
        let mask = reader.read("mask", should, problems, bytes);
        let should = "the byte at which `starts_with` begins, counted from 0";
        let at = reader.read("at", should, problems, |node| {
            usize::try_from(node.integer()?)
                .ok()
                .filter(|at| *at <= 255)
        });
        let Some(node) = starts else {
            if mask.is_some() || at.is_some() {
                problems.add(reader.line(), "`mask` and `at` are for `starts_with`");
            }
            return Vec::new();
        };
        let Some(bytes) = bytes(node) else {
            problems.add(
                node.line,
                "`starts_with` of `match` is 1 to 64 bytes as hexadecimal digits",
            );
            return Vec::new();
        };
        let mask = mask.unwrap_or_else(|| vec![0xFF; bytes.len()]);
        if mask.len() != bytes.len() {
            problems.add(node.line, "`mask` has as many bytes as `starts_with`");
            return Vec::new();
        }
        let masked = bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask);
        vec![Self {
            at: at.unwrap_or(0),
            bytes: masked.collect(),
            mask,
        }]
    }

    fn fits(&self, bytes: &[u8]) -> bool {
        let Some(part) = bytes.get(self.at..self.at + self.bytes.len()) else {
            return false;
        };
        let masked = part.iter().zip(&self.mask).map(|(byte, mask)| byte & mask);
        masked.eq(self.bytes.iter().copied())
    }
}

// === impl Glob ===

impl Glob {
    fn of(text: &str) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }

    /// How many bytes it insists on.
    fn literal(&self) -> usize {
        self.0.iter().map(String::len).sum()
    }

    /// What names that fit begin with, where that is something.
    pub(super) fn first_byte(&self) -> Option<u8> {
        self.0.first()?.bytes().next()
    }

    fn pairs(&self) -> u64 {
        let parts = self.0.iter().map(|part| pairs(part.as_bytes()));
        parts.fold(0, |all, part| all | part)
    }

    /// Each part is searched once, from where the one before it ended.
    fn fits(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else {
            return false;
        };
        let (name, first) = (name.as_bytes(), first.as_bytes());
        let Some((last, middle)) = rest.split_last() else {
            return same(name, first);
        };
        let last = last.as_bytes();
        let Some(inner) = name.len().checked_sub(first.len() + last.len()) else {
            return false;
        };
        let (begin, rest) = name.split_at(first.len());
        let (mut inner, end) = rest.split_at(inner);
        if !same(begin, first) || !same(end, last) {
            return false;
        }
        for part in middle.iter().filter(|part| !part.is_empty()) {
            let part = part.as_bytes();
            let Some(begin) = inner
                .windows(part.len())
                .position(|window| same(window, part))
            else {
                return false;
            };
            inner = &inner[begin + part.len()..];
        }
        true
    }
}

/// Byte by byte: names are short, and mostly differ in the first one. The library's comparison loads whole vectors, which takes some
/// processors a hundred times longer where a page ends.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (0..one.len()).all(|at| one[at] == other[at])
}

/// Which pairs of letters stand side by side, a bit for each, which some of them share: what has a part has all of its pairs.
pub(super) fn pairs(letters: &[u8]) -> u64 {
    letters.windows(2).fold(0, |bits, pair| {
        bits | 1 << ((pair[0].wrapping_mul(7) ^ pair[1]) & 63)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_globs() {
        let fits = |glob: &str, name: &str| {
            let glob = Glob::of(glob);
            let fits = glob.fits(name);
            let has_pairs = glob.pairs() & !pairs(name.as_bytes()) == 0;
            assert!(has_pairs || !fits, "{glob:?} {name}");
            fits
        };
        assert!(fits("sps", "sps"));
        assert!(!fits("sps", "spsx"));
        assert!(fits("TP357*", "TP357 (2142)"));
        assert!(!fits("TP357*", "TP35"));
        assert!(fits("*beacon*", "my beacon 7"));
        assert!(fits("a*b*c", "a--b--c"));
        assert!(fits("a**c", "a-c"));
        assert!(!fits("a*b*c", "a--c"));
        // The two ends do not overlap.
        assert!(!fits("ab*ba", "aba"));
        assert_eq!(Glob::of("*x").first_byte(), None);
    }
}
