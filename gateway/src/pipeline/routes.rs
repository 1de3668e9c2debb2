//! `RouteTable`: which routes take a point and which rules watch it, prepared from the configuration for the pipelines.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::DropCounters;
use fieldgate_model::Pattern;
use fieldgate_store::RouteBit;

use super::steps::StepSettings;
use crate::{meter::Meter, rules::Rule};

/// All routes that take readings and all rules that watch them right now; paused ones are left out.
#[derive(Debug, Default)]
pub struct RouteTable {
    pub routes: Vec<Arc<Route>>,
    pub rules: Vec<Arc<Rule>>,
}

/// One route, ready to be used.
#[derive(Debug)]
pub struct Route {
    pub id: Arc<str>,
    pub patterns: Vec<Pattern>,
    pub steps: Vec<StepSettings>,
    pub to: Arc<str>,
    /// Its readings are not worth sending after this.
    pub max_age: Option<Duration>,
    /// What is new goes before a backlog.
    pub live_first: bool,
    /// Its bit in the records of each lane.
    pub normal_bit: RouteBit,
    pub critical_bit: RouteBit,
    pub counters: Arc<RouteCounters>,
}

/// What a route has let through and held back since the start.
#[derive(Debug, Default)]
pub struct RouteCounters {
    pub taken: Meter,
    /// Durable on their way to the destination.
    pub accepted: Meter,
    pub drops: DropCounters,
}

impl Route {
    /// True when the route takes the point with this id.
    #[must_use]
    pub fn takes(&self, id: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(id))
    }
}
