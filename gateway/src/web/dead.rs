//! Dead letters: what destinations refused for its own sake, to be looked at, exported and purged.

use std::fmt::Write;

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, ServiceConfig},
};
use fieldgate_api::{
    dead::{
        DeadChoice, DeadDone, DeadGroup, DeadLetter, DeadLetterPage, DeadLetters, DeadPurge,
        DeadQuery, DeadRange, DeadShelf,
    },
    endpoint::{GetDeadLetter, GetDeadLetters, PurgeDeadLetters, RetryDeadLetters},
};
use fieldgate_kit::format::value_json;
use fieldgate_model::Reading;
use fieldgate_store::StoreError;
use futures::stream;
use serde_json::{Value as Json, json};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::{shown, text_with_unit},
    words::count,
};
use crate::{
    dead::{Choice, Group, Kept, Letter},
    gateway::Gateway,
};

/// Where letters are downloaded, one JSON object a line.
pub const EXPORT_PATH: &str = "/api/v1/export/dead.jsonl";
const LISTED: u32 = 50;
const MOST_LISTED: u32 = 200;
const MOST_IDS: usize = 1000;
/// Letters that are written at once into a download.
const EXPORTED: usize = 200;
/// A frame is shown up to so many bytes.
const FRAME_SHOWN: usize = 4096;
/// Letters that one request puts back.
const RETRIED: usize = 2000;
/// What a person types to throw letters away.
const CONFIRM: &str = "purge";

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetDeadLetters, _, _>(list);
    mounts.mount::<GetDeadLetter, _, _>(show);
    mounts.mount::<PurgeDeadLetters, _, _>(purge);
    mounts.mount::<RetryDeadLetters, _, _>(retry);
}

/// What stands beside the table: the download.
pub fn mount_export(config: &mut ServiceConfig) {
    config.route(EXPORT_PATH, web::get().to(export));
}

async fn list(call: Call<GetDeadLetters>) -> Answer<GetDeadLetters> {
    let dead = &call.shared.gateway.lanes.dead;
    let choice = asked(&call.body);
    let groups = dead.groups().await.map_err(unreadable)?;
    let mut ids = dead.select(&choice).await.map_err(unreadable)?;
    let matching = ids.len() as u64;
    let end = call
        .body
        .before
        .map_or(ids.len(), |before| ids.partition_point(|id| *id < before));
    ids.truncate(end);
    let limit = call.body.limit.unwrap_or(LISTED).min(MOST_LISTED) as usize;
    let page = ids.split_off(ids.len().saturating_sub(limit));
    let kept = dead.read(&page).await.map_err(unreadable)?;
    Ok(DeadLetters {
        shelf: shelf(&call.shared.gateway),
        groups: groups.iter().map(group).collect(),
        matching,
        letters: kept.iter().rev().map(dead_letter).collect(),
        next: page.first().copied().filter(|_| !ids.is_empty()),
    })
}

async fn show(call: Call<GetDeadLetter>) -> Answer<GetDeadLetter> {
    let missing = || Failure::no_such("dead letter", &call.place);
    let id = call.place.parse::<u64>().map_err(|_| missing())?;
    let dead = &call.shared.gateway.lanes.dead;
    let choice = Choice {
        ids: Some(vec![id]),
        ..Choice::default()
    };
    let ids = dead.select(&choice).await.map_err(unreadable)?;
    let kept = dead.read(&ids).await.map_err(unreadable)?;
    let kept = kept.first().ok_or_else(missing)?;
    let frame = &kept.letter.frame;
    Ok(DeadLetterPage {
        letter: dead_letter(kept),
        reading: reading_json(&kept.letter),
        frame: hex(&frame[..frame.len().min(FRAME_SHOWN)]),
        frame_bytes: frame.len() as u64,
    })
}

async fn purge(call: Call<PurgeDeadLetters>) -> Answer<PurgeDeadLetters> {
    let DeadPurge { which, confirm } = &call.body;
    if confirm != CONFIRM {
        return Err(Failure::Malformed(format!(
            "dead letters are thrown away for good; say so by `confirm`: \"{CONFIRM}\""
        )));
    }
    let dead = &call.shared.gateway.lanes.dead;
    let ids = dead.select(&chosen(which)?).await.map_err(unreadable)?;
    let done = dead.purge(&ids).await;
    let done = done.map_err(|error| {
        Failure::Unavailable(format!(
            "the letters were taken away, but that could not be saved: {error}; they may come back"
        ))
    })?;
    Ok(DeadDone {
        done,
        words: format!("threw away {}", count(done, "dead letter")),
        ..DeadDone::default()
    })
}

