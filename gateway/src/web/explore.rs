//! Looking around at a source's far side: in the running source's session, or in one that is opened for it. Nothing is saved.

use std::{sync::Arc, time::Duration};

use fieldgate_api::{
    config::Draft,
    endpoint::{
        AboutExplored, ExploreNodeDetail, ExploreNodes, PreviewRules, ReadPast, SampleRules,
        SearchNodes,
    },
    explore::{
        ExploreAbout, ExploreAt, ExploreDetail, ExploreFact, ExploreFound, ExploreKind,
        ExploreNode, ExploreOffer, ExplorePage, ExplorePast, ExplorePermit, ExplorePreview,
        ExploreSample, ExploreValue, ExploreWatched,
    },
};
use fieldgate_kit::{
    Explore, ExploreError,
    explore::{
        ChildrenAsk, ExploredNode, Fact, HistoryAsk, LookAsk, NodeKind, Observation, Permit,
        Sample, SearchAsk, Suggestion, Watched,
    },
};
use fieldgate_model::Timestamp;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    trial::good_source,
    value::{shown, text},
};
use crate::{
    explorers::{Key, Opening},
    telemetry,
};

/// What settings that belong to no source yet are called.
const UNNAMED: &str = "new";

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<AboutExplored, _, _>(about);
    mounts.mount::<ExploreNodes, _, _>(children);
    mounts.mount::<ExploreNodeDetail, _, _>(look);
    mounts.mount::<ReadPast, _, _>(past);
    mounts.mount::<SearchNodes, _, _>(search);
    mounts.mount::<PreviewRules, _, _>(preview);
    mounts.mount::<SampleRules, _, _>(sample);
}

async fn about(call: Call<AboutExplored>) -> Answer<AboutExplored> {
    let about = ask(&call.shared, &call.body, async |session| {
        session.about().await
    });
    let about = about.await?;
    Ok(ExploreAbout {
        words: shown(&about.words),
        shared: about.shared,
        facts: about.facts.into_iter().map(fact).collect(),
        offers: about.offers.into_iter().map(offer).collect(),
    })
}

async fn children(call: Call<ExploreNodes>) -> Answer<ExploreNodes> {
    let question = || ChildrenAsk {
        node: call.body.node.clone(),
        path: call.body.path.clone(),
        more: call.body.more.clone(),
    };
    let page = ask(&call.shared, &call.body.at, async |session| {
        session.children(question()).await
    });
    let page = page.await?;
    Ok(ExplorePage {
        nodes: page.nodes.into_iter().map(node).collect(),
        more: page.more,
        words: page.words,
    })
}

async fn look(call: Call<ExploreNodeDetail>) -> Answer<ExploreNodeDetail> {
    let question = || LookAsk {
        node: call.body.node.clone(),
        path: call.body.path.clone(),
    };
    let detail = ask(&call.shared, &call.body.at, async |session| {
        session.look(question()).await
    });
    let detail = detail.await?;
    Ok(ExploreDetail {
        node: node(detail.node),
        description: shown(&detail.description),
        value: detail.value.map(value),
        unit: detail.unit.as_deref().map(shown),
        range: detail
            .range
            .map(|(low, high)| [low, high])
            .filter(|range| range.iter().all(|end| end.is_finite())),
        facts: detail.facts.into_iter().map(fact).collect(),
        history: detail.history,
        permit: detail.permit.map(permit),
    })
}

async fn past(call: Call<ReadPast>) -> Answer<ReadPast> {
    let body = &call.body;
    let to = telemetry::now();
    let span = i64::from(body.seconds) * 1_000_000_000;
    let question = || HistoryAsk {
        node: body.node.clone(),
        from: Timestamp::from_nanos(to.nanos().saturating_sub(span)),
        to,
        most: body.most,
    };
    let past = ask(&call.shared, &body.at, async |session| {
        session.history(question()).await
    });
    let past = past.await?;
    Ok(ExplorePast {
        values: past.values.into_iter().map(value).collect(),
        more: past.more,
    })
}

async fn search(call: Call<SearchNodes>) -> Answer<SearchNodes> {
    let body = &call.body;
    let question = || SearchAsk {
        node: body.node.clone(),
        path: body.path.clone(),
        text: body.text.clone(),
        more: body.more.clone(),
    };
    let page = ask(&call.shared, &body.at, async |session| {
        session.search(question()).await
    });
    let page = page.await?;
    Ok(ExploreFound {
        nodes: page.nodes.into_iter().map(node).collect(),
        looked_at: page.looked_at,
        more: page.more,
        cut: page.cut,
    })
}

async fn preview(call: Call<PreviewRules>) -> Answer<PreviewRules> {
    let body = &call.body;
    let preview = ask(&call.shared, &body.at, async |session| {
        session
            .preview(body.select.clone(), body.present.clone())
            .await
    });
    let preview = preview.await?;
    Ok(ExplorePreview {
        points: preview.points,
        covered: preview.covered,
        before: preview.before,
        at_most_per_s: preview.at_most_per_s,
        first: preview.first,
        cut: preview.cut,
    })
}

async fn sample(call: Call<SampleRules>) -> Answer<SampleRules> {
    let body = &call.body;
    let time = Duration::from_secs(body.seconds.into());
    let sample = ask(&call.shared, &body.at, async |session| {
        session.sample(body.select.clone(), time).await
    });
    let Sample {
        seconds,
        words,
        points,
        watched,
    } = sample.await?;
    Ok(ExploreSample {
        seconds,
        words,
        points,
        watched: watched.into_iter().map(watched_point).collect(),
    })
}

