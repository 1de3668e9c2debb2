//! `Begun`: what is selected, and the subscriptions for it: those of the lost session where they are still there, else new ones.

use std::collections::HashMap;

use fieldgate_kit::{SourceCtx, SourceError};
use fieldgate_model::{DeviceId, PointId};
use tokio::time::Instant;

use crate::{
    alias::KnownPaths,
    connection::{Connection, Limits, Subscription, ValueType},
    cyclic::{self, Cycle},
    events::{self, Events, conditions::Conditions},
    follow::{self, Changed, Known, Reviewing},
    history::Past,
    look::{self, Look},
    node_id::NodeId,
    profiles::Profiles,
    publish::Feed,
    resume::{Custody, Remembered, Resumed},
    select::{Item, known_paths},
    settings::{Asking, Settings},
    status::Status,
    subscribe::{self, Monitored, Subscribed},
};

/// What is read on this server, and what the attempt before has left.
pub(crate) struct Found {
    pub items: Vec<Item>,
    pub types: Vec<ValueType>,
    /// Why it is not all, in words.
    pub cut: Option<String>,
    pub limits: Limits,
    /// Everything was seen.
    pub whole: bool,
    pub versions: Vec<NodeId>,
    pub left: Custody,
}

/// How the server was asked for values.
pub(crate) enum Begun {
    Anew(Subscribed),
    /// The subscriptions of the lost session are in this one; they stay with what was found until it runs.
    Resumed,
    Cyclic(Vec<Cycle>),
}

/// The events besides the items.
#[derive(Default)]
pub(crate) struct Watching {
    /// None of their own where those of the lost session go on.
    pub events: Option<Events>,
    /// Whose alarms they bring.
    pub devices: Vec<DeviceId>,
    /// Theirs, when it is a new one.
    pub subscription: Option<Subscription>,
    /// What is said of them, after the pace.
    pub words: String,
}

// === impl Found ===

impl Found {
    /// Looks at everything, and takes what the rules mean and people accepted.
    ///
    /// # Errors
    /// When the server breaks off, or a point cannot be named.
    pub(crate) async fn look(
        connection: &dyn Connection,
        settings: &Settings,
        profiles: &Profiles,
        ctx: &SourceCtx,
        reviewing: &mut Reviewing,
    ) -> Result<Self, SourceError> {
        let known = paths_of(ctx);
        let Look {
            selection, types, ..
        } = look::look(connection, settings, profiles, &ctx.id, &known).await?;
        // Not before: an attempt that ends here leaves it to the next one.
        let left = Custody::take(&ctx.memory);
        let known = left.get().into_iter().flat_map(|left| &left.items);
        let all = selection.items.into_iter().zip(types).collect();
        let all = follow::keep_names(known, all);
        let read = reviewing.sort(all, selection.whole).await;
        let (mut items, types): (Vec<Item>, Vec<ValueType>) = read.into_iter().unzip();
        for (item, value_type) in items.iter_mut().zip(&types) {
            item.enumeration.clone_from(&value_type.enumeration);
        }
        Ok(Self {
            items,
            types,
            cut: selection.cut,
            limits: selection.limits,
            whole: selection.whole,
            versions: selection.versions,
            left,
        })
    }

    /// Which conditions were open.
    pub(crate) fn conditions(&mut self, ctx: &SourceCtx) -> Conditions {
        if self.left.get().is_none() {
            // The first attempt with these settings: what is open will be told.
            ctx.alarms.clear();
        }
        self.left.or_nothing().conditions().clone()
    }

    /// The events of the session before.
    fn resumed_events(&self) -> Option<&Events> {
        self.left.get()?.events.as_ref()
    }

    /// What is known of the points from before this session.
    pub(crate) async fn past(&mut self, settings: &Settings, ctx: &SourceCtx) -> Past {
        Past::find(ctx, settings, &self.items, self.left.get_mut()).await
    }

    /// What goes on; from here on this attempt leaves something of its own.
    pub(crate) fn release(left: Custody, ctx: &SourceCtx) -> Resumed {
        let left = left.release();
        let conditions = left.conditions().clone();
        ctx.memory.keep(Remembered::only(conditions));
        left.into_resumed()
    }

    /// Asks for the values.
    ///
    /// # Errors
    /// When the server breaks off, or has not even one subscription.
    pub(crate) async fn begin(
        &mut self,
        connection: &dyn Connection,
        settings: &Settings,
        ctx: &SourceCtx,
    ) -> Result<Begun, SourceError> {
        if settings.mode == Asking::Read {
            return Ok(Begun::cyclic(&self.items));
        }
        let (at, left) = (&settings.endpoint, self.left.get_mut());
        match begin(connection, at, &self.items, &self.limits, left).await {
            Err(why) if cyclic::is_called_for(&why) => {
                tracing::info!(source = %ctx.id, %why, "no subscriptions: values are read");
                Ok(Begun::cyclic(&self.items))
            }
            begun => begun.map_err(|why| lost(settings, &why)),
        }
    }

