//! Where a camera's stream is: a URL with the credentials kept apart, and which addresses may be connected to at all.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::{Host, Url};

use crate::mask::mask_values;

/// Where a stream is. Its `Display` shows neither password nor user.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    /// Without user and password.
    url: Url,
    credentials: Option<Credentials>,
}

/// How the peer is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    Rtsp,
    /// RTSP in TLS.
    Rtsps,
    /// Pictures over HTTP: JPEG that is asked for, or MJPEG as `multipart/x-mixed-replace`.
    Http,
    Https,
}

/// Who we are to the camera. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// Why a text is no address of a stream. The text itself is never repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(
        "this is no URL; write rtsp://host:554/path, and the user and password apart from it if they hold / # or ?"
    )]
    NoUrl,
    #[error("the URL must begin with rtsp://, rtsps://, http:// or https://")]
    Scheme,
    #[error("the URL names no host; write rtsp://host:554/path")]
    NoHost,
    #[error("the URL is longer than {MOST_BYTES} bytes")]
    TooLong,
    #[error("the URL's user or password is not UTF-8 after its %-escapes")]
    Credentials,
}

/// How far an address may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Other machines, on the LAN or beyond.
    #[default]
    Others,
    /// This machine and link-local addresses too: for tests, the demonstration, and cameras without DHCP.
    AlsoLocal,
}

/// Why an address may not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("it is no address of one machine")]
    Unspecified,
    #[error("it is this machine itself; allow local addresses to use it")]
    Loopback,
    #[error("it is a link-local address; allow local addresses to use it")]
    LinkLocal,
    #[error("it belongs to a cloud's metadata service")]
    Metadata,
    #[error("it is a group of machines")]
    Multicast,
    #[error("the device names another host than its own; confirm it by typing the address")]
    OtherHost,
}

/// The longest URL.
const MOST_BYTES: usize = 2048;

/// Metadata services that lie outside of the link-local ranges, and the one within.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

// === impl Address ===