/// Asks a session; a lost one is opened again, once.
async fn ask<T>(
    shared: &Shared,
    at: &ExploreAt,
    question: impl AsyncFn(Arc<dyn Explore>) -> Result<T, ExploreError>,
) -> Result<T, Failure> {
    let _turn = shared.explorations.try_acquire().map_err(|_| {
        Failure::Unavailable("others look around as well; try again in a moment".into())
    })?;
    let (key, session) = session(shared, at).await?;
    match question(session).await {
        Ok(answer) => return Ok(answer),
        Err(ExploreError::Refused(words)) => return Err(Failure::Unavailable(shown(&words))),
        Err(ExploreError::Gone(_)) => {}
    }
    if let Some(key) = key {
        shared.explorers.forget(key);
    }
    let (_, session) = self::session(shared, at).await?;
    let answer = question(session).await;
    answer.map_err(|error| Failure::Unavailable(shown(&error.to_string())))
}

/// The session to ask; with a key when it is not the running source's.
async fn session(
    shared: &Shared,
    at: &ExploreAt,
) -> Result<(Option<Key>, Arc<dyn Explore>), Failure> {
    let (key, opening) = match (&at.source, &at.draft) {
        (None, None) => {
            return Err(Failure::Malformed(
                "say where to look around: `at` has a `source` or a `draft`".into(),
            ));
        }
        (Some(source), None) => {
            let offered = shared.gateway.running(|running| {
                let state = running.sources.get(source.as_str())?;
                state.exploring.offered()
            });
            if let Some(session) = offered {
                return Ok((None, session));
            }
            let loaded = shared.desired.current();
            let config = loaded
                .config
                .sources
                .iter()
                .find(|known| *known.id == **source);
            let config = config
                .ok_or_else(|| Failure::no_such("source", source))?
                .clone();
            let key = Key::of(&["source", source, &config.settings.to_string()]);
            let opening = opening(shared, source, &config.kind, config.settings, Box::new(()))?;
            (key, Ok(opening))
        }
        (source, Some(draft)) => {
            let id = source.as_deref().unwrap_or(UNNAMED);
            let key = Key::of(&["draft", id, &draft.kind, &draft.settings.to_string()]);
            (key, Err((id, draft)))
        }
    };
    let opening = async {
        match opening {
            Ok(opening) => Ok(opening),
            Err((id, draft)) => unsaved(shared, id, draft).await,
        }
    };
    let session = shared.explorers.session::<Failure>(key, opening).await?;
    Ok((Some(key), session))
}

/// Settings that nobody saved, checked as a test of them checks them.
async fn unsaved(shared: &Shared, id: &str, draft: &Draft) -> Result<Opening, Failure> {
    let (kind, trial) = good_source(shared, id, draft.clone()).await?;
    let (settings, secrets) = (trial.settings.clone(), trial.secrets.clone());
    let opening = opening(shared, id, kind.kind, settings, Box::new(trial))?;
    Ok(Opening { secrets, ..opening })
}

fn opening(
    shared: &Shared,
    id: &str,
    kind: &str,
    settings: serde_json::Value,
    keep: Box<dyn Send>,
) -> Result<Opening, Failure> {
    let gateway = &shared.gateway;
    let explores = gateway.registry.source(kind).filter(|kind| kind.explores);
    let kind = explores.ok_or_else(|| {
        Failure::Unavailable(format!(
            "one cannot look around in a source of the kind `{}`",
            kind.escape_debug()
        ))
    })?;
    Ok(Opening {
        kind: kind.clone(),
        settings,
        id: id.into(),
        secrets: gateway.secrets.clone(),
        state_dir: gateway.unit_dir("source", id),
        keep,
    })
}

/// Address and path stay as they are, so that they can be asked for; whoever shows them has to spell out what hides in them.
fn node(node: ExploredNode) -> ExploreNode {
    ExploreNode {
        address: node.address,
        path: node.path,
        name: shown(&node.name),
        kind: match node.kind {
            NodeKind::Object => ExploreKind::Object,
            NodeKind::Variable => ExploreKind::Variable,
            NodeKind::Property => ExploreKind::Property,
            NodeKind::Method => ExploreKind::Method,
        },
        type_name: shown(&node.type_name),
        branch: node.branch,
    }
}

fn offer(offer: Suggestion) -> ExploreOffer {
    ExploreOffer {
        title: shown(&offer.title),
        about: shown(&offer.about),
        rule: offer.rule,
    }
}

fn permit(permit: Permit) -> ExplorePermit {
    ExplorePermit {
        actions: permit.actions,
        rule: permit.rule,
        against: permit.against.as_deref().map(shown),
    }
}

fn fact(fact: Fact) -> ExploreFact {
    ExploreFact {
        name: fact.name,
        text: shown(&fact.text),
    }
}

fn value(observation: Observation) -> ExploreValue {
    ExploreValue {
        text: text(&observation.value),
        quality: observation.quality.level(),
        why: observation.quality.why().map(shown),
        source_at: observation.source_at,
        server_at: observation.server_at,
    }
}

fn watched_point(watched: Watched) -> ExploreWatched {
    ExploreWatched {
        point: watched.point,
        changes: watched.changes,
        last: watched.last.map(value),
        trouble: watched.trouble,
    }
}
