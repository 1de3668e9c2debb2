//! `Client`: what the server says that it takes (OPC UA Part 5, 6.3.2 ServerCapabilities, 6.3.11 OperationLimits).

use opcua::types::{AttributeId, NodeId as VendorNodeId, VariableId as Id, Variant};

use super::calls::Client;
use crate::{connection::Limits, status::Status};

/// Where the limits stand, in the order in which they are read.
const NODES: [Id; 8] = [
    Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    Id::Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    Id::Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,
    Id::Server_ServerCapabilities_MaxSubscriptionsPerSession,
    Id::Server_ServerCapabilities_MaxSubscriptions,
    Id::Server_ServerCapabilities_MaxSessions,
    Id::Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
];
/// Operations of one call where the server does not say.
const CAREFUL_READ: usize = 500;
const CAREFUL_BROWSE: usize = 100;
const CAREFUL_MONITOR: usize = 1000;
const CAREFUL_HISTORY: usize = 100;
/// The most operations of one call, whatever the server says, so that messages stay within our own limits.
const MOST: usize = 2000;

impl Client {
    pub(super) async fn read_limits(&self) -> Result<Limits, Status> {
        let read: Vec<_> = NODES.iter().map(|id| wanted(*id)).collect();
        let values = match self.read(&read).await {
            // It takes less in one call than there are limits.
            Err(why) if why.is("BadTooManyOperations") => {
                let mut values = Vec::with_capacity(read.len());
                for one in read.chunks(1) {
                    values.extend(self.read(one).await?);
                }
                values
            }
            values => values?,
        };
        let told: Vec<Option<usize>> = values
            .iter()
            .map(|data| limit(data.value.as_ref()))
            .collect();
        Ok(limits(&told))
    }

    pub(super) async fn read_session_count(&self) -> Result<usize, Status> {
        let id = Id::Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount;
        let values = self.read(&[wanted(id)]).await?;
        let count = values.first().and_then(|data| limit(data.value.as_ref()));
        count.ok_or(Status::named("BadNoData"))
    }
}

fn wanted(id: Id) -> (VendorNodeId, AttributeId) {
    (id.into(), AttributeId::Value)
}

/// 0 is "no limit", and so is what is no number.
fn limit(value: Option<&Variant>) -> Option<usize> {
    let limit = match value? {
        Variant::UInt32(limit) => *limit,
        Variant::UInt16(limit) => (*limit).into(),
        _ => 0,
    };
    usize::try_from(limit).ok().filter(|limit| *limit > 0)
}

/// In the order of [`NODES`].
fn limits(told: &[Option<usize>]) -> Limits {
    let told = |at: usize| told.get(at).copied().flatten();
    let operations = |at: usize, careful: usize| told(at).unwrap_or(careful).min(MOST);
    Limits {
        per_read: operations(0, CAREFUL_READ),
        per_browse: operations(1, CAREFUL_BROWSE),
        per_monitor: operations(2, CAREFUL_MONITOR),
        per_history: operations(7, CAREFUL_HISTORY),
        items_per_subscription: told(3),
        subscriptions: told(4).into_iter().chain(told(5)).min(),
        sessions: told(6),
    }
}
