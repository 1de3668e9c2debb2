//! The OPC UA source: a session, a subscription, and every message acknowledged only once its readings are durable.
//!
//! ```text
//! settings ─▶ attempt (dial, security, trust, session) ─▶ browse + select ─▶ publish ─▶ readings
//!                                      │                                       ▲ ack ◀── durable
//!                                      └── Connection: our own words; the vendor stays behind it
//! ```

mod alias;
mod announce;
mod attempt;
mod begin;
mod browse;
mod cadence;
mod certificate;
mod commands;
mod connection;
mod cyclic;
mod dial;
mod discover;
mod enumeration;
mod events;
mod explore;
mod facts;
mod follow;
mod gate;
mod glob;
mod history;
mod last;
mod look;
mod node_id;
mod probe;
mod profiles;
mod publish;
mod redundancy;
mod resume;
mod reverse;
mod roll_call;
mod room;
mod rounds;
mod security;
mod select;
mod sequence;
mod session;
mod settings;
mod shares;
#[cfg(feature = "sim")]
pub mod sim;
mod source;
mod status;
mod subscribe;
mod trust;
#[cfg(test)]
mod twin;
mod types;
mod units;
mod value;
mod visit;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use fieldgate_kit::{
    Announcement, Discovered, ExploreCtx, Nearby, Probe, ProbeCtx, Problem, Question, Source,
    SourceCtx, SourceError, Trust,
};

pub use settings::{
    Asking, CommandRule, Deadband, Discard, EventRule, EventWhere, Mode, NewNodes, NodeRule,
    PathRule, Policy, ProfileRule, Proof, Redundancy, Reverse, Security, Select, ServerTrust,
    Settings, Trigger, TypeRule, User, UserCertificate,
};

/// The source's protocol, for the registry.
#[derive(Debug)]
pub struct OpcUa;

impl Source for OpcUa {
    const KIND: &'static str = "opcua";
    const TITLE: &'static str = "OPC UA";
    const ABOUT: &'static str =
        "Subscribes to values of an OPC UA server: PLCs, machines, SCADA systems.";
    type Settings = Settings;
    const COMMANDS: bool = true;

    fn check(settings: &Settings) -> Vec<Problem> {
        settings.check()
    }

    async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
        source::run(settings, ctx).await
    }

    async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
        probe::probe(settings, ctx, probe).await;
    }

    const EXPLORES: bool = true;

    async fn explore(settings: Arc<Settings>, ctx: ExploreCtx) -> Result<(), SourceError> {
        explore::host(settings, ctx).await
    }

    const TRUST: Option<fn(PathBuf) -> Box<dyn Trust>> = Some(trust::Shelves::open);

    const DISCOVERS: Option<&'static str> =
        Some("The address of an OPC UA server, such as 192.168.0.10 or plc.local:4840");

    /// The service of OPC UA Part 12, Annex C; the port is registered for a server, or for a Local Discovery Server.
    const NEARBY: Option<Nearby> = Some(Nearby {
        question: Question::Service("_opcua-tcp._tcp"),
        ports: &[dial::DEFAULT_PORT],
    });

    async fn discover(address: String) -> Result<Vec<Discovered>, String> {
        discover::discover(&address).await
    }

    fn announced(announcement: &Announcement, at: IpAddr) -> String {
        discover::announced(announcement, at)
    }

    fn places(settings: &Settings) -> Vec<String> {
        let endpoints = std::iter::once(&settings.endpoint).chain(&settings.alternates);
        endpoints
            .filter_map(|endpoint| discover::place(endpoint))
            .collect()
    }

    fn place(address: &str) -> Option<String> {
        discover::place(address)
    }
}
