//! The records of a lane as JSON lines, read while they are downloaded.

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, Query, ServiceConfig},
};
use fieldgate_kit::format::value_json;
use fieldgate_model::Timestamp;
use fieldgate_store::{Lane, PeekLimits, Record, RouteMask, Seq};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Shared, error::Failure};
use crate::{lanes::LaneKind, pipeline::frame};

/// Where it is.
pub const PATH: &str = "/api/v1/export/queue.jsonl";
/// Records that are written at once into a download.
const PART: PeekLimits = PeekLimits {
    records: 500,
    bytes: 1 << 20,
};

/// What is exported; without a filter the normal lane's every record that is still there, delivered or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// `normal` or `critical`.
    lane: Option<String>,
    /// Only what goes to this destination.
    destination: Option<String>,
    /// Only what was accepted at or after this moment, RFC 3339.
    from: Option<String>,
    /// Only what was accepted before this moment.
    to: Option<String>,
}

/// A download under way.
struct Export {
    lane: Lane,
    letter: char,
    gateway_id: String,
    /// Route keys by their bits, of those that are wanted.
    mask: RouteMask,
    range_ms: std::ops::Range<i64>,
    after: Seq,
    end: Seq,
}

pub fn mount(config: &mut ServiceConfig) {
    config.route(PATH, web::get().to(export));
}

async fn export(shared: Data<Shared>, ask: Query<Ask>) -> Result<HttpResponse, Failure> {
    let export = Export::new(&shared, &ask)?;
    let lines = stream::try_unfold(export, |mut export| async move {
        let part = export.part().await?;
        Ok::<_, Failure>(part.map(|text| (Bytes::from(text), export)))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((
            "content-disposition",
            "attachment; filename=\"queue.jsonl\"",
        ))
        .streaming(lines))
}

// === impl Export ===

impl Export {
    fn new(shared: &Shared, ask: &Ask) -> Result<Self, Failure> {
        let name = ask.lane.as_deref().unwrap_or("normal");
        let kind = LaneKind::ALL.into_iter().find(|lane| lane.as_str() == name);
        let kind = kind.ok_or_else(|| Failure::no_such("lane", name))?;
        let lane = shared.gateway.lanes.get(kind).clone();
        let mask = match &ask.destination {
            None => RouteMask::ALL,
            Some(destination) => {
                let routes = lane.routes_of(destination).into_iter();
                routes.map(|(_, bit, _)| bit).collect()
            }
        };
        let from = moment(ask.from.as_deref(), i64::MIN)?;
        let to = moment(ask.to.as_deref(), i64::MAX)?;
        let stats = lane.stats();
        Ok(Self {
            letter: kind.letter(),
            gateway_id: shared.gateway.book().gateway_id.to_string(),
            mask,
            range_ms: from..to,
            after: Seq(stats.first.0.saturating_sub(1)),
            end: stats.last,
            lane,
        })
    }

    /// The next lines; none at the end. A part may be empty of what is wanted, and then the next one is looked at.
    async fn part(&mut self) -> Result<Option<String>, Failure> {
        while self.after < self.end {
            let page = self.lane.peek(self.after, self.mask, PART).await;
            let page = page.map_err(|error| Failure::Unavailable(error.to_string()))?;
            let moved = page.scanned_through > self.after;
            self.after = page.scanned_through.max(self.after.next());
            let wanted = page
                .records
                .iter()
                .filter(|record| self.range_ms.contains(&record.at.wall_ms));
            let text: String = wanted.map(|record| self.line(record)).collect();
            if !text.is_empty() {
                return Ok(Some(text));
            }
            if !moved {
                break;
            }
        }
        Ok(None)
    }

    fn line(&self, record: &Record) -> String {
        let id = format!("{}-{}-{:016x}", self.gateway_id, self.letter, record.seq.0);
        let line = json!({
            "id": id,
            "accepted_at": Timestamp::from_millis(record.at.wall_ms),
            "reading": reading(record),
        });
        format!("{line}\n")
    }
}

fn reading(record: &Record) -> Json {
    let bytes = match record.body.bytes() {
        Ok(bytes) => bytes,
        Err(missing) => return json!({ "unreadable": missing.to_string() }),
    };
    match frame::decode(bytes) {
        Err(error) => json!({ "unreadable": error.to_string() }),
        Ok(reading) => json!({
            "point": reading.point.to_string(),
            "value": value_json(&reading.value),
            "unit": reading.unit,
            "quality": reading.quality.level(),
            "why": reading.quality.why(),
            "at": reading.at,
            "seen": reading.seen,
        }),
    }
}

fn moment(text: Option<&str>, otherwise: i64) -> Result<i64, Failure> {
    let Some(text) = text else {
        return Ok(otherwise);
    };
    let at = Timestamp::parse(text);
    at.map(Timestamp::millis).ok_or_else(|| {
        Failure::Malformed(format!(
            "`{}` is no time; write it as 2026-11-25T20:00:00Z",
            text.escape_debug()
        ))
    })
}
