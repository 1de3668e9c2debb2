//! What looking around asks of a server, in our own types.

use fieldgate_kit::explore::{NodeKind, Observation};

use crate::{connection::BrowseName, node_id::NodeId, status::Status};

/// One end of a hierarchical reference, with what a person wants to see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub node: NodeId,
    pub name: BrowseName,
    /// The name for people; the browse name where the server has none.
    pub display: String,
    pub kind: NodeKind,
    pub type_definition: Option<NodeId>,
}

/// References of one node, and what is left of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    pub found: Vec<Reference>,
    /// The server's continuation point (OPC UA Part 4, 7.9); few servers keep many of them.
    pub left: Option<Vec<u8>>,
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributes {
    pub kind: NodeKind,
    pub name: BrowseName,
    pub display: String,
    pub description: String,
    pub type_name: String,
    pub data_type: Option<String>,
    /// AccessLevel and UserAccessLevel (OPC UA Part 3, 8.57).
    pub access: Option<u8>,
    pub user_access: Option<u8>,
    /// Executable and UserExecutable of a method (OPC UA Part 3, 5.7).
    pub executable: Option<bool>,
    pub user_executable: Option<bool>,
    pub minimum_sampling_ms: Option<f64>,
    /// None for what has no value.
    pub value: Option<Read>,
    pub unit: Option<String>,
    pub range: Option<(f64, f64)>,
}

/// A value that was read, or why it could not.
pub type Read = Result<Observation, Status>;
