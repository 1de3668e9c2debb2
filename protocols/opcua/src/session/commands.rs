//! Reading and writing a value on command, with what the server says about the node asked first.
//!
//! OPC UA Part 4, 5.10.2 (Read), 5.10.4 (Write); what a node takes is told by its attributes (Part 3, 5.6.2). The server has the last word: what it refuses is told in its own.

use fieldgate_kit::format::value_json;
use fieldgate_model::{Answer, Value};
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowseResultMask, DataTypeId, DataValue,
    Identifier, NodeClassMask, NodeId as VendorNodeId, ReadValueId, ReferenceDescription,
    ReferenceTypeId, StatusCode, TimestampsToReturn, Variant, VariantScalarTypeId as Type,
    WriteValue,
};

use super::{
    calls::Client,
    convert,
    encode::{self, Shape},
    within,
};
use crate::{
    node_id::NodeId,
    status::Status,
    value::{self, Types},
};

/// CurrentRead and CurrentWrite of AccessLevel (Part 3, 8.57).
const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// A type's way up to a built-in one is not longer.
const MAX_SUPERTYPES: usize = 16;
/// Characters of a value in a sentence.
const MAX_SHOWN: usize = 80;

/// What the server tells of a variable.
struct Variable {
    data_type: VendorNodeId,
    rank: i32,
    dimensions: Vec<u32>,
    access: u8,
    user_access: u8,
    now: Option<DataValue>,
}

impl Client {
    /// The value, read from the device and not from the server's memory.
    pub(super) async fn value_now(&self, node: &NodeId) -> Result<Answer, Status> {
        let wanted = [ReadValueId {
            node_id: convert::vendor_node_id(node),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        }];
        let values = self.session.read(&wanted, TimestampsToReturn::Both, 0.0);
        let Some(data) = within(values).await?.into_iter().next() else {
            return Err(Status::named("BadUnknownResponse"));
        };
        let code = data.status();
        let status = value::status(code);
        let read = value::observed(data, &self.lexicon.types()).value;
        if code.is_bad() {
            return Ok(refused(&status, "the value cannot be read"));
        }
        let quality = if code.is_good() {
            ""
        } else {
            ", with a quality that is not good"
        };
        let answer = Answer::done(format!("{} was read{quality}", shown(&read)));
        Ok(answer.value(read).status(status.name()))
    }

    /// Writes a value that fits the variable, and nothing else.
    pub(super) async fn write_value(&self, node: &NodeId, value: &Value) -> Result<Answer, Status> {
        let node = convert::vendor_node_id(node);
        let variable = match self.variable(&node).await? {
            Ok(variable) => variable,
            Err(why) => return Ok(refused(&why, "the node cannot be written")),
        };
        if let Some(why) = variable.not_writable() {
            return Ok(Answer::refused(why));
        }
        let old = variable.old(&self.lexicon.types());
        let shape = self
            .shape(
                &variable.data_type,
                variable.rank,
                &variable.dimensions,
                variable.now_type(),
            )
            .await?;
        let variant = match encode::variant(value, &shape) {
            Ok(variant) => variant,
            Err(why) => {
                let words = format!("{} cannot be written: {why}", shown(value));
                return Ok(Answer::refused(words).old(old));
            }
        };
        let written =
            value::value(variant.clone(), &self.lexicon.types()).unwrap_or_else(|| value.clone());
        let write = WriteValue {
            node_id: node,
            attribute_id: AttributeId::Value as u32,
            // No status and no times: many servers take a write of the value alone (Part 4, 5.10.4.1).
            value: DataValue {
                value: Some(variant),
                ..DataValue::null()
            },
            ..WriteValue::default()
        };
        let codes = within(self.session.write(&[write])).await?;
        let code = codes
            .into_iter()
            .next()
            .unwrap_or(StatusCode::BadUnknownResponse);
        let status = value::status(code);
        let answer = if code.is_bad() {
            refused(&status, &format!("{} was not written", shown(&written)))
        } else {
            let words = match status.is("Good") {
                true => format!("{} was written", shown(&written)),
                false => format!("{} was written: {status}", shown(&written)),
            };
            Answer::done(words).status(status.name()).value(written)
        };
        Ok(answer.old(old))
    }

