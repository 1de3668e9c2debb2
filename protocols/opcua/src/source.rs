//! One attempt: connect, find what is selected, monitor it, and deliver until the connection is lost.

use std::{str::FromStr, sync::Arc, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading};

use crate::{
    announce::Announcer,
    attempt::Attempt,
    browse,
    connection::{Connection, ItemRequest, ItemRevised, Limits, Subscription, SubscriptionRequest},
    glob::Glob,
    publish::{self, Publishing},
    select::{self, Item, Rules},
    session::Opened,
    settings::Settings,
    status::Status,
};

/// Intervals without news after which the server says that it lives; small, so that silence is noticed soon.
const KEEP_ALIVE_COUNT: u32 = 4;
/// How long the server keeps a subscription that nobody asks; time to get through a full queue.
const LIFETIME: Duration = Duration::from_secs(120);
/// Values in one message: some 150 kB of numbers, which stays within the limits of most servers, and of our own.
const MAX_NOTIFICATIONS: u32 = 4_000;
/// How long leaving in good order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What is selected on this server.
pub(crate) struct Selection {
    pub items: Vec<Item>,
    /// Why it is not all, in words.
    pub cut: Option<String>,
    pub limits: Limits,
}

pub(crate) async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
    let attempt = Attempt::new(&settings, &ctx.id, &ctx.secrets, &ctx.state_dir)?;
    let opened = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        opened = connect(&attempt, &ctx) => opened?,
    };
    let Opened {
        connection,
        mut driver,
    } = opened;
    let outcome = tokio::select! {
        why = &mut driver => return Err(attempt.lost(&why)),
        outcome = deliver(&*connection, &settings, &ctx) => outcome,
    };
    // The driver carries the good-bye; whether it arrives is the server's concern.
    let good_bye = async {
        tokio::select! {
            _ = driver => {}
            _ = connection.close() => {}
        }
    };
    let _in_time = tokio::time::timeout(CLOSE_TIMEOUT, good_bye).await;
    outcome
}

async fn connect(attempt: &Attempt<'_>, ctx: &SourceCtx) -> Result<Opened, SourceError> {
    let target = attempt.target()?;
    ctx.health
        .connecting(format!("connecting to {}", attempt.endpoint()));
    let addresses = target.resolve().await.map_err(SourceError::Lost)?;
    let endpoints = attempt.endpoints(&target, &addresses).await?;
    let endpoint = attempt.choose(&endpoints)?;
    ctx.health
        .connecting(format!("signing in at {}", attempt.endpoint()));
    attempt.open(&target, &addresses, endpoint).await
}

async fn deliver(
    connection: &dyn Connection,
    settings: &Settings,
    ctx: &SourceCtx,
) -> Result<(), SourceError> {
    let at = &settings.endpoint;
    let lost = |why: Status| SourceError::Lost(format!("the server at {at} broke off: {why}"));
    ctx.health
        .connecting(format!("looking for what is selected at {at}"));
    let Selection { items, cut, limits } =
        stoppable(ctx, select(connection, settings, &ctx.id)).await?;
    if items.is_empty() {
        return Err(SourceError::Lost(format!(
            "nothing on the server at {at} is selected; compare `select` with its address space"
        )));
    }
    let subscription = connection
        .subscribe(subscription_request(settings))
        .await
        .map_err(lost)?;
    let results = stoppable(ctx, async {
        monitor(connection, subscription, &items, limits)
            .await
            .map_err(lost)
    })
    .await?;
    let types = data_types(connection, &items, limits).await.map_err(lost)?;
    let mut pace = format!("publishing every {} ms", subscription.publishing_ms);
    if let Some(weakness) = settings.weakness() {
        pace.push_str(&format!("; {weakness}"));
    }
    if let Some(cut) = cut {
        tracing::warn!(source = %ctx.id, cut, "the selection is too large");
        pace.push_str(&format!("; {cut}"));
    }
    let mut announcer = Announcer::new(&items, &types, &results, at, pace);
    announcer.announce_all(&ctx.devices);
    announcer.tell(&ctx.devices, &ctx.health);
    tracing::info!(source = %ctx.id, words = announcer.words(), "connected");
    let missing = missing_readings(&items, &results);
    if !missing.is_empty() {
        ctx.readings.send(missing).await?;
    }
    Publishing::new(connection, ctx, subscription, &items, &results, announcer)
        .run()
        .await
}

