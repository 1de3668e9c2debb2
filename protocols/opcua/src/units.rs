//! Units: what a server's EUInformation says, as a UCUM code (OPC UA Part 8, 5.6.3). Pure.
//!
//! A unit's id there is the common code of UNECE Recommendation 20, its characters as the bytes of a number: `CEL` is
//! 0x43454C. `units/unece.txt` is the table from these codes to UCUM.

use std::{collections::HashMap, sync::LazyLock};

/// The namespace of UNECE's codes ends like this; some servers leave it out.
const UNECE: &str = "un/cefact";

static TABLE: LazyLock<HashMap<i32, &'static str>> = LazyLock::new(|| {
    include_str!("units/unece.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(code, ucum)| Some((unit_id(code)?, ucum)))
        .collect()
});

/// The UCUM code, or the display name of a unit that has none; `None` when there is neither.
pub(crate) fn unit(namespace: &str, unit_id: i32, display_name: &str) -> Option<String> {
    let unece = namespace.is_empty() || namespace.ends_with(UNECE);
    let ucum = TABLE.get(&unit_id).filter(|_| unece);
    let unit = ucum.map_or(display_name.trim(), |ucum| ucum);
    (!unit.is_empty()).then(|| unit.to_owned())
}

/// Two or three characters as a number.
fn unit_id(code: &str) -> Option<i32> {
    let bytes = code.bytes();
    if !(2..=3).contains(&bytes.len()) {
        return None;
    }
    Some(bytes.fold(0, |number, byte| number << 8 | i32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "http://www.opcfoundation.org/UA/units/un/cefact";

    #[test]
    fn codes_are_written_as_the_specification_has_them() {
        // Part 8, 5.6.3, and UNECE_to_OPCUA.csv of the OPC Foundation.
        for (code, id) in [
            ("CEL", 4_408_652),
            ("P1", 20_529),
            ("BAR", 4_342_098),
            ("C81", 4_405_297),
            ("MTR", 5_067_858),
            ("59", 13_625),
            ("4K", 13_387),
        ] {
            assert_eq!(unit_id(code), Some(id), "{code}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_one_code_and_one_unit() {
        let lines = include_str!("units/unece.txt").lines();
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
        for line in &lines {
            let (code, ucum) = line.split_once(' ').unwrap();
            assert!(unit_id(code).is_some(), "{line}");
            assert!(
                !ucum.is_empty() && !ucum.contains(' ') && ucum.is_ascii(),
                "{line}"
            );
        }
        assert_eq!(TABLE.len(), lines.len(), "each code once");
        assert!(TABLE.len() > 300);
    }

    #[test]
    fn a_unit_is_its_code_or_its_name() {
        for (namespace, id, name, expected) in [
            (NAMESPACE, 4_408_652, "°C", Some("Cel")),
            ("", 20_529, "%", Some("%")),
            ("urn:plant", 4_408_652, "bananas", Some("bananas")),
            (NAMESPACE, -1, " parts ", Some("parts")),
            (NAMESPACE, -1, "", None),
        ] {
            assert_eq!(unit(namespace, id, name).as_deref(), expected);
        }
    }
}
