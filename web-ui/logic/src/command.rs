//! What a person types for a device, as the value that its data type takes, or why it is none. Pure.
//!
//! The gateway and the device look once more, and have the last word: what is not known here is let through.

use std::str::FromStr;

use fieldgate_api::command::OfferView;
use fieldgate_model::ActionKind;
use serde_json::{Number, Value as Json};

/// How a value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// One of true and false.
    Truth,
    /// A line of text.
    Line,
    /// A list or a structure, in JSON.
    Json,
}

/// How a value of this data type is asked for.
#[must_use]
pub fn field(data_type: &str) -> Field {
    match split(data_type) {
        (_, 1..) => Field::Json,
        ("Boolean", _) => Field::Truth,
        _ => Field::Line,
    }
}

/// What is to be typed, in words: `a whole number from 0 to 65535`.
#[must_use]
pub fn hint(data_type: &str) -> String {
    let (scalar, dimensions) = split(data_type);
    let one = match scalar {
        "Boolean" => "true or false".to_owned(),
        "Float" | "Double" => "a number such as 80.5".to_owned(),
        "DateTime" | "UtcTime" => "a time such as 2026-11-25T20:00:00Z".to_owned(),
        "Guid" => "a Guid such as 72962b91-fa75-4ae6-8d28-b404dc7daf63".to_owned(),
        "ByteString" => "bytes in Base64".to_owned(),
        "NodeId" | "ExpandedNodeId" => "a node id such as ns=2;s=Temp".to_owned(),
        "String" | "LocalizedText" | "XmlElement" | "QualifiedName" => "a text".to_owned(),
        _ => match bounds(scalar) {
            Some((least, most)) => format!("a whole number from {least} to {most}"),
            None => "a number, a text, or JSON".to_owned(),
        },
    };
    match dimensions {
        0 => one,
        1 => format!("a list in JSON, such as [1, 2], each {one}"),
        _ => format!("lists in a list in JSON, such as [[1, 2], [3, 4]], each {one}"),
    }
}

/// The value that was typed, as it goes to the gateway.
///
/// # Errors
/// In words, when it is none of this data type.
pub fn read(typed: &str, data_type: &str) -> Result<Json, String> {
    let (scalar, dimensions) = split(data_type);
    if dimensions == 0 {
        return one(typed, scalar);
    }
    let list: Json = serde_json::from_str(typed)
        .map_err(|_| format!("a list of {scalar} is wanted, in JSON: [1, 2]"))?;
    check_list(&list, scalar, dimensions)?;
    Ok(list)
}

/// Of what a source offers at a node, that which belongs to the way by which somebody came; all of it when none does. A method
/// can be one node that several objects share.
#[must_use]
pub fn nearest(offers: &[OfferView], source: &str, path: &str) -> Vec<OfferView> {
    let below = path.strip_prefix("Objects/").unwrap_or(path);
    let target = format!("{source}/{below}");
    match offers.iter().find(|offer| offer.target == target) {
        Some(offer) => vec![offer.clone()],
        None => offers.to_vec(),
    }
}

/// The rule that allows what could be done to a node and is not allowed yet; `None` when nothing is left.
#[must_use]
pub fn missing(actions: &[ActionKind], rule: &Json, offers: &[OfferView]) -> Option<Json> {
    let allowed = |action: &&ActionKind| offers.iter().any(|offer| offer.allow.contains(action));
    let missing: Vec<&str> = actions
        .iter()
        .filter(|action| !allowed(action))
        .map(|action| action.as_str())
        .collect();
    let mut rule = rule.clone();
    rule["allow"] = Json::from(missing.clone());
    (!missing.is_empty()).then_some(rule)
}

/// What a rule is about, to begin a sentence with that ends in "not allowed here".
#[must_use]
pub fn deeds(rule: &Json) -> String {
    let names = rule["allow"].as_array().into_iter().flatten();
    let deed = |name: &Json| match name.as_str() {
        Some("read") => "reading on demand",
        Some("write") => "writing",
        Some("call") => "calling",
        _ => "this",
    };
    let deeds: Vec<&str> = names.map(deed).collect();
    deeds.join(" and ")
}

/// A rule as it stands in a TOML file: `{ node = "i=7", allow = ["write"] }`.
#[must_use]
pub fn toml(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let pair = |(key, value): (&String, &Json)| format!("{key} = {}", toml(value));
            let pairs: Vec<String> = table.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Json::Array(list) => {
            let items: Vec<String> = list.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        // JSON's escapes are those of TOML's basic strings, too.
        other => other.to_string(),
    }
}

/// `UInt16[][]` is UInt16 with two dimensions.
fn split(data_type: &str) -> (&str, usize) {
    let scalar = data_type.trim_end_matches("[]");
    (scalar, (data_type.len() - scalar.len()) / 2)
}

