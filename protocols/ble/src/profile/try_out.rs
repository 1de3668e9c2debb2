//! Trying a profile on bytes, for who writes one: the fields and the bytes they came from, or what is wrong and where.

use std::fmt::Write as _;

use fieldgate_model::Value;

use super::{
    Body, Profile, Profiles,
    document::{hex, hex_of},
    example::{company_part, service_part},
};
use crate::{Address, Advertisement, Decoded, Field, Key, Memory};

/// What is given to try a profile on; what is left out is not in the advertisement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TryData {
    /// The bytes that the profile's match names: manufacturer data without the company identifier, or service data.
    pub data: Option<String>,
    /// `0499:05…`, a company identifier and its bytes.
    pub manufacturer: Vec<String>,
    /// `fcd2:40…`, a UUID and its bytes.
    pub service_data: Vec<String>,
    pub name: Option<String>,
    pub address: Option<String>,
    pub key: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TryOut {
    /// The profile's title.
    pub title: String,
    /// None: no bytes were given, and the profile's examples were tried.
    pub decoded: Option<Decoded>,
    /// In lines, with the fields, or with what is wrong and the byte underlined.
    pub words: String,
    /// Everything is as it should be.
    pub fine: bool,
}

/// Tries a profile on bytes; where none are given, on its own examples.
///
/// # Errors
/// What is wrong with the profile (a line each, `line 3: what, remedy`) or with what it is tried on.
pub fn try_out(id: &str, toml: &str, data: &TryData) -> Result<TryOut, String> {
    let profile = Profile::parse(id, toml)?;
    let given = data.data.is_some() || data.name.is_some();
    if !given && data.manufacturer.is_empty() && data.service_data.is_empty() {
        return Ok(profile.try_examples());
    }
    let key = data.key.as_deref().map(Key::parse).transpose()?;
    let advertisement = data.advertisement(&profile)?;
    Ok(profile.try_on(&advertisement, key.as_ref()))
}

// === impl TryData ===

impl TryData {
    fn advertisement(&self, profile: &Profile) -> Result<Advertisement, String> {
        let address = self.address.as_deref().unwrap_or("C0:DE:00:00:00:01");
        let address: Address = address
            .parse()
            .map_err(|no: crate::NoAddress| no.to_string())?;
        let mut advertisement = Advertisement::new(address, false);
        advertisement.name.clone_from(&self.name);
        if let Some(data) = &self.data {
            let bytes = hex_of(data).ok_or_else(|| {
                "the data are no bytes; write pairs of hexadecimal digits, 0512fc…".to_owned()
            })?;
            profile.dress(&bytes, &mut advertisement);
        }
        for part in &self.manufacturer {
            let part = company_part(part).ok_or_else(|| {
                format!("`{}` is not of the form 0499:0512fc…", part.escape_debug())
            })?;
            advertisement.manufacturer.push(part);
        }
        for part in &self.service_data {
            let part = service_part(part).ok_or_else(|| {
                format!("`{}` is not of the form fcd2:4001…", part.escape_debug())
            })?;
            advertisement.service_data.push(part);
        }
        Ok(advertisement)
    }
}

// === impl Profile ===

impl Profile {
    fn try_examples(&self) -> TryOut {
        let profiles = Profiles::of(vec![std::sync::Arc::new(self.shallow())], 1);
        let errors = self.check(&profiles);
        let (all, wrong) = (self.examples.len(), errors.len());
        let mut words = format!("{} of {all} examples read as they say", all - wrong);
        for error in &errors {
            let _ = write!(words, "\n{error}");
        }
        TryOut {
            title: self.title.to_string(),
            decoded: None,
            words,
            fine: errors.is_empty(),
        }
    }

    /// As much of it as a search needs.
    fn shallow(&self) -> Self {
        Self {
            id: self.id.clone(),
            title: self.title.clone(),
            vendor: None,
            docs: None,
            matches: self.matches.clone(),
            general: self.general,
            expected_interval: None,
            sleeps: false,
            sealed: false,
            body: Body::Places {
                layout: super::Layout::default(),
                counter: None,
            },
            characteristics: Vec::new(),
            points: Vec::new(),
            examples: Vec::new(),
        }
    }