impl Address {
    /// Reads what a person typed or a device told: `rtsp://user:password@host:554/path`.
    ///
    /// # Errors
    /// When it is no such URL. The error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > MOST_BYTES {
            return Err(AddressError::TooLong);
        }
        let mut url = Url::parse(text).map_err(|_| AddressError::NoUrl)?;
        let scheme = Scheme::parse(url.scheme()).ok_or(AddressError::Scheme)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(AddressError::NoHost);
        }
        let credentials = Credentials::of(&url)?;
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| AddressError::NoHost)?;
        url.set_fragment(None);
        Ok(Self {
            scheme,
            url,
            credentials,
        })
    }

    /// With these credentials instead of those in the URL.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Without brackets around an IPv6 address.
    #[must_use]
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(self.scheme.default_port())
    }

    /// What goes into requests: without credentials in the userinfo. Its path or query may still hold some: never show it.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// `host:port`, as people look for it in logs.
    pub(crate) fn place(&self) -> String {
        let host = self.host();
        if host.contains(':') {
            format!("[{host}]:{}", self.port())
        } else {
            format!("{host}:{}", self.port())
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        if self.credentials.is_some() {
            f.write_str("***@")?;
        }
        f.write_str(self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        let mut rest = self.url.path().to_owned();
        if let Some(query) = self.url.query() {
            rest.push('?');
            rest.push_str(query);
        }
        f.write_str(&mask_values(&rest))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

// === impl Scheme ===

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "rtsp" => Some(Self::Rtsp),
            "rtsps" => Some(Self::Rtsps),
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtsp => "rtsp",
            Self::Rtsps => "rtsps",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Rtsps | Self::Https)
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Rtsp => 554,
            Self::Rtsps => 322,
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

// === impl Credentials ===

impl Credentials {
    fn of(url: &Url) -> Result<Option<Self>, AddressError> {
        let password = url.password().unwrap_or_default();
        if url.username().is_empty() && password.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            user: unescape(url.username())?,
            password: unescape(password)?,
        }))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

/// Whether `ip`, which a name was resolved to, may be connected to. Addresses that carry an IPv4 address within are judged by that.
///
/// # Errors
/// Says what kind of address it is.
pub fn permit(ip: IpAddr, reach: Reach) -> Result<(), Forbidden> {
    let found = match ip {
        IpAddr::V4(ip) => judge_v4(ip),
        IpAddr::V6(ip) => match within(ip) {
            Some(ip) => judge_v4(ip),
            None => judge_v6(ip),
        },
    };
    match (found, reach) {
        (Some(Forbidden::Loopback | Forbidden::LinkLocal) | None, Reach::AlsoLocal) | (None, _) => {
            Ok(())
        }
        (Some(forbidden), _) => Err(forbidden),
    }
}

/// Whether a URL that a device told stays on the device: the same host as in the address by which we know it.
///
/// # Errors
/// When it names another host.
pub fn stays_on_host(device: &str, told: &Address) -> Result<(), Forbidden> {
    let device = device.trim_start_matches('[').trim_end_matches(']');
    let same = match (device.parse::<IpAddr>(), told.host().parse::<IpAddr>()) {
        (Ok(device), Ok(told)) => device == told,
        _ => device.eq_ignore_ascii_case(&told.host()),
    };
    if same {
        Ok(())
    } else {
        Err(Forbidden::OtherHost)
    }
}

fn judge_v4(ip: Ipv4Addr) -> Option<Forbidden> {
    if METADATA_V4.contains(&ip) {
        Some(Forbidden::Metadata)
    } else if ip.octets()[0] == 0 {
        Some(Forbidden::Unspecified)
    } else if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip.is_link_local() {
        Some(Forbidden::LinkLocal)
    } else if ip.is_multicast() || ip.octets()[0] >= 240 {
        Some(Forbidden::Multicast)
    } else {
        None
    }
}

fn judge_v6(ip: Ipv6Addr) -> Option<Forbidden> {
    if ip == METADATA_V6 {
        Some(Forbidden::Metadata)
    } else if ip.is_unspecified() {
        Some(Forbidden::Unspecified)
    } else if ip.is_loopback() {
        Some(Forbidden::Loopback)
    } else if ip.segments()[0] & 0xffc0 == 0xfe80 {
        Some(Forbidden::LinkLocal)
    } else if ip.is_multicast() {
        Some(Forbidden::Multicast)
    } else {
        None
    }
}

/// The IPv4 address that is reached through an IPv6 one: mapped, compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn within(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = ip.segments();
    let last = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(last),
        // ::1 and :: are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0] if high != 0 => Some(last),
        [0x2002, ..] => Some(Ipv4Addr::from((u32::from(b) << 16) | u32::from(c))),
        _ => None,
    }
}

