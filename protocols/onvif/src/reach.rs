//! Which addresses may be asked, and what becomes of the addresses that a device tells (SSRF: a device must not make the gateway ask others).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::words;

/// Where a device may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Another machine.
    #[default]
    Network,
    /// Also the gateway's own machine, for tests and demonstrations.
    ThisMachineToo,
}

/// Where an address leads that a device told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To the device itself.
    Device,
    /// To somebody else: not to be asked before a person has confirmed it.
    Elsewhere { host: String },
}

/// An address that a device told, for instance of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Without user and password, whatever the device wrote.
    pub uri: String,
    pub place: Place,
    /// As it may be shown: some devices write the password into the path or the query.
    pub shown: String,
    /// The same with the device's own host instead, where it leads elsewhere: what a device behind a translated address means.
    pub at_device: String,
}

// === impl Reach ===

impl Reach {
    /// # Errors
    /// In words, when nothing must be sent there.
    pub fn check(self, ip: IpAddr) -> Result<(), &'static str> {
        let ip = ip.to_canonical();
        if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err("that is no address of one device");
        }
        if is_metadata(ip) {
            return Err("that is the address of a cloud's metadata, and no device's");
        }
        if ip.is_loopback() && self == Self::Network {
            return Err("that is this machine itself");
        }
        Ok(())
    }
}

/// 169.254.169.254, where clouds hand out credentials; the rest of the link-local range is used by cameras without DHCP.
fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip == Ipv4Addr::new(169, 254, 169, 254),
        IpAddr::V6(ip) => ip == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254),
    }
}

// === impl Told ===

impl Told {
    /// What `device`, asked at its own address, said. `None` when it is no URL of one of the schemes.
    #[must_use]
    pub fn read(text: &str, device: &Url, schemes: &[&str]) -> Option<Self> {
        let mut url = parse(text)?;
        if !schemes.contains(&url.scheme()) {
            return None;
        }
        // A URL with a user in it would be shown, logged and passed on with the password.
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.set_fragment(None);
        let place = place(&url, device);
        let mut at_device = url.clone();
        if place != Place::Device {
            at_device.set_host(device.host_str()).ok()?;
        }
        Some(Self {
            shown: masked(url.as_str()),
            uri: url.into(),
            place,
            at_device: at_device.into(),
        })
    }
}

/// Takes the values of passwords out of a URL's path and query, such as `/user=admin_password=secret_channel=1.sdp`.
#[must_use]
pub fn masked(url: &str) -> String {
    const KEYS: &[&str] = &[
        "password=",
        "passwd=",
        "pass=",
        "pwd=",
        "psw=",
        "token=",
        "auth=",
        "key=",
    ];
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    loop {
        // ASCII only changes its case, so the places are the same in both.
        let lower = rest.to_ascii_lowercase();
        let found = KEYS
            .iter()
            .filter_map(|key| lower.find(key).map(|at| at + key.len()))
            .min();
        let Some(at) = found else {
            out.push_str(rest);
            return out;
        };
        let (kept, value) = rest.split_at(at);
        let end = value
            .find(['&', '_', '/', ';', '?', '#'])
            .unwrap_or(value.len());
        out.push_str(kept);
        out.push('…');
        rest = &value[end..];
    }
}

/// Devices write spaces around URLs, and some write no host at all.
fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    url.host_str().filter(|host| !host.is_empty())?;
    Some(url)
}

/// Whether `url` leads to the host of `device`, under any port.
#[must_use]
pub fn place(url: &Url, device: &Url) -> Place {
    let same = match (host(url), host(device)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    };
    if same {
        Place::Device
    } else {
        Place::Elsewhere {
            host: words::shown(url.host_str().unwrap_or_default()),
        }
    }
}

/// The host in one form: schemes that the URL standard does not know keep their hosts as written.
fn host(url: &Url) -> Option<Host<String>> {
    let text = url.host_str()?;
    Host::parse(text).ok().map(|host| match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_ascii_lowercase()),
        Host::Ipv6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => Host::Ipv4(ip),
            None => Host::Ipv6(ip),
        },
        ip => ip,
    })
}

/// A service's address on the device's own host, whatever host the device wrote: the path is believed, and the port where the
/// host is right. `None` when it is no address of a service.
pub(crate) fn on_device(text: &str, device: &Url) -> Option<Url> {
    let told = parse(text)?;
    if !matches!(told.scheme(), "http" | "https") {
        return None;
    }
    let mut url = device.clone();
    url.set_path(told.path());
    url.set_query(told.query());
    if place(&told, device) == Place::Device && told.scheme() == device.scheme() {
        url.set_port(told.port()).ok()?;
    }
    Some(url)
}

#[cfg(test)]
mod tests;
