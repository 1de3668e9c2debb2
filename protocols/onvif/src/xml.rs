//! XML from a network, read into a small tree within bounds: no document type, no entities but the five, depth 32, 64 attributes, 1 MiB.
//!
//! Prefixes are kept but not resolved: devices bind them as they like, and nothing that is read here is ambiguous without them.
//! What is declared stays with the element, so that a part can be given back to its device as it came ([`Element::write_with`]).

use std::{fmt::Write, str::FromStr};

use quick_xml::{Reader, XmlVersion, events::BytesStart, events::Event};

/// A message is no longer.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Elements within elements.
const MAX_DEPTH: usize = 32;
/// Of one element, declarations of prefixes included.
const MAX_ATTRIBUTES: usize = 64;
/// In one message: with it a tree stays under 8 MiB, whatever the megabyte consists of.
const MAX_ELEMENTS: usize = 32_768;

/// Why bytes are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("it is longer than 1 MiB")]
    TooLong,
    #[error("it nests deeper than 32 elements")]
    TooDeep,
    #[error("it has more than 32768 elements")]
    TooMany,
    #[error("an element has more than 64 attributes")]
    TooManyAttributes,
    #[error("it brings a document type")]
    DocumentType,
    #[error("it uses an entity that XML does not define")]
    Entity,
    #[error("it is no well-formed XML")]
    Malformed,
    #[error("it is empty")]
    Empty,
}

/// One element with what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    /// With its prefix.
    pub name: Box<str>,
    /// With their prefixes, in the order of the document.
    pub attributes: Box<[(Box<str>, Box<str>)]>,
    /// All character data that is directly in it, trimmed.
    pub text: Box<str>,
    pub children: Vec<Element>,
}

/// Reads one document. What follows its root is not looked at.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlError::TooLong);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Names of places in some national encoding must not cost the whole answer.
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<(Element, String)> = Vec::new();
    let mut count = 0_usize;
    loop {
        let finished = match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(start) => {
                count += 1;
                if open.len() >= MAX_DEPTH {
                    return Err(XmlError::TooDeep);
                }
                open.push((element(&start)?, String::new()));
                None
            }
            Event::Empty(start) => {
                count += 1;
                if open.len() >= MAX_DEPTH {
                    return Err(XmlError::TooDeep);
                }
                Some(element(&start)?)
            }
            Event::End(_) => {
                let (mut element, text) = open.pop().ok_or(XmlError::Malformed)?;
                element.text = text.trim().into();
                Some(element)
            }
            Event::Text(part) => {
                if let Some((_, text)) = open.last_mut() {
                    text.push_str(&part.xml10_content());
                }
                None
            }
            Event::CData(part) => {
                if let Some((_, text)) = open.last_mut() {
                    text.push_str(&part.xml10_content());
                }
                None
            }
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => predefined(&reference).ok_or(XmlError::Entity)?,
                    Err(_) => return Err(XmlError::Entity),
                };
                if let Some((_, text)) = open.last_mut() {
                    text.push(character);
                }
                None
            }
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Eof if open.is_empty() => return Err(XmlError::Empty),
            Event::Eof => return Err(XmlError::Malformed),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
        };
        if count > MAX_ELEMENTS {
            return Err(XmlError::TooMany);
        }
        if let Some(finished) = finished {
            match open.last_mut() {
                Some((parent, _)) => parent.children.push(finished),
                None => return Ok(finished),
            }
        }
    }
}

/// As text that may stand in an element or an attribute. What XML cannot carry is left out.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => {
                let _infallible = write!(out, "&#{};", u32::from(character));
            }
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {}
            other => out.push(other),
        }
    }
    out
}

fn element(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    // The check for duplicates compares each with each; the bound comes first.
    for attribute in start.attributes().with_checks(false) {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(XmlError::TooManyAttributes);
        }
        let attribute = attribute.map_err(|_| XmlError::Malformed)?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| XmlError::Entity)?;
        attributes.push((attribute.key.as_ref().into(), value.as_ref().into()));
    }
    Ok(Element {
        name: start.name().as_ref().into(),
        attributes: attributes.into(),
        ..Element::default()
    })
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Declares a prefix, or the default.
fn declares(attribute: &str) -> bool {
    attribute == "xmlns" || attribute.starts_with("xmlns:")
}

