//! Our values turned into the protocol's, as strictly as a machine deserves: nothing is guessed, rounded or cut. Pure.
//!
//! What a value may be is told by a node's DataType, ValueRank and ArrayDimensions (OPC UA Part 3, 5.6.2).

use fieldgate_model::Value;
use opcua::types::{
    Array, ByteString, DateTime, ExpandedNodeId, Guid, LocalizedText, NodeId, QualifiedName,
    StatusCode, UAString, Variant, VariantScalarTypeId as Type, XmlElement,
};

/// The largest whole number up to which a double has them all.
const EXACT_IN_DOUBLE: i128 = 1 << 53;
/// The same for a float.
const EXACT_IN_FLOAT: i128 = 1 << 24;
/// The most elements of a list or matrix that is written.
const MAX_ELEMENTS: usize = 64 << 10;

/// What a node or an argument takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// None where the server takes any: then the type is the value's own.
    pub scalar: Option<Type>,
    /// As the server names it, for people.
    pub name: String,
    /// -3 scalar or list, -2 any, -1 scalar, 0 list or matrix, 1 list, more: so many dimensions.
    pub rank: i32,
    /// The length of each dimension; 0 where it is free.
    pub dimensions: Vec<u32>,
}

/// The value as this shape wants it.
///
/// # Errors
/// In words, when it is none of that shape.
pub(super) fn variant(value: &Value, shape: &Shape) -> Result<Variant, String> {
    let takes = shape.words();
    let Value::List(values) = value else {
        if !matches!(shape.rank, -3..=-1) {
            return Err(format!(
                "{} is a single value, and {takes} is wanted",
                kind(value)
            ));
        }
        return scalar(value, shape);
    };
    if shape.rank == -1 {
        return Err(format!("it is a list, and {takes} is wanted"));
    }
    let mut dimensions = Vec::new();
    let mut flat = Vec::new();
    flatten(values, 0, &mut dimensions, &mut flat)?;
    let depth = i32::try_from(dimensions.len()).unwrap_or(i32::MAX);
    let fits = match shape.rank {
        -3 => depth == 1,
        rank if rank > 0 => depth == rank,
        _ => true,
    };
    if !fits {
        return Err(format!("it has {depth} dimensions, and {takes} is wanted"));
    }
    for (given, wanted) in dimensions.iter().zip(&shape.dimensions) {
        if *wanted != 0 && given != wanted {
            return Err(format!("it has {given} elements, and {takes} is wanted"));
        }
    }
    let values = flat
        .into_iter()
        .map(|value| scalar(value, shape))
        .collect::<Result<Vec<Variant>, String>>()?;
    let of = shape
        .scalar
        .or_else(|| values.first().and_then(Variant::scalar_type_id))
        .ok_or("an empty list has no type here")?;
    let array = match dimensions.len() {
        1 => Array::new(of, values),
        _ => Array::new_multi(of, values, dimensions),
    };
    array
        .map(|array| Variant::Array(Box::new(array)))
        .map_err(|_| format!("its elements are of several types, and {takes} is wanted"))
}

/// Walks nested lists, which have to be a full rectangle.
fn flatten<'a>(
    values: &'a [Value],
    level: usize,
    dimensions: &mut Vec<u32>,
    flat: &mut Vec<&'a Value>,
) -> Result<(), String> {
    let length = u32::try_from(values.len()).map_err(|_| "it is too long".to_owned())?;
    match dimensions.get(level) {
        None if flat.is_empty() => dimensions.push(length),
        None => return Err("it mixes lists and single values".into()),
        Some(known) if *known == length => {}
        Some(_) => return Err("its rows are of different lengths".into()),
    }
    let nested = values.iter().any(|value| matches!(value, Value::List(_)));
    for value in values {
        match value {
            Value::List(inner) => flatten(inner, level + 1, dimensions, flat)?,
            _ if nested => return Err("it mixes lists and single values".into()),
            value if level + 1 < dimensions.len() => {
                return Err(format!("{} stands where a list is wanted", kind(value)));
            }
            value => flat.push(value),
        }
        if flat.len() > MAX_ELEMENTS {
            return Err(format!("it has more than {MAX_ELEMENTS} elements"));
        }
    }
    Ok(())
}

fn scalar(value: &Value, shape: &Shape) -> Result<Variant, String> {
    let of = match shape.scalar {
        Some(of) => of,
        None => own_type(value).ok_or_else(|| format!("{} has no type of its own", kind(value)))?,
    };
    let name = shape.name.as_str();
    let mismatch = || format!("{} is no {name}", kind(value));
    Ok(match of {
        Type::Boolean => match value {
            Value::Bool(truth) => Variant::Boolean(*truth),
            _ => return Err(mismatch()),
        },
        Type::SByte => Variant::SByte(whole(value, name)?),
        Type::Byte => Variant::Byte(whole(value, name)?),
        Type::Int16 => Variant::Int16(whole(value, name)?),
        Type::UInt16 => Variant::UInt16(whole(value, name)?),
        Type::Int32 => Variant::Int32(whole(value, name)?),
        Type::UInt32 => Variant::UInt32(whole(value, name)?),
        Type::Int64 => Variant::Int64(whole(value, name)?),
        Type::UInt64 => Variant::UInt64(whole(value, name)?),
        Type::Float => Variant::Float(float(value, name)?),
        Type::Double => Variant::Double(double(value, name, EXACT_IN_DOUBLE)?),
        Type::String => Variant::String(UAString::from(text(value, name)?)),
        Type::XmlElement => Variant::XmlElement(XmlElement::from(text(value, name)?)),
        Type::DateTime => Variant::from(
            DateTime::parse_from_rfc3339(text(value, name)?)
                .map_err(|_| "it is no time; write it as 2026-11-25T20:00:00Z".to_owned())?,
        ),
        Type::Guid => text(value, name)?
            .parse::<Guid>()
            .map(Variant::from)
            .map_err(|_| "it is no Guid".to_owned())?,
        Type::ByteString => Variant::ByteString(bytes(value, name)?),
        Type::NodeId => text(value, name)?
            .parse::<NodeId>()
            .map(Variant::from)
            .map_err(|_| "it is no node id; write it as ns=2;s=Temp".to_owned())?,
        Type::ExpandedNodeId => text(value, name)?
            .parse::<ExpandedNodeId>()
            .map(Variant::from)
            .map_err(|_| "it is no node id; write it as ns=2;s=Temp".to_owned())?,
        Type::StatusCode => Variant::StatusCode(StatusCode::from(whole::<u32>(value, name)?)),
        Type::QualifiedName => Variant::from(qualified(text(value, name)?)),
        Type::LocalizedText => Variant::from(localized(value, name)?),
        Type::ExtensionObject | Type::DataValue | Type::Variant | Type::DiagnosticInfo => {
            return Err(format!("a {name} is a structure, which cannot be written"));
        }
    })
}

