//! The standard's own data types, as data: what OPC UA Parts 5, 8 and 12 give every server, so that its values have
//! fields even where a server does not say what they are.

use std::sync::Arc;

use opcua::types::{DataTypeId, NodeId, ObjectId, VariantScalarTypeId};

use super::types::{Field, Kind, Layout, Structure, Types, built_in};
use crate::enumeration::{Enumeration, Meaning};

/// The built-in types and those above them.
const BUILT_IN: [DataTypeId; 31] = [
    DataTypeId::Boolean,
    DataTypeId::SByte,
    DataTypeId::Byte,
    DataTypeId::Int16,
    DataTypeId::UInt16,
    DataTypeId::Int32,
    DataTypeId::UInt32,
    DataTypeId::Int64,
    DataTypeId::UInt64,
    DataTypeId::Float,
    DataTypeId::Double,
    DataTypeId::String,
    DataTypeId::DateTime,
    DataTypeId::Guid,
    DataTypeId::ByteString,
    DataTypeId::XmlElement,
    DataTypeId::NodeId,
    DataTypeId::ExpandedNodeId,
    DataTypeId::StatusCode,
    DataTypeId::QualifiedName,
    DataTypeId::LocalizedText,
    DataTypeId::Structure,
    DataTypeId::Decimal,
    DataTypeId::Union,
    DataTypeId::DataValue,
    DataTypeId::DiagnosticInfo,
    DataTypeId::BaseDataType,
    DataTypeId::Number,
    DataTypeId::Integer,
    DataTypeId::UInteger,
    DataTypeId::Enumeration,
];

/// Simple types, written as the type that they are derived from (Part 3, 8 and Part 5, 12).
const ALIASES: [(DataTypeId, DataTypeId); 14] = [
    (DataTypeId::Duration, DataTypeId::Double),
    (DataTypeId::UtcTime, DataTypeId::DateTime),
    (DataTypeId::LocaleId, DataTypeId::String),
    (DataTypeId::NumericRange, DataTypeId::String),
    (DataTypeId::TimeString, DataTypeId::String),
    (DataTypeId::DateString, DataTypeId::String),
    (DataTypeId::DurationString, DataTypeId::String),
    (DataTypeId::DecimalString, DataTypeId::String),
    (DataTypeId::NormalizedString, DataTypeId::String),
    (DataTypeId::Counter, DataTypeId::UInt32),
    (DataTypeId::IntegerId, DataTypeId::UInt32),
    (DataTypeId::Image, DataTypeId::ByteString),
    (DataTypeId::ContinuationPoint, DataTypeId::ByteString),
    (
        DataTypeId::ApplicationInstanceCertificate,
        DataTypeId::ByteString,
    ),
];

const ENUMERATIONS: [(DataTypeId, &str); 3] = [
    (
        DataTypeId::ServerState,
        "Running Failed NoConfiguration Suspended Shutdown Test CommunicationFault Unknown",
    ),
    (DataTypeId::AxisScaleEnumeration, "Linear Log Ln"),
    (
        DataTypeId::RedundancySupport,
        "None Cold Warm Hot Transparent HotAndMirrored",
    ),
];

