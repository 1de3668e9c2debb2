//! `Client`: what a server says of itself as one of a redundant set (OPC UA Part 5, 6.3.7), and where the others are (Part 4, 5.5.2).

use opcua::{
    core::ResponseMessage,
    types::{
        AttributeId, DateTime, FindServersRequest, NodeId as VendorNodeId, RequestHeader, UAString,
        VariableId as Id, Variant,
    },
};

use super::{REQUEST_TIMEOUT, calls::Client, within};
use crate::{
    redundancy::{Standing, Support},
    status::Status,
};

/// The most servers and addresses that are taken from one answer.
const MOST: usize = 32;

impl Client {
    pub(super) async fn read_standing(&self) -> Result<Standing, Status> {
        let nodes: [VendorNodeId; 3] = [
            Id::Server_ServiceLevel.into(),
            Id::Server_ServerRedundancy_RedundancySupport.into(),
            Id::Server_ServerRedundancy_ServerUriArray.into(),
        ];
        let wanted = nodes.map(|node| (node, AttributeId::Value));
        let values = self.read(&wanted).await?;
        let mut values = values.into_iter().map(|data| data.value);
        let mut next = || values.next().flatten();
        Ok(Standing {
            level: match next() {
                Some(Variant::Byte(level)) => Some(level),
                _ => None,
            },
            support: match next() {
                Some(Variant::Int32(support)) => Support::of(support),
                _ => Support::None,
            },
            uris: match next() {
                Some(Variant::Array(uris)) => {
                    let uris = uris.values.into_iter().take(MOST);
                    uris.map(|uri| uri.to_string()).collect()
                }
                _ => Vec::new(),
            },
        })
    }

    pub(super) async fn find_servers(
        &self,
        uris: Vec<String>,
    ) -> Result<Vec<(String, Vec<String>)>, Status> {
        let request = FindServersRequest {
            request_header: RequestHeader::new(&VendorNodeId::null(), &DateTime::now(), 1),
            endpoint_url: UAString::null(),
            locale_ids: None,
            server_uris: Some(uris.iter().map(|uri| uri.as_str().into()).collect()),
        };
        let answer = within(self.session.channel().send(request, REQUEST_TIMEOUT)).await?;
        let ResponseMessage::FindServers(answer) = answer else {
            return Err(Status::named("BadUnknownResponse"));
        };
        let found = answer.servers.unwrap_or_default().into_iter().take(MOST);
        // Some servers tell of everybody they know.
        let wanted = found.filter(|server| uris.iter().any(|uri| server.application_uri == *uri));
        Ok(wanted
            .map(|server| {
                let urls = server
                    .discovery_urls
                    .unwrap_or_default()
                    .into_iter()
                    .take(MOST);
                let urls = urls.map(|url| url.to_string()).collect();
                (server.application_uri.to_string(), urls)
            })
            .collect())
    }
}
