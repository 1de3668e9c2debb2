//! From settings to a running link.

use std::{sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use fieldgate_kit::{AddressBook, Link, SecretRef, Secrets, SinkCtx, SinkError, tls};
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tower::util::BoxService;

use crate::{
    client::{Client, Plan},
    encoder::Encoder,
    guard::Surroundings,
    settings::Settings,
    sink::Sink,
    target::Scheme,
    worker::{Shard, Worker},
};

/// Connects, and builds the link around the connections. The first one is made now, the others when they are needed.
pub(crate) async fn connect(
    settings: Arc<Settings>,
    ctx: SinkCtx,
    surroundings: Surroundings,
) -> Result<Link, SinkError> {
    let began = Instant::now();
    let plan = plan(&settings, &ctx.secrets, &ctx.book, &surroundings).await?;
    let mut first = Client::new(plan.clone());
    let words = format!(
        "{} {} {}, {} ms",
        settings.method.as_str(),
        settings.url,
        first.open().await?,
        began.elapsed().as_millis()
    );
    let encoder = Arc::new(Encoder::new(settings.clone(), ctx.book));
    let mut clients = std::iter::once(first)
        .chain(std::iter::repeat_with(|| Client::new(plan.clone())))
        .take(settings.connections);
    let (mut shards, mut workers) = (Vec::new(), Vec::new());
    for client in &mut clients {
        // Full only when more batches are under way than the window allows, which the stack above does not let happen.
        let (shard, jobs) = Shard::new(settings.connections);
        workers.push(Worker::new(client, encoder.clone(), jobs, &shard));
        shards.push(shard);
    }
    let close = CancellationToken::new();
    let ended = close.clone();
    let driver = async move {
        tokio::select! {
            () = ended.cancelled() => {}
            // A worker ends when the sink is dropped, and then nobody looks any more.
            _ = join_all(workers.into_iter().map(Worker::run)) => {}
        }
        Ok(())
    };
    Ok(Link {
        sink: BoxService::new(Sink::new(shards)),
        driver: Box::pin(driver),
        close,
        words,
    })
}

/// Reads what requests take, and looks up whom they go to.
pub(crate) async fn plan(
    settings: &Arc<Settings>,
    secrets: &Secrets,
    book: &AddressBook,
    surroundings: &Surroundings,
) -> Result<Plan, SinkError> {
    let mut plan = prepared(settings, secrets, book).await?;
    let addresses = surroundings.addresses(&plan.server, settings.allow_local);
    plan.addresses = addresses.await?.into();
    Ok(plan)
}

/// A plan without addresses.
pub(crate) async fn prepared(
    settings: &Arc<Settings>,
    secrets: &Secrets,
    book: &AddressBook,
) -> Result<Plan, SinkError> {
    let (settings, secrets, version) = (settings.clone(), secrets.clone(), book.version.clone());
    tokio::task::spawn_blocking(move || read(&settings, &secrets, &version))
        .await
        .map_err(|_| SinkError::Unreachable("the gateway is stopping".to_owned()))?
}

fn read(settings: &Settings, secrets: &Secrets, version: &str) -> Result<Plan, SinkError> {
    let server = settings.server().clone();
    let tls = match server.scheme {
        Scheme::Https => Some(tls::client_config(&settings.tls, secrets)?),
        Scheme::Http => None,
    };
    let mut plan = Plan::new(server, tls, settings.timeout.0);
    let agent = format!("fieldgate/{version}");
    plan.add_header("user-agent", &agent, "the version")?;
    let reveal = |setting: &str, secret: &SecretRef| {
        let secret = secrets.read(secret);
        secret.map_err(|error| SinkError::Denied(format!("{setting}: {error}")))
    };
    if let Some(user) = &settings.user {
        let password = reveal("user.password", &user.password)?;
        let both = STANDARD.encode(format!("{}:{}", user.name, password.reveal()));
        plan.add_header("authorization", &format!("Basic {both}"), "user")?;
    }
    if let Some(token) = &settings.bearer {
        let token = reveal("bearer", token)?;
        plan.add_header(
            "authorization",
            &format!("Bearer {}", token.reveal()),
            "bearer",
        )?;
    }
    for header in &settings.headers {
        let setting = format!("headers, {}", header.name);
        match (&header.value, &header.secret) {
            (_, Some(secret)) => {
                let secret = reveal(&setting, secret)?;
                plan.add_header(&header.name, secret.reveal(), &setting)?;
            }
            (value, None) => {
                let value = value.as_deref().unwrap_or_default();
                plan.add_header(&header.name, value, &setting)?;
            }
        }
    }
    Ok(plan)
}