fn check_list(list: &Json, scalar: &str, dimensions: usize) -> Result<(), String> {
    let Json::Array(items) = list else {
        return Err(format!("a list of {scalar} is wanted, and {list} is none"));
    };
    let check = |item: &Json| match (dimensions, item) {
        (2.., _) => check_list(item, scalar, dimensions - 1),
        (_, Json::Array(_)) => Err(format!(
            "{item} is a list, and a single {scalar} is wanted there"
        )),
        (_, Json::String(text)) if !is_number(scalar) => one(text, scalar).map(drop),
        (_, Json::String(text)) if is_special(text) => one(text, scalar).map(drop),
        (_, Json::String(_)) => Err(format!("{item} is a text and no {scalar}")),
        _ => one(&item.to_string(), scalar).map(drop),
    };
    items.iter().try_for_each(check)
}

fn is_number(scalar: &str) -> bool {
    bounds(scalar).is_some() || matches!(scalar, "Float" | "Double" | "Boolean")
}

fn one(typed: &str, scalar: &str) -> Result<Json, String> {
    let trimmed = typed.trim();
    if let Some((least, most)) = bounds(scalar) {
        return whole(trimmed, scalar, least, most);
    }
    let no = |wanted: &str| Err(format!("`{trimmed}` is no {scalar}; write {wanted}"));
    match scalar {
        "Boolean" => match trimmed {
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            _ => no("true or false"),
        },
        "Float" | "Double" => number(trimmed, scalar),
        "String" | "LocalizedText" | "XmlElement" | "QualifiedName" => Ok(Json::from(typed)),
        "DateTime" | "UtcTime" if !is_time(trimmed) => no("it like 2026-11-25T20:00:00Z"),
        "Guid" if !is_guid(trimmed) => no("it like 72962b91-fa75-4ae6-8d28-b404dc7daf63"),
        "ByteString" if !is_base64(trimmed) => no("it in Base64"),
        "DateTime" | "UtcTime" | "Guid" | "ByteString" | "NodeId" | "ExpandedNodeId" => {
            Ok(Json::from(trimmed))
        }
        // An enumeration, or a type of the server's own.
        _ => Ok(serde_json::from_str(trimmed).unwrap_or_else(|_| Json::from(typed))),
    }
}

/// The range of a type of whole numbers.
fn bounds(scalar: &str) -> Option<(i128, i128)> {
    Some(match scalar {
        "SByte" => (i8::MIN.into(), i8::MAX.into()),
        "Byte" => (0, u8::MAX.into()),
        "Int16" => (i16::MIN.into(), i16::MAX.into()),
        "UInt16" => (0, u16::MAX.into()),
        "Int32" => (i32::MIN.into(), i32::MAX.into()),
        "UInt32" => (0, u32::MAX.into()),
        "Int64" => (i64::MIN.into(), i64::MAX.into()),
        "UInt64" => (0, u64::MAX.into()),
        _ => return None,
    })
}

fn whole(typed: &str, scalar: &str, least: i128, most: i128) -> Result<Json, String> {
    let wanted = format!("a whole number from {least} to {most}");
    let number = i128::from_str(typed)
        .map_err(|_| format!("`{typed}` is no {scalar}; write {wanted}"))
        .and_then(|number| match (least..=most).contains(&number) {
            true => Ok(number),
            false => Err(format!(
                "{number} is out of the range of {scalar}; write {wanted}"
            )),
        })?;
    let signed = i64::try_from(number).map(Number::from);
    let number = signed.or_else(|_| u64::try_from(number).map(Number::from));
    number
        .map(Json::Number)
        .map_err(|_| format!("write {wanted}"))
}

/// Digits stay as they were typed where they are a whole number, so that none is lost on the way.
fn number(typed: &str, scalar: &str) -> Result<Json, String> {
    if is_special(typed) {
        return Ok(Json::from(typed));
    }
    let no = || format!("`{typed}` is no {scalar}; write a number such as 80.5");
    let number = f64::from_str(typed).map_err(|_| no())?;
    if !number.is_finite() || (scalar == "Float" && number.abs() > f64::from(f32::MAX)) {
        return Err(format!("{typed} is out of the range of {scalar}"));
    }
    if let Ok(whole) = i64::from_str(typed) {
        return Ok(Json::from(whole));
    }
    Number::from_f64(number).map(Json::Number).ok_or_else(no)
}

/// What JSON has no numbers for.
fn is_special(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// RFC 3339, as far as its shape goes.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|one| if one.is_ascii_digit() { '0' } else { one })
        .collect();
    let Some(rest) = shape.strip_prefix("0000-00-00T00:00:00") else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with('0') => fraction.trim_start_matches('0'),
        Some(_) => return false,
        None => rest,
    };
    matches!(zone, "Z" | "+00:00" | "-00:00")
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text
            .chars()
            .all(|one| one == '-' || one.is_ascii_hexdigit())
}

