//! `Enumeration`: the names of a data type's numbers or bits, and how a value shows them. Pure.
//!
//! `{"Name": "Running", "Value": 1}`, and for sets of options `{"Names": ["Ready", "Warm"], "Value": 5}`: the number
//! stays what a rule can compare, the name is what a person reads. The shape is the same when a number has no name.

use fieldgate_model::Value;

/// Characters of a name; it stands at each value.
const MAX_NAME: usize = 200;

/// What a data type's numbers mean (OPC UA Part 3, 8.50: EnumDefinition).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enumeration {
    pub meaning: Meaning,
    /// Sorted by number.
    names: Vec<(i64, String)>,
}

/// What one of the names stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A value of an enumeration.
    Number,
    /// A bit of a set of options, counted from 0.
    Bit,
}

// === impl Enumeration ===

impl Enumeration {
    pub(crate) fn new(meaning: Meaning, names: impl IntoIterator<Item = (i64, String)>) -> Self {
        let names = names.into_iter();
        let mut names: Vec<(i64, String)> = names
            .map(|(number, name)| (number, name.chars().take(MAX_NAME).collect()))
            .collect();
        names.sort_by_key(|(number, _)| *number);
        Self { meaning, names }
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.names.iter();
        names
            .map(|(_, name)| size_of::<(i64, String)>() + name.len())
            .sum()
    }

    pub(crate) fn name(&self, number: i64) -> Option<&str> {
        let at = self
            .names
            .binary_search_by_key(&number, |(known, _)| *known)
            .ok()?;
        Some(&self.names[at].1)
    }

    /// The value with its names; arrays element by element. What is no number stays as it is.
    pub(crate) fn dress(&self, value: Value) -> Value {
        match value {
            Value::List(values) => {
                Value::List(values.into_iter().map(|value| self.dress(value)).collect())
            }
            Value::Int(number) => self.named(number, value),
            Value::UInt(number) => match self.meaning {
                Meaning::Bit => self.set(number, value),
                Meaning::Number => match i64::try_from(number) {
                    Ok(number) => self.named(number, value),
                    Err(_) => value,
                },
            },
            other => other,
        }
    }

    fn named(&self, number: i64, value: Value) -> Value {
        let name = self.name(number).map_or(Value::Null, Value::from);
        Value::Struct(vec![("Name".to_owned(), name), ("Value".to_owned(), value)])
    }

    fn set(&self, bits: u64, value: Value) -> Value {
        let names = (0..64)
            .filter(|bit| bits >> bit & 1 == 1)
            .filter_map(|bit| self.name(bit))
            .map(Value::from)
            .collect();
        Value::Struct(vec![
            ("Names".to_owned(), Value::List(names)),
            ("Value".to_owned(), value),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>, number: i64) -> Value {
        Value::Struct(vec![
            ("Name".to_owned(), name.map_or(Value::Null, Value::from)),
            ("Value".to_owned(), Value::Int(number)),
        ])
    }

    #[test]
    fn a_number_has_its_name_beside_it() {
        let names = [(10, "Hot"), (-1, "Cold")].map(|(number, name)| (number, name.to_owned()));
        let states = Enumeration::new(Meaning::Number, names);
        for (value, expected) in [
            (Value::Int(10), named(Some("Hot"), 10)),
            (Value::Int(-1), named(Some("Cold"), -1)),
            (Value::Int(3), named(None, 3)),
            (Value::Null, Value::Null),
            (Value::from("text"), Value::from("text")),
            (
                Value::List(vec![Value::Int(-1), Value::Int(0)]),
                Value::List(vec![named(Some("Cold"), -1), named(None, 0)]),
            ),
        ] {
            assert_eq!(states.dress(value), expected);
        }
    }

    #[test]
    fn a_name_is_no_book() {
        let names = [(1, "x".repeat(1 << 20))];
        let states = Enumeration::new(Meaning::Number, names);
        assert_eq!(states.name(1).map(str::len), Some(MAX_NAME));
        assert!(states.bytes() < 300);
    }

    #[test]
    fn a_set_of_options_names_each_bit_that_is_set() {
        let names =
            [(0, "Ready"), (2, "Warm"), (63, "Last")].map(|(bit, name)| (bit, name.to_owned()));
        let options = Enumeration::new(Meaning::Bit, names);
        let set = |bits: u64, names: &[&str]| {
            let names = names.iter().map(|name| Value::from(*name)).collect();
            let expected = Value::Struct(vec![
                ("Names".to_owned(), Value::List(names)),
                ("Value".to_owned(), Value::UInt(bits)),
            ]);
            assert_eq!(options.dress(Value::UInt(bits)), expected);
        };
        set(0, &[]);
        set(0b111, &["Ready", "Warm"]);
        set(u64::MAX, &["Ready", "Warm", "Last"]);
    }
}
