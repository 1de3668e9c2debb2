//! The way into a session with a server, whoever connects to whom, and what goes on beside the delivery while it lasts.

use fieldgate_kit::{SourceCtx, SourceError};
use tokio::sync::watch;

use crate::{
    attempt::Attempt,
    connection::Connection,
    dial::Way,
    redundancy::{self, Set},
    reverse,
    session::Opened,
    settings::Settings,
};

/// A signed-in session, the way that led to it, and the application URI of the server.
pub(crate) async fn connect(
    attempt: &Attempt<'_>,
    settings: &Settings,
    ctx: &SourceCtx,
) -> Result<(Way, Opened, String), SourceError> {
    let way = match &settings.reverse {
        Some(reverse) => {
            let waiting = reverse::enter(settings, reverse, ctx).map_err(SourceError::Lost)?;
            ctx.health.connecting(waiting.words());
            Way::Wait(waiting)
        }
        None => {
            ctx.health
                .connecting(format!("connecting to {}", attempt.endpoint()));
            attempt.dialled().await?
        }
    };
    let (opened, uri) = open(attempt, &way).await?;
    Ok((way, opened, uri))
}

/// A signed-in session, and the application URI of the server.
pub(crate) async fn open(
    attempt: &Attempt<'_>,
    way: &Way,
) -> Result<(Opened, String), SourceError> {
    let endpoints = attempt.endpoints(way).await?;
    let endpoint = attempt.choose(&endpoints)?;
    let opened = attempt.open(way, endpoint).await?;
    Ok((opened, endpoint.description.server().uri))
}

/// What goes on beside the delivery; resolves when it is better to be elsewhere, and says why.
pub(crate) async fn beside(
    way: &Way,
    set: &mut Set,
    connection: &dyn Connection,
    settings: &Settings,
    ctx: &SourceCtx,
    tell: watch::Sender<String>,
) -> SourceError {
    match way {
        Way::Dial { .. } => redundancy::watch(set, connection, settings, ctx, tell).await,
        Way::Wait(waiting) => match waiting.tend(tell).await {},
    }
}