/// Everything that the settings select on this server.
pub(crate) async fn select(
    connection: &dyn Connection,
    settings: &Settings,
    source: &str,
) -> Result<Selection, SourceError> {
    let at = &settings.endpoint;
    let lost = |why: Status| {
        SourceError::Lost(format!(
            "the server at {at} broke off while it was browsed: {why}"
        ))
    };
    let namespaces = connection.namespaces().await.map_err(lost)?;
    let limits = connection.limits().await.map_err(lost)?;
    let rules = Rules::new(settings, &namespaces);
    let globs: Vec<Glob> = rules
        .paths
        .iter()
        .filter_map(|path| Glob::from_str(path).ok())
        .collect();
    let walk = browse::walk(connection, &globs, &namespaces, limits.per_browse)
        .await
        .map_err(lost)?;
    let climb = rules.to_climb(&walk.found);
    let climbed = browse::paths_of(connection, &climb, limits.per_browse)
        .await
        .map_err(lost)?;
    let items = select::plan(source, settings, &rules, &walk.found, &climbed, &namespaces)
        .map_err(|why| {
            SourceError::Misconfigured(format!(
                "a point of the server at {at} cannot be named: {why}; select it by `node`, with a short `point`"
            ))
        })?;
    Ok(Selection {
        items,
        cut: walk.cut,
        limits,
    })
}

fn subscription_request(settings: &Settings) -> SubscriptionRequest {
    let publishing = settings.publishing();
    let lifetime = LIFETIME.as_millis() / publishing.as_millis().max(1);
    SubscriptionRequest {
        publishing_ms: publishing.as_secs_f64() * 1000.0,
        keep_alive_count: KEEP_ALIVE_COUNT,
        lifetime_count: u32::try_from(lifetime)
            .unwrap_or(u32::MAX)
            .max(KEEP_ALIVE_COUNT * 3),
        max_notifications: MAX_NOTIFICATIONS,
    }
}

/// One result an item: a node that cannot be monitored does not disturb its neighbours.
async fn monitor(
    connection: &dyn Connection,
    subscription: Subscription,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<Result<ItemRevised, Status>>, Status> {
    let mut results: Vec<Result<ItemRevised, Status>> = items
        .iter()
        .map(|_| Err(Status::named("BadNodeIdUnknown")))
        .collect();
    let known: Vec<(usize, ItemRequest)> = items
        .iter()
        .enumerate()
        .filter_map(|(at, item)| Some((at, item.request(at)?)))
        .collect();
    for chunk in known.chunks(limits.per_monitor) {
        let requests = chunk.iter().map(|(_, request)| request.clone()).collect();
        let answers = connection.monitor(subscription.id, requests).await?;
        for ((at, _), answer) in chunk.iter().zip(answers) {
            results[*at] = answer;
        }
    }
    Ok(results)
}

async fn data_types(
    connection: &dyn Connection,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<Option<String>>, Status> {
    let mut types = vec![None; items.len()];
    let known: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].node.is_some())
        .collect();
    // Two attributes are read of each node.
    for chunk in known.chunks((limits.per_read / 2).max(1)) {
        let nodes = chunk
            .iter()
            .filter_map(|at| items[*at].node.clone())
            .collect();
        for (at, data_type) in chunk.iter().zip(connection.data_types(nodes).await?) {
            types[*at] = data_type;
        }
    }
    Ok(types)
}

/// One bad reading for each item that could not be made, so that the far side knows as well.
fn missing_readings(items: &[Item], results: &[Result<ItemRevised, Status>]) -> Vec<Reading> {
    let now = publish::now();
    let missing = |(item, result): (&Item, &Result<_, Status>)| {
        let why = result.as_ref().err()?;
        Some(item.missing(Quality::Bad(why.to_string().into()), now))
    };
    items.iter().zip(results).filter_map(missing).collect()
}

/// A step that shutdown cuts short.
async fn stoppable<T>(
    ctx: &SourceCtx,
    step: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    tokio::select! {
        () = ctx.shutdown.cancelled() => Err(SourceError::Lost("stopped".to_owned())),
        done = step => done,
    }
}
