//! `Address`: who advertises, as far as an address can tell (Bluetooth Core 5.4, Vol 6 Part B, 1.3).

use std::{fmt, str::FromStr};

/// 48 bits, the most significant byte first, as people write it: `A4:C1:38:0B:F5:11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 6]);

/// What kind of address it is, which tells how long it will mean the same device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// Given by the IEEE; for ever.
    Public,
    /// Random, and the same at least until the device is switched off.
    RandomStatic,
    /// Random, and another one every few minutes; who has the identity resolving key knows whose it is.
    Resolvable,
    /// Random, and nobody knows whose it is.
    NonResolvable,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no Bluetooth address; it is six pairs of hexadecimal digits, such as A4:C1:38:0B:F5:11"
)]
pub struct NoAddress(String);

// === impl Address ===

impl Address {
    /// What kind it is, where the radio told whether it is random.
    #[must_use]
    pub fn kind(self, random: bool) -> AddressKind {
        match (random, self.0[0] >> 6) {
            (false, _) => AddressKind::Public,
            (true, 0b11) => AddressKind::RandomStatic,
            (true, 0b01) => AddressKind::Resolvable,
            (true, _) => AddressKind::NonResolvable,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let no = || NoAddress(text.escape_debug().to_string());
        let mut bytes = [0; 6];
        let mut pairs = text.split([':', '-']);
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or_else(no)?;
            // `from_str_radix` alone would take a sign.
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(no());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| no())?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(no()),
        }
    }
}

impl AddressKind {
    /// It will mean the same device tomorrow.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Public | Self::RandomStatic)
    }

    /// As people are told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::RandomStatic => "random, static",
            Self::Resolvable => "random, resolvable",
            Self::NonResolvable => "random, not resolvable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let address: Address = "a4:c1:38:0b:f5:11".parse().unwrap();
        assert_eq!(address.to_string(), "A4:C1:38:0B:F5:11");
        for no in [
            "",
            "A4:C1:38:0B:F5",
            "A4:C1:38:0B:F5:11:22",
            "A4:C1:38:0B:F5:+1",
            "A4C1380BF511",
        ] {
            assert!(no.parse::<Address>().is_err(), "{no}");
        }
    }

    #[test]
    fn the_first_two_bits_of_a_random_address_tell_its_kind() {
        let kind = |first: u8| Address([first, 0, 0, 0, 0, 1]).kind(true);
        assert_eq!(kind(0xC0), AddressKind::RandomStatic);
        assert_eq!(kind(0x7F), AddressKind::Resolvable);
        assert_eq!(kind(0x3F), AddressKind::NonResolvable);
        assert_eq!(Address([0xC0; 6]).kind(false), AddressKind::Public);
    }
}