async fn retry(call: Call<RetryDeadLetters>) -> Answer<RetryDeadLetters> {
    let gateway = &call.shared.gateway;
    let dead = &gateway.lanes.dead;
    let ids = dead
        .select(&chosen(&call.body)?)
        .await
        .map_err(unreadable)?;
    let (now, later) = ids.split_at(ids.len().min(RETRIED));
    let retried = dead.retry(&gateway.lanes, now, gateway.clock.stamp()).await;
    let retried = retried.map_err(|error| {
        Failure::Unavailable(format!(
            "the letters could not be put back: {error}; nothing is lost, try again"
        ))
    })?;
    let left = later.len() as u64;
    let stuck = match retried.stuck {
        0 => String::new(),
        more => format!(
            "; {} cannot go back, since no route leads to the destination or the bytes cannot be read",
            count(more, "letter")
        ),
    };
    let rest = match left {
        0 => String::new(),
        more => format!("; {} are left, ask again", count(more, "letter")),
    };
    Ok(DeadDone {
        done: retried.done,
        left,
        next: later
            .first()
            .zip(later.last())
            .map(|(first, last)| DeadRange {
                first: *first,
                last: *last,
            }),
        stuck: retried.stuck,
        words: format!(
            "put {} back into the queue{stuck}{rest}",
            count(retried.done, "dead letter")
        ),
    })
}

/// Every chosen letter as a line of JSON, the oldest first; read while it is downloaded.
async fn export(
    shared: Data<Shared>,
    query: web::Query<DeadQuery>,
) -> Result<HttpResponse, Failure> {
    let ids = shared.gateway.lanes.dead.select(&asked(&query)).await;
    let ids = ids.map_err(unreadable)?;
    let lines = stream::try_unfold((shared, ids, 0), |(shared, ids, at)| async move {
        if at == ids.len() {
            return Ok::<_, Failure>(None);
        }
        let end = ids.len().min(at + EXPORTED);
        let kept = shared.gateway.lanes.dead.read(&ids[at..end]).await;
        let text: String = kept.map_err(unreadable)?.iter().map(line).collect();
        Ok(Some((Bytes::from(text), (shared, ids, end))))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((
            "content-disposition",
            "attachment; filename=\"dead-letters.jsonl\"",
        ))
        .streaming(lines))
}

fn line(kept: &Kept) -> String {
    let letter = dead_letter(kept);
    let frame = hex(&kept.letter.frame);
    let line = json!({ "letter": letter, "reading": reading_json(&kept.letter), "frame": frame });
    format!("{line}\n")
}

/// How many letters there are, and where the others went.
pub fn shelf(gateway: &Gateway) -> DeadShelf {
    let (counts, stats) = (gateway.lanes.dead.counts(), gateway.lanes.dead.stats());
    DeadShelf {
        letters: counts.letters,
        disk_bytes: stats.disk_bytes,
        max_bytes: stats.max_bytes,
        retried: counts.retried,
        purged: counts.purged,
        displaced: counts.displaced,
    }
}

fn asked(query: &DeadQuery) -> Choice {
    Choice {
        destination: query.destination.clone(),
        reason: query.reason.clone(),
        ..Choice::default()
    }
}

/// What is to be done something to must be said: no filter at all is no choice.
fn chosen(choice: &DeadChoice) -> Result<Choice, Failure> {
    let filtered = choice.destination.is_some() || choice.reason.is_some();
    let named = !choice.ids.is_empty();
    if choice.ids.len() > MOST_IDS {
        return Err(Failure::Malformed(format!(
            "at most {MOST_IDS} letters can be named; choose by destination and reason"
        )));
    }
    if !filtered && !named && !choice.all {
        return Err(Failure::Malformed(
            "say which letters: `ids`, `destination`, `reason`, or `all`".into(),
        ));
    }
    Ok(Choice {
        destination: choice.destination.clone(),
        reason: choice.reason.clone(),
        ids: named.then(|| choice.ids.clone()),
        within: choice.within.map(|range| (range.first, range.last)),
    })
}

fn group(group: &Group) -> DeadGroup {
    DeadGroup {
        destination: group.destination.to_string(),
        reason: group.reason.to_string(),
        letters: group.letters,
        first_refused_at: group.first_refused_at,
        last_refused_at: group.last_refused_at,
    }
}

fn dead_letter(Kept { id, letter }: &Kept) -> DeadLetter {
    let reading = letter.reading();
    let text = reading.as_ref().map(text_with_unit);
    let point = reading.as_ref().map(|reading| reading.point.to_string());
    // The queue's key of a route is `route→destination`.
    let route = |key: &String| key.split('→').next().unwrap_or(key).to_owned();
    DeadLetter {
        id: *id,
        message_id: letter.message_id.clone(),
        destination: letter.destination.clone(),
        lane: letter.origin().map_or("", |(lane, _)| lane.as_str()).into(),
        routes: letter.routes.iter().map(route).collect(),
        point: point.unwrap_or_default(),
        text: text.unwrap_or_else(|| "(its bytes cannot be read)".to_owned()),
        at: reading.map_or(letter.refused_at, |reading| reading.at),
        why: shown(&letter.why),
        first_refused_at: letter.first_refused_at,
        refused_at: letter.refused_at,
        attempts: letter.attempts,
    }
}

fn reading_json(letter: &Letter) -> Json {
    let json = |reading: Reading| {
        json!({
            "point": reading.point.to_string(),
            "value": value_json(&reading.value),
            "unit": reading.unit,
            "quality": reading.quality.level(),
            "why": reading.quality.why(),
            "at": reading.at,
            "seen": reading.seen,
            "class": reading.class,
        })
    };
    letter.reading().map_or(Json::Null, json)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes every text");
        text
    })
}

fn unreadable(error: StoreError) -> Failure {
    Failure::Unavailable(format!("the dead letters cannot be read: {error}"))
}
