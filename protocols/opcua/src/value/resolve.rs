//! What a server says of its data types becomes [`Types`]: pure. `session/lexicon.rs` asks for it.

use std::{collections::HashMap, sync::Arc};

use opcua::types::{DataTypeDefinition, NodeId, UAString, VariantScalarTypeId};

use super::types::{Kind, Structure, Types, enumeration};
use crate::enumeration::{Enumeration, Meaning};

/// Supertypes of supertypes; a server whose types go round in a circle is left at that.
const MAX_SUPERTYPES: usize = 32;

/// What the server says of one data type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Described {
    pub definition: Option<DataTypeDefinition>,
    pub is_abstract: bool,
    pub supertype: Option<NodeId>,
    pub encodings: Vec<NodeId>,
    /// From the properties EnumStrings, EnumValues or OptionSetValues, where there is no definition.
    pub names: Option<Vec<(i64, String)>>,
}

// === impl Described ===

impl Described {
    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let text = |text: &UAString| size_of::<Self>() / 4 + text.as_ref().len();
        let definition = match &self.definition {
            Some(DataTypeDefinition::Structure(definition)) => {
                let fields = definition.fields.iter().flatten();
                fields
                    .map(|field| text(&field.name) + text(&field.description.text))
                    .sum()
            }
            Some(DataTypeDefinition::Enum(definition)) => {
                let fields = definition.fields.iter().flatten();
                fields
                    .map(|field| {
                        text(&field.name)
                            + text(&field.description.text)
                            + text(&field.display_name.text)
                    })
                    .sum()
            }
            _ => 0,
        };
        let names = self.names.iter().flatten();
        let names: usize = names
            .map(|(_, name)| size_of::<Self>() / 4 + name.len())
            .sum();
        let encodings = self.encodings.len() * size_of::<NodeId>();
        size_of::<Self>() + definition + names + encodings
    }

    /// The data types that have to be known before this one can be.
    pub(crate) fn needs(&self) -> Vec<NodeId> {
        let mut needs: Vec<NodeId> = self.supertype.iter().cloned().collect();
        if let Some(DataTypeDefinition::Structure(definition)) = &self.definition {
            needs.push(definition.base_data_type.clone());
            let fields = definition.fields.iter().flatten();
            needs.extend(fields.map(|field| field.data_type.clone()));
        }
        needs.retain(|id| !id.is_null());
        needs
    }
}

/// Adds what can be made of the descriptions; the others are strangers from now on.
pub(crate) fn learn(types: &mut Types, described: &HashMap<NodeId, Described>) {
    for (id, description) in described {
        let Some(kind) = kind(id, described, types, MAX_SUPERTYPES) else {
            types.add_stranger(id.clone());
            continue;
        };
        if matches!(kind, Kind::Structure(_)) {
            for encoding in &description.encodings {
                types.add_encoding(encoding.clone(), id.clone());
            }
            if let Some(DataTypeDefinition::Structure(definition)) = &description.definition {
                types.add_encoding(definition.default_encoding_id.clone(), id.clone());
            }
        }
        types.add(id.clone(), kind);
    }
}

fn kind(
    id: &NodeId,
    described: &HashMap<NodeId, Described>,
    types: &Types,
    supertypes: usize,
) -> Option<Kind> {
    if let Some(known) = types.kind(id) {
        return Some(known.clone());
    }
    let description = described.get(id)?;
    if let Some(DataTypeDefinition::Structure(definition)) = &description.definition {
        return if description.is_abstract {
            Some(Kind::BuiltIn(VariantScalarTypeId::ExtensionObject))
        } else {
            Some(Kind::Structure(Arc::new(Structure::new(
                definition.clone(),
            )?)))
        };
    }
    let supertype = description.supertype.as_ref()?;
    let above = kind(supertype, described, types, supertypes.checked_sub(1)?)?;
    let (scalar, inherited) = match above {
        // A set of options wider than 64 bits, or a structure that adds nothing to the one above.
        Kind::Structure(structure) => return Some(Kind::Structure(structure)),
        Kind::BuiltIn(VariantScalarTypeId::ExtensionObject) if !description.is_abstract => {
            return None;
        }
        Kind::BuiltIn(scalar) => (scalar, None),
        Kind::Enumeration(scalar, names) => (scalar, Some(names)),
    };
    let meaning = meaning(scalar);
    let own = match (&description.definition, &description.names) {
        (Some(DataTypeDefinition::Enum(definition)), _) => {
            Some(Arc::new(enumeration(meaning, definition.clone())))
        }
        (_, Some(names)) => Some(Arc::new(Enumeration::new(meaning, names.iter().cloned()))),
        _ => inherited,
    };
    Some(match own {
        Some(names) => Kind::Enumeration(scalar, names),
        None => Kind::BuiltIn(scalar),
    })
}

/// An EnumDefinition below an unsigned number names bits (Part 3, 8.50).
fn meaning(scalar: VariantScalarTypeId) -> Meaning {
    use VariantScalarTypeId as Id;
    match scalar {
        Id::Byte | Id::UInt16 | Id::UInt32 | Id::UInt64 => Meaning::Bit,
        _ => Meaning::Number,
    }
}
