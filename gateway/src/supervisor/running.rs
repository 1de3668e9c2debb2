//! `Running`: what is configured and how it does, for the console, the metrics and the gateway's own health.

use std::{collections::BTreeMap, sync::Arc};

use fieldgate_kit::{
    Alarms, Commands, Desk, Devices, DropCounters, Exploring, Reviews, Scanning, Showing,
};
use fieldgate_model::Device;
use tokio::sync::watch;

use crate::{
    config::{Config, DestinationConfig, RouteConfig},
    forward::ForwardStats,
    meter::Meter,
    pipeline::routes::{Route, RouteCounters},
    rules::Score,
};

/// The state of everything, by id. It outlives restarts of units, so that counters go on.
#[derive(Default)]
pub struct Running {
    pub config: Option<Arc<Config>>,
    pub sources: BTreeMap<Arc<str>, SourceState>,
    pub routes: BTreeMap<Arc<str>, RouteState>,
    pub rules: BTreeMap<Arc<str>, Arc<Score>>,
    pub destinations: BTreeMap<Arc<str>, DestinationState>,
}

/// A source's counters and announced devices.
pub struct SourceState {
    pub readings: Arc<Meter>,
    /// Those of the readings that were read from the source's history.
    pub backfilled: Arc<Meter>,
    pub drops: DropCounters,
    /// Where it offers its session to who wants to look around.
    pub exploring: Exploring,
    pub scanning: Scanning,
    /// Where it offers its pictures.
    pub showing: Showing,
    /// Its alarms that are open.
    pub alarms: Alarms,
    /// Where it tells what is new at its far side.
    pub reviews: Reviews,
    announced: Devices,
    pub devices: watch::Receiver<Vec<Arc<Device>>>,
    commands: Commands,
    /// Where its commands go; none before it opened its desk for the first time.
    pub desk: watch::Receiver<Option<Desk>>,
}

/// A route as prepared, with its counters.
#[derive(Default)]
pub struct RouteState {
    pub counters: Arc<RouteCounters>,
    pub config: Option<RouteConfig>,
    pub route: Option<Arc<Route>>,
}

/// A destination with what its forwarder has done.
pub struct DestinationState {
    pub config: DestinationConfig,
    pub stats: Arc<ForwardStats>,
}

// === impl Running ===

impl Running {
    /// Takes over a configuration: what is gone is forgotten, what is new begins at zero.
    pub fn adopt(&mut self, config: &Arc<Config>, routes: &[(Arc<Route>, bool)]) {
        self.sources.retain(|id, _| {
            &**id == crate::own_health::SOURCE
                || config.sources.iter().any(|source| source.id == *id)
        });
        for source in &config.sources {
            self.sources.entry(source.id.clone()).or_default();
        }
        self.routes
            .retain(|id, _| config.routes.iter().any(|route| route.id == *id));
        for (route, wanted) in routes.iter().zip(&config.routes) {
            let state = self.routes.entry(wanted.id.clone()).or_default();
            (state.config, state.route) = (Some(wanted.clone()), Some(Arc::clone(&route.0)));
        }
        self.rules
            .retain(|id, _| config.rules.iter().any(|rule| rule.id == *id));
        for rule in &config.rules {
            self.rules.entry(rule.id.clone()).or_default();
        }
        self.destinations.retain(|id, _| {
            config
                .destinations
                .iter()
                .any(|destination| destination.id == *id)
        });
        for destination in &config.destinations {
            match self.destinations.get_mut(&destination.id) {
                Some(state) => state.config = destination.clone(),
                None => {
                    let state = DestinationState {
                        config: destination.clone(),
                        stats: Arc::default(),
                    };
                    self.destinations.insert(destination.id.clone(), state);
                }
            }
        }
        self.config = Some(Arc::clone(config));
    }

    /// A source's counters and the place where it announces its devices, made when new.
    pub fn source(&mut self, id: &Arc<str>) -> (DropCounters, Arc<Meter>, Devices) {
        let state = self.sources.entry(id.clone()).or_default();
        (
            state.drops.clone(),
            Arc::clone(&state.readings),
            state.announced.clone(),
        )
    }

    /// Where it is counted what a source read from history, made when new.
    pub fn backfilled(&mut self, id: &Arc<str>) -> Arc<Meter> {
        Arc::clone(&self.sources.entry(id.clone()).or_default().backfilled)
    }

    /// Where a source opens its desk for commands.
    pub fn commands(&mut self, id: &Arc<str>) -> Commands {
        let state = self.sources.entry(id.clone()).or_default();
        state.commands.clone()
    }

    /// Where a source keeps its open alarms.
    pub fn alarms(&mut self, id: &Arc<str>) -> Alarms {
        let state = self.sources.entry(id.clone()).or_default();
        state.alarms.clone()
    }

    /// Where a source offers its session, made when new.
    pub fn exploring(&mut self, id: &Arc<str>) -> Exploring {
        let state = self.sources.entry(id.clone()).or_default();
        state.exploring.clone()
    }

    /// Where a source offers what its radio hears, made when new.
    pub fn scanning(&mut self, id: &Arc<str>) -> Scanning {
        let state = self.sources.entry(id.clone()).or_default();
        state.scanning.clone()
    }

    /// Where a source offers its pictures, made when new.
    pub fn showing(&mut self, id: &Arc<str>) -> Showing {
        let state = self.sources.entry(id.clone()).or_default();
        state.showing.clone()
    }

    /// Where a source tells what is new at its far side, made when new.
    pub fn reviews(&mut self, id: &Arc<str>) -> Reviews {
        let state = self.sources.entry(id.clone()).or_default();
        state.reviews.clone()
    }

    /// A route's counters, made when new.
    pub fn route_counters(&mut self, id: &Arc<str>) -> Arc<RouteCounters> {
        Arc::clone(&self.routes.entry(id.clone()).or_default().counters)
    }

    /// What a rule did, made when new.
    pub fn rule_score(&mut self, id: &Arc<str>) -> Arc<Score> {
        Arc::clone(self.rules.entry(id.clone()).or_default())
    }

    /// Readings a second that are accepted for a destination, by all routes to it.
    #[must_use]
    pub fn accepted_rate(&self, destination: &str) -> f64 {
        let leads = |route: &RouteState| {
            let route = route.route.as_ref();
            route.is_some_and(|route| &*route.to == destination)
        };
        let feeding = self.routes.values().filter(|state| leads(state));
        feeding.map(|state| state.counters.accepted.rate()).sum()
    }

    /// All meters, for sampling.
    pub fn meters(&self, mut each: impl FnMut(&Meter)) {
        for source in self.sources.values() {
            each(&source.readings);
        }
        for route in self.routes.values() {
            each(&route.counters.taken);
            each(&route.counters.accepted);
        }
        for destination in self.destinations.values() {
            each(&destination.stats.acked);
            each(&destination.stats.refused);
        }
    }
}

impl Default for SourceState {
    fn default() -> Self {
        let (announced, devices) = Devices::channel();
        let (commands, desk) = Commands::channel();
        Self {
            readings: Arc::default(),
            backfilled: Arc::default(),
            drops: DropCounters::default(),
            exploring: Exploring::default(),
            scanning: Scanning::default(),
            showing: Showing::default(),
            alarms: Alarms::default(),
            reviews: Reviews::default(),
            announced,
            devices,
            commands,
            desk,
        }
    }
}
