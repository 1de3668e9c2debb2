//! The protocol's values turned into ours: pure, and with `session.rs` and the simulator the only file that names the vendor's types.
//!
//! Variants are OPC UA Part 6, 5.1.9; what a DataValue's status and timestamps mean is Part 4, 7.11.

mod bounded;
mod guarded;
mod raw;
mod resolve;
mod salvage;
mod skip;
mod standard;
mod structure;
mod types;

use bytes::Bytes;
use fieldgate_model::{Quality, Timestamp, Value};
use opcua::types::{
    Array, ByteString, ContextOwned, DataValue, DateTime, DiagnosticInfo, ExpandedNodeId,
    ExtensionObject, LocalizedText, NodeId, StatusCode, Variant, VariantScalarTypeId,
    status_code::SubStatusCode, type_loader::ByteStringBody,
};

pub(crate) use self::{
    bounded::BoundedLoader,
    guarded::Guarded,
    raw::RawLoader,
    resolve::{Described, learn},
    salvage::salvage,
    types::Types,
};
use crate::{connection::Observed, node_id, status::Status};

// What one value may hold.
pub(crate) const MAX_TEXT_BYTES: usize = 1 << 20;
pub(crate) const MAX_BYTE_STRING_BYTES: usize = 1 << 20;
pub(crate) const MAX_ARRAY_LENGTH: usize = 64 << 10;
/// Values within one value: elements, fields, and theirs. Each takes some 100 bytes of memory.
const MAX_VALUES: usize = 200_000;
/// Structures within structures.
const MAX_DEPTH: usize = 32;

/// Decimals at which a Float is still sure to fit an exact product of 10 in a double.
const MAX_DECIMALS: i32 = 9;
/// The unit of picoseconds in a DataValue is 10 ps (Part 4, 7.11), and there are fewer than fit into a tick of 100 ns.
const PICOSECONDS_A_NANOSECOND: u16 = 100;
const MAX_PICOSECONDS: u16 = 9_999;

/// What is left of the limits for one value.
#[derive(Debug)]
struct Budget {
    values: usize,
    depth: usize,
}

// === impl Budget ===

impl Budget {
    fn new() -> Self {
        Self {
            values: MAX_VALUES,
            depth: MAX_DEPTH,
        }
    }

    /// One more value; `None` when it is one too many.
    fn count(&mut self) -> Option<()> {
        self.values = self.values.checked_sub(1)?;
        Some(())
    }

    /// One level deeper; `None` when it is too deep.
    fn enter(&mut self) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        Some(())
    }

    fn leave(&mut self) {
        self.depth += 1;
    }
}

/// A DataValue in our words, its structures by what is known of the server's types. One that is too large, or nested
/// too deeply, has no value and says so.
pub(crate) fn observed(data: DataValue, types: &Types) -> Observed {
    let status = data.status.unwrap_or(StatusCode::Good);
    let source = data
        .source_timestamp
        .and_then(|at| timestamp(at, data.source_picoseconds));
    let server = || {
        data.server_timestamp
            .and_then(|at| timestamp(at, data.server_picoseconds))
    };
    let at = source.or_else(server);
    let (value, quality) = match data.value {
        None => (Value::Null, quality(status)),
        Some(variant) => match value(variant, types) {
            Some(value) => (value, quality(status)),
            None => (Value::Null, too_large()),
        },
    };
    Observed {
        value,
        quality,
        at,
        overflow: status.overflow(),
    }
}

fn too_large() -> Quality {
    let why = "the value is too large, or nested too deeply; it is not read";
    Quality::Bad(format!("BadEncodingLimitsExceeded: {why}").into())
}

/// A Variant in our words; `None` when it is too large or too deep.
pub(crate) fn value(variant: Variant, types: &Types) -> Option<Value> {
    counted(variant, types, &mut Budget::new())
}

