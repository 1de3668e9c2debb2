//! `Types`: the data types of one session, by their node ids and by the ids of their encodings. Pure; `session/types.rs`
//! fills it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

use opcua::types::{
    DataTypeId, EnumDefinition, Identifier, NodeId, StructureDefinition, StructureField,
    StructureType, VariantScalarTypeId,
};

use super::standard;
use crate::{
    enumeration::{Enumeration, Meaning},
    room::{self, Room},
};

/// The most types that are kept of one server, and the most unknown ids that are remembered as such.
const MAX_TYPES: usize = 10_000;
/// A structure of more fields, or with a longer name among them, is left as its bytes: each of its values has the names anew.
const MAX_FIELDS: usize = 1_000;
const MAX_NAME_BYTES: usize = 512;

/// How a data type's values are written (OPC UA Part 6, 5.2).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// As this built-in type; abstract numbers as a Variant, abstract structures as an ExtensionObject.
    BuiltIn(VariantScalarTypeId),
    /// As a number of this type.
    Enumeration(VariantScalarTypeId, Arc<Enumeration>),
    Structure(Arc<Structure>),
}

/// The fields of a structure (Part 3, 8.48: StructureDefinition).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    pub layout: Layout,
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All fields, one after the other.
    Plain,
    /// A mask says which of the optional fields are there.
    Optional,
    /// A number says which of the fields it is.
    Union,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub name: String,
    pub data_type: NodeId,
    /// -1 for one value, else the number of dimensions.
    pub rank: i32,
    pub optional: bool,
    /// Its value can be of a subtype, and is written with its type.
    pub subtypes: bool,
}

/// What is known of a server's data types.
#[derive(Debug, Clone)]
pub(crate) struct Types {
    kinds: HashMap<NodeId, Kind>,
    /// From the id that a structure is sent with to its data type.
    encodings: HashMap<NodeId, NodeId>,
    /// Those that the server was asked for in vain, so that it is not asked again.
    strangers: HashSet<NodeId>,
    /// For their names and ids.
    room: Room,
}

/// Built-in types and the standard's own structures.
static STANDARD: LazyLock<Types> = LazyLock::new(|| {
    let mut types = Types {
        kinds: HashMap::new(),
        encodings: HashMap::new(),
        strangers: HashSet::new(),
        room: Room::of(room::OF_TYPES),
    };
    standard::add(&mut types);
    types
});

// === impl Types ===

impl Default for Types {
    fn default() -> Self {
        STANDARD.clone()
    }
}

impl Types {
    /// What every server has.
    #[cfg(test)]
    pub(crate) fn standard() -> &'static Self {
        &STANDARD
    }

    pub(crate) fn kind(&self, data_type: &NodeId) -> Option<&Kind> {
        self.kinds.get(data_type)
    }

    /// The structure behind an encoding's id, or behind a data type's own id, which some servers send instead.
    pub(crate) fn structure(&self, encoding: &NodeId) -> Option<&Arc<Structure>> {
        let data_type = self.encodings.get(encoding).unwrap_or(encoding);
        match self.kinds.get(data_type)? {
            Kind::Structure(structure) => Some(structure),
            Kind::BuiltIn(_) | Kind::Enumeration(..) => None,
        }
    }

    pub(crate) fn enumeration(&self, data_type: &NodeId) -> Option<&Arc<Enumeration>> {
        match self.kinds.get(data_type)? {
            Kind::Enumeration(_, enumeration) => Some(enumeration),
            Kind::BuiltIn(_) | Kind::Structure(_) => None,
        }
    }

    /// Nothing is known of this id, and the server was not asked yet.
    pub(crate) fn is_news(&self, id: &NodeId) -> bool {
        !self.kinds.contains_key(id)
            && !self.encodings.contains_key(id)
            && !self.strangers.contains(id)
            && self.kinds.len() < MAX_TYPES
            && self.strangers.len() < MAX_TYPES
            && !self.room.is_over()
    }

    pub(crate) fn add(&mut self, data_type: NodeId, kind: Kind) {
        if self.kinds.len() < MAX_TYPES && !self.room.is_over() {
            self.room.take(id_bytes(&data_type) + kind.bytes());
            self.kinds.insert(data_type, kind);
        }
    }

    pub(crate) fn add_encoding(&mut self, encoding: NodeId, data_type: NodeId) {
        let has_room = self.encodings.len() < 2 * MAX_TYPES && !self.room.is_over();
        if !encoding.is_null() && has_room {
            self.room.take(id_bytes(&encoding) + id_bytes(&data_type));
            self.encodings.insert(encoding, data_type);
        }
    }

    /// The server was asked and does not say.
    pub(crate) fn add_stranger(&mut self, id: NodeId) {
        if self.strangers.len() < MAX_TYPES && !self.room.is_over() {
            self.room.take(id_bytes(&id));
            self.strangers.insert(id);
        }
    }
}

// === impl Kind ===

impl Kind {
    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let inner = match self {
            Self::BuiltIn(_) => 0,
            Self::Enumeration(_, enumeration) => enumeration.bytes(),
            Self::Structure(structure) => {
                let fields = structure.fields.iter();
                fields
                    .map(|field| size_of::<Field>() + field.name.len())
                    .sum()
            }
        };
        size_of::<Self>() + inner
    }
}

// === impl Structure ===

