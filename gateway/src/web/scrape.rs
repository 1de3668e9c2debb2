//! `/metrics`: the gateway's figures for Prometheus.

use actix_web::{
    HttpResponse,
    web::{self, Data, ServiceConfig},
};

use super::Shared;
use crate::metrics;

/// Where it is.
pub const PATH: &str = "/metrics";

pub fn mount(config: &mut ServiceConfig) {
    config.route(PATH, web::get().to(scrape));
}

async fn scrape(shared: Data<Shared>) -> HttpResponse {
    let revision = shared.desired.current().config.revision;
    HttpResponse::Ok()
        .content_type(metrics::CONTENT_TYPE)
        .body(metrics::render(&shared.gateway, revision))
}
