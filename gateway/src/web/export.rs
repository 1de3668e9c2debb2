//! The records of a lane as JSON lines, read while they are downloaded.

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, Query, ServiceConfig},
};
use fieldgate_kit::{Origin, format::value_json};
use fieldgate_model::{Reading, Timestamp};
use fieldgate_store::{Lane, PeekLimits, Record, RouteMask, Seq};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Shared, error::Failure};
use crate::{
    lanes::LaneKind,
    pipeline::frame::{self, Frame},
};

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
        let frame = frame_of(record);
        let own = Origin {
            lane: self.letter,
            seq: record.seq.0,
        };
        // What came by a second time keeps the id of the first.
        let origin = frame.as_ref().ok().and_then(|frame| frame.origin);
        let Origin { lane, seq } = origin.unwrap_or(own);
        let line = json!({
            "id": format!("{}-{lane}-{seq:016x}", self.gateway_id),
            "accepted_at": Timestamp::from_millis(record.at.wall_ms),
            "reading": frame.map_or_else(unreadable, |frame| reading(&frame.reading)),
        });
        format!("{line}\n")
    }
}

fn frame_of(record: &Record) -> Result<Frame, String> {
    let bytes = record.body.bytes().map_err(ToString::to_string)?;
    frame::open(bytes).map_err(|error| error.to_string())
}

fn unreadable(why: String) -> Json {
    json!({ "unreadable": why })
}

fn reading(reading: &Reading) -> Json {
    let mut json = json!({
        "point": reading.point.to_string(),
        "value": value_json(&reading.value),
        "unit": reading.unit,
        "quality": reading.quality.level(),
        "why": reading.quality.why(),
        "at": reading.at,
        "seen": reading.seen,
    });
    if reading.backfilled {
        json["backfilled"] = true.into();
    }
    json
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
