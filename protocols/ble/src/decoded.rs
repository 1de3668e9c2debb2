//! `Decoded`: what came of one advertisement, and what is remembered of a device between two of them.

use std::fmt;

use crate::{Advertisement, Field};

/// What came of one advertisement.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// Values; `sealed` says that a key opened them.
    Fields { fields: Vec<Field>, sealed: bool },
    /// The same packet as before, by its own counter or identifier: nothing new.
    Repeated,
    /// Encrypted, and there is no key.
    NeedsKey,
    /// Encrypted, and the key does not fit.
    WrongKey,
    /// Encrypted with a counter that came before: somebody may be playing back what he heard.
    Replayed,
    /// It is of this format and does not hold what it should: what, and at which byte.
    Unfit(String),
}

/// A decoder that is code, since its format is more than fields at places. It never panics, whatever the bytes are, and its work is
/// bounded by their number.
pub type Decode = fn(&Advertisement, Option<&Key>, &mut Memory) -> Decoded;

/// A key as a maker gives it: 16 bytes, of older Xiaomi devices 12. Prints as `Key(…)`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// What is remembered of one device between two of its packets. Formats use what they need.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// The highest replay counter that was accepted.
    pub counter: Option<u64>,
    /// The packet identifier of the last packet, where the format has one.
    pub packet: Option<u64>,
    /// Packets with a lower counter, of a device that may have begun anew: the last counter, and how many in a row rose.
    pub restart: Option<(u64, u8)>,
    /// The device says that it only sends when something happens, so that its silence means nothing.
    pub sleeps: Option<bool>,
    /// What the device said of itself that later packets rely on, for instance its model.
    pub model: Option<u32>,
}

// === impl Key ===

impl Key {
    /// From hexadecimal digits, in any case, with or without colons, dashes or spaces.
    ///
    /// # Errors
    /// In words, when it is no key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits: Vec<u32> = text
            .chars()
            .filter(|character| !matches!(character, ':' | '-' | ' '))
            .map(|character| character.to_digit(16))
            .collect::<Option<_>>()
            .ok_or("a key has hexadecimal digits only, 0 to 9 and a to f")?;
        if digits.len() != 32 && digits.len() != 24 {
            return Err(format!(
                "a key has 32 hexadecimal digits (24 on older Xiaomi devices), not {}",
                digits.len()
            ));
        }
        let bytes = digits.chunks_exact(2).map(|pair| {
            u8::try_from(pair[0] << 4 | pair[1]).expect("two hexadecimal digits are a byte")
        });
        Ok(Self(bytes.collect()))
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_apps_show_them() {
        let plain = Key::parse("231d39c1d7cc1ab1aee224cd096db932").unwrap();
        let colons = "23:1D:39:C1:D7:CC:1A:B1:AE:E2:24:CD:09:6D:B9:32";
        assert_eq!(Key::parse(colons), Ok(plain.clone()));
        assert_eq!(plain.bytes().len(), 16);
        assert_eq!(format!("{plain:?}"), "Key(…)");
        assert!(Key::parse("231d").unwrap_err().contains("not 4"));
        assert!(Key::parse(&"g".repeat(32)).is_err());
        assert!(Key::parse(&"ä".repeat(16)).is_err());
    }
}
