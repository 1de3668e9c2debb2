//! Routes: as configured and how they are; creating, changing, testing and removing them.

use std::{collections::BTreeSet, sync::Arc};

use fieldgate_api::{
    config::Item,
    endpoint::{DeleteRoute, GetRoute, GetRoutes, PutRoute, TestRoute},
    state::{Level, RouteView, Status},
};
use fieldgate_model::{Pattern, PointId};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    points, trial,
    words::count,
};
use crate::config::{RouteSettings, Section};

/// What a route's status depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteFacts {
    pub paused: bool,
    pub destination_paused: bool,
    /// How many points it takes; none when nobody counted.
    pub matches: Option<u64>,
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetRoutes, _, _>(|call: Call<GetRoutes>| async move { Ok(list(&call.shared)) });
    mounts.mount::<GetRoute, _, _>(|call: Call<GetRoute>| async move { one(&call) });
    mounts.mount::<PutRoute, _, _>(|call: Call<PutRoute>| call.put(Section::Route));
    mounts.mount::<DeleteRoute, _, _>(|call: Call<DeleteRoute>| call.remove(Section::Route));
    mounts.mount::<TestRoute, _, _>(trial::route);
}

/// How a route is: it has no task of its own, so this follows from its settings and its points.
pub fn status(facts: RouteFacts) -> Status {
    let (level, state, words) = match facts {
        RouteFacts { paused: true, .. } => (
            Level::Idle,
            "paused",
            "paused in the configuration".to_owned(),
        ),
        RouteFacts {
            matches: Some(0), ..
        } => (
            Level::Warning,
            "takes nothing",
            "no point matches its patterns; compare them with the ids of the devices' points"
                .to_owned(),
        ),
        RouteFacts {
            destination_paused: true,
            ..
        } => (
            Level::Idle,
            "waiting",
            "its destination is paused; what it accepts waits in the queue".to_owned(),
        ),
        RouteFacts { matches, .. } => {
            let points = matches.map(|matches| format!("takes {}", count(matches, "point")));
            (
                Level::Good,
                "running",
                points.unwrap_or_else(|| "running".into()),
            )
        }
    };
    Status {
        level,
        state: state.into(),
        words,
        ..Status::default()
    }
}

/// The patterns of a route's settings; what is no pattern takes nothing.
pub fn patterns(settings: &RouteSettings) -> Vec<Pattern> {
    let from = settings.from.iter();
    from.filter_map(|text| text.parse().ok()).collect()
}

/// The points that patterns take.
pub fn taken<'a>(
    patterns: &'a [Pattern],
    ids: &'a BTreeSet<PointId>,
) -> impl Iterator<Item = &'a PointId> {
    ids.iter()
        .filter(|id| patterns.iter().any(|pattern| pattern.matches(id.as_str())))
}

fn list(shared: &Shared) -> Vec<RouteView> {
    let ids = points::ids(&shared.gateway);
    let items = &shared.desired.current().routes;
    items.iter().map(|item| view(shared, item, &ids)).collect()
}

fn one(call: &Call<GetRoute>) -> Answer<GetRoute> {
    let loaded = call.shared.desired.current();
    let item = loaded.item(Section::Route, &call.place);
    let item = item.ok_or_else(|| Failure::no_such("route", &call.place))?;
    Ok(view(&call.shared, item, &points::ids(&call.shared.gateway)))
}

fn view(shared: &Shared, item: &Item, ids: &BTreeSet<PointId>) -> RouteView {
    let loaded = shared.desired.current();
    let mut wanted = loaded.config.routes.iter();
    let wanted = wanted.find(|route| *route.id == *item.id);
    let settings = wanted.map(|route| &route.settings);
    let matches = settings.map_or(0, |settings| taken(&patterns(settings), ids).count() as u64);
    let to = settings.map_or("", |settings| settings.to.as_str());
    let destination_paused = loaded
        .item(Section::Destination, to)
        .is_some_and(|destination| destination.draft.paused);
    let counters = shared.gateway.running(|running| {
        let state = running.routes.get(item.id.as_str());
        state.map(|state| Arc::clone(&state.counters))
    });
    let counters = counters.unwrap_or_default();
    RouteView {
        item: item.clone(),
        status: status(RouteFacts {
            paused: item.draft.paused,
            destination_paused,
            matches: Some(matches),
        }),
        matches,
        rate_in: counters.taken.rate(),
        rate_out: counters.accepted.rate(),
        in_total: counters.taken.total(),
        out_total: counters.accepted.total(),
        dropped: counters
            .drops
            .snapshot()
            .into_iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), count))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_what_follows_from_its_points() {
        let facts = RouteFacts {
            matches: Some(5),
            ..RouteFacts::default()
        };
        for (facts, expected) in [
            (facts, (Level::Good, "running", "takes 5 points")),
            (
                RouteFacts {
                    matches: None,
                    ..facts
                },
                (Level::Good, "running", "running"),
            ),
            (
                RouteFacts {
                    paused: true,
                    ..facts
                },
                (Level::Idle, "paused", "paused in the configuration"),
            ),
        ] {
            let status = status(facts);
            assert_eq!(
                (status.level, status.state.as_str(), status.words.as_str()),
                expected
            );
        }
        let nothing = RouteFacts {
            matches: Some(0),
            ..facts
        };
        assert_eq!(status(nothing).level, Level::Warning);
        let waiting = RouteFacts {
            destination_paused: true,
            ..facts
        };
        assert_eq!(status(waiting).state, "waiting");
    }
}