/// `Name Type, Name Type[]`: types by the names of [`named`].
const STRUCTURES: [(DataTypeId, ObjectId, &str); 27] = [
    (
        DataTypeId::Range,
        ObjectId::Range_Encoding_DefaultBinary,
        "Low Double, High Double",
    ),
    (
        DataTypeId::EUInformation,
        ObjectId::EUInformation_Encoding_DefaultBinary,
        "NamespaceUri String, UnitId Int32, DisplayName LocalizedText, Description LocalizedText",
    ),
    (
        DataTypeId::Argument,
        ObjectId::Argument_Encoding_DefaultBinary,
        "Name String, DataType NodeId, ValueRank Int32, ArrayDimensions UInt32[], Description LocalizedText",
    ),
    (
        DataTypeId::EnumValueType,
        ObjectId::EnumValueType_Encoding_DefaultBinary,
        "Value Int64, DisplayName LocalizedText, Description LocalizedText",
    ),
    (
        DataTypeId::TimeZoneDataType,
        ObjectId::TimeZoneDataType_Encoding_DefaultBinary,
        "Offset Int16, DaylightSavingInOffset Boolean",
    ),
    (
        DataTypeId::OptionSet,
        ObjectId::OptionSet_Encoding_DefaultBinary,
        "Value ByteString, ValidBits ByteString",
    ),
    (
        DataTypeId::ComplexNumberType,
        ObjectId::ComplexNumberType_Encoding_DefaultBinary,
        "Real Float, Imaginary Float",
    ),
    (
        DataTypeId::DoubleComplexNumberType,
        ObjectId::DoubleComplexNumberType_Encoding_DefaultBinary,
        "Real Double, Imaginary Double",
    ),
    (
        DataTypeId::XVType,
        ObjectId::XVType_Encoding_DefaultBinary,
        "X Double, Value Float",
    ),
    (
        DataTypeId::AxisInformation,
        ObjectId::AxisInformation_Encoding_DefaultBinary,
        "EngineeringUnits EUInformation, EURange Range, Title LocalizedText, AxisScaleType AxisScaleEnumeration, \
         AxisSteps Double[]",
    ),
    (
        DataTypeId::RationalNumber,
        ObjectId::RationalNumber_Encoding_DefaultBinary,
        "Numerator Int32, Denominator UInt32",
    ),
    (
        DataTypeId::ThreeDVector,
        ObjectId::ThreeDVector_Encoding_DefaultBinary,
        "X Double, Y Double, Z Double",
    ),
    (
        DataTypeId::ThreeDCartesianCoordinates,
        ObjectId::ThreeDCartesianCoordinates_Encoding_DefaultBinary,
        "X Double, Y Double, Z Double",
    ),
    (
        DataTypeId::ThreeDOrientation,
        ObjectId::ThreeDOrientation_Encoding_DefaultBinary,
        "A Double, B Double, C Double",
    ),
    (
        DataTypeId::ThreeDFrame,
        ObjectId::ThreeDFrame_Encoding_DefaultBinary,
        "CartesianCoordinates ThreeDCartesianCoordinates, Orientation ThreeDOrientation",
    ),
    (
        DataTypeId::KeyValuePair,
        ObjectId::KeyValuePair_Encoding_DefaultBinary,
        "Key QualifiedName, Value Variant",
    ),
    (
        DataTypeId::BuildInfo,
        ObjectId::BuildInfo_Encoding_DefaultBinary,
        "ProductUri String, ManufacturerName String, ProductName String, SoftwareVersion String, BuildNumber String, \
         BuildDate DateTime",
    ),
    (
        DataTypeId::ServerStatusDataType,
        ObjectId::ServerStatusDataType_Encoding_DefaultBinary,
        "StartTime DateTime, CurrentTime DateTime, State ServerState, BuildInfo BuildInfo, \
         SecondsTillShutdown UInt32, ShutdownReason LocalizedText",
    ),
    (
        DataTypeId::ServerDiagnosticsSummaryDataType,
        ObjectId::ServerDiagnosticsSummaryDataType_Encoding_DefaultBinary,
        "ServerViewCount UInt32, CurrentSessionCount UInt32, CumulatedSessionCount UInt32, \
         SecurityRejectedSessionCount UInt32, RejectedSessionCount UInt32, SessionTimeoutCount UInt32, \
         SessionAbortCount UInt32, CurrentSubscriptionCount UInt32, CumulatedSubscriptionCount UInt32, \
         PublishingIntervalCount UInt32, SecurityRejectedRequestsCount UInt32, RejectedRequestsCount UInt32",
    ),
    (
        DataTypeId::RedundantServerDataType,
        ObjectId::RedundantServerDataType_Encoding_DefaultBinary,
        "ServerId String, ServiceLevel Byte, ServerState ServerState",
    ),
    (
        DataTypeId::SamplingIntervalDiagnosticsDataType,
        ObjectId::SamplingIntervalDiagnosticsDataType_Encoding_DefaultBinary,
        "SamplingInterval Double, MonitoredItemCount UInt32, MaxMonitoredItemCount UInt32, \
         DisabledMonitoredItemCount UInt32",
    ),
    (
        DataTypeId::ServiceCounterDataType,
        ObjectId::ServiceCounterDataType_Encoding_DefaultBinary,
        "TotalCount UInt32, ErrorCount UInt32",
    ),
    (
        DataTypeId::StatusResult,
        ObjectId::StatusResult_Encoding_DefaultBinary,
        "StatusCode StatusCode, DiagnosticInfo DiagnosticInfo",
    ),
    (
        DataTypeId::ModelChangeStructureDataType,
        ObjectId::ModelChangeStructureDataType_Encoding_DefaultBinary,
        "Affected NodeId, AffectedType NodeId, Verb Byte",
    ),
    (
        DataTypeId::SemanticChangeStructureDataType,
        ObjectId::SemanticChangeStructureDataType_Encoding_DefaultBinary,
        "Affected NodeId, AffectedType NodeId",
    ),
    (
        DataTypeId::Annotation,
        ObjectId::Annotation_Encoding_DefaultBinary,
        "Message String, UserName String, AnnotationTime DateTime",
    ),
    (
        DataTypeId::CurrencyUnitType,
        ObjectId::CurrencyUnitType_Encoding_DefaultBinary,
        "NumericCode Int16, Exponent SByte, AlphabeticCode String, Currency LocalizedText",
    ),
];

