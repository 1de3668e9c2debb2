//! `Example`: an advertisement and what it reads, which stands in a profile and runs as a test.

use fieldgate_model::Value;
use uuid::Uuid;

use super::{
    Profile, Profiles,
    document::{Kind, Node, Problems, Reader, hex_of},
};
use crate::{Address, Advertisement, Decoded, Field, Key, Memory, uuid_of};

/// One example.
#[derive(Debug, Clone)]
pub(super) struct Example {
    line: Option<usize>,
    /// The bytes that the match names.
    pub data: Option<Vec<u8>>,
    /// Packets that came before, which only differ in these bytes.
    before: Vec<Vec<u8>>,
    manufacturer: Vec<(u16, Vec<u8>)>,
    service_data: Vec<(Uuid, Vec<u8>)>,
    services: Vec<Uuid>,
    name: Option<String>,
    address: Address,
    random: bool,
    key: Option<Key>,
    pub expected: Expected,
    /// How far numbers may be off, where a display rounds them.
    within: f64,
}

#[derive(Debug, Clone)]
pub(super) enum Expected {
    Reads(Vec<(String, Node)>),
    /// It is not of this profile.
    Not,
    /// It is encrypted, and there is no key.
    NeedsKey,
    /// It is of this profile and nonsense.
    Unfit,
    Repeated,
}

// === impl Example ===

impl Example {
    pub(super) fn parse(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut reader = Reader::of(node, "an example", problems)?;
        let should = "bytes as hexadecimal digits";
        let data = reader.read("data", should, problems, |node| hex_of(node.text()?));
        let before = reader.read("before", should, problems, |node| {
            node.items()
                .iter()
                .map(|node| hex_of(node.text()?))
                .collect()
        });
        let should = "a company identifier and its bytes, \"0499:05…\"";
        let manufacturer = reader.read("manufacturer", should, problems, |node| {
            node.items()
                .iter()
                .map(|node| company_part(node.text()?))
                .collect()
        });
        let should = "a UUID and its bytes, \"fcd2:40…\"";
        let service_data = reader.read("service_data", should, problems, |node| {
            node.items()
                .iter()
                .map(|node| service_part(node.text()?))
                .collect()
        });
        let services = reader.read("services", "UUIDs", problems, |node| {
            let uuid = |node: &Node| uuid_of(node.text()?).ok();
            node.items().iter().map(uuid).collect()
        });
        let name = reader.text("name", problems).map(str::to_owned);
        let should = "an address such as A4:C1:38:0B:F5:11";
        let address = reader.read("address", should, problems, |node| {
            node.text()?.parse().ok()
        });
        let random = reader.truth("random", problems);
        let should = "a key of 32 (or 24) hexadecimal digits";
        let key = reader.read("key", should, problems, |node| {
            Key::parse(node.text()?).ok()
        });
        let within = reader.number("within", problems).unwrap_or(0.0);
        // Where it comes from, for people.
        reader.text("source", problems);
        let expected = expected(&mut reader, problems);
        let line = reader.line();
        reader.finish(problems);
        Some(Self {
            line,
            data,
            before: before.unwrap_or_default(),
            manufacturer: manufacturer.unwrap_or_default(),
            service_data: service_data.unwrap_or_default(),
            services: services.unwrap_or_default(),
            name,
            address: address.unwrap_or(Address([0xC0, 0xDE, 0, 0, 0, 1])),
            random,
            key,
            expected: expected?,
            within,
        })
    }

    /// What is heard.
    pub(super) fn advertisement(&self, profile: &Profile) -> Advertisement {
        self.with_data(profile, self.data.as_deref())
    }

    fn with_data(&self, profile: &Profile, data: Option<&[u8]>) -> Advertisement {
        let mut advertisement = Advertisement::new(self.address, self.random);
        advertisement.name.clone_from(&self.name);
        advertisement.services.clone_from(&self.services);
        if let Some(data) = data {
            profile.dress(data, &mut advertisement);
        }
        advertisement
            .manufacturer
            .extend(self.manufacturer.iter().cloned());
        advertisement
            .service_data
            .extend(self.service_data.iter().cloned());
        advertisement
    }

