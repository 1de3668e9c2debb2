//! One attempt: connect, find what is selected, monitor it, and deliver until the connection is lost.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading};
use futures::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use crate::{
    announce::Announcer,
    attempt::Attempt,
    browse, commands,
    connection::{Connection, Limits, Subscription, ValueType},
    cyclic::{self, Cycle, Cycling},
    events::{self, Events, conditions::Conditions},
    explore::{Explorer, Owner},
    facts,
    glob::Glob,
    history::{Marks, Past},
    profiles::Profiles,
    publish::{self, Feed, Points, Publishing},
    redundancy::{self, Set},
    resume::{Remembered, Resumed},
    reverse::Here,
    select::{self, Item, Rules},
    session::Opened,
    settings::{Asking, Settings},
    status::Status,
    subscribe::{self, Monitored, Subscribed},
    types::{self, Instances, Wanted},
    visit,
};

/// How long leaving in good order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long leaving a session that is lost may take.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(300);

/// What is selected on this server.
pub(crate) struct Selection {
    pub items: Vec<Item>,
    /// Why it is not all, in words.
    pub cut: Option<String>,
    pub limits: Limits,
}

/// One attempt, at the server of the redundant set that is the one to be on.
pub(crate) async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
    let mut set = redundancy::recall(&settings, &ctx);
    let here = redundancy::here(&settings, set.choose(Instant::now()));
    let outcome = attempt(here, &ctx, &mut set).await;
    let outcome = set.ended(outcome, Instant::now());
    ctx.memory.keep(set);
    outcome
}

async fn attempt(
    settings: Arc<Settings>,
    ctx: &SourceCtx,
    set: &mut Set,
) -> Result<(), SourceError> {
    let attempt = Attempt::new(&settings, &ctx.id, &ctx.secrets, &ctx.state_dir)?;
    let (way, opened, uri) = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        opened = visit::connect(&attempt, &settings, ctx) => opened?,
    };
    let Opened {
        connection,
        mut driver,
        ..
    } = opened;
    set.is_application(set.current(), &uri);
    let _here = Here::until_dropped(&ctx.memory);
    let profiles = Profiles::of(&ctx.state_dir).await;
    let explorer = Explorer::new(
        Arc::clone(&connection),
        Arc::clone(&settings),
        Arc::clone(&ctx.id),
        Arc::clone(&profiles),
        Owner::Source,
    );
    let offer = ctx.exploring.offer(Arc::new(explorer));
    let (tell, standing) = watch::channel(String::new());
    let outcome = tokio::select! {
        why = &mut driver => return Err(attempt.lost(&why)),
        outcome = deliver(&*connection, &settings, &profiles, ctx, standing) => outcome,
        why = visit::beside(&way, set, &*connection, &settings, ctx, tell) => {
            // The subscriptions would only be a load for a server that is not well.
            good_bye(&*connection, driver).await;
            return Err(why);
        }
    };
    drop(offer);
    match &outcome {
        Ok(()) => good_bye(&*connection, driver).await,
        Err(_) => leave(&*connection, driver).await,
    }
    outcome
}

/// As [`good_bye`], but the subscriptions stay, so that the next session can go on with them. Short, because the server
/// may be silent already.
async fn leave(connection: &dyn Connection, driver: BoxFuture<'static, Status>) {
    let leave = async {
        tokio::select! {
            _ = driver => {}
            _ = connection.leave() => {}
        }
    };
    let _in_time = tokio::time::timeout(LEAVE_TIMEOUT, leave).await;
}

/// The driver carries the good-bye; whether it arrives is the server's concern.
pub(crate) async fn good_bye(connection: &dyn Connection, driver: BoxFuture<'static, Status>) {
    let good_bye = async {
        tokio::select! {
            _ = driver => {}
            _ = connection.close() => {}
        }
    };
    let _in_time = tokio::time::timeout(CLOSE_TIMEOUT, good_bye).await;
}

