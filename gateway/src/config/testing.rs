//! Two small protocols that only have settings, for the tests of the configuration.

use std::{future::pending, sync::Arc};

use fieldgate_kit::{
    AddressBook, BatchLimits, Destination, DestinationKind, Link, Probe, ProbeCtx, Problem,
    SecretRef, SinkCtx, SinkError, Source, SourceCtx, SourceError, SourceKind, settings::Span,
};
use fieldgate_model::DeviceId;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::registry::Registry;

pub(super) fn registry() -> Registry {
    Registry {
        sources: vec![SourceKind::of::<Machine>()],
        destinations: vec![DestinationKind::of::<Broker>()],
    }
}

/// `kind = "machine"`
struct Machine;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read, as settings are")]
struct MachineSettings {
    endpoint: String,
    #[serde(default)]
    interval: Option<Span>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    select: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read, as settings are")]
struct User {
    name: String,
    password: SecretRef,
}

/// `kind = "broker"`
struct Broker;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read, as settings are")]
struct BrokerSettings {
    url: String,
    #[serde(default)]
    max_age: Option<Span>,
}

fn scheme(key: &str, text: &str, scheme: &str) -> Vec<Problem> {
    if text.starts_with(scheme) {
        return Vec::new();
    }
    let remedy = format!("write {scheme}host:port");
    vec![Problem::new(
        [key],
        format!("`{text}` is no address"),
        remedy,
    )]
}

impl Source for Machine {
    const KIND: &'static str = "machine";
    const TITLE: &'static str = "Machine";
    const ABOUT: &'static str = "A machine that is none.";
    const COMMANDS: bool = true;
    type Settings = MachineSettings;

    fn check(settings: &MachineSettings) -> Vec<Problem> {
        scheme("endpoint", &settings.endpoint, "opc.tcp://")
    }

    async fn run(_: Arc<MachineSettings>, _: SourceCtx) -> Result<(), SourceError> {
        pending().await
    }

    async fn probe(_: Arc<MachineSettings>, _: ProbeCtx, _: &mut Probe) {}
}

impl Destination for Broker {
    const KIND: &'static str = "broker";
    const TITLE: &'static str = "Broker";
    const ABOUT: &'static str = "A broker that is none.";
    type Settings = BrokerSettings;

    fn check(settings: &BrokerSettings) -> Vec<Problem> {
        scheme("url", &settings.url, "mqtt")
    }

    fn limits(_: &BrokerSettings) -> BatchLimits {
        let second = std::time::Duration::from_secs(1);
        BatchLimits {
            readings: 1,
            bytes: 1,
            age: second,
            in_flight: 1,
            max_age: None,
            timeout: second,
            attempts: BatchLimits::ATTEMPTS,
            rate_limit: None,
        }
    }

    fn address(settings: &BrokerSettings, _: &AddressBook, _: &DeviceId) -> String {
        settings.url.clone()
    }

    async fn connect(_: Arc<BrokerSettings>, _: SinkCtx) -> Result<Link, SinkError> {
        pending().await
    }

    async fn probe(_: Arc<BrokerSettings>, _: ProbeCtx, _: &mut Probe) {}
}
