//! Looking around: what hangs on a node, what is known of it, and values read once, as the vendor's requests.

use fieldgate_kit::explore::{NodeKind, Observation};
use fieldgate_model::Timestamp;
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowseResult, BrowseResultMask, ByteString,
    DataValue, DateTime, EUInformation, ExtensionObject, LocalizedText, NodeClass, NodeClassMask,
    Range, ReadValueId, ReferenceDescription, ReferenceTypeId, StatusCode, TimestampsToReturn,
    Variant,
};

use super::{
    calls::{Client, same_length},
    convert, within,
};
use crate::{
    connection::{BrowseName, Connection},
    explore::asked::{Attributes, Read, Reference, References},
    node_id::NodeId,
    status::Status,
    value::{self, Types},
};

/// The most properties of a node that are looked at for its unit and range.
const MAX_PROPERTIES: usize = 100;

/// What is read of a node besides its properties, in this order.
const ATTRIBUTES: [AttributeId; 10] = [
    AttributeId::NodeClass,
    AttributeId::BrowseName,
    AttributeId::DisplayName,
    AttributeId::Description,
    AttributeId::AccessLevel,
    AttributeId::UserAccessLevel,
    AttributeId::Executable,
    AttributeId::UserExecutable,
    AttributeId::MinimumSamplingInterval,
    AttributeId::Value,
];

impl Client {
    pub(super) async fn references_of(
        &self,
        nodes: &[NodeId],
        most: u32,
    ) -> Result<Vec<Result<References, Status>>, Status> {
        let wanted: Vec<BrowseDescription> = nodes.iter().map(children).collect();
        let results = within(self.session.browse(&wanted, most, None)).await?;
        let results = same_length(results, nodes.len())?;
        Ok(results.into_iter().map(references).collect())
    }

