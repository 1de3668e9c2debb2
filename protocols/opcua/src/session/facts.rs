//! `Client`: what variables say of themselves, in a few calls for many of them.

use std::sync::Arc;

use fieldgate_model::Range;
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, EUInformation,
    NodeClassMask, NodeId as VendorNodeId, Range as VendorRange, ReferenceDescription,
    ReferenceTypeId, Variant,
};

use super::{
    calls::{Client, same_length},
    convert,
    lexicon::names,
    within,
};
use crate::{
    facts::{Facts, short},
    node_id::NodeId,
    status::Status,
    units,
};

/// Characters of what is shown.
const MAX_NAME: usize = 200;
const MAX_TEXT: usize = 1_000;
/// States that are told by name.
const MAX_STATES: usize = 32;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    DisplayName,
    Description,
    Unit,
    Range,
    States,
    False,
    True,
}

/// The properties that say something (Part 8, 5.3); their browse names are in the standard's namespace.
const PROPERTIES: [(&str, What); 6] = [
    ("EngineeringUnits", What::Unit),
    ("EURange", What::Range),
    ("EnumStrings", What::States),
    ("EnumValues", What::States),
    ("FalseState", What::False),
    ("TrueState", What::True),
];

impl Client {
    /// The properties are looked for first, and read together with the names.
    pub(super) async fn read_facts(
        &self,
        nodes: &[NodeId],
        per_read: usize,
    ) -> Result<Vec<Facts>, Status> {
        let nodes: Vec<VendorNodeId> = nodes.iter().map(convert::vendor_node_id).collect();
        let mut wanted: Vec<(usize, What, VendorNodeId)> = Vec::with_capacity(nodes.len() * 4);
        for (at, node) in nodes.iter().enumerate() {
            wanted.push((at, What::DisplayName, node.clone()));
            wanted.push((at, What::Description, node.clone()));
        }
        self.find_properties(&nodes, &mut wanted).await?;
        let mut facts = vec![Facts::default(); nodes.len()];
        for chunk in wanted.chunks(per_read.max(1)) {
            let attributes: Vec<(VendorNodeId, AttributeId)> = chunk
                .iter()
                .map(|(_, what, node)| (node.clone(), what.attribute()))
                .collect();
            let values = self.read(&attributes).await?;
            for ((at, what, _), data) in chunk.iter().zip(values) {
                if let Some(value) = data.value {
                    facts[*at].take(*what, value);
                }
            }
        }
        Ok(facts)
    }

    async fn find_properties(
        &self,
        nodes: &[VendorNodeId],
        wanted: &mut Vec<(usize, What, VendorNodeId)>,
    ) -> Result<(), Status> {
        let descriptions: Vec<BrowseDescription> = nodes.iter().map(properties).collect();
        let results = within(self.session.browse(&descriptions, 0, None)).await?;
        let mut unfinished = Vec::new();
        for (at, result) in same_length(results, nodes.len())?.into_iter().enumerate() {
            if !result.continuation_point.is_null_or_empty() {
                unfinished.push(result.continuation_point);
            }
            let told = telling(result.references.unwrap_or_default());
            wanted.extend(told.into_iter().map(|(what, node)| (at, what, node)));
        }
        if !unfinished.is_empty() {
            // A variable with so many properties is none that tells its unit at the end; the server wants its memory back.
            let _released = within(self.session.browse_next(true, &unfinished)).await;
        }
        Ok(())
    }
}

/// The properties that say something, each once: a server can have as many of one name as fit into an answer.
fn telling(references: Vec<ReferenceDescription>) -> Vec<(What, VendorNodeId)> {
    let mut found = Vec::new();
    let mut is_found = [false; PROPERTIES.len()];
    for reference in references {
        let name = &reference.browse_name;
        let here = name.namespace_index == 0 && reference.node_id.server_index == 0;
        let mut known = PROPERTIES.iter().zip(&mut is_found);
        if let Some(((_, what), is_found)) =
            known.find(|((known, _), _)| here && name.name.as_ref() == *known)
            && !std::mem::replace(is_found, true)
        {
            found.push((*what, reference.node_id.node_id));
        }
    }
    found
}

impl What {
    fn attribute(self) -> AttributeId {
        match self {
            Self::DisplayName => AttributeId::DisplayName,
            Self::Description => AttributeId::Description,
            Self::Unit | Self::Range | Self::States | Self::False | Self::True => {
                AttributeId::Value
            }
        }
    }
}