fn counted(variant: Variant, types: &Types, budget: &mut Budget) -> Option<Value> {
    budget.count()?;
    Some(match variant {
        Variant::Empty => Value::Null,
        Variant::Boolean(truth) => Value::Bool(truth),
        Variant::SByte(number) => Value::Int(number.into()),
        Variant::Byte(number) => Value::UInt(number.into()),
        Variant::Int16(number) => Value::Int(number.into()),
        Variant::UInt16(number) => Value::UInt(number.into()),
        Variant::Int32(number) => Value::Int(number.into()),
        Variant::UInt32(number) => Value::UInt(number.into()),
        Variant::Int64(number) => Value::Int(number),
        Variant::UInt64(number) => Value::UInt(number),
        Variant::Float(number) => Value::Float(widen(number)),
        Variant::Double(number) => Value::Float(number),
        Variant::String(text) => Value::Text(text.into()),
        Variant::DateTime(at) => Value::Text(date_time(&at)),
        Variant::Guid(guid) => Value::Text(guid.to_string()),
        Variant::StatusCode(code) => Value::Text(status(code).name().to_owned()),
        Variant::ByteString(bytes) => bytes_of(bytes),
        Variant::XmlElement(xml) => Value::Text(xml.to_string()),
        Variant::QualifiedName(name) => Value::Text(match name.namespace_index {
            0 => name.name.into(),
            index => format!("{index}:{}", name.name),
        }),
        Variant::LocalizedText(text) => Value::Text(text.text.into()),
        Variant::NodeId(node) => Value::Text(node.to_string()),
        Variant::ExpandedNodeId(node) => Value::Text(expanded(&node)),
        Variant::ExtensionObject(object) => extension_object(object, types, budget)?,
        Variant::Variant(inner) => deeper(budget, |budget| counted(*inner, types, budget))?,
        Variant::DataValue(inner) => deeper(budget, |budget| match inner.value {
            Some(inner) => counted(inner, types, budget),
            None => Some(Value::Null),
        })?,
        Variant::DiagnosticInfo(info) => diagnostic_info(*info, budget)?,
        Variant::Array(array) => list(*array, types, budget)?,
    })
}

/// `ns=2;i=7`, `nsu=urn:plant;i=7` where the namespace is spelled, `svr=1;…` for a node of another server.
fn expanded(node: &ExpandedNodeId) -> String {
    let mut text = match node.server_index {
        0 => String::new(),
        server => format!("svr={server};"),
    };
    if node.namespace_uri.is_empty() {
        text.push_str(&node.node_id.to_string());
    } else {
        let uri = node_id::escape_uri(node.namespace_uri.as_ref());
        text.push_str(&format!("nsu={uri};{}", node.node_id.identifier));
    }
    text
}

fn deeper<T>(budget: &mut Budget, inner: impl FnOnce(&mut Budget) -> Option<T>) -> Option<T> {
    budget.enter()?;
    let value = inner(budget)?;
    budget.leave();
    Some(value)
}

/// The status by its name.
pub(crate) fn status(code: StatusCode) -> Status {
    match code.sub_code() {
        SubStatusCode::Invalid => Status::unknown(code.bits()),
        known => Status::named(known.name()),
    }
}

fn quality(code: StatusCode) -> Quality {
    if code.is_good() {
        Quality::Good
    } else if code.is_uncertain() {
        Quality::Uncertain(status(code).to_string().into())
    } else {
        Quality::Bad(status(code).to_string().into())
    }
}

/// `None` for "no time" (the year 1601) and for years outside of 1677 to 2262.
pub(crate) fn timestamp(at: DateTime, picoseconds: Option<u16>) -> Option<Timestamp> {
    if at.is_null() {
        return None;
    }
    let ticks = at.as_chrono().timestamp_nanos_opt()?;
    let beyond = picoseconds.filter(|count| *count <= MAX_PICOSECONDS);
    let nanos = i64::from(beyond.unwrap_or(0) / PICOSECONDS_A_NANOSECOND);
    Some(Timestamp::from_nanos(ticks.saturating_add(nanos)))
}

fn date_time(at: &DateTime) -> String {
    match at.as_chrono().timestamp_nanos_opt() {
        Some(nanos) => Timestamp::from_nanos(nanos).to_string(),
        None => at.as_chrono().to_rfc3339(),
    }
}

/// The double that prints like the float: 21.3 stays 21.3, not 21.299999237060547.
#[expect(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "the exact way back is the question"
)]
fn widen(number: f32) -> f64 {
    let exact = f64::from(number);
    if !exact.is_finite() || exact.fract() == 0.0 {
        return exact;
    }
    let magnitude = exact.abs();
    if (1e-3..1e6).contains(&magnitude) {
        for decimals in 1..=MAX_DECIMALS {
            let power = 10f64.powi(decimals);
            let short = (exact * power).round() / power;
            if short as f32 == number {
                return short;
            }
        }
    }
    number.to_string().parse().unwrap_or(exact)
}

fn bytes_of(bytes: ByteString) -> Value {
    Value::Bytes(bytes.value.map(Bytes::from).unwrap_or_default())
}

/// A matrix becomes nested lists; its last dimension changes fastest (Part 6, 5.2.2.16).
fn list(array: Array, types: &Types, budget: &mut Budget) -> Option<Value> {
    let lengths: Vec<usize> = array
        .dimensions
        .unwrap_or_default()
        .into_iter()
        .map(|length| usize::try_from(length).unwrap_or(usize::MAX))
        .collect();
    let locales = speaks_in_tongues(&array.values);
    let flat: Option<Vec<Value>> = array
        .values
        .into_iter()
        .map(|element| match element {
            Variant::LocalizedText(text) if locales => Some(with_locale(*text)),
            element => counted(element, types, budget),
        })
        .collect();
    Some(nested(flat?, &lengths))
}

