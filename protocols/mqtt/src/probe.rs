//! A test of settings, rung by rung: name, TCP, TLS, sign-in, publish, acknowledgement, and the command topic where there is one.
//!
//! The first rungs use connections of their own, because the MQTT client does all of them in one step and could not
//! tell which one broke.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use fieldgate_kit::{Probe, ProbeCtx, SinkError};
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::json;
use tokio::net::{TcpStream, lookup_host};

use crate::{
    connection,
    endpoint::Endpoint,
    inbox::Place,
    link::{self, Opened, Plan},
    settings::Settings,
    wire::{Answer, Happening, Publication, Subscription, Wire},
    words,
};

/// How long one rung may take.
const RUNG_LIMIT: Duration = Duration::from_secs(5);

pub(crate) async fn climb(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
    // The rung that broke has said so.
    let _ = try_climb(settings, ctx, probe).await;
}

async fn try_climb(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) -> Option<()> {
    let mut plan = rung(probe, "Settings", connection::plan(&settings, &ctx.secrets)).await?;
    // The real client id would throw the running link out.
    plan.client_id = format!("{}-test", settings.client_id(&ctx.book, &ctx.id));
    // A command that comes during the test is not taken: the running link gets it, too.
    plan.commands = Place::of(&settings, &ctx.book).map(|place| place.topic);
    let endpoint = plan.endpoint.clone();

    let addresses = rung(probe, "DNS", resolve(&endpoint)).await?;
    let first: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    probe.ok("DNS", format!("{} is {}", endpoint.host, first.join(", ")));

    let stream = rung(probe, "TCP", connect(&addresses, &endpoint)).await?;
    probe.ok("TCP", format!("{} takes connections", endpoint.address()));

    match &plan.tls {
        Some(config) => {
            let agreed = rung(probe, "TLS", handshake(config.clone(), stream, &endpoint)).await?;
            probe.ok("TLS", agreed);
        }
        None => drop(stream),
    }
    sign_in_and_publish(&settings, &ctx, &plan, probe).await
}

async fn sign_in_and_publish(
    settings: &Settings,
    ctx: &ProbeCtx,
    plan: &Plan,
    probe: &mut Probe,
) -> Option<()> {
    let Opened {
        mut wire,
        subscription,
        ..
    } = rung(probe, "Sign-in", link::open(plan)).await?;
    probe.ok(
        "Sign-in",
        format!(
            "the broker lets {} in, with MQTT {}",
            plan.client_id,
            settings.version.as_str()
        ),
    );
    let topic = test_topic(settings, ctx);
    rung(probe, "Publish", publish(&mut wire, &topic)).await?;
    probe.ok("Publish", format!("sent a test message to {topic}"));

    rung(probe, "Acknowledged", acknowledged(&mut wire)).await?;
    probe.ok("Acknowledged", "the broker has it");
    match (&plan.commands, subscription) {
        (Some(topic), Some(Subscription::On)) => {
            probe.ok(
                "Commands",
                format!("the broker hands on what comes to {topic}"),
            );
        }
        (_, Some(Subscription::Refused(why))) => probe.failed("Commands", why),
        _ => {}
    }
    wire.disconnect();
    // The broker has acknowledged; whether it also hears the good-bye makes no difference to the test.
    let _ = tokio::time::timeout(RUNG_LIMIT, async {
        while let Ok(happening) = wire.next().await
            && happening != Happening::Disconnected
        {}
    })
    .await;
    Some(())
}

/// Beside the status: `fieldgate/line-4/test`.
fn test_topic(settings: &Settings, ctx: &ProbeCtx) -> String {
    let status = settings.status_topic(&ctx.book);
    match status.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/test"),
        None => format!("{status}/test"),
    }
}

/// One rung: its value, or `None` after it broke and said why.
async fn rung<T>(
    probe: &mut Probe,
    name: &str,
    attempt: impl Future<Output = Result<T, SinkError>>,
) -> Option<T> {
    match tokio::time::timeout(RUNG_LIMIT, attempt).await {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => probe.failed(name, error.to_string()),
        Err(_) => probe.failed(
            name,
            format!(
                "no answer within {} s; is the broker busy, or a firewall dropping packets?",
                RUNG_LIMIT.as_secs()
            ),
        ),
    }
    None
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, SinkError> {
    let addresses: Vec<SocketAddr> = lookup_host(endpoint.address())
        .await
        .map_err(|error| words::explain(&error, &endpoint.address()))?
        .collect();
    if addresses.is_empty() {
        return Err(SinkError::Unreachable(format!(
            "{} has no address; check the DNS server",
            endpoint.host
        )));
    }
    Ok(addresses)
}

async fn connect(addresses: &[SocketAddr], endpoint: &Endpoint) -> Result<TcpStream, SinkError> {
    TcpStream::connect(addresses)
        .await
        .map_err(|error| words::explain(&error, &endpoint.address()))
}

/// Verifies the broker as the real connection will. With TLS 1.3 a client certificate is judged after the handshake, so
/// that one shows at sign-in.
async fn handshake(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    endpoint: &Endpoint,
) -> Result<String, SinkError> {
    let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| {
        SinkError::Denied(format!(
            "`{}` is no name that a certificate can have",
            endpoint.host
        ))
    })?;
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| words::explain(&error, &endpoint.address()))?;
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
        _ => "1.2",
    };
    Ok(format!(
        "TLS {version}, the certificate is valid for {}",
        endpoint.host
    ))
}

async fn publish(wire: &mut impl Wire, topic: &str) -> Result<(), SinkError> {
    wire.publish(Publication {
        topic: topic.to_owned(),
        retain: false,
        payload: json!({ "test": "a person tests the settings of this gateway" })
            .to_string()
            .into(),
        content_type: "application/json",
        correlation: None,
        attributes: Vec::new(),
    })?;
    while !matches!(wire.next().await?, Happening::Sent(_)) {}
    Ok(())
}

async fn acknowledged(wire: &mut impl Wire) -> Result<(), SinkError> {
    loop {
        if let Happening::Answered(_, answer) = wire.next().await? {
            return match answer {
                Answer::Accepted | Answer::Unheard => Ok(()),
                Answer::Refused(why) | Answer::RefusedPayload(why) | Answer::Postponed(why) => {
                    Err(SinkError::Denied(why))
                }
                Answer::NotNow(error) => Err(error),
            };
        }
    }
}
