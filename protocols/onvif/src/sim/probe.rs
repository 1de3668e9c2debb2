//! The simulated device's answer to a probe of WS-Discovery.

use std::sync::Arc;

use tokio::net::UdpSocket;
use uuid::Uuid;

use super::{SimDevice, services::scopes};
use crate::xml::{escape, parse};

/// Answers until it is aborted.
pub(super) async fn answer(socket: UdpSocket, device: Arc<SimDevice>) {
    let mut buffer = vec![0; 8 << 10];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let probe = buffer
            .get(..length)
            .and_then(|datagram| parse(datagram).ok());
        let id = probe
            .as_ref()
            .filter(|root| root.at(&["Body", "Probe"]).is_some());
        if let Some(id) = id.and_then(|root| root.word(&["Header", "MessageID"])) {
            let _lost_like_any_datagram =
                socket.send_to(matches(&device, id).as_bytes(), from).await;
        }
    }
}

fn matches(device: &SimDevice, id: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\"><s:Header><a:MessageID>urn:uuid:{}</a:MessageID>\
         <a:RelatesTo>{}</a:RelatesTo><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>\
         <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>\
         <a:EndpointReference><a:Address>{}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{}</d:Scopes>\
         <d:XAddrs>{}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>",
        Uuid::new_v4(),
        escape(id),
        escape(&device.settings.endpoint),
        escape(&scopes(&device.settings).join(" ")),
        device.service_url("device_service")
    )
}