    /// The outer error is the connection's, the inner one the node's.
    async fn variable(&self, node: &VendorNodeId) -> Result<Result<Variable, Status>, Status> {
        let wanted = [
            AttributeId::DataType,
            AttributeId::ValueRank,
            AttributeId::ArrayDimensions,
            AttributeId::AccessLevel,
            AttributeId::UserAccessLevel,
            AttributeId::Value,
        ]
        .map(|attribute| (node.clone(), attribute));
        let mut values = self.read(&wanted).await?.into_iter();
        let mut next = || values.next().unwrap_or_else(DataValue::null);
        let data_type = next();
        let Some(Variant::NodeId(known)) = data_type.value else {
            return Ok(Err(match data_type.status.unwrap_or(StatusCode::Good) {
                code if code.is_bad() => value::status(code),
                _ => Status::named("BadAttributeIdInvalid"),
            }));
        };
        let number = |data: DataValue| match data.value {
            Some(Variant::Int32(number)) => Some(number),
            _ => None,
        };
        let level = |data: DataValue| match data.value {
            Some(Variant::Byte(level)) => level,
            // A server that does not say so is asked by the write itself.
            _ => READABLE | WRITABLE,
        };
        Ok(Ok(Variable {
            data_type: *known,
            rank: number(next()).unwrap_or(-2),
            dimensions: dimensions(next()),
            access: level(next()),
            user_access: level(next()),
            now: Some(next()),
        }))
    }

    /// What a data type takes: the built-in type that it is derived from (Part 3, 5.8.3).
    pub(super) async fn shape(
        &self,
        data_type: &VendorNodeId,
        rank: i32,
        dimensions: &[u32],
        now: Option<Type>,
    ) -> Result<Shape, Status> {
        let names = self.type_names(vec![data_type.clone()]).await?;
        let name = names.get(data_type).cloned();
        let mut at = data_type.clone();
        let mut scalar = None;
        for _ in 0..MAX_SUPERTYPES {
            match built_in(&at) {
                BuiltIn::Is(of) => {
                    scalar = Some(of);
                    break;
                }
                BuiltIn::Any => {
                    scalar = now;
                    break;
                }
                BuiltIn::Derived => match self.supertype(&at).await? {
                    Some(parent) => at = parent,
                    None => {
                        scalar = now;
                        break;
                    }
                },
            }
        }
        Ok(Shape {
            scalar,
            name: name.unwrap_or_else(|| scalar.map_or("value".into(), |of| format!("{of:?}"))),
            rank,
            dimensions: dimensions.to_vec(),
        })
    }

    async fn supertype(&self, data_type: &VendorNodeId) -> Result<Option<VendorNodeId>, Status> {
        let up = BrowseDescription {
            node_id: data_type.clone(),
            browse_direction: BrowseDirection::Inverse,
            reference_type_id: ReferenceTypeId::HasSubtype.into(),
            include_subtypes: true,
            node_class_mask: NodeClassMask::DATA_TYPE.bits(),
            result_mask: BrowseResultMask::None as u32,
        };
        Ok(self
            .references(up)
            .await?
            .into_iter()
            .next()
            .map(|reference| reference.node_id.node_id))
    }

    pub(super) async fn references(
        &self,
        wanted: BrowseDescription,
    ) -> Result<Vec<ReferenceDescription>, Status> {
        let results = within(self.session.browse(&[wanted], 0, None)).await?;
        let result = results.into_iter().next();
        Ok(result
            .and_then(|result| result.references)
            .unwrap_or_default())
    }
}

