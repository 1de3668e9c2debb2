//! What a source's radio hears, asked by people: who is near, keys, connections, captures, lessons. The radio is the running source's.

mod adding;
mod view;

use std::{future::Future, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    web::{self, Data, Path, ServiceConfig},
};
use fieldgate_api::{
    config::Item,
    endpoint::{
        AddHeard, AnswerPairing, DisconnectHeard, GetHeard, GetScan, GetScanners, GetServices,
        IgnoreHeard, LearnProfile, NotifyCharacteristic, PairHeard, ReadCharacteristic,
        StartCapture, StopCapture, TeachDecoder, TryKey, UnpairHeard,
    },
    scanner::{ScanDone, ScanQuery, ScanView, ScannerView},
    state::Status,
};
use fieldgate_kit::{
    ExploreError, Scanner,
    scanner::{Heard, Lesson, PairingReply, Taught},
};
use tokio::time::timeout;
pub use view::freshness;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::shown,
    words::unit_status,
};
use crate::{config::Section, supervisor::UnitName, telemetry};

/// Advertisers that are told when nobody says how many.
const TOLD: usize = 300;
/// As many are told at most.
const MOST_TOLD: usize = 2_000;
/// Pairing may take a minute, as a person types a number; everything else is quicker by itself.
const LIMIT: Duration = Duration::from_secs(75);
/// The longest capture.
const LONGEST_CAPTURE_SECONDS: u32 = 600;

/// Where a capture's file is, for a download.
pub const CAPTURE_PATH: &str = "/api/v1/export/scanners/{id}/captures/{number}";

/// The file of a capture, as it is downloaded.
pub fn mount_file(config: &mut ServiceConfig) {
    config.route(CAPTURE_PATH, web::get().to(download));
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetScanners, _, _>(|call: Call<GetScanners>| async move {
        Ok(scanners(&call.shared))
    });
    mounts.mount::<GetScan, _, _>(|call: Call<GetScan>| async move { scan(&call) });
    mounts.mount::<GetHeard, _, _>(|call: Call<GetHeard>| async move { heard(&call) });
    mounts.mount::<TryKey, _, _>(|call: Call<TryKey>| async move {
        let scanner = offered(&call.shared, &call.place)?;
        Ok(scanner.try_key(&call.body.address, &call.body.key)?)
    });
    mounts.mount::<GetServices, _, _>(services);
    mounts.mount::<ReadCharacteristic, _, _>(read);
    mounts.mount::<NotifyCharacteristic, _, _>(notify);
    mounts.mount::<DisconnectHeard, _, _>(disconnect);
    mounts.mount::<PairHeard, _, _>(pair);
    mounts.mount::<UnpairHeard, _, _>(unpair);
    mounts.mount::<AnswerPairing, _, _>(|call: Call<AnswerPairing>| async move { answer(&call) });
    mounts.mount::<StartCapture, _, _>(|call: Call<StartCapture>| async move { capture(&call) });
    mounts.mount::<StopCapture, _, _>(|call: Call<StopCapture>| async move {
        let scanner = offered(&call.shared, &call.place)?;
        Ok(view::capture(scanner.stop_capture(call.body.id)?))
    });
    mounts.mount::<TeachDecoder, _, _>(|call: Call<TeachDecoder>| async move { teach(&call) });
    mounts.mount::<LearnProfile, _, _>(learn);
    mounts.mount::<AddHeard, _, _>(adding::add);
    mounts.mount::<IgnoreHeard, _, _>(adding::ignore);
}

fn scanners(shared: &Shared) -> Vec<ScannerView> {
    let loaded = shared.desired.current();
    let scans = |item: &&Item| {
        let kind = shared.gateway.registry.source(&item.draft.kind);
        kind.is_some_and(|kind| kind.scans)
    };
    let view = |item: &Item| ScannerView {
        source: item.id.clone(),
        listening: scanner(shared, &item.id).is_some(),
        status: status(shared, item),
    };
    loaded.sources.iter().filter(scans).map(view).collect()
}

