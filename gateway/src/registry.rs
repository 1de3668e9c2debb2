//! The protocols, one line each.

use fieldgate_kit::{DestinationKind, SourceKind};

/// The protocols that this gateway speaks.
#[derive(Debug, Clone)]
pub struct Registry {
    pub sources: Vec<SourceKind>,
    pub destinations: Vec<DestinationKind>,
}

impl Registry {
    /// All there are.
    #[must_use]
    pub fn all() -> Self {
        Self {
            sources: vec![
                SourceKind::of::<fieldgate_opcua::OpcUa>(),
                SourceKind::of::<fieldgate_ble::Ble>(),
                SourceKind::of::<fieldgate_camera::Camera>(),
            ],
            destinations: vec![
                DestinationKind::of::<fieldgate_mqtt::Mqtt>(),
                DestinationKind::of::<fieldgate_https::Https>(),
                DestinationKind::of::<fieldgate_file::File>(),
            ],
        }
    }

    /// The source protocol with this `kind`.
    #[must_use]
    pub fn source(&self, kind: &str) -> Option<&SourceKind> {
        self.sources.iter().find(|source| source.kind == kind)
    }

    /// The destination protocol with this `kind`.
    #[must_use]
    pub fn destination(&self, kind: &str) -> Option<&DestinationKind> {
        self.destinations
            .iter()
            .find(|destination| destination.kind == kind)
    }
}
