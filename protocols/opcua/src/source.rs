//! One attempt: connect, find what is selected, monitor it, and deliver until the connection is lost.

use std::{convert::Infallible, sync::Arc, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{Quality, Reading};
use futures::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use crate::{
    announce::Announcer,
    attempt::Attempt,
    begin::{Begun, Found},
    commands,
    connection::{Connection, Limits},
    cyclic::Cycling,
    events::Events,
    explore::{Explorer, Owner},
    facts,
    follow::{Following, Reviewing, Signals},
    history::Marks,
    profiles::Profiles,
    publish::{self, Points, Publishing},
    redundancy::{self, Set},
    reverse::Here,
    select::Item,
    session::Opened,
    settings::Settings,
    status::Status,
    subscribe::Monitored,
    visit,
};

/// How long leaving in good order may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long leaving a session that is lost may take.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(300);

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
    let attempt = attempt.reaching(set.reach(set.current()));
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
    let mut reviewing = Reviewing::open(settings, ctx).await?;
    let looking = Found::look(connection, settings, profiles, ctx, &mut reviewing);
    let mut found = stoppable(ctx, looking).await?;
    if found.items.is_empty() && settings.events.is_empty() {
        let why = found.cut.map_or(String::new(), |cut| format!("; {cut}"));
        return Err(SourceError::Lost(format!(
            "nothing on the server at {at} is selected; compare `select` with its address space{why}"
        )));
    }
    let limits = found.limits;
    let conditions = found.conditions(ctx);
    let begun = stoppable(ctx, found.begin(connection, settings, ctx)).await?;
    let mut following = Following::new(connection, (settings, profiles), ctx, limits, reviewing);
    if let Begun::Resumed = begun {
        following = following.with_change(found.go_on());
    }
    let past = stoppable(ctx, async { Ok(found.past(settings, ctx).await) }).await?;
    let history = match &begun {
        Begun::Cyclic(_) => None,
        Begun::Resumed => past.history(settings, &limits),
        Begun::Anew(_) => past.history_of_new_items(settings, &limits),
    };
    if history.is_none() {
        Marks::discard(ctx).await;
    }
    let monitored = begun.monitored(&found);
    let mut pace =
        begun.words(&found) + &words(connection, settings, &limits, found.cut.as_deref()).await;
    let watching = begun.watch(connection, settings, ctx, &mut found, conditions);
    let watching = stoppable(ctx, watching).await?;
    ctx.alarms.watch(watching.devices);
    pace.push_str(&watching.words);
    if let Begun::Anew(subscribed) = &begun {
        let (made, versions) = (&subscribed.subscriptions, &found.versions);
        let listening = Signals::listen(connection, made, versions, limits.per_monitor);
        let listening = async { listening.await.map_err(lost) };
        following = following.with_signals(stoppable(ctx, listening).await?);
    }
    let mut announcer = Announcer::new(&found.items, &found.types, &monitored, at, pace);
    announcer.follow(following.words());
    announcer.announce_all(&ctx.devices);
    announcer.tell(&ctx.devices, &ctx.health);
    tracing::info!(source = %ctx.id, words = announcer.words(), "connected");
    let missing = missing_readings(&found.items, &monitored);
    if !missing.is_empty() {
        stoppable(ctx, ctx.readings.send(missing)).await?;
    }
    let wanted = facts::wanted(&found.items);
    let roster = roster(settings, &found.items);
    let seen = roster.subscribe();
    // From here on nothing is waited for but what runs, which leaves what the next attempt needs.
    let mut resumed = Found::release(found.left, ctx);
    let events = match begun {
        Begun::Resumed => resumed.events.take().map(Events::announced_anew),
        Begun::Anew(_) | Begun::Cyclic(_) => None,
    };
    let points = Points::new(ctx, found.items, monitored, announcer)
        .with_key_frames(settings.key_frames())
        .at(at, standing)
        .with_roster((!settings.commands.is_empty()).then_some(roster))
        .with_events(events.or(watching.events))
        .after(past.last())
        .with_history(history);
    let learning = facts::learn(connection, wanted, limits);
    let commands = commands::serve(connection, settings, ctx, seen);
    let publishing = match begun {
        Begun::Cyclic(cycles) => {
            let cycling = Cycling::new(connection, ctx, limits, cycles, points);
            let cycling = cycling.learning(learning).following(following);
            return beside(cycling.run(), commands).await;
        }
        Begun::Anew(subscribed) => {
            Publishing::new(connection, ctx, &subscribed.subscriptions, points)
        }
        Begun::Resumed => {
            tracing::info!(source = %ctx.id, "goes on with the subscriptions of the lost session");
            following = following.with_signals(std::mem::take(&mut resumed.signals));
            Publishing::resume(connection, ctx, resumed, points)
        }
    };
    let publishing = publishing
        .within(&limits)
        .also(watching.subscription)
        .noting(past.is_written)
        .learning(learning)
        .following(following);
    beside(publishing.run(), commands).await
}

/// Values are delivered while commands are carried out.
async fn beside(
    delivering: impl Future<Output = Result<(), SourceError>>,
    commands: impl Future<Output = Infallible>,
) -> Result<(), SourceError> {
    tokio::select! {
        outcome = delivering => outcome,
        never = commands => match never {},
    }
}

/// Where the commands see the points; without rules for commands nobody has to know them twice.
fn roster(settings: &Settings, items: &[Item]) -> watch::Sender<Arc<[Item]>> {
    watch::Sender::new(match settings.commands.is_empty() {
        true => Arc::from([]),
        false => items.into(),
    })
}

/// What to know besides of how it is read.
async fn words(
    connection: &dyn Connection,
    settings: &Settings,
    limits: &Limits,
    cut: Option<&str>,
) -> String {
    let mut words = String::new();
    if let Some(used) = sessions_used(connection, limits).await {
        words.push_str(&format!("; {used}"));
    }
    if let Some(weakness) = settings.weakness() {
        words.push_str(&format!("; {weakness}"));
    }
    if let Some(cut) = cut {
        tracing::warn!(
            endpoint = settings.endpoint,
            cut,
            "the selection is not whole"
        );
        words.push_str(&format!("; {cut}"));
    }
    words
}

/// `3 of 5 sessions used`, where the server says both.
async fn sessions_used(connection: &dyn Connection, limits: &Limits) -> Option<String> {
    let most = limits.sessions?;
    let used = connection.session_count().await.ok()?;
    Some(format!("{used} of {most} sessions used"))
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
