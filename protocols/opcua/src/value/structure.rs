//! The body of a structure by its definition: bytes and [`Types`] become named fields (OPC UA Part 6, 5.2.6 to 5.2.8).
//! Pure, and limited in depth and number.

use opcua::types::{
    BinaryDecodable, ByteString, Context, ContextOwned, DataValue, DateTime, DecodingOptions,
    DiagnosticInfo, ExpandedNodeId, ExtensionObject, Guid, LocalizedText, NamespaceMap, NodeId,
    QualifiedName, StatusCode, TypeLoaderCollection, UAString, Variant, VariantScalarTypeId,
    XmlElement,
};

use fieldgate_model::Value;

use super::{
    Budget, MAX_ARRAY_LENGTH, MAX_BYTE_STRING_BYTES, MAX_TEXT_BYTES,
    guarded::Guarded,
    raw::RawLoader,
    types::{Field, Kind, Layout, Structure, Types},
};

/// The fields of a body; `None` when the definition does not fit its bytes, or when it is beyond our limits.
pub(super) fn fields(
    structure: &Structure,
    body: &[u8],
    types: &Types,
    budget: &mut Budget,
) -> Option<Value> {
    let mut loaders = TypeLoaderCollection::new_empty();
    loaders.add_type_loader(RawLoader);
    let options = DecodingOptions {
        max_string_length: MAX_TEXT_BYTES,
        max_byte_string_length: MAX_BYTE_STRING_BYTES,
        max_array_length: MAX_ARRAY_LENGTH,
        ..DecodingOptions::default()
    };
    let context = ContextOwned::new(NamespaceMap::new(), loaders, options);
    let mut reader = Reader {
        bytes: Guarded::new(body),
        context: context.context(),
        types,
        budget,
    };
    let value = reader.structure(structure)?;
    // What is left over belongs to another definition.
    reader.bytes.rest().is_empty().then_some(value)
}

struct Reader<'a> {
    bytes: Guarded<'a>,
    context: Context<'a>,
    types: &'a Types,
    budget: &'a mut Budget,
}

// === impl Reader ===