/// What a data type is in namespace 0 (Part 6, 5.1.2).
enum BuiltIn {
    Is(Type),
    /// Abstract: the value says what it is.
    Any,
    /// Its supertype knows.
    Derived,
}

fn built_in(data_type: &VendorNodeId) -> BuiltIn {
    let (0, Identifier::Numeric(number)) = (data_type.namespace, &data_type.identifier) else {
        return BuiltIn::Derived;
    };
    let is = |of: DataTypeId| *number == of as u32;
    if is(DataTypeId::BaseDataType)
        || is(DataTypeId::Number)
        || is(DataTypeId::Integer)
        || is(DataTypeId::UInteger)
    {
        return BuiltIn::Any;
    }
    if is(DataTypeId::Enumeration) {
        return BuiltIn::Is(Type::Int32);
    }
    match SCALARS.iter().find(|of| **of as u32 == *number) {
        Some(of) => BuiltIn::Is(*of),
        None => BuiltIn::Derived,
    }
}

/// Every built-in type; its number is its data type's node id.
const SCALARS: [Type; 24] = [
    Type::Boolean,
    Type::SByte,
    Type::Byte,
    Type::Int16,
    Type::UInt16,
    Type::Int32,
    Type::UInt32,
    Type::Int64,
    Type::UInt64,
    Type::Float,
    Type::Double,
    Type::String,
    Type::DateTime,
    Type::Guid,
    Type::ByteString,
    Type::XmlElement,
    Type::NodeId,
    Type::ExpandedNodeId,
    Type::StatusCode,
    Type::QualifiedName,
    Type::LocalizedText,
    Type::ExtensionObject,
    Type::DataValue,
    Type::DiagnosticInfo,
];

fn dimensions(data: DataValue) -> Vec<u32> {
    let Some(Variant::Array(array)) = data.value else {
        return Vec::new();
    };
    let length = |variant: Variant| match variant {
        Variant::UInt32(length) => length,
        _ => 0,
    };
    array.values.into_iter().map(length).collect()
}

pub(super) fn refused(status: &Status, what: &str) -> Answer {
    Answer::refused(format!("{what}: {status}")).status(status.name())
}

/// A value in a sentence.
pub(super) fn shown(value: &Value) -> String {
    short(&value_json(value).to_string())
}

/// Not more of a text than fits into a sentence.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

// === impl Variable ===

impl Variable {
    fn not_writable(&self) -> Option<String> {
        if self.access & WRITABLE == 0 {
            return Some("the server lets nobody write this node (AccessLevel)".to_owned());
        }
        (self.user_access & WRITABLE == 0).then(|| {
            "the server does not let this user write this node (UserAccessLevel); sign in as another `user`"
                .to_owned()
        })
    }

    /// The value before, where this user may read it.
    fn old(&self, types: &Types) -> Option<Value> {
        let data = self.now.clone().filter(|data| !data.status().is_bad())?;
        Some(value::observed(data, types).value)
    }

    fn now_type(&self) -> Option<Type> {
        match self.now.as_ref()?.value.as_ref()? {
            Variant::Array(array) => Some(array.value_type),
            single => single.scalar_type_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_type_is_its_built_in_one() {
        let known = |of: DataTypeId| match built_in(&of.into()) {
            BuiltIn::Is(of) => format!("{of:?}"),
            BuiltIn::Any => "any".to_owned(),
            BuiltIn::Derived => "derived".to_owned(),
        };
        for (of, expected) in [
            (DataTypeId::Double, "Double"),
            (DataTypeId::Boolean, "Boolean"),
            (DataTypeId::Enumeration, "Int32"),
            (DataTypeId::Number, "any"),
            (DataTypeId::BaseDataType, "any"),
            (DataTypeId::Duration, "derived"),
            (DataTypeId::Structure, "ExtensionObject"),
        ] {
            assert_eq!(known(of), expected);
        }
    }
}
