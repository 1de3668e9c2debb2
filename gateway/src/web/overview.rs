//! The overview: the verdict, the strip sources → routes → queue → destinations, the ledger.

use std::sync::Arc;

use fieldgate_api::{
    endpoint::GetOverview,
    state::{FlowNode, Overview},
};
use fieldgate_model::Pattern;
use fieldgate_store::ConsumerStats;

use super::{
    Shared,
    mount::{Call, Mounts},
    queue,
    routes::{self, RouteFacts},
    value::shown,
    verdict::{Facts, UnitFacts, verdict},
    words::unit_status,
};
use crate::{
    config::{Loaded, RouteConfig, Section},
    forward::catch_up,
    gateway::Gateway,
    ledger::ledger,
    supervisor::UnitName,
    telemetry,
};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetOverview, _, _>(|call: Call<GetOverview>| async move {
        Ok(overview(&call.shared))
    });
}

/// Is data flowing? Reads counters only, so it can be asked every second.
pub fn overview(shared: &Shared) -> Overview {
    let gateway = &shared.gateway;
    let loaded = shared.desired.current();
    let (lanes, ledger) = (queue::lane_stats(gateway), ledger(gateway));
    let consumers: Vec<ConsumerStats> = lanes
        .iter()
        .flat_map(|(_, stats)| stats.consumers.clone())
        .collect();
    let sources = sources(shared, &loaded);
    let destinations = destinations(shared, &loaded);
    let routes = routes(shared, &loaded);
    let facts = Facts {
        now: telemetry::now(),
        sources: sources.iter().map(unit).collect(),
        destinations: destinations
            .iter()
            .map(|node| receiver(gateway, node, &consumers))
            .collect(),
        routes: loaded
            .config
            .routes
            .iter()
            .filter(|route| !route.paused)
            .count(),
        full_lanes: lanes
            .iter()
            .filter(|(_, stats)| stats.held_back)
            .map(|(lane, _)| (*lane).to_owned())
            .collect(),
        dead_letters: gateway.lanes.dead.counts().letters,
        disk: lanes.iter().find_map(|(_, stats)| stats.trouble.clone()),
        unaccounted: ledger.total.unaccounted,
    };
    Overview {
        gateway: loaded.config.gateway.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        started: gateway.started,
        now: facts.now,
        revision: loaded.config.revision,
        verdict: verdict(&facts),
        trust_waiting: gateway.trust_waiting(),
        queue: FlowNode {
            id: "queue".into(),
            title: "Queue".into(),
            status: queue::status(&lanes, &ledger),
            rate_in: routes.iter().map(|node| node.rate_out).sum(),
            rate_out: destinations.iter().map(|node| node.rate_out).sum(),
            to: destinations.iter().map(|node| node.id.clone()).collect(),
        },
        sources,
        routes,
        destinations,
        ledger,
        cpu_percent: gateway.process.cpu_percent(),
        rss_bytes: telemetry::rss_bytes(),
    }
}

fn unit(node: &FlowNode) -> UnitFacts {
    UnitFacts {
        id: node.id.clone(),
        status: node.status.clone(),
        rate: node.rate_out,
        ..UnitFacts::default()
    }
}

fn receiver(gateway: &Gateway, node: &FlowNode, consumers: &[ConsumerStats]) -> UnitFacts {
    let stats = gateway.running(|running| {
        let state = running.destinations.get(node.id.as_str());
        state.map(|state| Arc::clone(&state.stats))
    });
    let stats = stats.unwrap_or_default();
    let pending = queue::waiting(consumers, &node.id).pending;
    let catch_up = catch_up(pending, node.rate_out, node.rate_in);
    UnitFacts {
        pending,
        catch_up_s: catch_up.map(|time| time.as_secs_f64()),
        refused: stats.refused.rate(),
        why: stats.most_refused().map(|why| shown(&why)),
        ..unit(node)
    }
}

fn sources(shared: &Shared, loaded: &Loaded) -> Vec<FlowNode> {
    let gateway = &shared.gateway;
    let node = |item: &fieldgate_api::config::Item| {
        let id: Arc<str> = item.id.as_str().into();
        let rate = gateway.running(|running| {
            let state = running.sources.get(&id);
            state.map_or(0.0, |state| state.readings.rate())
        });
        let posted = gateway.board.status(&UnitName::Source(id));
        let routes = loaded.config.routes.iter();
        FlowNode {
            id: item.id.clone(),
            title: item.id.clone(),
            status: unit_status(item.draft.paused, posted),
            rate_in: rate,
            rate_out: rate,
            to: routes
                .filter(|route| may_take_from(route, &item.id))
                .map(|route| route.id.to_string())
                .collect(),
        }
    };
    loaded.sources.iter().map(node).collect()
}

/// Whether a route can take points of a source, as far as the first segment of its patterns tells.
fn may_take_from(route: &RouteConfig, source: &str) -> bool {
    route.settings.from.iter().any(|text| {
        let first = text.split('/').next().unwrap_or_default();
        let pattern: Result<Pattern, _> = first.parse();
        pattern.is_ok_and(|pattern| pattern.matches(source))
    })
}

fn routes(shared: &Shared, loaded: &Loaded) -> Vec<FlowNode> {
    let node = |route: &RouteConfig| {
        let counters = shared.gateway.running(|running| {
            let state = running.routes.get(&route.id);
            state.map(|state| Arc::clone(&state.counters))
        });
        let counters = counters.unwrap_or_default();
        let to = loaded.item(Section::Destination, &route.settings.to);
        FlowNode {
            id: route.id.to_string(),
            title: route.id.to_string(),
            status: routes::status(RouteFacts {
                paused: route.paused,
                destination_paused: to.is_some_and(|to| to.draft.paused),
                matches: None,
            }),
            rate_in: counters.taken.rate(),
            rate_out: counters.accepted.rate(),
            to: vec![route.settings.to.clone()],
        }
    };
    loaded.config.routes.iter().map(node).collect()
}

fn destinations(shared: &Shared, loaded: &Loaded) -> Vec<FlowNode> {
    let gateway = &shared.gateway;
    let node = |item: &fieldgate_api::config::Item| {
        let id: Arc<str> = item.id.as_str().into();
        let (rate_in, rate_out) = gateway.running(|running| {
            let state = running.destinations.get(&id);
            let rate_out = state.map_or(0.0, |state| state.stats.acked.rate());
            (running.accepted_rate(&id), rate_out)
        });
        FlowNode {
            id: item.id.clone(),
            title: item.id.clone(),
            status: unit_status(
                item.draft.paused,
                gateway.board.status(&UnitName::Destination(id)),
            ),
            rate_in,
            rate_out,
            to: Vec::new(),
        }
    };
    loaded.destinations.iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::RouteSettings;

    use super::*;

    #[test]
    fn a_route_is_drawn_from_the_sources_it_can_take_from() {
        for (from, source, expected) in [
            ("**", "press", true),
            ("*/a/b", "press", true),
            ("press/**", "press", true),
            ("pre*/**", "press", true),
            ("oven/**", "press", false),
        ] {
            let route = RouteConfig {
                id: "r".into(),
                paused: false,
                settings: RouteSettings {
                    from: vec![from.into()],
                    steps: Vec::new(),
                    to: "b".into(),
                    max_age: None,
                    live_first: false,
                },
            };
            assert_eq!(may_take_from(&route, source), expected, "{from}");
        }
    }
}