// === impl Element ===

impl Element {
    /// Its name without the prefix.
    pub(crate) fn local(&self) -> &str {
        local(&self.name)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.local() == name)
    }

    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children
            .iter()
            .filter(move |child| child.local() == name)
    }

    /// The first element at a path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |here, name| here.child(name))
    }

    /// What is written there, when it is not empty.
    pub(crate) fn word(&self, path: &[&str]) -> Option<&str> {
        self.at(path)
            .map(|found| &*found.text)
            .filter(|text| !text.is_empty())
    }

    pub(crate) fn number<T: FromStr>(&self, path: &[&str]) -> Option<T> {
        self.word(path)?.parse().ok()
    }

    /// A number that can be calculated with.
    pub(crate) fn real(&self, path: &[&str]) -> Option<f64> {
        self.number::<f64>(path).filter(|number| number.is_finite())
    }

    pub(crate) fn flag(&self, path: &[&str]) -> Option<bool> {
        boolean(self.word(path)?)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| !declares(key) && local(key) == name)
            .map(|(_, value)| &**value)
    }

    pub(crate) fn real_attribute(&self, name: &str) -> Option<f64> {
        let number: f64 = self.attribute(name)?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// The prefixes that it declares.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .filter(|(key, _)| declares(key))
            .map(|(key, value)| (&**key, &**value))
    }

    /// Sets what is written at a path; the last element is made when it is missing. Whether the others were there is told.
    pub(crate) fn set(&mut self, path: &[&str], text: &str) -> bool {
        let Some((last, parents)) = path.split_last() else {
            self.text = text.into();
            return true;
        };
        let mut here = self;
        for name in parents {
            let found = here
                .children
                .iter_mut()
                .find(|child| child.local() == *name);
            let Some(found) = found else { return false };
            here = found;
        }
        match here
            .children
            .iter_mut()
            .find(|child| child.local() == *last)
        {
            Some(found) => found.text = text.into(),
            None => here.children.push(Self {
                name: (*last).into(),
                text: text.into(),
                ..Self::default()
            }),
        }
        true
    }

    pub(crate) fn set_attribute(&mut self, name: &str, value: &str) {
        let mut attributes = std::mem::take(&mut self.attributes).into_vec();
        match attributes.iter_mut().find(|(key, _)| local(key) == name) {
            Some((_, found)) => *found = value.into(),
            None => attributes.push((name.into(), value.into())),
        }
        self.attributes = attributes.into();
    }

    /// Writes it with all of its elements in one namespace, as the settings of the schema are. Extensions, whose
    /// namespaces are their makers', are left out, and so are prefixed attributes.
    pub(crate) fn write_as(&self, root: &str, prefix: &str, out: &mut String) {
        let _infallible = write!(out, "<{root}");
        for (key, value) in &self.attributes {
            if !key.contains(':') && !declares(key) {
                let _infallible = write!(out, " {key}=\"{}\"", escape(value));
            }
        }
        out.push('>');
        out.push_str(&escape(&self.text));
        for child in &self.children {
            if child.local() != "Extension" {
                child.write_as(&format!("{prefix}:{}", child.local()), prefix, out);
            }
        }
        let _infallible = write!(out, "</{root}>");
    }

    /// Writes it as it came, with the declarations of its surroundings, for a header that goes back to its device.
    pub(crate) fn write_with(&self, around: &[(&str, &str)], out: &mut String) {
        let _infallible = write!(out, "<{}", self.name);
        for (key, value) in around {
            if !self.attributes.iter().any(|(own, _)| &**own == *key) {
                let _infallible = write!(out, " {key}=\"{}\"", escape(value));
            }
        }
        for (key, value) in &self.attributes {
            let _infallible = write!(out, " {key}=\"{}\"", escape(value));
        }
        out.push('>');
        out.push_str(&escape(&self.text));
        for child in &self.children {
            child.write_with(&[], out);
        }
        let _infallible = write!(out, "</{}>", self.name);
    }
}

/// A boolean of XML Schema, in any case: devices write `True` too.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