    /// What is read goes on as it was before the session was lost; what differs from what was found is returned, and is done
    /// like every later change.
    pub(crate) fn go_on(&mut self) -> Changed {
        let left = self.left.or_nothing();
        let known = left.items.clone();
        let items = std::mem::take(&mut self.items);
        let types = std::mem::take(&mut self.types);
        let mut by_point: HashMap<&PointId, &ValueType> = HashMap::new();
        for (item, value_type) in items.iter().zip(&types) {
            by_point.insert(&item.point, value_type);
        }
        let of = |item: &Item| by_point.get(&item.point).map(|of| (*of).clone());
        self.types = known
            .iter()
            .map(|item| of(item).unwrap_or_default())
            .collect();
        let places = known.iter().zip(&left.monitored);
        let places = places.map(|(item, made)| Known {
            item,
            gone: made
                .result
                .as_ref()
                .is_err_and(|why| why.is("BadNodeIdUnknown")),
            data_type: None,
        });
        let mut difference = follow::difference(places, items.into_iter().zip(types).collect());
        let fits = difference.fit(known.len(), self.whole);
        self.items = known;
        for (item, value_type) in self.items.iter_mut().zip(&self.types) {
            item.enumeration.clone_from(&value_type.enumeration);
        }
        Changed {
            difference,
            whole: self.whole,
            fits,
        }
    }
}

/// By which paths the attempt before knew its nodes.
fn paths_of(ctx: &SourceCtx) -> KnownPaths {
    let Some(remembered) = ctx.memory.take::<Remembered>() else {
        return KnownPaths::new();
    };
    let known = known_paths(&remembered.items);
    ctx.memory.keep(remembered);
    known
}

fn lost(settings: &Settings, why: &Status) -> SourceError {
    SourceError::Lost(format!(
        "the server at {} broke off: {why}",
        settings.endpoint
    ))
}

/// Goes on where the attempt before was lost, or begins anew.
async fn begin(
    connection: &dyn Connection,
    at: &str,
    items: &[Item],
    limits: &Limits,
    left: Option<&mut Remembered>,
) -> Result<Begun, Status> {
    if let Some(left) = left.filter(|left| left.server == at)
        && left.take_over(connection, items).await?
    {
        return Ok(Begun::Resumed);
    }
    let subscribed = subscribe::subscribe(connection, items, limits).await?;
    Ok(Begun::Anew(subscribed))
}

// === impl Begun ===

impl Begun {
    fn cyclic(items: &[Item]) -> Self {
        Self::Cyclic(cyclic::cycles(items, Instant::now()))
    }

    /// Events: those of the session before where it goes on; otherwise, and when there were none, they are asked for anew.
    ///
    /// # Errors
    /// Never for want of events: what is not there is told in the words.
    pub(crate) async fn watch(
        &self,
        connection: &dyn Connection,
        settings: &Settings,
        ctx: &SourceCtx,
        found: &mut Found,
        conditions: Conditions,
    ) -> Result<Watching, SourceError> {
        if settings.events.is_empty() {
            return Ok(Watching::default());
        }
        if let Self::Cyclic(_) = self {
            return Ok(Watching {
                words: "; no events: they need a subscription, which the server does not have"
                    .to_owned(),
                ..Watching::default()
            });
        }
        if let (Self::Resumed, Some(events)) = (self, found.resumed_events()) {
            return Ok(Watching {
                words: format!("; {}", events.words()),
                devices: events.devices(),
                ..Watching::default()
            });
        }
        let watched = events::watch(connection, settings, &ctx.id, &found.limits, conditions);
        Ok(match watched.await {
            Ok((events, subscription)) => Watching {
                words: format!("; {}", events.words()),
                devices: events.devices(),
                events: Some(events),
                subscription: Some(subscription),
            },
            Err(why) => Watching {
                words: format!("; no events: {why}"),
                ..Watching::default()
            },
        })
    }

    pub(crate) fn monitored(&self, found: &Found) -> Vec<Monitored> {
        match self {
            Self::Anew(subscribed) => subscribed.items.clone(),
            Self::Resumed => found
                .left
                .get()
                .map_or_else(Vec::new, |left| left.monitored.clone()),
            Self::Cyclic(_) => cyclic::monitored(&found.items),
        }
    }

    pub(crate) fn words(&self, found: &Found) -> String {
        match (self, found.left.get()) {
            (Self::Anew(subscribed), _) => subscribed.words(),
            (Self::Cyclic(cycles), _) => cyclic::words(cycles),
            (Self::Resumed, Some(left)) => {
                let paces = left.feeds.iter().map(Feed::publishing_ms);
                subscribe::words(paces, &left.monitored)
            }
            (Self::Resumed, None) => String::new(),
        }
    }
}
