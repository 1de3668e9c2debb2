//! The supervisor: makes what runs equal to what is configured, and restarts only what changed.

pub mod backoff;
mod board;
mod running;
mod telling;
mod unit;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fieldgate_kit::{Accepted, DropCounters, Latest, Readings, SinkCtx, SourceCtx};
use fieldgate_store::StoreError;
use futures::future::join_all;
use tokio::{sync::watch, task::JoinHandle};

pub use board::{Board, UnitName};
pub use running::{DestinationState, RouteState, Running, SourceState};
pub use unit::{Attempt, Cause, Unit, companion};

use crate::{
    accepted::QueueTail,
    commands,
    config::{Config, DestinationConfig, RouteConfig, SourceConfig},
    forward::{ForwardStats, Forwarder, Memory},
    gateway::Gateway,
    lanes::LaneKind,
    meter::Meter,
    own_health,
    pipeline::{
        routes::{Route, RouteTable},
        run::Pipeline,
    },
    rules::{self, Inlet, Outlet, Rule},
};
use backoff::Pace;

/// Deliveries of a source that wait for its pipeline; when it is full the source waits.
const DELIVERIES: usize = 64;
/// How long a pipeline may take to make durable what its source had handed over.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Why a configuration could not be put to work.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("cannot set up the queue for {what}: {source}")]
    Queue { what: String, source: StoreError },
}

/// All units, and what they were started from.
pub struct Supervisor {
    gateway: Arc<Gateway>,
    sources: BTreeMap<Arc<str>, RunningSource>,
    destinations: BTreeMap<Arc<str>, RunningDestination>,
    table: watch::Sender<Arc<RouteTable>>,
    own_health: Option<(Unit, JoinHandle<()>)>,
    /// Gives the commands of rules, which come from the pipelines by these two ends.
    rules: Option<Unit>,
    firings: (Outlet, Inlet),
    /// What `{gateway}` was when the forwarders were started.
    gateway_name: Arc<str>,
}

struct RunningSource {
    config: SourceConfig,
    unit: Unit,
    pipeline: JoinHandle<()>,
}

struct RunningDestination {
    config: DestinationConfig,
    unit: Unit,
}

// === impl Supervisor ===

