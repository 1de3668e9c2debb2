//! A set of redundant servers (OPC UA Part 4, 6.6.2): the source is on one of them; the others are looked at with short
//! sessions, so that it is known which one is next.
//!
//! That is what the specification calls cold: it costs the others nothing but a look a minute, works with sets of every
//! kind (cold, warm, hot), and asks no server for the same values twice. The price is the time of one connect.

mod reach;
mod set;

use std::{net::IpAddr, sync::Arc, time::Duration};

use fieldgate_kit::{SourceCtx, SourceError};
use futures::future::join_all;
use tokio::{
    sync::watch,
    time::{Instant, interval, sleep, timeout},
};

pub(crate) use self::{reach::Reach, set::Set};
use crate::{
    attempt::Attempt,
    connection::Connection,
    dial::Target,
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

/// How long it may take to look up where the others are that a server names.
const LEARN_LIMIT: Duration = Duration::from_secs(20);
/// So many that a server names are looked up, each at so many of its addresses.
const MOST_NAMED: usize = 16;
const MOST_ADDRESSES: usize = 4;

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
    // What is not looked up in time is not learned.
    let _in_time = timeout(LEARN_LIMIT, learn(set, connection, settings)).await;
    if set.is_single() {
        if !set.only_named().is_empty() {
            tell.send_replace(set.only_named());
        }
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
    let found = match connection.addresses_of(unknown).await {
        Ok(found) => found,
        Err(why) => return tracing::debug!(%why, "the server does not tell where its set is"),
    };
    let here = resolved(set.address(set.current()))
        .await
        .unwrap_or_default();
    for (uri, addresses) in found.into_iter().take(MOST_NAMED) {
        take(set, &uri, &addresses, &here).await;
    }
}

/// A server that another one named: it is one of the set where it is near, and only shown where it is not.
async fn take(set: &mut Set, uri: &str, addresses: &[String], here: &[IpAddr]) {
    if set.knows(addresses) {
        return;
    }
    let spoken = addresses.iter().filter(|url| url.starts_with("opc.tcp://"));
    let spoken: Vec<&String> = spoken.take(MOST_ADDRESSES).collect();
    for address in &spoken {
        let reach = match set.is_at_named_host(address) {
            true => Reach::Named,
            false => Reach::Near(here.to_vec()),
        };
        let is = resolved(address).await;
        if is.is_some_and(|is| reach.forbids(&is).is_none()) {
            return set.learn(uri, address, reach, Instant::now());
        }
    }
    if let Some(address) = spoken.first() {
        tracing::warn!(
            address,
            "the server names another one of its set that is in no private network, or whose name is not known; it is not asked unless it stands in `alternates`"
        );
        set.only_name(address);
    }
}

/// The addresses behind a URL's host; none where it is not known.
async fn resolved(url: &str) -> Option<Vec<IpAddr>> {
    let found = Target::of(url).ok()?.resolve().await.ok()?;
    Some(found.iter().map(std::net::SocketAddr::ip).collect())
}

async fn look_at_others(set: &mut Set, settings: &Settings, ctx: &SourceCtx) {
    let others = set.others().into_iter();
    let addresses: Vec<(String, Reach)> = others
        .map(|member| (set.address(member).to_owned(), set.reach(member).clone()))
        .collect();
    let looks = addresses
        .iter()
        .map(|(address, reach)| look(settings, address, reach, ctx));
    let seen = join_all(looks).await;
    let now = Instant::now();
    for ((address, _), seen) in addresses.iter().zip(seen) {
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
    reach: &Reach,
    ctx: &SourceCtx,
) -> Result<(String, Option<u8>), String> {
    let there = settings.at(address);
    let looking = async {
        let attempt = Attempt::new(&there, &ctx.id, &ctx.secrets, &ctx.state_dir)?;
        let attempt = attempt.reaching(reach);
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