    pub(super) async fn references_left(
        &self,
        marks: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<References, Status>>, Status> {
        let count = marks.len();
        let points: Vec<ByteString> = marks.into_iter().map(ByteString::from).collect();
        let results = within(self.session.browse_next(false, &points)).await?;
        let results = same_length(results, count)?;
        Ok(results.into_iter().map(references).collect())
    }

    pub(super) async fn references_forgotten(&self, marks: Vec<Vec<u8>>) -> Result<(), Status> {
        let points: Vec<ByteString> = marks.into_iter().map(ByteString::from).collect();
        within(self.session.browse_next(true, &points))
            .await
            .map(drop)
    }

    pub(super) async fn attributes_of(&self, node: NodeId) -> Result<Attributes, Status> {
        let at = convert::vendor_node_id(&node);
        let wanted = ATTRIBUTES.map(|attribute| ReadValueId {
            node_id: at.clone(),
            attribute_id: attribute as u32,
            ..ReadValueId::default()
        });
        let values = self.read_both(&wanted).await?;
        let [
            class,
            name,
            display,
            description,
            access,
            user_access,
            executable,
            user_executable,
            minimum,
            data,
        ] = <[DataValue; 10]>::try_from(values).map_err(|_| Status::named("BadUnknownResponse"))?;
        if class.status().is_bad() {
            return Err(value::status(class.status()));
        }
        let class = match class.value {
            Some(Variant::Int32(class)) => NodeClass::try_from(class).ok(),
            _ => None,
        };
        let beside = self.beside(&node).await?;
        let variable = class == Some(NodeClass::Variable);
        let data_type = match variable {
            true => self
                .data_types(vec![node])
                .await?
                .into_iter()
                .next()
                .flatten(),
            false => None,
        };
        let name = match name.value {
            Some(Variant::QualifiedName(name)) => BrowseName {
                namespace: name.namespace_index,
                name: name.name.into(),
            },
            _ => return Err(Status::named("BadUnknownResponse")),
        };
        let display = Some(text(display)).filter(|text| !text.is_empty());
        Ok(Attributes {
            kind: match class {
                Some(NodeClass::Variable) if beside.is_property => NodeKind::Property,
                Some(NodeClass::Variable) => NodeKind::Variable,
                Some(NodeClass::Method) => NodeKind::Method,
                _ => NodeKind::Object,
            },
            display: display.unwrap_or_else(|| name.name.clone()),
            name,
            description: text(description),
            type_name: beside.type_name,
            data_type,
            access: byte(&access),
            user_access: byte(&user_access),
            executable: truth(&executable),
            user_executable: truth(&user_executable),
            minimum_sampling_ms: match minimum.value {
                Some(Variant::Double(milliseconds)) => Some(milliseconds),
                _ => None,
            },
            value: variable.then(|| read(data, &self.lexicon.types())),
            unit: beside.unit,
            range: beside.range,
        })
    }

    pub(super) async fn names_of(&self, nodes: &[NodeId]) -> Result<Vec<Option<String>>, Status> {
        let wanted: Vec<ReadValueId> = nodes
            .iter()
            .map(|node| value_id(node, AttributeId::BrowseName))
            .collect();
        let name = |data: DataValue| match data.value {
            Some(Variant::QualifiedName(name)) => Some(name.name.into()),
            _ => None,
        };
        let values = self.read_both(&wanted).await?;
        Ok(values.into_iter().map(name).collect())
    }

    pub(super) async fn values_of(&self, nodes: &[NodeId]) -> Result<Vec<Read>, Status> {
        let wanted: Vec<ReadValueId> = nodes
            .iter()
            .map(|node| value_id(node, AttributeId::Value))
            .collect();
        let values = self.read_both(&wanted).await?;
        let types = self.lexicon.types();
        Ok(values.into_iter().map(|data| read(data, &types)).collect())
    }

    async fn read_both(&self, wanted: &[ReadValueId]) -> Result<Vec<DataValue>, Status> {
        let values = within(self.session.read(wanted, TimestampsToReturn::Both, 0.0)).await?;
        same_length(values, wanted.len())
    }

    /// Type, unit and range hang on the node by references of their own.
    async fn beside(&self, node: &NodeId) -> Result<Beside, Status> {
        let wanted = [
            description(
                node,
                BrowseDirection::Forward,
                ReferenceTypeId::HasTypeDefinition,
            ),
            description(node, BrowseDirection::Forward, ReferenceTypeId::HasProperty),
            description(node, BrowseDirection::Inverse, ReferenceTypeId::HasProperty),
        ];
        let results = within(self.session.browse(&wanted, 0, None)).await?;
        let mut results = same_length(results, wanted.len())?.into_iter();
        let mut next = || {
            results
                .next()
                .and_then(|result| result.references)
                .unwrap_or_default()
        };
        let (types, properties, parents) = (next(), next(), next());
        let mut beside = Beside {
            type_name: types
                .into_iter()
                .next()
                .map(|reference| reference.browse_name.name.into())
                .unwrap_or_default(),
            is_property: !parents.is_empty(),
            ..Beside::default()
        };
        let of_interest = |reference: &ReferenceDescription| {
            reference.browse_name.namespace_index == 0
                && matches!(
                    reference.browse_name.name.as_ref(),
                    "EngineeringUnits" | "EURange"
                )
        };
        let wanted: Vec<ReadValueId> = properties
            .into_iter()
            .take(MAX_PROPERTIES)
            .filter(of_interest)
            .map(|reference| ReadValueId {
                node_id: reference.node_id.node_id,
                attribute_id: AttributeId::Value as u32,
                ..ReadValueId::default()
            })
            .collect();
        if wanted.is_empty() {
            return Ok(beside);
        }
        for data in self.read_both(&wanted).await? {
            if let Some(Variant::ExtensionObject(object)) = data.value {
                beside.learn(&object);
            }
        }
        Ok(beside)
    }
}

/// What hangs on a node and is shown with it.
#[derive(Default)]
struct Beside {
    type_name: String,
    is_property: bool,
    unit: Option<String>,
    range: Option<(f64, f64)>,
}

impl Beside {
    fn learn(&mut self, object: &ExtensionObject) {
        if let Some(unit) = object.inner_as::<EUInformation>() {
            let text = unit.display_name.text.to_string();
            self.unit = Some(text).filter(|text| !text.is_empty());
        } else if let Some(range) = object.inner_as::<Range>() {
            self.range = Some((range.low, range.high));
        }
    }
}

fn children(node: &NodeId) -> BrowseDescription {
    BrowseDescription {
        node_class_mask: (NodeClassMask::OBJECT | NodeClassMask::VARIABLE | NodeClassMask::METHOD)
            .bits(),
        ..description(
            node,
            BrowseDirection::Forward,
            ReferenceTypeId::HierarchicalReferences,
        )
    }
}

fn description(
    node: &NodeId,
    direction: BrowseDirection,
    reference: ReferenceTypeId,
) -> BrowseDescription {
    BrowseDescription {
        node_id: convert::vendor_node_id(node),
        browse_direction: direction,
        reference_type_id: reference.into(),
        include_subtypes: true,
        node_class_mask: 0,
        result_mask: BrowseResultMask::All as u32,
    }
}

fn references(result: BrowseResult) -> Result<References, Status> {
    if result.status_code.is_bad() {
        return Err(value::status(result.status_code));
    }
    let found = result.references.unwrap_or_default();
    Ok(References {
        // A page without anything new that goes on would go on for ever.
        left: (!result.continuation_point.is_null_or_empty() && !found.is_empty())
            .then(|| result.continuation_point.value.unwrap_or_default()),
        found: found.into_iter().filter_map(reference).collect(),
    })
}

/// `None` for nodes of other servers and for other node classes.
fn reference(reference: ReferenceDescription) -> Option<Reference> {
    if reference.node_id.server_index != 0 {
        return None;
    }
    let property = reference.reference_type_id == ReferenceTypeId::HasProperty;
    let kind = match reference.node_class {
        NodeClass::Object => NodeKind::Object,
        NodeClass::Variable if property => NodeKind::Property,
        NodeClass::Variable => NodeKind::Variable,
        NodeClass::Method => NodeKind::Method,
        _ => return None,
    };
    let type_definition = reference.type_definition.node_id;
    let name = BrowseName {
        namespace: reference.browse_name.namespace_index,
        name: reference.browse_name.name.into(),
    };
    let display = reference.display_name.text.to_string();
    Some(Reference {
        node: convert::node_id(reference.node_id.node_id),
        display: match display.is_empty() {
            true => name.name.clone(),
            false => display,
        },
        name,
        kind,
        type_definition: (!type_definition.is_null()).then(|| convert::node_id(type_definition)),
    })
}

fn value_id(node: &NodeId, attribute: AttributeId) -> ReadValueId {
    ReadValueId {
        node_id: convert::vendor_node_id(node),
        attribute_id: attribute as u32,
        ..ReadValueId::default()
    }
}

/// A value with both of its times.
fn read(data: DataValue, types: &Types) -> Read {
    let status = data.status.unwrap_or(StatusCode::Good);
    let (source_at, server_at) = (time(data.source_timestamp), time(data.server_timestamp));
    if data.value.is_none() && status.is_bad() {
        return Err(value::status(status));
    }
    let observed = value::observed(data, types);
    Ok(Observation {
        value: observed.value,
        quality: observed.quality,
        source_at,
        server_at,
    })
}

fn time(at: Option<DateTime>) -> Option<Timestamp> {
    let at = at.filter(|at| !at.is_null())?;
    at.as_chrono()
        .timestamp_nanos_opt()
        .map(Timestamp::from_nanos)
}

fn text(data: DataValue) -> String {
    match data.value {
        Some(Variant::LocalizedText(text)) => {
            let LocalizedText { text, .. } = *text;
            text.to_string()
        }
        _ => String::new(),
    }
}

fn truth(data: &DataValue) -> Option<bool> {
    match data.value {
        Some(Variant::Boolean(truth)) => Some(truth),
        _ => None,
    }
}

fn byte(data: &DataValue) -> Option<u8> {
    match data.value {
        Some(Variant::Byte(byte)) => Some(byte),
        _ => None,
    }
}