impl Supervisor {
    #[must_use]
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self {
            gateway,
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            table: watch::Sender::new(Arc::default()),
            own_health: None,
            rules: None,
            firings: rules::channel(),
            gateway_name: "".into(),
        }
    }

    /// Puts a configuration to work. What did not change goes on undisturbed.
    ///
    /// # Errors
    /// When the queue cannot take note of it; what ran before goes on as far as possible.
    pub async fn apply(&mut self, config: &Arc<Config>) -> Result<(), ApplyError> {
        self.stop_changed(config).await;
        let routes = self.prepare_queue(config).await?;
        self.gateway
            .book_name(&config.gateway.name, config.revision);
        self.gateway
            .running(|running| running.adopt(config, &routes));
        self.table.send_replace(Arc::new(RouteTable {
            routes: routes
                .into_iter()
                .filter_map(|(route, paused)| (!paused).then_some(route))
                .collect(),
            rules: self.prepare_rules(config),
        }));
        self.gateway_name = config.gateway.name.as_str().into();
        for destination in &config.destinations {
            self.start_destination(destination);
        }
        if self.rules.is_none() {
            self.rules = Some(self.start_rules());
        }
        for source in &config.sources {
            self.start_source(source);
        }
        if self.own_health.is_none() {
            self.own_health = Some(self.start_own_health());
        }
        Ok(())
    }

    /// Stops everything in the order in which data flows: sources, pipelines, rules, forwarders.
    pub async fn stop(mut self) {
        let sources = std::mem::take(&mut self.sources).into_values();
        let own = self.own_health.take();
        let halves = sources
            .map(|source| (source.unit, source.pipeline))
            .chain(own);
        join_all(halves.map(|(unit, pipeline)| stop_source(unit, pipeline))).await;
        if let Some(rules) = self.rules.take() {
            rules.stop().await;
        }
        let destinations = std::mem::take(&mut self.destinations).into_values();
        join_all(destinations.map(|destination| destination.unit.stop())).await;
    }

    /// Stops what is no longer wanted, or wanted otherwise.
    async fn stop_changed(&mut self, config: &Config) {
        let wanted = |running: &SourceConfig| {
            config
                .sources
                .iter()
                .any(|source| source == running && !source.paused)
        };
        let gone: Vec<Arc<str>> = self
            .sources
            .values()
            .filter(|running| !wanted(&running.config))
            .map(|running| running.config.id.clone())
            .collect();
        let gone = gone.iter().filter_map(|id| self.sources.remove(id));
        join_all(gone.map(|source| stop_source(source.unit, source.pipeline))).await;

        let renamed = *self.gateway_name != *config.gateway.name;
        let wanted = |running: &DestinationConfig| {
            !renamed
                && config
                    .destinations
                    .iter()
                    .any(|destination| destination == running && !destination.paused)
        };
        let gone: Vec<Arc<str>> = self
            .destinations
            .values()
            .filter(|running| !wanted(&running.config))
            .map(|running| running.config.id.clone())
            .collect();
        let gone = gone.iter().filter_map(|id| self.destinations.remove(id));
        join_all(gone.map(|destination| destination.unit.stop())).await;
    }

    /// Makes the queue know every destination and route, and forget those that are gone. Returns the routes with
    /// whether they are paused.
    async fn prepare_queue(
        &self,
        config: &Arc<Config>,
    ) -> Result<Vec<(Arc<Route>, bool)>, ApplyError> {
        let gateway = Arc::clone(&self.gateway);
        let config = Arc::clone(config);
        let prepare = move || {
            for lane in LaneKind::ALL {
                prepare_consumers(&gateway, lane, &config)?;
            }
            let routes = config.routes.iter();
            let prepared = routes.map(|route| {
                prepare_route(&gateway, route).map(|ready| (Arc::new(ready), route.paused))
            });
            prepared.collect()
        };
        tokio::task::spawn_blocking(prepare)
            .await
            .expect("preparing the queue does not panic")
    }

    fn start_destination(&mut self, config: &DestinationConfig) {
        if config.paused || self.destinations.contains_key(&config.id) {
            return;
        }
        let Some(state) = self.gateway.running(|running| {
            running
                .destinations
                .get(&config.id)
                .map(|state| Arc::clone(&state.stats))
        }) else {
            return;
        };
        let Some(attempt) = self.forward_attempt(config, state) else {
            return;
        };
        let unit = Unit::start(
            UnitName::Destination(config.id.clone()),
            &self.gateway.board,
            Pace::CLOUD,
            attempt,
        );
        self.destinations.insert(
            config.id.clone(),
            RunningDestination {
                config: config.clone(),
                unit,
            },
        );
    }

    fn forward_attempt(
        &self,
        config: &DestinationConfig,
        stats: Arc<ForwardStats>,
    ) -> Option<Attempt> {
        let gateway = Arc::clone(&self.gateway);
        let kind = gateway.registry.destination(&config.kind)?.clone();
        let limits = kind.limits(config.settings.clone()).ok()?;
        let config = config.clone();
        let (routes, memory) = (self.table.subscribe(), Arc::new(Memory::default()));
        Some(Box::new(move |health, shutdown| {
            let forwarder = Forwarder {
                id: config.id.clone(),
                kind: kind.clone(),
                settings: config.settings.clone(),
                limits,
                ctx: SinkCtx {
                    id: config.id.clone(),
                    secrets: gateway.secrets.clone(),
                    state_dir: gateway.unit_dir("destination", &config.id),
                    book: gateway.book(),
                    commands: commands::intake(&gateway, &config.id),
                },
                lanes: gateway.lanes.clone(),
                clock: gateway.clock.clone(),
                routes: routes.clone(),
                stats: Arc::clone(&stats),
                memory: Arc::clone(&memory),
            };
            Box::pin(async move { forwarder.attempt(health, shutdown).await })
        }))
    }

    fn start_source(&mut self, config: &SourceConfig) {
        if config.paused || self.sources.contains_key(&config.id) {
            return;
        }
        let Some(kind) = self.gateway.registry.source(&config.kind).cloned() else {
            return;
        };
        let (drops, meter, devices) = self.gateway.running(|running| running.source(&config.id));
        let commands = self.gateway.running(|running| running.commands(&config.id));
        let alarms = self.gateway.running(|running| running.alarms(&config.id));
        let exploring = self
            .gateway
            .running(|running| running.exploring(&config.id));
        let scanning = self.gateway.running(|running| running.scanning(&config.id));
        let showing = self.gateway.running(|running| running.showing(&config.id));
        let backfilled = self
            .gateway
            .running(|running| running.backfilled(&config.id));
        let reviews = self.gateway.running(|running| running.reviews(&config.id));
        let (readings, pipeline) = self.start_pipeline(drops, meter, backfilled);
        let gateway = Arc::clone(&self.gateway);
        let (id, settings) = (config.id.clone(), config.settings.clone());
        let memory = self.gateway.common.beside();
        let attempt: Attempt = Box::new(move |health, shutdown| {
            let ctx = SourceCtx {
                id: id.clone(),
                readings: readings.clone(),
                devices: devices.clone(),
                commands: commands.clone(),
                alarms: alarms.clone(),
                health,
                exploring: exploring.clone(),
                scanning: scanning.clone(),
                showing: showing.clone(),
                reviews: reviews.clone(),
                shutdown,
                secrets: gateway.secrets.clone(),
                state_dir: gateway.unit_dir("source", &id),
                memory: memory.clone(),
                accepted: Accepted::new(QueueTail::new(&gateway.lanes, &id)),
                latest: Latest::new(gateway.live.clone()),
            };
            let (kind, settings) = (kind.clone(), settings.clone());
            Box::pin(async move { kind.run(settings, ctx).await.map_err(Cause::from) })
        });
        let unit = Unit::start(
            UnitName::Source(config.id.clone()),
            &self.gateway.board,
            Pace::DEVICE,
            attempt,
        );
        self.sources.insert(
            config.id.clone(),
            RunningSource {
                config: config.clone(),
                unit,
                pipeline,
            },
        );
    }

    /// The gateway's own health, a source like any other but for its name and for having no settings.
    fn start_own_health(&self) -> (Unit, JoinHandle<()>) {
        let (drops, meter, devices) = self
            .gateway
            .running(|running| running.source(&own_health::SOURCE.into()));
        let (readings, pipeline) = self.start_pipeline(drops, meter, Arc::default());
        let gateway = Arc::clone(&self.gateway);
        let attempt: Attempt = Box::new(move |health, shutdown| {
            let (gateway, readings, devices) =
                (Arc::clone(&gateway), readings.clone(), devices.clone());
            Box::pin(
                async move { own_health::run(gateway, readings, devices, health, shutdown).await },
            )
        });
        let name = UnitName::Source(own_health::SOURCE.into());
        (
            Unit::start(name, &self.gateway.board, Pace::DEVICE, attempt),
            pipeline,
        )
    }

    /// The rules that are not paused.
    fn prepare_rules(&self, config: &Config) -> Vec<Arc<Rule>> {
        let running = config.rules.iter().filter(|rule| !rule.paused);
        let prepared = running.filter_map(|rule| {
            let score = self.gateway.running(|running| running.rule_score(&rule.id));
            Rule::prepare(rule, score, self.firings.0.clone())
        });
        prepared.map(Arc::new).collect()
    }

    /// One unit for all rules; it waits for nothing while there are none.
    fn start_rules(&self) -> Unit {
        let (gateway, inlet) = (Arc::clone(&self.gateway), self.firings.1.clone());
        let attempt: Attempt = Box::new(move |health, shutdown| {
            let (gateway, inlet) = (Arc::clone(&gateway), inlet.clone());
            Box::pin(rules::run(gateway, inlet, health, shutdown))
        });
        Unit::start(UnitName::Rules, &self.gateway.board, Pace::DEVICE, attempt)
    }

    fn start_pipeline(
        &self,
        drops: DropCounters,
        meter: Arc<Meter>,
        backfilled: Arc<Meter>,
    ) -> (Readings, JoinHandle<()>) {
        let (readings, deliveries) = Readings::channel(DELIVERIES, drops.clone());
        let pipeline = Pipeline {
            deliveries,
            routes: self.table.subscribe(),
            lanes: self.gateway.lanes.clone(),
            clock: self.gateway.clock.clone(),
            live: self.gateway.live.clone(),
            drops,
            readings: meter,
            backfilled,
        };
        (readings, companion(pipeline.run()))
    }
}

