//! `Place`: which page a URL is. All that a page shows can be read from its URL.

/// A page of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Overview,
    Devices,
    /// `source/device`.
    Device(String),
    Items(Section),
    New(Section),
    Item(Section, String),
    Explore,
    /// Who is near by Bluetooth.
    Bluetooth,
    /// One of them, by its address.
    Heard(String),
    /// Its packets are explained by examples.
    Teach(String),
    /// All cameras, as they see now.
    Cameras,
    /// One of them, by its source.
    Camera(String),
    Queue,
    Trust,
    Configuration,
    Unknown,
}

/// What can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Sources,
    Destinations,
    Routes,
    Rules,
}

// === impl Place ===

impl Place {
    /// Reads the path of a URL.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let mut parts = path.trim_matches('/').splitn(2, '/');
        let first = parts.next().unwrap_or_default();
        let rest = parts.next().map(decode).filter(|rest| !rest.is_empty());
        match (first, rest) {
            ("", None) => Self::Overview,
            ("devices", None) => Self::Devices,
            ("devices", Some(id)) => Self::Device(id),
            ("explore", None) => Self::Explore,
            ("explore", Some(rest)) => Self::explored(&rest),
            ("queue", None) => Self::Queue,
            ("trust", None) => Self::Trust,
            ("config", None) => Self::Configuration,
            (first, rest) => match (Section::of(first), rest) {
                (None, _) => Self::Unknown,
                (Some(section), None) => Self::Items(section),
                (Some(section), Some(id)) if id == "new" => Self::New(section),
                (Some(section), Some(id)) => Self::Item(section, id),
            },
        }
    }

    /// What is below `/explore/`, unescaped; addresses and sources have no slash in them.
    fn explored(rest: &str) -> Self {
        let parts: Vec<&str> = rest.split('/').collect();
        match parts[..] {
            ["bluetooth"] => Self::Bluetooth,
            ["bluetooth", address] => Self::Heard(address.to_owned()),
            ["bluetooth", address, "teach"] => Self::Teach(address.to_owned()),
            ["cameras"] => Self::Cameras,
            ["cameras", source] => Self::Camera(source.to_owned()),
            _ => Self::Unknown,
        }
    }

    /// The path of its URL.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Overview | Self::Unknown => "/".to_owned(),
            Self::Devices => "/devices".to_owned(),
            Self::Device(id) => format!("/devices/{}", encode(id)),
            Self::Items(section) => format!("/{}", section.name()),
            Self::New(section) => format!("/{}/new", section.name()),
            Self::Item(section, id) => format!("/{}/{}", section.name(), encode(id)),
            Self::Explore => "/explore".to_owned(),
            Self::Bluetooth => "/explore/bluetooth".to_owned(),
            Self::Heard(address) => format!("/explore/bluetooth/{}", encode(address)),
            Self::Teach(address) => format!("/explore/bluetooth/{}/teach", encode(address)),
            Self::Cameras => "/explore/cameras".to_owned(),
            Self::Camera(source) => format!("/explore/cameras/{}", encode(source)),
            Self::Queue => "/queue".to_owned(),
            Self::Trust => "/trust".to_owned(),
            Self::Configuration => "/config".to_owned(),
        }
    }

    /// The title of the page.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Overview => "Overview".to_owned(),
            Self::Devices => "Devices".to_owned(),
            Self::Device(id) | Self::Item(_, id) => id.clone(),
            Self::Items(section) => section.title().to_owned(),
            Self::New(section) => format!("Add a {}", section.one()),
            Self::Explore => "Explore".to_owned(),
            Self::Bluetooth => "Explore Bluetooth".to_owned(),
            Self::Heard(address) => address.clone(),
            Self::Teach(address) => format!("Teach {address}"),
            Self::Cameras => "Explore cameras".to_owned(),
            Self::Camera(source) => source.clone(),
            Self::Queue => "Queue".to_owned(),
            Self::Trust => "Trust".to_owned(),
            Self::Configuration => "Configuration".to_owned(),
            Self::Unknown => "Nothing is here".to_owned(),
        }
    }

    /// The page of the navigation that it belongs to.
    #[must_use]
    pub fn shelf(&self) -> Self {
        match self {
            Self::Device(_) => Self::Devices,
            Self::Bluetooth | Self::Heard(_) | Self::Teach(_) | Self::Cameras | Self::Camera(_) => {
                Self::Explore
            }
            Self::New(section) | Self::Item(section, _) => Self::Items(*section),
            other => other.clone(),
        }
    }
}

// === impl Section ===

impl Section {
    fn of(name: &str) -> Option<Self> {
        [Self::Sources, Self::Destinations, Self::Routes, Self::Rules]
            .into_iter()
            .find(|section| section.name() == name)
    }

    /// As in the URL and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Destinations => "destinations",
            Self::Routes => "routes",
            Self::Rules => "rules",
        }
    }

    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Sources => "Sources",
            Self::Destinations => "Destinations",
            Self::Routes => "Routes",
            Self::Rules => "Rules",
        }
    }

    /// One of them.
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Sources => "source",
            Self::Destinations => "destination",
            Self::Routes => "route",
            Self::Rules => "rule",
        }
    }
}

/// A query `a=1&b=2` with one key set, or removed by an empty value.
#[must_use]
pub fn with_query(query: &str, key: &str, value: &str) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(key))
        .map(str::to_owned)
        .collect();
    if !value.is_empty() {
        pairs.push(format!("{key}={}", encode(value)));
    }
    pairs.join("&")
}

/// The value of a key in a query; empty when it is not there.
#[must_use]
pub fn query_value(query: &str, key: &str) -> String {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| decode(value))
        .unwrap_or_default()
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes percent-encoding; what is no valid escape stays as it is.
#[must_use]
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escape = (bytes[index] == b'%')
            .then(|| text.get(index + 1..index + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escape.unwrap_or(bytes[index]));
        index += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_comes_back_from_its_url() {
        for place in [
            Place::Overview,
            Place::Devices,
            Place::Device("press/Line 1%2FPress".into()),
            Place::Items(Section::Sources),
            Place::New(Section::Routes),
            Place::Item(Section::Destinations, "größe".into()),
            Place::Items(Section::Rules),
            Place::Item(Section::Rules, "alarm-saves-a-clip".into()),
            Place::Explore,
            Place::Bluetooth,
            Place::Heard("A4:C1:38:0B:F5:11".into()),
            Place::Teach("A4:C1:38:0B:F5:11".into()),
            Place::Queue,
            Place::Trust,
            Place::Configuration,
        ] {
            assert_eq!(Place::parse(&place.path()), place, "{}", place.path());
        }
    }

    #[test]
    fn a_device_may_be_written_with_a_slash() {
        let press = Place::Device("press/Line".into());
        assert_eq!(Place::parse("/devices/press/Line"), press);
        assert_eq!(Place::parse("/devices/press%2FLine/"), press);
        assert_eq!(Place::parse("/nowhere"), Place::Unknown);
    }

    #[test]
    fn a_query_is_changed_key_by_key() {
        let query = with_query("sort=name&q=a", "q", "b c&d");
        assert_eq!(query, "sort=name&q=b%20c%26d");
        assert_eq!(query_value(&query, "q"), "b c&d");
        assert_eq!(with_query(&query, "q", ""), "sort=name");
    }
}