/// What a value is where the server takes any.
fn own_type(value: &Value) -> Option<Type> {
    Some(match value {
        Value::Bool(_) => Type::Boolean,
        Value::Int(_) => Type::Int64,
        Value::UInt(_) => Type::UInt64,
        Value::Float(_) => Type::Double,
        Value::Text(_) => Type::String,
        Value::Bytes(_) => Type::ByteString,
        Value::Null | Value::List(_) | Value::Struct(_) | Value::Blob { .. } => return None,
    })
}

/// A whole number that fits; one that was written as 7.0 is one.
fn whole<T: TryFrom<i128>>(value: &Value, name: &str) -> Result<T, String> {
    let number: i128 = match value {
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        Value::Float(number) if number.fract() == 0.0 && number.abs() <= EXACT_IN_DOUBLE as f64 => {
            *number as i128
        }
        Value::Float(number) => {
            return Err(format!("{number} is no whole number, and {name} is wanted"));
        }
        _ => return Err(format!("{} is no {name}", kind(value))),
    };
    T::try_from(number).map_err(|_| format!("{number} is out of the range of {name}"))
}

/// A number that a double has exactly; up to `exact` every whole one.
#[expect(
    clippy::cast_precision_loss,
    reason = "whole numbers are looked at before"
)]
fn double(value: &Value, name: &str, exact: i128) -> Result<f64, String> {
    let number: i128 = match value {
        Value::Float(number) => return Ok(*number),
        Value::Text(text) => {
            return match text.as_str() {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => Err(format!("a text is no {name}")),
            };
        }
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        _ => return Err(format!("{} is no {name}", kind(value))),
    };
    if number.abs() > exact {
        return Err(format!("{number} has more digits than {name} keeps"));
    }
    Ok(number as f64)
}

fn float(value: &Value, name: &str) -> Result<f32, String> {
    let number = double(value, name, EXACT_IN_FLOAT)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest float is meant"
    )]
    let near = number as f32;
    if number.is_finite() && !near.is_finite() {
        return Err(format!("{number} is out of the range of {name}"));
    }
    Ok(near)
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(format!("{} is no {name}; put it in quotes", kind(value))),
    }
}

fn bytes(value: &Value, name: &str) -> Result<ByteString, String> {
    match value {
        Value::Bytes(bytes) => Ok(ByteString::from(bytes.to_vec())),
        Value::Text(text) => {
            ByteString::from_base64(text).ok_or_else(|| "it is no Base64".to_owned())
        }
        _ => Err(format!("{} is no {name}; send Base64", kind(value))),
    }
}

/// `2:Name`, or a name of namespace 0.
fn qualified(text: &str) -> QualifiedName {
    match text.split_once(':') {
        Some((index, name)) if index.parse::<u16>().is_ok() => {
            QualifiedName::new(index.parse().unwrap_or_default(), name)
        }
        _ => QualifiedName::new(0, text),
    }
}

/// A text, or a structure of `text` and `locale`.
fn localized(value: &Value, name: &str) -> Result<LocalizedText, String> {
    let Value::Struct(fields) = value else {
        return Ok(LocalizedText::new("", text(value, name)?));
    };
    let (mut said, mut locale) = (None, "");
    for (field, value) in fields {
        match field.to_ascii_lowercase().as_str() {
            "text" => said = Some(text(value, name)?),
            "locale" => locale = text(value, name)?,
            _ => return Err(format!("a {name} has no `{}`", field.escape_debug())),
        }
    }
    Ok(LocalizedText::new(
        locale,
        said.ok_or_else(|| format!("a {name} needs `text`"))?,
    ))
}

/// What a value is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing (null)",
        Value::Bool(_) => "a truth value",
        Value::Int(_) | Value::UInt(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "a row of bytes",
        Value::List(_) => "a list",
        Value::Struct(_) => "a structure",
        Value::Blob { .. } => "a document",
    }
}

// === impl Shape ===

impl Shape {
    /// `Double`, `a list of Double`, `a list of 3 Double`, `a matrix of Double`.
    pub(super) fn words(&self) -> String {
        let name = &self.name;
        match (self.rank, self.dimensions.as_slice()) {
            (1, [length]) if *length > 0 => format!("a list of {length} {name}"),
            (1 | 0, _) => format!("a list of {name}"),
            (rank, _) if rank > 1 => format!("a matrix of {rank} dimensions of {name}"),
            _ => format!("a single {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