fn scan(call: &Call<GetScan>) -> Answer<GetScan> {
    let item = source(&call.shared, &call.place)?;
    let mut view = ScanView {
        source: item.id.clone(),
        status: status(&call.shared, &item),
        ignore: adding::ignored(&item),
        now: Some(telemetry::now()),
        ..ScanView::default()
    };
    let Some(scanner) = scanner(&call.shared, &call.place) else {
        return Ok(view);
    };
    let report = scanner.report();
    let (ignored, heard): (Vec<Heard>, Vec<Heard>) =
        report.heard.into_iter().partition(|heard| heard.ignored);
    let asked_for = |heard: &Heard| is_asked_for(heard, &call.body);
    let limit = call.body.limit.map_or(TOLD, |limit| limit as usize);
    view.listening = true;
    view.words = shown(&report.words);
    view.adapters = report.adapters.into_iter().map(view::adapter).collect();
    view.heard_total = heard.len() as u64;
    let mut matching: Vec<Heard> = heard.into_iter().filter(asked_for).collect();
    view.matching = matching.len() as u64;
    matching.truncate(limit.min(MOST_TOLD));
    view.heard = matching.into_iter().map(view::heard).collect();
    view.ignored = ignored.into_iter().take(TOLD).map(view::heard).collect();
    view.passing = report.passing;
    view.packets = report.packets;
    view.packets_per_s = report.packets_per_s;
    view.not_looked_at = report
        .ignored
        .into_iter()
        .map(view::not_looked_at)
        .collect();
    view.prompts = report.prompts.into_iter().map(view::prompt).collect();
    view.captures = report.captures.into_iter().map(view::capture).collect();
    Ok(view)
}

/// Whether a list that was narrowed holds it.
fn is_asked_for(heard: &Heard, asked: &ScanQuery) -> bool {
    let strong = asked
        .rssi
        .is_none_or(|weakest| heard.rssi.is_some_and(|rssi| rssi >= weakest.into()));
    let decoded = asked.decoded.as_deref() != Some("yes") || heard.profile.is_some();
    strong && decoded && asked.text.as_deref().is_none_or(|text| has(heard, text))
}

fn has(heard: &Heard, text: &str) -> bool {
    let profile = heard.profile.as_ref().map(|(_, title)| title.as_str());
    let texts = [
        Some(heard.address.as_str()),
        heard.name.as_deref(),
        heard.vendor.as_deref(),
        profile,
        heard.added.as_ref().map(|device| device.as_str()),
    ];
    let texts: Vec<String> = texts.into_iter().flatten().map(str::to_lowercase).collect();
    let words = text.split_whitespace().map(str::to_lowercase);
    words
        .into_iter()
        .all(|word| texts.iter().any(|text| text.contains(&word)))
}

fn heard(call: &Call<GetHeard>) -> Answer<GetHeard> {
    let scanner = offered(&call.shared, &call.place)?;
    Ok(view::page(scanner.detail(&call.body.address)?))
}

async fn services(call: Call<GetServices>) -> Answer<GetServices> {
    let ask = async |scanner: Arc<dyn Scanner>| scanner.services(call.body.address.clone()).await;
    Ok(view::tree(on_air(&call.shared, &call.place, ask).await?))
}

async fn read(call: Call<ReadCharacteristic>) -> Answer<ReadCharacteristic> {
    let which = view::characteristic(call.body);
    let ask = async |scanner: Arc<dyn Scanner>| scanner.read(which.clone()).await;
    Ok(view::value(on_air(&call.shared, &call.place, ask).await?))
}

async fn notify(call: Call<NotifyCharacteristic>) -> Answer<NotifyCharacteristic> {
    let (which, on) = (view::characteristic(call.body.at), call.body.on);
    let ask = async |scanner: Arc<dyn Scanner>| scanner.notify(which.clone(), on).await;
    on_air(&call.shared, &call.place, ask).await
}

async fn disconnect(call: Call<DisconnectHeard>) -> Answer<DisconnectHeard> {
    let ask = async |scanner: Arc<dyn Scanner>| scanner.disconnect(call.body.address.clone()).await;
    on_air(&call.shared, &call.place, ask).await
}

async fn pair(call: Call<PairHeard>) -> Answer<PairHeard> {
    let ask = async |scanner: Arc<dyn Scanner>| scanner.pair(call.body.address.clone()).await;
    done(on_air(&call.shared, &call.place, ask)).await
}

async fn unpair(call: Call<UnpairHeard>) -> Answer<UnpairHeard> {
    let ask = async |scanner: Arc<dyn Scanner>| scanner.unpair(call.body.address.clone()).await;
    done(on_air(&call.shared, &call.place, ask)).await
}

fn answer(call: &Call<AnswerPairing>) -> Answer<AnswerPairing> {
    let reply = match (call.body.yes, call.body.passkey) {
        (false, _) => PairingReply::No,
        (true, None) => PairingReply::Yes,
        (true, Some(passkey)) if passkey <= 999_999 => PairingReply::Passkey(passkey),
        (true, Some(passkey)) => {
            return Err(Failure::Malformed(format!(
                "{passkey} is no passkey; it has six digits at most"
            )));
        }
    };
    let scanner = offered(&call.shared, &call.place)?;
    Ok(scanner.answer(call.body.prompt, reply)?)
}