    /// What it does not read as it says.
    pub(super) fn check(&self, profile: &Profile, all: &Profiles) -> Result<(), String> {
        let advertisement = self.advertisement(profile);
        let found = all.find(&advertisement);
        let is_ours = found.as_ref().is_some_and(|found| found.id == profile.id);
        if matches!(self.expected, Expected::Not) {
            return if is_ours {
                Err(self.say("it is taken for one of this profile, and is none"))
            } else {
                Ok(())
            };
        }
        if !is_ours {
            let by = found.map_or("no profile".to_owned(), |found| format!("`{}`", found.id));
            return Err(self.say(&format!("its advertisement is found by {by}")));
        }
        let mut memory = Memory::default();
        for data in &self.before {
            let before = self.with_data(profile, Some(data));
            profile.decode(&before, self.key.as_ref(), &mut memory);
        }
        let decoded = profile.decode(&advertisement, self.key.as_ref(), &mut memory);
        match (&self.expected, &decoded) {
            (Expected::Reads(reads), Decoded::Fields { fields, .. }) => self.compare(reads, fields),
            (Expected::NeedsKey, Decoded::NeedsKey)
            | (Expected::Unfit, Decoded::Unfit(_))
            | (Expected::Repeated, Decoded::Repeated) => Ok(()),
            _ => Err(self.say(&format!("it comes out as {decoded:?}"))),
        }
    }

    fn compare(&self, reads: &[(String, Node)], fields: &[Field]) -> Result<(), String> {
        for (id, node) in reads {
            let field = fields.iter().find(|field| *field.id == **id);
            let fits = match (&node.kind, field.map(|field| &field.value)) {
                // `false` for a point that is not there.
                (Kind::Bool(false), None) => true,
                (Kind::Bool(truth), Some(Value::Bool(read))) => truth == read,
                (Kind::Text(text), Some(Value::Text(read))) => text == read,
                (_, Some(value)) => match (node.number(), value.as_f64()) {
                    (Some(number), Some(read)) => {
                        (number - read).abs() <= self.within.max(number.abs() * 1e-9)
                    }
                    _ => false,
                },
                (_, None) => false,
            };
            if !fits {
                let read = field.map_or("nothing".to_owned(), |field| format!("{:?}", field.value));
                let said = node.to_json();
                return Err(self.say(&format!("`{id}` should read {said}, and reads {read}")));
            }
        }
        Ok(())
    }

    fn say(&self, what: &str) -> String {
        match self.line {
            Some(line) => format!("line {line}: the example: {what}"),
            None => format!("the example: {what}"),
        }
    }
}

fn expected(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<Expected> {
    let should = "a table of points and what they read, { temperature = 24.3 }";
    let reads = reader.read("reads", should, problems, |node| match &node.kind {
        Kind::Table(entries) if !entries.is_empty() => Some(entries.clone()),
        _ => None,
    });
    let said: Vec<Expected> = reads
        .map(Expected::Reads)
        .into_iter()
        .chain(reader.truth("not", problems).then_some(Expected::Not))
        .chain(
            reader
                .truth("needs_key", problems)
                .then_some(Expected::NeedsKey),
        )
        .chain(reader.truth("unfit", problems).then_some(Expected::Unfit))
        .chain(
            reader
                .truth("repeated", problems)
                .then_some(Expected::Repeated),
        )
        .collect();
    let count = said.len();
    let expected = said.into_iter().next();
    if count != 1 {
        problems.add(
            reader.line(),
            "an example has one of: `reads`, or `not`, `needs_key`, `unfit` or `repeated` = true",
        );
    }
    expected
}

/// `0499:05…`.
pub(super) fn company_part(text: &str) -> Option<(u16, Vec<u8>)> {
    let (company, bytes) = text.split_once(':')?;
    let company = company.trim().trim_start_matches("0x");
    let digits = company.len() == 4 && company.bytes().all(|digit| digit.is_ascii_hexdigit());
    let company = u16::from_str_radix(company, 16).ok().filter(|_| digits)?;
    Some((company, hex_of(bytes)?))
}

/// `fcd2:40…`.
pub(super) fn service_part(text: &str) -> Option<(Uuid, Vec<u8>)> {
    let (uuid, bytes) = text.split_once(':')?;
    Some((uuid_of(uuid.trim()).ok()?, hex_of(bytes)?))
}
