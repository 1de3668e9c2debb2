//! A test of settings, rung by rung: name, TCP, TLS, and what the server answers to a harmless question.
//!
//! Nothing is sent that a server could take for readings: it is asked what it takes (`OPTIONS`) where the URL begins.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use fieldgate_kit::{Probe, ProbeCtx, SinkError};

use crate::{
    client::{Call, Client, Plan},
    connection,
    guard::Surroundings,
    settings::Settings,
    verdict::{self, Verdict},
};

/// How long one rung may take.
const RUNG_LIMIT: Duration = Duration::from_secs(5);

pub(crate) async fn climb(
    settings: Arc<Settings>,
    ctx: ProbeCtx,
    surroundings: Surroundings,
    probe: &mut Probe,
) {
    // The rung that broke has said so.
    let _ = try_climb(settings, ctx, surroundings, probe).await;
}

async fn try_climb(
    settings: Arc<Settings>,
    ctx: ProbeCtx,
    surroundings: Surroundings,
    probe: &mut Probe,
) -> Option<()> {
    let prepared = connection::prepared(&settings, &ctx.secrets, &ctx.book);
    let mut plan = rung(probe, "Settings", prepared).await?;
    let addresses = surroundings.addresses(&plan.server, settings.allow_local);
    let addresses = rung(probe, "DNS", addresses).await?;
    let first: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
    probe.ok(
        "DNS",
        format!("{} is {}", plan.server.host, first.join(", ")),
    );
    plan.addresses = addresses.into();

    let stream = rung(probe, "TCP", plan.connect()).await?;
    probe.ok(
        "TCP",
        format!("{} takes connections", plan.server.address()),
    );
    if let Some(config) = &plan.tls {
        let (_, version) = rung(probe, "TLS", plan.secure(config, stream)).await?;
        let words = format!(
            "{version}, the certificate is valid for {}",
            plan.server.host
        );
        probe.ok("TLS", words);
    }
    let answered = rung(probe, "Answer", answer(plan, &settings)).await?;
    probe.ok("Answer", answered);
    Some(())
}

/// With TLS 1.3 a client certificate is judged after the handshake, so that one shows here.
async fn answer(plan: Plan, settings: &Settings) -> Result<String, SinkError> {
    let call = Call {
        method: "OPTIONS",
        target: settings.url.beginning().to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let url = format!("{}{}", plan.server, call.target);
    let answer = Client::new(plan).send(&call).await?;
    let status = answer.status;
    match (status, verdict::judge(&answer, &url)) {
        (_, Verdict::Taken | Verdict::Partly(_)) => Ok(format!("{url} answers, and lets us in")),
        // Many servers know no OPTIONS, and many URLs are only written to.
        (400 | 404 | 405 | 410 | 411 | 413 | 415 | 422 | 501, _) => Ok(format!(
            "{url} answers ({status} to a question that is no reading); whether it takes readings shows when the first ones are sent"
        )),
        (_, Verdict::Later(throttle)) => Err(SinkError::Unreachable(throttle.why)),
        (_, Verdict::Stop(error)) => Err(error),
        (_, Verdict::TooLarge(why) | Verdict::Refused(why)) => Err(SinkError::Denied(why)),
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
                "no answer within {} s; is the server busy, or a firewall dropping packets?",
                RUNG_LIMIT.as_secs()
            ),
        ),
    }
    None
}
