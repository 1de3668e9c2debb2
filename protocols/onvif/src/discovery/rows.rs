//! What was found, device by device: each once, bounded, with the addresses that may be used apart from those that may not.

use std::net::IpAddr;

use url::{Host, Url};

use super::{message::Said, network::Networks};
use crate::{device::Scopes, words::shown};

/// A device that told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its identity: `urn:uuid:…`, for most.
    pub endpoint: String,
    /// Of its device service, the best first: on the host that answered, then others on a network of this machine.
    pub addresses: Vec<String>,
    /// What it told and nobody should ask unasked: other hosts, and names.
    pub elsewhere: Vec<String>,
    /// Who answered.
    pub from: IpAddr,
    pub scopes: Scopes,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// In the order in which they came.
    pub rows: Vec<Found>,
    /// Datagrams that say nothing to us.
    pub not_understood: u64,
    /// Devices beyond the bound, or beyond what one host may tell.
    pub left_out: u64,
}

/// Rows that are kept.
const MAX_ROWS: usize = 1_024;
/// Devices that one host may stand for: a recorder tells of its cameras.
const MAX_ROWS_OF_ONE: usize = 64;

// === impl Found ===

impl Found {
    /// `None` when it is no ONVIF device.
    #[must_use]
    pub(crate) fn new(said: &Said, from: IpAddr, networks: &Networks) -> Option<Self> {
        if !said.is_onvif() {
            return None;
        }
        let from = from.to_canonical();
        let mut here = Vec::new();
        let mut near = Vec::new();
        let mut elsewhere = Vec::new();
        for address in &said.addresses {
            match leads_to(address) {
                Some((url, Some(ip))) if ip == from => here.push(url),
                Some((url, Some(ip))) if networks.contain(ip) => near.push(url),
                _ => elsewhere.push(shown(address)),
            }
        }
        here.append(&mut near);
        Some(Self {
            endpoint: said.endpoint.clone(),
            addresses: here,
            elsewhere,
            from,
            scopes: Scopes::read(said.scopes.iter().map(String::as_str)),
        })
    }
}

/// A URL without a user in it, and the address that it names.
fn leads_to(address: &str) -> Option<(String, Option<IpAddr>)> {
    let url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    let ip = match url.host()? {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip).to_canonical()),
        Host::Domain(_) => None,
    };
    Some((url.into(), ip))
}

// === impl Findings ===

impl Findings {
    /// Adds a device, or what is new about one; the row when there is something new.
    pub(crate) fn take(&mut self, found: Found) -> Option<&Found> {
        if let Some(at) = self
            .rows
            .iter()
            .position(|row| row.endpoint == found.endpoint)
        {
            return self.join(at, found);
        }
        let of_one = self
            .rows
            .iter()
            .filter(|row| row.from == found.from)
            .count();
        if self.rows.len() >= MAX_ROWS || of_one >= MAX_ROWS_OF_ONE {
            self.left_out += 1;
            return None;
        }
        self.rows.push(found);
        self.rows.last()
    }

    /// Devices answer by each of their interfaces, and to each probe.
    fn join(&mut self, at: usize, found: Found) -> Option<&Found> {
        let row = self.rows.get_mut(at)?;
        let mut news = false;
        for (known, told) in [
            (&mut row.addresses, found.addresses),
            (&mut row.elsewhere, found.elsewhere),
        ] {
            for address in told {
                if known.len() < 16 && !known.contains(&address) {
                    known.push(address);
                    news = true;
                }
            }
        }
        // What may be asked by one way is not told as elsewhere by another.
        let usable = row.addresses.clone();
        row.elsewhere.retain(|address| !usable.contains(address));
        news.then_some(&*row)
    }
}

#[cfg(test)]
mod tests;
