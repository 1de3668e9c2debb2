//! `Range`: the addresses that a person wants to be asked, written as `10.0.0.0/24`, `10.0.0.1-10.0.0.20`, `10.0.0.1-20` or one address.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The most addresses of a range: a `/20`. Larger networks are asked part by part.
pub const MOST_ADDRESSES: u64 = 4096;

/// Addresses from the first to the last, both included, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: IpAddr,
    last: IpAddr,
}

/// Whose addresses they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// This machine, its link, or a private network (RFC 1918, 3927, 4193, 6598).
    Local,
    /// Everybody's.
    Public,
    /// No single machine has it: multicast, broadcast, unspecified, reserved.
    Nobody,
}

// === impl Range ===

impl Range {
    #[must_use]
    pub fn first(&self) -> IpAddr {
        self.first
    }

    #[must_use]
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// How many addresses it has: at least 1, at most [`MOST_ADDRESSES`].
    #[must_use]
    pub fn count(&self) -> u64 {
        let count = number(self.last) - number(self.first) + 1;
        u64::try_from(count).unwrap_or(u64::MAX) // never more than MOST_ADDRESSES, by `new`
    }

    /// Each address, the lowest first.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let first = number(self.first);
        (0..u128::from(self.count())).map(move |step| address(self.first, first + step))
    }

    /// The worst of its addresses.
    #[must_use]
    pub fn nature(self) -> Nature {
        self.addresses().map(nature).max().unwrap_or(Nature::Nobody)
    }

    fn new(first: IpAddr, last: IpAddr) -> Result<Self, String> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(format!("{first} and {last} are not of one kind"));
        }
        let (low, high) = (number(first), number(last));
        if high < low {
            return Err(format!("{last} comes before {first}"));
        }
        match high - low < u128::from(MOST_ADDRESSES) {
            true => Ok(Self { first, last }),
            false => Err(format!(
                "it has more than {MOST_ADDRESSES} addresses; ask a smaller part, such as {first}/{}",
                if first.is_ipv4() { 24 } else { 120 }
            )),
        }
    }

    /// `10.0.0.0/24`. The network's own address and its broadcast address are no machine's, and are left out.
    fn network(base: &str, bits: &str) -> Result<Self, String> {
        let base = read(base)?;
        let width: u32 = if base.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits
            .trim()
            .parse()
            .ok()
            .filter(|bits| *bits <= width)
            .ok_or_else(|| {
                format!(
                    "`/{}` is no length of a prefix; write it like {base}/24",
                    bits.trim().escape_debug()
                )
            })?;
        let hosts = match width - bits {
            128 => u128::MAX,
            free => (1 << free) - 1,
        };
        let first = number(base) & !hosts;
        let (mut low, mut high) = (first, first | hosts);
        if base.is_ipv4() && hosts >= 3 {
            (low, high) = (low + 1, high - 1);
        }
        Self::new(address(base, low), address(base, high))
    }

    /// `10.0.0.1-10.0.0.20`, or `10.0.0.1-20`.
    fn between(first: &str, last: &str) -> Result<Self, String> {
        let from = read(first)?;
        let to = match (from, last.trim().parse::<u8>()) {
            (IpAddr::V4(from), Ok(end)) => {
                let [a, b, c, _] = from.octets();
                Ipv4Addr::new(a, b, c, end).into()
            }
            _ => read(last)?,
        };
        Self::new(from, to)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((base, bits)) = text.split_once('/') {
            return Self::network(base, bits);
        }
        if let Some((first, last)) = text.split_once('-') {
            return Self::between(first, last);
        }
        let only = read(text)?;
        Self::new(only, only)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{} to {}", self.first, self.last),
        }
    }
}

// === impl Nature ===

impl Nature {
    /// Of one address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        nature(address)
    }
}