fn capture(call: &Call<StartCapture>) -> Answer<StartCapture> {
    let seconds = call.body.seconds;
    if !(1..=LONGEST_CAPTURE_SECONDS).contains(&seconds) {
        return Err(Failure::Malformed(format!(
            "{seconds} s is no time for a capture; say 1 to {LONGEST_CAPTURE_SECONDS} seconds"
        )));
    }
    let scanner = offered(&call.shared, &call.place)?;
    let time = Duration::from_secs(seconds.into());
    Ok(view::capture(
        scanner.capture(call.body.address.as_deref(), time)?,
    ))
}

async fn download(
    shared: Data<Shared>,
    place: Path<(String, u64)>,
) -> Result<HttpResponse, Failure> {
    let (source, number) = place.into_inner();
    let text = offered(&shared, &source)?.captured(number)?;
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl; charset=utf-8")
        .insert_header(("content-disposition", "attachment"))
        .body(text))
}

fn teach(call: &Call<TeachDecoder>) -> Answer<TeachDecoder> {
    let scanner = offered(&call.shared, &call.place)?;
    let examples = call.body.examples.iter().cloned();
    let proposals = scanner.teach(Lesson {
        address: call.body.address.clone(),
        examples: examples.map(view::example).collect(),
    })?;
    Ok(proposals.into_iter().map(view::proposal).collect())
}

/// It writes a file, so it waits where that is allowed.
async fn learn(call: Call<LearnProfile>) -> Answer<LearnProfile> {
    let scanner = offered(&call.shared, &call.place)?;
    let taught = Taught {
        address: call.body.address,
        title: call.body.title,
        points: call.body.points.into_iter().map(view::taught).collect(),
    };
    let learnt = web::block(move || scanner.learn(taught)).await;
    let learnt =
        learnt.map_err(|error| Failure::Internal(format!("the lesson broke off: {error}")))?;
    Ok(ScanDone {
        words: shown(&learnt?),
    })
}

async fn done(asked: impl Future<Output = Result<String, Failure>>) -> Result<ScanDone, Failure> {
    Ok(ScanDone {
        words: shown(&asked.await?),
    })
}

/// Asks what needs the air, so many questions at once.
async fn on_air<T>(
    shared: &Shared,
    source: &str,
    question: impl AsyncFn(Arc<dyn Scanner>) -> Result<T, ExploreError>,
) -> Result<T, Failure> {
    let _turn = shared.explorations.try_acquire().map_err(|_| {
        Failure::Unavailable("others ask devices as well; try again in a moment".into())
    })?;
    let scanner = offered(shared, source)?;
    let answer = timeout(LIMIT, question(scanner)).await;
    let answer = answer.map_err(|_| {
        Failure::Unavailable("the device did not answer in time; is it near, and awake?".into())
    })?;
    Ok(answer?)
}

/// The scanner of a source that listens.
fn offered(shared: &Shared, id: &str) -> Result<Arc<dyn Scanner>, Failure> {
    let item = source(shared, id)?;
    scanner(shared, id).ok_or_else(|| {
        let status = status(shared, &item);
        let why = match status.words.is_empty() {
            true => status.state,
            false => format!("{}: {}", status.state, status.words),
        };
        Failure::Unavailable(format!(
            "the source `{}` does not listen right now ({})",
            shown(id),
            shown(&why)
        ))
    })
}

fn scanner(shared: &Shared, id: &str) -> Option<Arc<dyn Scanner>> {
    shared.gateway.running(|running| {
        let state = running.sources.get(id)?;
        state.scanning.offered()
    })
}

fn source(shared: &Shared, id: &str) -> Result<Item, Failure> {
    let loaded = shared.desired.current();
    let item = loaded.item(Section::Source, id);
    let item = item.ok_or_else(|| Failure::no_such("source", id))?;
    let kind = shared.gateway.registry.source(&item.draft.kind);
    match kind.is_some_and(|kind| kind.scans) {
        true => Ok(item.clone()),
        false => Err(Failure::NotFound(format!(
            "the source `{}` listens to no radio",
            shown(id)
        ))),
    }
}

fn status(shared: &Shared, item: &Item) -> Status {
    let name = UnitName::Source(item.id.as_str().into());
    unit_status(item.draft.paused, shared.gateway.board.status(&name))
}

// === impl Failure ===

impl From<ExploreError> for Failure {
    fn from(error: ExploreError) -> Self {
        Self::Unavailable(shown(&error.to_string()))
    }
}
