//! A set of redundant servers (OPC UA Part 4, 6.6.2): the source is on one of them; the others are looked at with short
//! sessions, so that it is known which one is next.
//!
//! That is what the specification calls cold: it costs the others nothing but a look a minute, works with sets of every
//! kind (cold, warm, hot), and asks no server for the same values twice. The price is the time of one connect.

mod set;

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use futures::future::join_all;
use tokio::{
    sync::watch,
    time::{Instant, interval, sleep, timeout},
};

pub(crate) use self::set::Set;
use crate::{
    attempt::Attempt,
    connection::Connection,
    session::Opened,
    settings::{Redundancy, Settings},
    source,
    status::Status,
    visit,
};

/// How often the current server's ServiceLevel is read.
const PACE: Duration = Duration::from_secs(1);
/// How long a look at another server may take.
const LOOK_LIMIT: Duration = Duration::from_secs(8);

/// What a server says of itself as one of several (Part 5, 6.3.7 and 12.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub level: Option<u8>,
    pub support: Support,
    /// The application URIs of all servers of its set.
    pub uris: Vec<String>,
}

/// RedundancySupport (Part 5, 12.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Support {
    #[default]
    None,
    Cold,
    Warm,
    Hot,
    /// Clients see one server, whichever it is.
    Transparent,
    HotAndMirrored,
}

/// The set of this source, as it was left, or from its settings.
pub(crate) fn recall(settings: &Settings, ctx: &SourceCtx) -> Set {
    let left = ctx.memory.take::<Set>();
    left.unwrap_or_else(|| Set::new(settings, Instant::now()))
}

/// Learns who else belongs to the set, looks at them now and then, tells how things are, and resolves when it is better to be
/// elsewhere. For ever when there is only one server.
pub(crate) async fn watch(
    set: &mut Set,
    connection: &dyn Connection,
    settings: &Settings,
    ctx: &SourceCtx,
    tell: watch::Sender<String>,
) -> SourceError {
    // Values come first.
    sleep(PACE).await;
    learn(set, connection, settings).await;
    if set.is_single() {
        return std::future::pending().await;
    }
    let mut turns = interval(PACE);
    loop {
        turns.tick().await;
        // A session that is lost is the delivery's to notice.
        if let Ok(standing) = connection.standing().await {
            set.serves(set.current(), standing.level, Instant::now());
        }
        if set.is_look_due(Instant::now()) {
            look_at_others(set, settings, ctx).await;
        }
        let moved = set.move_to_better(Instant::now());
        tell.send_if_modified(|words| {
            let now = set.words();
            std::mem::replace(words, now.clone()) != now
        });
        if let Some(why) = moved {
            tracing::info!(source = %ctx.id, why, "the source moves");
            return SourceError::Lost(why);
        }
    }
}

/// Asks the server who else belongs to its set, over the channel of its own session.
async fn learn(set: &mut Set, connection: &dyn Connection, settings: &Settings) {
    let Ok(standing) = connection.standing().await else {
        return;
    };
    set.serves(set.current(), standing.level, Instant::now());
    if standing.support != Support::None {
        set.is_of_kind(standing.support.words());
    }
    if settings.redundancy == Redundancy::Configured || !standing.support.is_ours_to_use() {
        return;
    }
    let unknown: Vec<String> = set.unknown(&standing.uris).into_iter().cloned().collect();
    if unknown.is_empty() {
        return;
    }
    match connection.addresses_of(unknown).await {
        Ok(found) => {
            for (uri, addresses) in found {
                set.learn(&uri, &addresses, Instant::now());
            }
        }
        Err(why) => tracing::debug!(%why, "the server does not tell where its set is"),
    }
}

async fn look_at_others(set: &mut Set, settings: &Settings, ctx: &SourceCtx) {
    let others = set.others().into_iter();
    let addresses: Vec<String> = others
        .map(|member| set.address(member).to_owned())
        .collect();
    let looks = addresses.iter().map(|address| look(settings, address, ctx));
    let seen = join_all(looks).await;
    let now = Instant::now();
    for (address, seen) in addresses.iter().zip(seen) {
        // One that turned out to be another one is not there any more.
        let Some(member) = set
            .others()
            .into_iter()
            .find(|at| set.address(*at) == address)
        else {
            continue;
        };
        match seen {
            Ok((uri, level)) => {
                set.serves(member, level, now);
                set.is_application(member, &uri);
            }
            Err(why) => set.fails(member, why, now),
        }
    }
    set.looked(now);
}

/// A short session with another server: who it is, and its ServiceLevel.
async fn look(
    settings: &Settings,
    address: &str,
    ctx: &SourceCtx,
) -> Result<(String, Option<u8>), String> {
    let there = settings.at(address);
    let looking = async {
        let attempt = Attempt::new(&there, &ctx.id, &ctx.secrets, &ctx.state_dir)?;
        let way = attempt.dialled().await?;
        let (opened, uri) = visit::open(&attempt, &way).await?;
        let Opened {
            connection,
            mut driver,
            ..
        } = opened;
        let standing = tokio::select! {
            why = &mut driver => Err(why),
            standing = connection.standing() => standing,
        };
        source::good_bye(&*connection, driver).await;
        let lost = |why: Status| attempt.lost(&why);
        Ok::<_, SourceError>((uri, standing.map_err(lost)?.level))
    };
    match timeout(LOOK_LIMIT, looking).await {
        Ok(seen) => seen.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "it did not let itself be looked at within {} s",
            LOOK_LIMIT.as_secs()
        )),
    }
}

/// The settings of the server that the set is on.
pub(crate) fn here(settings: &Arc<Settings>, address: &str) -> Arc<Settings> {
    match settings.endpoint == address {
        true => Arc::clone(settings),
        false => Arc::new(settings.at(address)),
    }
}

// === impl Support ===

impl Support {
    pub(crate) fn of(number: i32) -> Self {
        match number {
            1 => Self::Cold,
            2 => Self::Warm,
            3 => Self::Hot,
            4 => Self::Transparent,
            5 => Self::HotAndMirrored,
            _ => Self::None,
        }
    }

    /// Whether it is the client's to fail over.
    fn is_ours_to_use(self) -> bool {
        !matches!(self, Self::None | Self::Transparent)
    }

    fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Cold => "cold ",
            Self::Warm => "warm ",
            Self::Hot => "hot ",
            Self::Transparent => "transparent ",
            Self::HotAndMirrored => "hot and mirrored ",
        }
    }
}
