//! From settings to a running link.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use fieldgate_kit::{Link, Secrets, SinkCtx, SinkError, tls};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, PollSender};
use tower::util::BoxService;

use crate::{
    endpoint::Endpoint,
    inbox::{Inbox, Place},
    link::{self, MESSAGE_WINDOW, Opened, Plan},
    pacer::Pacer,
    pump::{Desk, Pump},
    settings::Settings,
    sink::{Encoder, Sink},
    status::Status,
    wire::Subscription,
};

/// Signs in, and builds the link around the connection.
pub(crate) async fn connect(settings: Arc<Settings>, ctx: SinkCtx) -> Result<Link, SinkError> {
    let began = Instant::now();
    let status = Status::new(
        settings.status_topic(&ctx.book),
        &ctx.book,
        SystemTime::now(),
    );
    let mut plan = plan(&settings, &ctx.secrets).await?;
    plan.client_id = settings.client_id(&ctx.book, &ctx.id);
    plan.will = Some(status.clone());
    let place = Place::of(&settings, &ctx.book);
    plan.commands = place.as_ref().map(|place| place.topic.clone());
    let Opened {
        wire,
        terms,
        subscription,
    } = link::open(&plan).await?;
    let words = format!(
        "MQTT {} over {}, {} ms{}",
        settings.version.as_str(),
        plan.endpoint.transport.words(),
        began.elapsed().as_millis(),
        about_commands(&plan, subscription)
    );

    // Full when one batch waits: then the sink is not ready and the forwarder waits. The pump takes a batch when the line has
    // room for it, so a batch is young when it is sent, however slow the line is.
    let (sender, calls) = mpsc::channel(1);
    let close = CancellationToken::new();
    let pacer = Pacer::default();
    let message_limit = pacer.message_limit();
    let pump = Pump {
        wire,
        calls,
        close: close.clone(),
        window: MESSAGE_WINDOW.min(usize::from(terms.receive_maximum.max(1))),
        pacer,
        timeout: settings.timeout.0,
        status,
        desk: Desk::default(),
        inbox: Inbox::new(ctx.commands, place, terms.packet_bytes),
        acks_waiting: 0,
    };
    let sink = Sink {
        encoder: Encoder {
            settings,
            book: ctx.book,
            packet_bytes: terms.packet_bytes,
            message_limit,
        },
        calls: PollSender::new(sender),
    };
    Ok(Link {
        sink: BoxService::new(sink),
        driver: Box::pin(pump.run()),
        close,
        words,
    })
}

/// Whether commands are taken. A broker that refuses them still gets the readings.
fn about_commands(plan: &Plan, subscription: Option<Subscription>) -> String {
    match (&plan.commands, subscription) {
        (Some(topic), Some(Subscription::On)) => format!("; takes commands at {topic}"),
        (_, Some(Subscription::Refused(why))) => {
            tracing::warn!(%why, "commands are not taken from this broker");
            format!("; takes no commands: {why}")
        }
        _ => String::new(),
    }
}

/// Reads what signing in takes, without a client id and a will.
pub(crate) async fn plan(settings: &Arc<Settings>, secrets: &Secrets) -> Result<Plan, SinkError> {
    let (settings, secrets) = (settings.clone(), secrets.clone());
    tokio::task::spawn_blocking(move || read_plan(&settings, &secrets))
        .await
        .map_err(|_| SinkError::Unreachable("the gateway is stopping".to_owned()))?
}

fn read_plan(settings: &Settings, secrets: &Secrets) -> Result<Plan, SinkError> {
    let endpoint =
        Endpoint::parse(&settings.url).map_err(|problem| SinkError::Denied(problem.to_string()))?;
    let tls = if endpoint.transport.is_encrypted() {
        Some(tls::client_config(&settings.tls, secrets)?)
    } else {
        None
    };
    let login = match &settings.user {
        Some(user) => {
            let password = secrets
                .read(&user.password)
                .map_err(|error| SinkError::Denied(format!("user.password: {error}")))?;
            Some((user.name.clone(), password))
        }
        None => None,
    };
    Ok(Plan {
        endpoint,
        version: settings.version,
        keep_alive: settings.keep_alive.0,
        client_id: String::new(),
        login,
        tls,
        will: None,
        commands: None,
    })
}
