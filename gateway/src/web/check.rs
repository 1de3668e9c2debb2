//! A check of the open queue, told line by line while it is read.

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, ServiceConfig},
};
use fieldgate_api::queue::CheckLine;
use fieldgate_store::Verification;
use futures::stream;

use super::{Shared, error::Failure};
use crate::checked::checked;

/// Where it is.
pub const PATH: &str = "/api/v1/queue/check.jsonl";

/// The lanes that are still to be checked, the next one last.
struct Check {
    lanes: Vec<(&'static str, Verification)>,
}

pub fn mount(config: &mut ServiceConfig) {
    config.route(PATH, web::get().to(check));
}

async fn check(shared: Data<Shared>) -> HttpResponse {
    let lanes = &shared.gateway.lanes;
    let lanes = lanes.all().into_iter().rev();
    let check = Check {
        lanes: lanes.map(|(name, lane)| (name, lane.verify())).collect(),
    };
    let lines = stream::try_unfold(check, |mut check| async move {
        let line = check.line().await?;
        Ok::<_, Failure>(line.map(|line| (Bytes::from(text(&line)), check)))
    });
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines)
}

fn text(line: &CheckLine) -> String {
    let json = serde_json::to_string(line).unwrap_or_default(); // it has no map whose keys could fail
    format!("{json}\n")
}

// === impl Check ===

impl Check {
    async fn line(&mut self) -> Result<Option<CheckLine>, Failure> {
        let Some((name, mut verification)) = self.lanes.pop() else {
            return Ok(None);
        };
        let step = verification.step().await;
        let step = step.map_err(|error| Failure::Unavailable(error.to_string()))?;
        let (lane, of) = (name.to_owned(), verification.records);
        let Some(read) = step else {
            let result = checked(name, &verification.report());
            let (read, result) = (result.records, Some(result));
            return Ok(Some(CheckLine {
                lane,
                read,
                of,
                result,
            }));
        };
        self.lanes.push((name, verification));
        Ok(Some(CheckLine {
            lane,
            read,
            of,
            result: None,
        }))
    }
}
