//! `Sim` as a server that connects to its client (OPC UA Part 6, 7.1.3).

use std::net::SocketAddr;

use opcua::server::ReverseConnectTargetConfig;

use super::Sim;

impl Sim {
    /// Connects to a client that listens there, again and again, and calls itself by this URL. It has one connection for each URL.
    pub fn connect_to(&self, address: SocketAddr, endpoint: &str) {
        let target = ReverseConnectTargetConfig {
            address,
            endpoint_url: endpoint.to_owned(),
            id: format!("{address} {endpoint}"),
        };
        self.handle.server.add_reverse_connect_target(target);
    }
}
