//! `Last`: what of a point's last value is remembered, to know it when it comes again. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use fieldgate_model::{Quality, Reading, Timestamp, Value};

/// A value's time and a fingerprint of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub at: Timestamp,
    /// The same for the same value as long as the standard library hashes alike; otherwise one value comes again.
    pub fingerprint: u64,
}

// === impl Last ===

impl Last {
    /// The same value and quality, of whatever moment.
    pub(crate) fn is_same_value(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    pub(crate) fn of(reading: &Reading) -> Self {
        let mut hasher = DefaultHasher::new();
        value(&reading.value, &mut hasher);
        match &reading.quality {
            Quality::Good => 0_u8.hash(&mut hasher),
            Quality::Uncertain(why) => (1_u8, why).hash(&mut hasher),
            Quality::Bad(why) => (2_u8, why).hash(&mut hasher),
        }
        Self {
            at: reading.at,
            fingerprint: hasher.finish(),
        }
    }
}

fn value(of: &Value, hasher: &mut DefaultHasher) {
    std::mem::discriminant(of).hash(hasher);
    match of {
        Value::Null => {}
        Value::Bool(value) => value.hash(hasher),
        Value::Int(value) => value.hash(hasher),
        Value::UInt(value) => value.hash(hasher),
        Value::Float(value) => value.to_bits().hash(hasher),
        Value::Text(value) => value.hash(hasher),
        Value::Bytes(value) => value.hash(hasher),
        Value::List(values) => {
            values.len().hash(hasher);
            values.iter().for_each(|of| value(of, hasher));
        }
        Value::Struct(fields) => {
            fields.len().hash(hasher);
            for (name, of) in fields {
                name.hash(hasher);
                value(of, hasher);
            }
        }
        Value::Blob { media_type, data } => (media_type, data).hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_of_the_same_moment_is_known_and_no_other() {
        let at = Timestamp::from_millis(7);
        let reading = |value: Value, at| Reading::new("s/d/p".parse().unwrap(), value, at);
        let first = Last::of(&reading(Value::Float(f64::NAN), at));
        assert_eq!(first, Last::of(&reading(Value::Float(f64::NAN), at)));
        let later = Timestamp::from_millis(8);
        let same_later = Last::of(&reading(Value::Float(f64::NAN), later));
        assert!(first.is_same_value(&same_later));
        let bad = Reading {
            quality: Quality::Bad("Bad".into()),
            ..reading(Value::Float(f64::NAN), at)
        };
        let list = Value::List(vec![Value::Int(1), Value::Int(2)]);
        for other in [
            reading(Value::Float(1.0), at),
            reading(Value::Float(f64::NAN), later),
            reading(list, at),
            bad,
        ] {
            assert_ne!(first, Last::of(&other), "{other:?}");
        }
    }
}