impl Structure {
    /// `None` for a definition that no value can be read with.
    pub(crate) fn new(definition: StructureDefinition) -> Option<Self> {
        let (layout, subtypes) = match definition.structure_type {
            StructureType::Structure => (Layout::Plain, false),
            StructureType::StructureWithOptionalFields => (Layout::Optional, false),
            StructureType::Union => (Layout::Union, false),
            StructureType::StructureWithSubtypedValues => (Layout::Plain, true),
            StructureType::UnionWithSubtypedValues => (Layout::Union, true),
        };
        let fields = definition.fields.unwrap_or_default();
        let is_long = |field: &StructureField| field.name.as_ref().len() > MAX_NAME_BYTES;
        if fields.len() > MAX_FIELDS || fields.iter().any(is_long) {
            return None;
        }
        let fields = fields.into_iter().map(|field| Field {
            name: field.name.into(),
            data_type: field.data_type,
            rank: field.value_rank,
            // In a structure with subtyped values the same flag means "may be a subtype" (Part 3, 8.51).
            optional: field.is_optional && layout == Layout::Optional,
            subtypes: field.is_optional && subtypes,
        });
        Some(Self {
            layout,
            fields: fields.collect(),
        })
    }
}

fn id_bytes(id: &NodeId) -> usize {
    let text = match &id.identifier {
        Identifier::Numeric(_) | Identifier::Guid(_) => 0,
        Identifier::String(text) => text.as_ref().len(),
        Identifier::ByteString(bytes) => bytes.value.as_ref().map_or(0, Vec::len),
    };
    size_of::<NodeId>() + text
}

/// The names of an EnumDefinition; `meaning` follows from the data type's supertype.
pub(crate) fn enumeration(meaning: Meaning, definition: EnumDefinition) -> Enumeration {
    let fields = definition.fields.unwrap_or_default().into_iter();
    Enumeration::new(
        meaning,
        fields.map(|field| (field.value, field.name.to_string())),
    )
}

/// The built-in type that a data type of the standard is, or is written as while it is abstract.
pub(super) fn built_in(data_type: DataTypeId) -> Option<VariantScalarTypeId> {
    use DataTypeId as Id;
    use VariantScalarTypeId as Scalar;
    Some(match data_type {
        Id::Boolean => Scalar::Boolean,
        Id::SByte => Scalar::SByte,
        Id::Byte => Scalar::Byte,
        Id::Int16 => Scalar::Int16,
        Id::UInt16 => Scalar::UInt16,
        Id::Int32 | Id::Enumeration => Scalar::Int32,
        Id::UInt32 => Scalar::UInt32,
        Id::Int64 => Scalar::Int64,
        Id::UInt64 => Scalar::UInt64,
        Id::Float => Scalar::Float,
        Id::Double => Scalar::Double,
        Id::String => Scalar::String,
        Id::DateTime => Scalar::DateTime,
        Id::Guid => Scalar::Guid,
        Id::ByteString => Scalar::ByteString,
        Id::XmlElement => Scalar::XmlElement,
        Id::NodeId => Scalar::NodeId,
        Id::ExpandedNodeId => Scalar::ExpandedNodeId,
        Id::StatusCode => Scalar::StatusCode,
        Id::QualifiedName => Scalar::QualifiedName,
        Id::LocalizedText => Scalar::LocalizedText,
        Id::Structure | Id::Decimal | Id::Union => Scalar::ExtensionObject,
        Id::DataValue => Scalar::DataValue,
        Id::DiagnosticInfo => Scalar::DiagnosticInfo,
        Id::BaseDataType | Id::Number | Id::Integer | Id::UInteger => Scalar::Variant,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_with_a_name_that_none_has_is_left_as_its_bytes() {
        let definition = |name: String| StructureDefinition {
            fields: Some(vec![StructureField {
                name: name.into(),
                ..StructureField::default()
            }]),
            ..StructureDefinition::default()
        };
        assert!(Structure::new(definition("x".repeat(MAX_NAME_BYTES))).is_some());
        assert!(Structure::new(definition("x".repeat(MAX_NAME_BYTES + 1))).is_none());
    }

    #[test]
    fn types_are_bounded_in_bytes_as_well() {
        let mut types = Types::default();
        let names = (0..1_000).map(|number| (number, "x".repeat(200)));
        let enumeration = Arc::new(Enumeration::new(Meaning::Number, names));
        let kind = Kind::Enumeration(VariantScalarTypeId::Int32, enumeration);
        let id = |id: u32| NodeId::new(2, id);
        let most = u32::try_from(room::OF_TYPES / kind.bytes()).unwrap();
        for at in 0..2 * most {
            types.add(id(at), kind.clone());
        }
        assert!(types.kind(&id(most - 1)).is_some());
        assert!(types.kind(&id(most + 1)).is_none());
        assert!(!types.is_news(&id(5 * most)), "no more are asked for");
    }

    #[test]
    fn ids_that_nobody_knows_are_bounded_in_bytes_as_well() {
        let mut types = Types::default();
        let id = |at: usize| NodeId::new(2, format!("{at}{}", "x".repeat(1 << 20)));
        for at in 0..60 {
            types.add_stranger(id(at));
        }
        assert!(types.strangers.len() < 40, "{}", types.strangers.len());
        assert!(!types.is_news(&id(99)));
    }
}