async fn deliver(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
    ctx: &SourceCtx,
    standing: watch::Receiver<String>,
) -> Result<(), SourceError> {
    let at = &settings.endpoint;
    let lost = |why: Status| SourceError::Lost(format!("the server at {at} broke off: {why}"));
    ctx.health
        .connecting(format!("looking for what is selected at {at}"));
    let Selection {
        mut items,
        cut,
        limits,
    } = stoppable(ctx, select(connection, settings, profiles, &ctx.id)).await?;
    if items.is_empty() && settings.events.is_empty() {
        let why = cut.map_or(String::new(), |cut| format!("; {cut}"));
        return Err(SourceError::Lost(format!(
            "nothing on the server at {at} is selected; compare `select` with its address space{why}"
        )));
    }
    let mut remembered = ctx.memory.take::<Remembered>();
    let conditions = remembered
        .as_ref()
        .map(|remembered| remembered.conditions().clone());
    if conditions.is_none() {
        // The first attempt with these settings: what is open will be told.
        ctx.alarms.clear();
    }
    let conditions = conditions.unwrap_or_default();
    ctx.memory.keep(Remembered::only(conditions.clone()));
    let mut begun = stoppable(ctx, async {
        if settings.mode == Asking::Read {
            return Ok(Begun::cyclic(&items));
        }
        match begin(connection, at, &items, &limits, remembered.as_mut()).await {
            Err(why) if cyclic::is_called_for(&why) => {
                tracing::info!(source = %ctx.id, %why, "no subscriptions: values are read");
                Ok(Begun::cyclic(&items))
            }
            begun => begun.map_err(lost),
        }
    })
    .await?;
    let past = stoppable(ctx, async {
        Ok(Past::find(ctx, settings, &items, remembered).await)
    })
    .await?;
    let types = value_types(connection, &items, limits)
        .await
        .map_err(lost)?;
    for (item, value_type) in items.iter_mut().zip(&types) {
        item.enumeration.clone_from(&value_type.enumeration);
    }
    let mut pace = begun.words();
    if let Some(used) = sessions_used(connection, &limits).await {
        pace.push_str(&format!("; {used}"));
    }
    if let Some(weakness) = settings.weakness() {
        pace.push_str(&format!("; {weakness}"));
    }
    if let Some(cut) = cut {
        tracing::warn!(source = %ctx.id, cut, "the selection is not whole");
        pace.push_str(&format!("; {cut}"));
    }
    let history = match &begun {
        Begun::Cyclic(_) => None,
        Begun::Resumed(_) => past.history(settings, &limits),
        Begun::Anew(_) => past.history_of_new_items(settings, &limits),
    };
    if history.is_none() {
        Marks::discard(ctx).await;
    }
    let monitored = begun.monitored(&items);
    let Watching {
        events,
        subscription,
        words,
    } = stoppable(
        ctx,
        watch(connection, settings, ctx, &limits, &mut begun, conditions),
    )
    .await?;
    ctx.alarms
        .watch(events.as_ref().map(Events::devices).unwrap_or_default());
    pace.push_str(&words);
    let mut announcer = Announcer::new(&items, &types, &monitored, at, pace);
    announcer.announce_all(&ctx.devices);
    announcer.tell(&ctx.devices, &ctx.health);
    tracing::info!(source = %ctx.id, words = announcer.words(), "connected");
    let missing = missing_readings(&items, &monitored);
    if !missing.is_empty() {
        ctx.readings.send(missing).await?;
    }
    let points = Points::new(ctx, &items, monitored, announcer)
        .with_key_frames(settings.key_frames())
        .at(at, standing)
        .with_events(events)
        .after(past.last())
        .with_history(history);
    let delivering = async {
        let publishing = match begun {
            Begun::Cyclic(cycles) => {
                return Cycling::new(connection, ctx, limits, cycles, points)
                    .learning(facts::learn(connection, &items, limits))
                    .run()
                    .await;
            }
            Begun::Anew(subscribed) => {
                Publishing::new(connection, ctx, &subscribed.subscriptions, points)
            }
            Begun::Resumed(resumed) => {
                tracing::info!(source = %ctx.id, "goes on with the subscriptions of the lost session");
                Publishing::resume(connection, ctx, *resumed, points)
            }
        };
        publishing
            .monitoring(limits.per_monitor)
            .also(subscription)
            .noting(past.is_written)
            .learning(facts::learn(connection, &items, limits))
            .run()
            .await
    };
    tokio::select! {
        outcome = delivering => outcome,
        never = commands::serve(connection, settings, ctx, &items) => match never {},
    }
}

/// How the server was asked for values.
enum Begun {
    Anew(Subscribed),
    Resumed(Box<Resumed>),
    Cyclic(Vec<Cycle>),
}

/// The events besides the items.
#[derive(Default)]
struct Watching {
    events: Option<Events>,
    /// Theirs, when it is a new one.
    subscription: Option<Subscription>,
    /// What is said of them, after the pace.
    words: String,
}