/// Stops a source, then waits until its pipeline has made durable what it had handed over.
async fn stop_source(unit: Unit, pipeline: JoinHandle<()>) {
    unit.stop().await;
    if tokio::time::timeout(FLUSH_LIMIT, pipeline).await.is_err() {
        tracing::warn!(
            "a pipeline did not finish in time; what was not yet accepted stays with its source"
        );
    }
}

fn prepare_consumers(gateway: &Gateway, lane: LaneKind, config: &Config) -> Result<(), ApplyError> {
    let store = gateway.lanes.get(lane);
    for destination in &config.destinations {
        let what = || format!("destination {}", destination.id);
        store
            .consumer(&destination.id)
            .map_err(|source| ApplyError::Queue {
                what: what(),
                source,
            })?;
    }
    for consumer in store.consumers() {
        if !config
            .destinations
            .iter()
            .any(|destination| *destination.id == *consumer)
        {
            store.drop_consumer(&consumer);
            continue;
        }
        let wanted: Vec<String> = config.routes.iter().map(route_key).collect();
        for (key, _, retiring) in store.routes_of(&consumer) {
            if !wanted.contains(&key) && !retiring {
                store.retire_route(&key);
            }
        }
    }
    Ok(())
}

fn prepare_route(gateway: &Gateway, config: &RouteConfig) -> Result<Route, ApplyError> {
    let key = route_key(config);
    let bit = |lane: LaneKind| {
        let bit = gateway.lanes.get(lane).route_bit(&key, &config.settings.to);
        bit.map_err(|source| ApplyError::Queue {
            what: format!("route {}", config.id),
            source,
        })
    };
    let counters = gateway.running(|running| running.route_counters(&config.id));
    Ok(Route {
        id: config.id.clone(),
        patterns: config
            .settings
            .from
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect(),
        steps: config.settings.steps.clone(),
        to: config.settings.to.as_str().into(),
        max_age: config.settings.max_age.map(|span| span.0),
        live_first: config.settings.live_first,
        normal_bit: bit(LaneKind::Normal)?,
        critical_bit: bit(LaneKind::Critical)?,
        counters,
    })
}

/// A route is counted for each destination that it ever had: what it accepted for the old one is still delivered there.
fn route_key(config: &RouteConfig) -> String {
    format!("{}→{}", config.id, config.settings.to)
}
