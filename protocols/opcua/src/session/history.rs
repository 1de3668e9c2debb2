//! `Client`: history as the vendor's requests (OPC UA Part 11, 6.4; Part 4, 5.11.3 HistoryRead).

use fieldgate_model::Timestamp;
use opcua::{
    client::{HistoryReadAction, UARequest, services::HistoryRead},
    types::{
        AttributeId, ByteString, DateTime, HistoryData, HistoryReadResult, HistoryReadValueId,
        ReadRawModifiedDetails, TimestampsToReturn, Variant,
    },
};

use super::{
    calls::{Client, same_length},
    convert, within,
};
use crate::{
    connection::{HistoryPage, HistoryRequest},
    node_id::NodeId,
    status::Status,
    value,
};

/// The bit of AccessLevel and UserAccessLevel (Part 3, 8.57).
const HISTORY_READ: u8 = 4;
/// Ticks of 100 ns from 1601, where OPC UA begins, to 1970.
const TICKS_TO_1970: i64 = 116_444_736_000_000_000;
const NANOS_A_TICK: i64 = 100;

impl Client {
    /// A server that says nothing of the user's rights leaves it to the try.
    pub(super) async fn read_history_access(&self, nodes: &[NodeId]) -> Result<Vec<bool>, Status> {
        let attributes = [AttributeId::AccessLevel, AttributeId::UserAccessLevel];
        let wanted: Vec<_> = nodes
            .iter()
            .flat_map(|node| attributes.map(|attribute| (convert::vendor_node_id(node), attribute)))
            .collect();
        let values = self.read(&wanted).await?;
        let may = |value: Option<&Variant>| match value {
            Some(Variant::Byte(level)) => Some(level & HISTORY_READ != 0),
            _ => None,
        };
        let of_node = |pair: &[opcua::types::DataValue]| {
            let mut levels = pair.iter().map(|data| may(data.value.as_ref()));
            let (access, user) = (levels.next().flatten(), levels.next().flatten());
            access == Some(true) && user != Some(false)
        };
        Ok(values.chunks(attributes.len()).map(of_node).collect())
    }

    pub(super) async fn read_history(
        &self,
        request: HistoryRequest,
    ) -> Result<Vec<Result<HistoryPage, Status>>, Status> {
        let details = details(&request);
        let count = request.nodes.len();
        let call = HistoryRead::new(details, &self.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .nodes_to_read(request.nodes.into_iter().map(wanted).collect());
        let answer = within(call.send(self.session.channel())).await?;
        let results = same_length(answer.results.unwrap_or_default(), count)?;
        let mut pages = Vec::with_capacity(count);
        for result in results {
            pages.push(self.page(result).await);
        }
        Ok(pages)
    }

    async fn page(&self, result: HistoryReadResult) -> Result<HistoryPage, Status> {
        if result.status_code.is_bad() {
            return Err(value::status(result.status_code));
        }
        let mark = result.continuation_point.value.unwrap_or_default();
        if result.history_data.is_null() {
            return Ok(HistoryPage {
                values: Vec::new(),
                mark,
            });
        }
        let Some(data) = result.history_data.into_inner_as::<HistoryData>() else {
            // A value in it is too large for us, or nested too deeply.
            return Err(Status::named("BadEncodingLimitsExceeded"));
        };
        let values = data.data_values.unwrap_or_default();
        Ok(HistoryPage {
            values: self.lexicon.values(&self.session, values).await,
            mark,
        })
    }

    /// The server forgets where these lists were.
    pub(super) async fn release_history(
        &self,
        nodes: Vec<(NodeId, Vec<u8>)>,
    ) -> Result<(), Status> {
        let nothing = HistoryRequest {
            start: Timestamp::default(),
            end: None,
            most: 1,
            nodes: Vec::new(),
        };
        let call = HistoryRead::new(details(&nothing), &self.session)
            .release_continuation_points(true)
            .nodes_to_read(nodes.into_iter().map(wanted).collect());
        within(call.send(self.session.channel())).await.map(|_| ())
    }
}

fn details(request: &HistoryRequest) -> HistoryReadAction {
    HistoryReadAction::ReadRawModifiedDetails(ReadRawModifiedDetails {
        is_read_modified: false,
        start_time: date_time(request.start),
        end_time: request.end.map_or_else(DateTime::null, date_time),
        num_values_per_node: request.most,
        return_bounds: false,
    })
}

fn wanted((node, mark): (NodeId, Vec<u8>)) -> HistoryReadValueId {
    HistoryReadValueId {
        node_id: convert::vendor_node_id(&node),
        continuation_point: match mark.is_empty() {
            true => ByteString::null(),
            false => ByteString::from(mark),
        },
        ..HistoryReadValueId::default()
    }
}

/// To the 100 ns that the protocol has, cut off.
fn date_time(at: Timestamp) -> DateTime {
    DateTime::from(at.nanos().div_euclid(NANOS_A_TICK) + TICKS_TO_1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_100_nanoseconds() {
        for (text, expected) in [
            (
                "2026-11-23T18:22:52.2500019Z",
                "2026-11-23T18:22:52.250001900Z",
            ),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900Z"),
        ] {
            let at = Timestamp::parse(text).unwrap();
            let there = value::timestamp(date_time(at), None).unwrap();
            assert_eq!(there.to_string(), expected);
        }
    }
}