impl Facts {
    fn take(&mut self, what: What, value: Variant) {
        match (what, value) {
            (What::DisplayName, Variant::LocalizedText(text)) => {
                self.name = short(text.text.as_ref(), MAX_NAME);
            }
            (What::Description, Variant::LocalizedText(text)) => {
                self.description = short(text.text.as_ref(), MAX_TEXT);
            }
            (What::Unit, Variant::ExtensionObject(object)) => {
                self.unit = object.inner_as::<EUInformation>().and_then(unit);
            }
            (What::Range, Variant::ExtensionObject(object)) => {
                self.range = object.inner_as::<VendorRange>().and_then(range);
            }
            (What::States, value @ Variant::Array(_)) => {
                self.states = names(value).and_then(states);
            }
            (What::False, Variant::LocalizedText(text)) => self.state("false", text.text.as_ref()),
            (What::True, Variant::LocalizedText(text)) => self.state("true", text.text.as_ref()),
            _ => {}
        }
    }

    fn state(&mut self, value: &str, name: &str) {
        let Some(name) = short(name, MAX_NAME) else {
            return;
        };
        let told = format!("{value} = {name}");
        self.states = Some(match self.states.take() {
            Some(before) => format!("{before}, {told}"),
            None => told,
        });
    }
}

fn properties(node: &VendorNodeId) -> BrowseDescription {
    BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasProperty.into(),
        include_subtypes: true,
        node_class_mask: NodeClassMask::VARIABLE.bits(),
        result_mask: BrowseResultMaskFlags::BrowseName.bits(),
    }
}

fn unit(unit: &EUInformation) -> Option<Arc<str>> {
    let name = unit.display_name.text.as_ref();
    let unit = units::unit(unit.namespace_uri.as_ref(), unit.unit_id, name)?;
    short(&unit, MAX_NAME).map(Arc::from)
}

/// Servers that know no range often say 0 to 0.
fn range(range: &VendorRange) -> Option<Range> {
    let told = range.low.is_finite() && range.high.is_finite() && range.low < range.high;
    told.then_some(Range {
        low: range.low,
        high: range.high,
    })
}

fn states(names: Vec<(i64, String)>) -> Option<String> {
    let all = names.len();
    let mut told: Vec<String> = names
        .into_iter()
        .take(MAX_STATES)
        .map(|(number, name)| format!("{number} = {name}"))
        .collect();
    if all > MAX_STATES {
        told.push("…".to_owned());
    }
    short(&told.join(", "), MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use opcua::types::{Array, ExtensionObject, LocalizedText, VariantScalarTypeId};

    use super::*;

    fn taken(parts: impl IntoIterator<Item = (What, Variant)>) -> Facts {
        let mut facts = Facts::default();
        for (what, value) in parts {
            facts.take(what, value);
        }
        facts
    }

    #[test]
    fn what_a_variable_says_of_itself_is_taken_and_nonsense_is_not() {
        let text = |text: &str| Variant::from(LocalizedText::new("en", text));
        let object = |object| Variant::from(object);
        let celsius = EUInformation {
            namespace_uri: "http://www.opcfoundation.org/UA/units/un/cefact".into(),
            unit_id: 4_408_652,
            display_name: "°C".into(),
            description: "".into(),
        };
        let range = |low, high| object(ExtensionObject::from_message(VendorRange { low, high }));
        let facts = taken([
            (What::DisplayName, text("Oil")),
            (What::Description, text("In the tank")),
            (What::Unit, object(ExtensionObject::from_message(celsius))),
            (What::Range, range(-40.0, 150.0)),
            (What::False, text("Off")),
            (What::True, text("On")),
        ]);
        let expected = Facts {
            name: Some("Oil".to_owned()),
            description: Some("In the tank".to_owned()),
            unit: Some("Cel".into()),
            range: Some(Range {
                low: -40.0,
                high: 150.0,
            }),
            states: Some("false = Off, true = On".to_owned()),
        };
        assert_eq!(facts, expected);
        let nothing = taken([
            (What::DisplayName, text("")),
            (What::Description, Variant::from(7)),
            (What::Unit, range(0.0, 1.0)),
            (What::Range, range(0.0, 0.0)),
            (What::Range, range(f64::NEG_INFINITY, f64::NAN)),
        ]);
        assert_eq!(nothing, Facts::default());
    }

    #[test]
    fn states_are_told_by_number_and_name() {
        let texts = ["Stopped", "Running"].map(|text| Variant::from(LocalizedText::new("", text)));
        let texts = Array::new(VariantScalarTypeId::LocalizedText, texts.to_vec()).unwrap();
        let facts = taken([(What::States, texts.into())]);
        assert_eq!(facts.states.as_deref(), Some("0 = Stopped, 1 = Running"));
    }

    #[test]
    fn a_property_is_read_once_however_often_it_is_there() {
        let property = |name: &str, id: u32| ReferenceDescription {
            browse_name: opcua::types::QualifiedName::new(0, name),
            node_id: VendorNodeId::new(0, id).into(),
            ..ReferenceDescription::default()
        };
        let mut many: Vec<_> = (10..10_000).map(|id| property("TrueState", id)).collect();
        many.push(property("EURange", 1));
        let wanted = [
            (What::True, VendorNodeId::new(0, 10_u32)),
            (What::Range, VendorNodeId::new(0, 1_u32)),
        ];
        assert_eq!(telling(many), wanted);
    }
}