impl Reader<'_> {
    fn structure(&mut self, structure: &Structure) -> Option<Value> {
        self.budget.enter()?;
        let fields = match structure.layout {
            Layout::Plain => self.all(structure, u32::MAX)?,
            Layout::Optional => {
                let mask = self.decode::<u32>()?;
                self.all(structure, mask)?
            }
            Layout::Union => self.one(structure)?,
        };
        self.budget.leave();
        Some(Value::Struct(fields))
    }

    /// All fields but the optional ones whose bit is not set; they are left out.
    fn all(&mut self, structure: &Structure, mask: u32) -> Option<Vec<(String, Value)>> {
        let mut fields = Vec::new();
        let mut bit = 0;
        for field in &structure.fields {
            if field.optional {
                bit += 1;
                // A mask has 32 bits (Part 6, 5.2.7).
                if mask.checked_shr(bit - 1)? & 1 == 0 {
                    continue;
                }
            }
            fields.push((field.name.clone(), self.field(field)?));
        }
        Some(fields)
    }

    /// The one field that a union has; none at all where it is null.
    fn one(&mut self, structure: &Structure) -> Option<Vec<(String, Value)>> {
        let Some(at) = self.decode::<u32>()?.checked_sub(1) else {
            return Some(Vec::new());
        };
        let field = structure.fields.get(usize::try_from(at).ok()?)?;
        Some(vec![(field.name.clone(), self.field(field)?)])
    }

    fn field(&mut self, field: &Field) -> Option<Value> {
        match field.rank {
            -1 => self.element(field),
            1 => {
                let length = self.decode::<i32>()?;
                // Null is written as -1, and is an empty list here.
                self.elements(field, usize::try_from(length).unwrap_or(0))
                    .map(Value::List)
            }
            2.. => {
                let dimensions = self.decode::<Option<Vec<u32>>>()?.unwrap_or_default();
                let lengths: Vec<usize> = dimensions
                    .iter()
                    .map(|length| usize::try_from(*length).unwrap_or(usize::MAX))
                    .collect();
                let count = lengths
                    .iter()
                    .try_fold(1usize, |product, length| product.checked_mul(*length))?;
                let count = if lengths.is_empty() { 0 } else { count };
                let flat = self.elements(field, count)?;
                Some(super::nested(flat, &lengths))
            }
            // "Any number of dimensions" is not allowed for a field (Part 3, 8.51).
            _ => None,
        }
    }

    fn elements(&mut self, field: &Field, count: usize) -> Option<Vec<Value>> {
        if count > MAX_ARRAY_LENGTH {
            return None;
        }
        // No memory for what is only claimed: an element has a byte at least, most of the time.
        let mut values = Vec::with_capacity(count.min(self.bytes.rest().len()));
        for _ in 0..count {
            values.push(self.element(field)?);
        }
        Some(values)
    }

    fn element(&mut self, field: &Field) -> Option<Value> {
        self.budget.count()?;
        let types = self.types;
        match types.kind(&field.data_type)? {
            Kind::Structure(_) if field.subtypes => {
                self.scalar(VariantScalarTypeId::ExtensionObject)
            }
            Kind::Structure(structure) => self.structure(structure),
            Kind::BuiltIn(scalar)
                if field.subtypes && *scalar != VariantScalarTypeId::ExtensionObject =>
            {
                self.scalar(VariantScalarTypeId::Variant)
            }
            Kind::BuiltIn(scalar) => self.scalar(*scalar),
            Kind::Enumeration(scalar, enumeration) => {
                self.scalar(*scalar).map(|value| enumeration.dress(value))
            }
        }
    }

    fn scalar(&mut self, scalar: VariantScalarTypeId) -> Option<Value> {
        use VariantScalarTypeId as Id;
        let variant: Variant = match scalar {
            Id::Boolean => self.decode::<bool>()?.into(),
            Id::SByte => self.decode::<i8>()?.into(),
            Id::Byte => self.decode::<u8>()?.into(),
            Id::Int16 => self.decode::<i16>()?.into(),
            Id::UInt16 => self.decode::<u16>()?.into(),
            Id::Int32 => self.decode::<i32>()?.into(),
            Id::UInt32 => self.decode::<u32>()?.into(),
            Id::Int64 => self.decode::<i64>()?.into(),
            Id::UInt64 => self.decode::<u64>()?.into(),
            Id::Float => self.decode::<f32>()?.into(),
            Id::Double => self.decode::<f64>()?.into(),
            Id::String => self.decode::<UAString>()?.into(),
            Id::DateTime => self.decode::<DateTime>()?.into(),
            Id::Guid => self.decode::<Guid>()?.into(),
            Id::ByteString => self.decode::<ByteString>()?.into(),
            Id::XmlElement => Variant::XmlElement(self.decode::<XmlElement>()?),
            Id::NodeId => self.decode::<NodeId>()?.into(),
            Id::ExpandedNodeId => self.decode::<ExpandedNodeId>()?.into(),
            Id::StatusCode => self.decode::<StatusCode>()?.into(),
            Id::QualifiedName => self.decode::<QualifiedName>()?.into(),
            Id::LocalizedText => self.decode::<LocalizedText>()?.into(),
            Id::ExtensionObject => self.decode::<ExtensionObject>()?.into(),
            Id::DataValue => self.decode::<DataValue>()?.into(),
            Id::Variant => self.decode::<Variant>()?,
            Id::DiagnosticInfo => self.decode::<DiagnosticInfo>()?.into(),
        };
        super::counted(variant, self.types, self.budget)
    }

    fn decode<T: BinaryDecodable>(&mut self) -> Option<T> {
        T::decode(&mut self.bytes, &self.context).ok()
    }
}