/// The same text in several languages: then, and only then, it matters which is which.
fn speaks_in_tongues(values: &[Variant]) -> bool {
    let mut locales = values.iter().map(|value| match value {
        Variant::LocalizedText(text) => text.locale.as_ref(),
        _ => "",
    });
    let first = locales.next();
    locales.any(|locale| Some(locale) != first)
}

fn with_locale(text: LocalizedText) -> Value {
    Value::Struct(vec![
        ("Locale".to_owned(), Value::Text(text.locale.into())),
        ("Text".to_owned(), Value::Text(text.text.into())),
    ])
}

/// Rows of rows; flat where the dimensions are one, or do not fit.
fn nested(flat: Vec<Value>, lengths: &[usize]) -> Value {
    let product = lengths
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul(*length));
    if lengths.len() < 2 || product != Some(flat.len()) || flat.is_empty() {
        return Value::List(flat);
    }
    let mut level = flat;
    for length in lengths.iter().skip(1).rev() {
        let mut values = level.into_iter();
        let mut rows = Vec::new();
        loop {
            let row: Vec<Value> = values.by_ref().take(*length).collect();
            if row.is_empty() {
                break;
            }
            rows.push(Value::List(row));
        }
        level = rows;
    }
    Value::List(level)
}

/// What of it is there; its numbers are places in a table of texts that the answer to a request has.
fn diagnostic_info(info: DiagnosticInfo, budget: &mut Budget) -> Option<Value> {
    let number = |number: Option<i32>| number.map(|number| Value::Int(number.into()));
    let inner = match info.inner_diagnostic_info {
        Some(inner) => Some(deeper(budget, |budget| {
            budget.count()?;
            diagnostic_info(*inner, budget)
        })?),
        None => None,
    };
    let fields = [
        ("SymbolicId", number(info.symbolic_id)),
        ("NamespaceUri", number(info.namespace_uri)),
        ("Locale", number(info.locale)),
        ("LocalizedText", number(info.localized_text)),
        (
            "AdditionalInfo",
            info.additional_info.map(|text| Value::Text(text.into())),
        ),
        (
            "InnerStatusCode",
            info.inner_status_code
                .map(|code| Value::from(status(code).name())),
        ),
        ("InnerDiagnosticInfo", inner),
    ];
    let present = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Some(Value::Struct(present.collect()))
}

/// Its fields where its definition is known and fits, else its type and its bytes.
fn extension_object(object: ExtensionObject, types: &Types, budget: &mut Budget) -> Option<Value> {
    let Some((encoding, bytes)) = body(object) else {
        return Some(Value::Null);
    };
    if let Some(structure) = types.structure(&encoding) {
        let depth = budget.depth;
        if let Some(fields) = structure::fields(structure, &bytes, types, budget) {
            return Some(fields);
        }
        budget.depth = depth;
    }
    budget.count()?;
    Some(Value::Struct(vec![
        ("TypeId".to_owned(), Value::Text(encoding.to_string())),
        ("Body".to_owned(), Value::Bytes(bytes.into())),
    ]))
}

/// The id of its encoding, and its bytes.
fn body(object: ExtensionObject) -> Option<(NodeId, Vec<u8>)> {
    let body = object.body.as_ref()?;
    let encoding = body.binary_type_id().node_id;
    if object.inner_is::<ByteStringBody>() {
        let raw = object.into_inner_as::<ByteStringBody>()?;
        return Some((encoding, raw.into_raw().value.unwrap_or_default()));
    }
    let mut bytes = Vec::new();
    let context = ContextOwned::default();
    if body.encode_binary(&mut bytes, &context.context()).is_err() {
        bytes.clear();
    }
    Some((encoding, bytes))
}

/// The encodings in a value whose structures are not known yet, and which the server was not asked for.
pub(crate) fn news(variant: &Variant, types: &Types, found: &mut Vec<NodeId>) {
    match variant {
        Variant::ExtensionObject(object) => {
            if let Some(raw) = object.inner_as::<ByteStringBody>()
                && types.is_news(raw.encoding_id())
                && !found.contains(raw.encoding_id())
            {
                found.push(raw.encoding_id().clone());
            }
        }
        Variant::Variant(inner) => news(inner, types, found),
        Variant::Array(array)
            if matches!(
                array.value_type,
                VariantScalarTypeId::ExtensionObject | VariantScalarTypeId::Variant
            ) =>
        {
            for element in &array.values {
                news(element, types, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