/// Undoes `%40`.
fn unescape(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| AddressError::Credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_apart_and_never_shown() {
        let text = "rtsp://us%40er:CANARY%2Fx@cam.lan:8554/live?password=CANARY&ch=1#f";
        let address = Address::parse(text).unwrap();
        assert_eq!(
            address.credentials().unwrap(),
            &Credentials {
                user: "us@er".into(),
                password: "CANARY/x".into()
            }
        );
        assert_eq!(
            address.to_string(),
            "rtsp://***@cam.lan:8554/live?password=***&ch=1"
        );
        for shown in [
            format!("{address}"),
            format!("{address:?}"),
            format!("{:?}", address.credentials()),
            address.place(),
        ] {
            assert!(
                !shown.contains("CANARY") && !shown.contains("er@"),
                "{shown}"
            );
        }
        assert_eq!(
            address.url().as_str(),
            "rtsp://cam.lan:8554/live?password=CANARY&ch=1"
        );
        assert_eq!(address.place(), "cam.lan:8554");
    }

    #[test]
    fn what_is_no_address_is_not_repeated() {
        for (text, expected) in [
            ("CANARY", AddressError::NoUrl),
            ("rtsp://a:CA#NARY@host/", AddressError::NoUrl),
            ("ftp://CANARY@host/", AddressError::Scheme),
            ("rtsp:///CANARY", AddressError::NoHost),
            ("rtsp://%ff:CANARY@h/", AddressError::Credentials),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("CANARY"));
        }
        let long = format!("rtsp://h/{}", "x".repeat(3000));
        assert_eq!(Address::parse(&long), Err(AddressError::TooLong));
    }

    #[test]
    fn ports_and_hosts() {
        for (text, host, port) in [
            ("rtsp://h/", "h", 554),
            ("rtsps://h", "h", 322),
            ("http://[::1]:8080/x", "::1", 8080),
            ("https://10.0.0.1/x", "10.0.0.1", 443),
            ("RTSP://Cam.Lan:1/x", "Cam.Lan", 1),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host().as_str(), address.port()), (host, port));
        }
    }

    #[test]
    fn addresses_are_judged_by_what_they_reach() {
        use Forbidden as F;
        for (ip, others, also_local) in [
            ("192.168.1.20", None, None),
            ("10.1.2.3", None, None),
            ("8.8.8.8", None, None),
            ("fd12::1", None, None),
            ("127.0.0.1", Some(F::Loopback), None),
            ("127.8.8.8", Some(F::Loopback), None),
            ("::1", Some(F::Loopback), None),
            ("::ffff:127.0.0.1", Some(F::Loopback), None),
            ("64:ff9b::7f00:1", Some(F::Loopback), None),
            ("2002:7f00:1::", Some(F::Loopback), None),
            ("::127.0.0.1", Some(F::Loopback), None),
            ("169.254.7.7", Some(F::LinkLocal), None),
            ("fe80::1", Some(F::LinkLocal), None),
            ("febf::1", Some(F::LinkLocal), None),
            ("169.254.169.254", Some(F::Metadata), Some(F::Metadata)),
            (
                "::ffff:169.254.169.254",
                Some(F::Metadata),
                Some(F::Metadata),
            ),
            ("fd00:ec2::254", Some(F::Metadata), Some(F::Metadata)),
            ("100.100.100.200", Some(F::Metadata), Some(F::Metadata)),
            ("0.0.0.0", Some(F::Unspecified), Some(F::Unspecified)),
            ("0.1.2.3", Some(F::Unspecified), Some(F::Unspecified)),
            ("::", Some(F::Unspecified), Some(F::Unspecified)),
            ("224.0.0.1", Some(F::Multicast), Some(F::Multicast)),
            ("255.255.255.255", Some(F::Multicast), Some(F::Multicast)),
            ("ff02::1", Some(F::Multicast), Some(F::Multicast)),
        ] {
            let parsed = ip.parse().unwrap();
            assert_eq!(permit(parsed, Reach::Others).err(), others, "{ip}");
            assert_eq!(permit(parsed, Reach::AlsoLocal).err(), also_local, "{ip}");
        }
    }

    #[test]
    fn what_a_device_tells_stays_on_it() {
        for (device, told, expected) in [
            ("192.168.1.20", "rtsp://192.168.1.20:554/a", Ok(())),
            ("cam.lan", "rtsp://CAM.lan/a", Ok(())),
            ("[fe80::1]", "http://[fe80:0::1]/snap", Ok(())),
            (
                "192.168.1.20",
                "http://127.0.0.1:22/",
                Err(Forbidden::OtherHost),
            ),
            (
                "192.168.1.20",
                "http://192.168.1.21/",
                Err(Forbidden::OtherHost),
            ),
            ("cam.lan", "http://192.168.1.21/", Err(Forbidden::OtherHost)),
        ] {
            let told = Address::parse(told).unwrap();
            assert_eq!(stays_on_host(device, &told), expected, "{told}");
        }
    }
}