fn read(text: &str) -> Result<IpAddr, String> {
    let text = text.trim().trim_matches(['[', ']']);
    text.parse().map_err(|_| {
        format!(
            "`{}` is no address; write a range like 192.168.0.0/24 or 192.168.0.10-192.168.0.50",
            text.escape_debug()
        )
    })
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address with this number, of the same family as `like`.
fn address(like: IpAddr, number: u128) -> IpAddr {
    match (like, u32::try_from(number)) {
        (IpAddr::V4(_), Ok(number)) => Ipv4Addr::from(number).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

fn nature(address: IpAddr) -> Nature {
    match address.to_canonical() {
        IpAddr::V4(address) => nature_v4(address),
        IpAddr::V6(address) if address.is_unspecified() || address.is_multicast() => Nature::Nobody,
        IpAddr::V6(address) => {
            let local = address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local();
            if local { Nature::Local } else { Nature::Public }
        }
    }
}

fn nature_v4(address: Ipv4Addr) -> Nature {
    let [a, b, ..] = address.octets();
    // RFC 1122, 3.2.1.3 (0/8) and RFC 1112, 4 (240/4), with the broadcast address.
    if a == 0 || a >= 240 || address.is_multicast() {
        return Nature::Nobody;
    }
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598
    let local = address.is_loopback() || address.is_private() || address.is_link_local() || shared;
    if local { Nature::Local } else { Nature::Public }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes_becomes_a_range() {
        for (text, expected, count) in [
            ("10.0.0.0/24", "10.0.0.1 to 10.0.0.254", 254),
            (" 10.0.0.77/24 ", "10.0.0.1 to 10.0.0.254", 254),
            ("127.0.0.0/29", "127.0.0.1 to 127.0.0.6", 6),
            ("10.0.0.0/31", "10.0.0.0 to 10.0.0.1", 2),
            ("10.0.0.7/32", "10.0.0.7", 1),
            ("10.0.0.7", "10.0.0.7", 1),
            ("10.0.0.1-10.0.0.20", "10.0.0.1 to 10.0.0.20", 20),
            ("10.0.0.1 - 20", "10.0.0.1 to 10.0.0.20", 20),
            ("10.0.0.250-10.0.1.5", "10.0.0.250 to 10.0.1.5", 12),
            ("10.0.0.0/20", "10.0.0.1 to 10.0.15.254", 4094),
            ("fd00::/126", "fd00:: to fd00::3", 4),
            ("[::1]", "::1", 1),
        ] {
            let range: Range = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(
                (range.to_string(), range.count()),
                (expected.to_owned(), count),
                "{text}"
            );
            assert_eq!(range.addresses().count() as u64, count, "{text}");
            assert_eq!(range.addresses().last(), Some(range.last()), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_its_reason() {
        for (text, part) in [
            ("", "is no address"),
            ("plc", "is no address"),
            ("10.0.0.0/33", "is no length of a prefix"),
            ("10.0.0.0/x", "is no length of a prefix"),
            ("10.0.0.0/", "is no length of a prefix"),
            ("10.0.0.9-10.0.0.1", "comes before"),
            ("10.0.0.9-1", "comes before"),
            ("10.0.0.9-300", "is no address"),
            ("10.0.0.1-::1", "not of one kind"),
            ("10.0.0.0/19", "more than 4096"),
            ("0.0.0.0/0", "more than 4096"),
            ("::/0", "more than 4096"),
            ("fd00::/64", "more than 4096"),
            ("1\n2", "1\\n2"),
        ] {
            let why = text.parse::<Range>().unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn whose_addresses_they_are_is_known() {
        for (text, expected) in [
            ("10.1.2.0/24", Nature::Local),
            ("172.16.0.1-172.31.255.255", Nature::Local),
            ("192.168.0.0/20", Nature::Local),
            ("127.0.0.0/29", Nature::Local),
            ("169.254.1.1", Nature::Local),
            ("100.64.0.0/24", Nature::Local),
            ("fe80::1", Nature::Local),
            ("fd00::1", Nature::Local),
            ("::ffff:10.0.0.1", Nature::Local),
            ("172.15.255.250-172.16.0.5", Nature::Public),
            ("8.8.8.8", Nature::Public),
            ("2001:db8::1", Nature::Public),
            ("::ffff:8.8.8.8", Nature::Public),
            ("0.0.0.0", Nature::Nobody),
            ("239.255.255.250-240.0.0.1", Nature::Nobody),
            ("255.255.255.255", Nature::Nobody),
            ("ff02::fb", Nature::Nobody),
        ] {
            // Ranges that are too large are refused before, so some are asked by their ends.
            let found = match text.parse::<Range>() {
                Ok(range) => range.nature(),
                Err(_) => text
                    .split('-')
                    .map(|end| nature(end.parse().unwrap()))
                    .max()
                    .unwrap(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