    fn try_on(&self, advertisement: &Advertisement, key: Option<&Key>) -> TryOut {
        let (decoded, words, fine) = match (&self.body, self.matched(advertisement)) {
            (Body::Places { layout, .. }, Some(data)) => {
                let mut lines = Vec::new();
                let mut fields = Vec::new();
                let read = layout.each(&data, Some(advertisement), |field, span| {
                    lines.push(line(&field, span, &data));
                    fields.push(field);
                });
                match read {
                    Ok(()) => (
                        Decoded::Fields {
                            fields,
                            sealed: false,
                        },
                        lines.join("\n"),
                        true,
                    ),
                    Err(unfit) => {
                        let words = underlined(&data, unfit.bytes, &unfit.what);
                        (Decoded::Unfit(unfit.to_string()), words, false)
                    }
                }
            }
            (Body::Places { .. }, None) => {
                let what = "no `match` of this profile fits these bytes".to_owned();
                let words = format!("{}\n{what}", parts(advertisement));
                (Decoded::Unfit(what), words, false)
            }
            (Body::Code(decode), _) => {
                let decoded = decode(advertisement, key, &mut Memory::default());
                let fine = matches!(decoded, Decoded::Fields { .. });
                let words = said(&decoded, advertisement);
                (decoded, words, fine)
            }
        };
        TryOut {
            title: self.title.to_string(),
            decoded: Some(decoded),
            words,
            fine,
        }
    }
}

fn said(decoded: &Decoded, advertisement: &Advertisement) -> String {
    match decoded {
        Decoded::Fields { fields, .. } => {
            let lines = fields.iter().map(|field| line(field, None, &[]));
            lines.collect::<Vec<_>>().join("\n")
        }
        Decoded::Repeated => "the same packet as before".to_owned(),
        Decoded::NeedsKey => "encrypted: give its key".to_owned(),
        Decoded::WrongKey => "encrypted, and the key does not fit".to_owned(),
        Decoded::Replayed => "its counter came before".to_owned(),
        Decoded::Unfit(what) => format!("{}\n{what}", parts(advertisement)),
    }
}

/// `temperature        24.3 Cel  bytes 1–2 (12fc)`.
fn line(field: &Field, span: Option<(usize, usize)>, data: &[u8]) -> String {
    let unit = field.unit.as_deref().unwrap_or_default();
    let value = match &field.value {
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => text.escape_debug().to_string(),
        other => format!("{other:?}"),
    };
    let mut line = format!("{:20} {value} {unit}", field.id);
    line.truncate(line.trim_end().len());
    let from = span.and_then(|(at, length)| Some((at, length, data.get(at..at + length)?)));
    match from {
        Some((at, 1, bytes)) => {
            let _ = write!(line, "  (byte {at}: {})", hex(bytes));
        }
        Some((at, length, bytes)) if length > 1 => {
            let _ = write!(
                line,
                "  (bytes {at} to {}: {})",
                at + length - 1,
                hex(bytes)
            );
        }
        _ => {}
    }
    line
}

fn parts(advertisement: &Advertisement) -> String {
    let companies = advertisement.manufacturer.iter();
    let companies = companies.map(|(id, bytes)| format!("manufacturer 0x{id:04x}: {}", hex(bytes)));
    let services = advertisement.service_data.iter();
    let services = services.map(|(id, bytes)| format!("service data {id}: {}", hex(bytes)));
    companies.chain(services).collect::<Vec<_>>().join("\n")
}

/// The bytes, with marks below those that are meant.
fn underlined(data: &[u8], bytes: Option<(usize, usize)>, what: &str) -> String {
    let pairs: Vec<String> = data.iter().map(|byte| hex(&[*byte])).collect();
    let row = pairs.join(" ");
    let Some((begin, length)) = bytes else {
        return format!("{row}\n{what}");
    };
    let marks = vec!["^^"; length.clamp(1, 64)].join(" ");
    format!("{row}\n{}{marks} {what}", " ".repeat(begin * 3))
}