/// Those of the session before where it goes on; otherwise, and when there were none, they are asked for anew.
async fn watch(
    connection: &dyn Connection,
    settings: &Settings,
    ctx: &SourceCtx,
    limits: &Limits,
    begun: &mut Begun,
    conditions: Conditions,
) -> Result<Watching, SourceError> {
    if settings.events.is_empty() {
        return Ok(Watching::default());
    }
    if let Begun::Cyclic(_) = begun {
        return Ok(Watching {
            words: "; no events: they need a subscription, which the server does not have"
                .to_owned(),
            ..Watching::default()
        });
    }
    if let Begun::Resumed(resumed) = begun
        && let Some(events) = resumed.events.take()
    {
        return Ok(Watching {
            words: format!("; {}", events.words()),
            events: Some(events.announced_anew()),
            subscription: None,
        });
    }
    Ok(
        match events::watch(connection, settings, &ctx.id, limits, conditions).await {
            Ok((events, subscription)) => Watching {
                words: format!("; {}", events.words()),
                events: Some(events),
                subscription: Some(subscription),
            },
            Err(why) => Watching {
                words: format!("; no events: {why}"),
                ..Watching::default()
            },
        },
    )
}

/// Goes on where the attempt before was lost, or begins anew.
async fn begin(
    connection: &dyn Connection,
    at: &str,
    items: &[Item],
    limits: &Limits,
    remembered: Option<&mut Remembered>,
) -> Result<Begun, Status> {
    if let Some(remembered) = remembered.filter(|remembered| remembered.server == at)
        && let Some(resumed) = remembered.take_over(connection, items).await?
    {
        return Ok(Begun::Resumed(Box::new(resumed)));
    }
    let subscribed = subscribe::subscribe(connection, items, limits).await?;
    Ok(Begun::Anew(subscribed))
}

// === impl Begun ===

impl Begun {
    fn cyclic(items: &[Item]) -> Self {
        Self::Cyclic(cyclic::cycles(items, Instant::now()))
    }

    fn monitored(&self, items: &[Item]) -> Vec<Monitored> {
        match self {
            Self::Anew(subscribed) => subscribed.items.clone(),
            Self::Resumed(resumed) => resumed.monitored.clone(),
            Self::Cyclic(_) => cyclic::monitored(items),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Anew(subscribed) => subscribed.words(),
            Self::Cyclic(cycles) => cyclic::words(cycles),
            Self::Resumed(resumed) => {
                let paces = resumed.feeds.iter().map(Feed::publishing_ms);
                subscribe::words(paces, &resumed.monitored)
            }
        }
    }
}

/// `3 of 5 sessions used`, where the server says both.
async fn sessions_used(connection: &dyn Connection, limits: &Limits) -> Option<String> {
    let most = limits.sessions?;
    let used = connection.session_count().await.ok()?;
    Some(format!("{used} of {most} sessions used"))
}

/// Everything that the settings select on this server.
pub(crate) async fn select(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
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
    let mut rules = Rules::new(settings, &namespaces);
    let globs: Vec<Glob> = rules.globs().into_iter().map(|(glob, _)| glob).collect();
    let walk = browse::walk(connection, &globs, &namespaces, limits.per_browse)
        .await
        .map_err(lost)?;
    let (known, unknown) = profiles.chosen(&rules.profiles);
    let wanted = Wanted {
        types: &rules.types,
        profiles: &known,
    };
    let Instances { members, remarks } =
        types::instances(connection, wanted, &namespaces, limits.per_browse)
            .await
            .map_err(lost)?;
    rules.members = members;
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
        cut: joined(walk.cut.into_iter().chain(unknown).chain(remarks)),
        limits,
    })
}

/// All remarks in one sentence.
fn joined(remarks: impl Iterator<Item = String>) -> Option<String> {
    let remarks: Vec<String> = remarks.collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

async fn value_types(
    connection: &dyn Connection,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<ValueType>, Status> {
    let mut types = vec![ValueType::default(); items.len()];
    let known: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].node.is_some())
        .collect();
    // Two attributes are read of each node.
    for chunk in known.chunks((limits.per_read / 2).max(1)) {
        let nodes = chunk
            .iter()
            .filter_map(|at| items[*at].node.clone())
            .collect();
        for (at, value_type) in chunk.iter().zip(connection.value_types(nodes).await?) {
            types[*at] = value_type;
        }
    }
    Ok(types)
}

/// One bad reading for each item that could not be made, so that the far side knows as well.
fn missing_readings(items: &[Item], monitored: &[Monitored]) -> Vec<Reading> {
    let now = publish::now();
    let missing = |(item, made): (&Item, &Monitored)| {
        let why = made.result.as_ref().err()?;
        Some(item.missing(Quality::Bad(why.to_string().into()), now))
    };
    items.iter().zip(monitored).filter_map(missing).collect()
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