fn is_base64(text: &str) -> bool {
    let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '+' | '/');
    text.len().is_multiple_of(4) && text.trim_end_matches('=').chars().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn fits(typed: &str, data_type: &str, expected: Json) {
        assert_eq!(read(typed, data_type), Ok(expected), "{typed} {data_type}");
    }

    #[track_caller]
    fn refused(typed: &str, data_type: &str, why: &str) {
        let said = read(typed, data_type).unwrap_err();
        assert!(said.contains(why), "{typed} {data_type}: {said}");
    }

    #[test]
    fn what_fits_goes_as_it_was_typed() {
        fits("80.5", "Double", json!(80.5));
        fits(" 80 ", "Double", json!(80));
        fits("-Infinity", "Float", json!("-Infinity"));
        fits("9223372036854775807", "Int64", json!(i64::MAX));
        fits("18446744073709551615", "UInt64", json!(u64::MAX));
        fits("true", "Boolean", json!(true));
        fits(" 80 ", "String", json!(" 80 "));
        fits(
            "2026-11-25T20:00:00.25Z",
            "DateTime",
            json!("2026-11-25T20:00:00.25Z"),
        );
        fits("AAE=", "ByteString", json!("AAE="));
        fits("[1, 2]", "UInt16[]", json!([1, 2]));
        fits(r#"["a", "NaN"]"#, "String[]", json!(["a", "NaN"]));
        fits(r#"[1.5, "NaN"]"#, "Double[]", json!([1.5, "NaN"]));
        fits("[[true], [false]]", "Boolean[][]", json!([[true], [false]]));
        // Types that only the server knows.
        fits("2", "MachineMode", json!(2));
        fits("Running", "MachineMode", json!("Running"));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        refused("abc", "Double", "`abc` is no Double; write a number");
        refused("", "Int16", "write a whole number from -32768 to 32767");
        refused("1.5", "UInt16", "`1.5` is no UInt16");
        refused("70000", "UInt16", "70000 is out of the range of UInt16");
        refused("1e39", "Float", "out of the range of Float");
        refused("yes", "Boolean", "write true or false");
        refused("yesterday", "DateTime", "write it like 2026-11-25");
        refused("2026-11-25T20:00:00.Z", "DateTime", "is no DateTime");
        refused("1234", "Guid", "is no Guid");
        refused("a", "ByteString", "Base64");
        refused("1", "Double[]", "a list of Double is wanted");
        refused("[1, [2]]", "Double[]", "a single Double is wanted there");
        refused(r#"["1"]"#, "Double[]", "is a text and no Double");
        refused("[1, 2]", "Double[][]", "1 is none");
        refused("[1, -1]", "UInt16[]", "-1 is out of the range");
    }

    fn offer(target: &str, allow: &[ActionKind]) -> OfferView {
        OfferView {
            target: target.to_owned(),
            name: String::new(),
            address: "i=7".to_owned(),
            allow: allow.to_vec(),
            data_type: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    #[test]
    fn a_shared_method_is_that_of_the_object_it_was_found_at() {
        let offers = ["p/A/Start", "p/B/Start"].map(|target| offer(target, &[ActionKind::Call]));
        let targets = |path: &str| {
            let found = nearest(&offers, "p", path).into_iter();
            found.map(|offer| offer.target).collect::<Vec<_>>()
        };
        assert_eq!(targets("Objects/B/Start"), ["p/B/Start"]);
        assert_eq!(targets("Objects/C/Start"), ["p/A/Start", "p/B/Start"]);
        assert_eq!(targets(""), ["p/A/Start", "p/B/Start"]);
    }

    #[test]
    fn what_is_not_allowed_yet_has_a_rule() {
        use ActionKind::{Read, Write};
        let rule = json!({ "node": "i=7", "allow": ["read", "write"] });
        let of = |offers: &[OfferView]| missing(&[Read, Write], &rule, offers);
        assert_eq!(of(&[]), Some(rule.clone()));
        let write = json!({ "node": "i=7", "allow": ["write"] });
        assert_eq!(of(&[offer("p/A/T", &[Read])]), Some(write.clone()));
        assert_eq!(of(&[offer("p/A/T", &[Read, Write])]), None);
        assert_eq!(missing(&[], &rule, &[]), None);
        assert_eq!(deeds(&rule), "reading on demand and writing");
        assert_eq!(toml(&write), r#"{ allow = ["write"], node = "i=7" }"#);
    }

    #[test]
    fn each_type_has_its_field_and_its_hint() {
        for (data_type, expected, words) in [
            ("Boolean", Field::Truth, "true or false"),
            ("Double", Field::Line, "a number such as 80.5"),
            ("Byte", Field::Line, "a whole number from 0 to 255"),
            (
                "Byte[]",
                Field::Json,
                "a list in JSON, such as [1, 2], each a whole number from 0 to 255",
            ),
            ("MachineMode", Field::Line, "a number, a text, or JSON"),
        ] {
            assert_eq!(
                (field(data_type), hint(data_type).as_str()),
                (expected, words)
            );
        }
    }
}