pub(super) fn add(types: &mut Types) {
    for data_type in BUILT_IN {
        if let Some(scalar) = built_in(data_type) {
            types.add(data_type.into(), Kind::BuiltIn(scalar));
        }
    }
    for (alias, data_type) in ALIASES {
        if let Some(scalar) = built_in(data_type) {
            types.add(alias.into(), Kind::BuiltIn(scalar));
        }
    }
    for (data_type, names) in ENUMERATIONS {
        let names = (0..).zip(names.split(' ').map(str::to_owned));
        let enumeration = Arc::new(Enumeration::new(Meaning::Number, names));
        types.add(
            data_type.into(),
            Kind::Enumeration(VariantScalarTypeId::Int32, enumeration),
        );
    }
    for (data_type, encoding, fields) in STRUCTURES {
        let structure = Structure {
            layout: Layout::Plain,
            fields: fields.split(',').filter_map(field).collect(),
        };
        types.add(data_type.into(), Kind::Structure(Arc::new(structure)));
        types.add_encoding(encoding.into(), data_type.into());
    }
}

/// `Name Type` or `Name Type[]`.
fn field(text: &str) -> Option<Field> {
    let (name, type_name) = text.trim().split_once(' ')?;
    let element = type_name.strip_suffix("[]");
    Some(Field {
        name: name.to_owned(),
        data_type: named(element.unwrap_or(type_name))?,
        rank: if element.is_some() { 1 } else { -1 },
        optional: false,
        subtypes: false,
    })
}

/// The types that the table of structures names.
fn named(name: &str) -> Option<NodeId> {
    use DataTypeId as Id;
    let known = [
        ("Boolean", Id::Boolean),
        ("SByte", Id::SByte),
        ("Byte", Id::Byte),
        ("Int16", Id::Int16),
        ("Int32", Id::Int32),
        ("UInt32", Id::UInt32),
        ("Int64", Id::Int64),
        ("Float", Id::Float),
        ("Double", Id::Double),
        ("String", Id::String),
        ("DateTime", Id::DateTime),
        ("ByteString", Id::ByteString),
        ("NodeId", Id::NodeId),
        ("StatusCode", Id::StatusCode),
        ("QualifiedName", Id::QualifiedName),
        ("LocalizedText", Id::LocalizedText),
        ("DiagnosticInfo", Id::DiagnosticInfo),
        ("Variant", Id::BaseDataType),
        ("Range", Id::Range),
        ("EUInformation", Id::EUInformation),
        ("AxisScaleEnumeration", Id::AxisScaleEnumeration),
        ("ServerState", Id::ServerState),
        ("BuildInfo", Id::BuildInfo),
        ("ThreeDCartesianCoordinates", Id::ThreeDCartesianCoordinates),
        ("ThreeDOrientation", Id::ThreeDOrientation),
    ];
    let (_, id) = known.iter().find(|(known, _)| *known == name)?;
    Some((*id).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_table_has_a_known_type() {
        let types = Types::standard();
        for (data_type, encoding, text) in STRUCTURES {
            let structure = types.structure(&encoding.into()).unwrap();
            assert_eq!(
                structure.fields.len(),
                text.split(',').count(),
                "{data_type:?}"
            );
            for field in &structure.fields {
                assert!(types.kind(&field.data_type).is_some(), "{field:?}");
            }
        }
    }
}
