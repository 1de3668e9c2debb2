//! Reviews: what sources found that is new at their far sides, and what people decide about it.

use std::time::Duration;

use fieldgate_api::{
    endpoint::{DecideReview, GetReview},
    review::{ReviewAction, ReviewDone, ReviewDraft, ReviewItem, ReviewView},
};
use fieldgate_kit::{
    ReviewBoard,
    review::{Chosen, Decision, Newcomer},
};
use fieldgate_model::PointId;
use tokio::time::timeout;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::shown,
};
use crate::config::Section;

/// Newcomers that are told one by one.
const TOLD: usize = 500;
/// How long a source may take to decide; it may be busy with what it was told before.
const LIMIT: Duration = Duration::from_secs(15);

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetReview, _, _>(|call: Call<GetReview>| async move { list(&call) });
    mounts.mount::<DecideReview, _, _>(decide);
}

fn list(call: &Call<GetReview>) -> Answer<GetReview> {
    let Some(board) = board(&call.shared, &call.place)? else {
        return Ok(ReviewView::default());
    };
    let first = |list: &[Newcomer]| list.iter().take(TOLD).map(item).collect();
    let list = &board.list;
    Ok(ReviewView {
        words: shown(&list.words),
        asks: list.asks,
        open: board.is_open(),
        version: list.version.clone(),
        waiting_total: list.waiting.len() as u64,
        declined_total: list.declined.len() as u64,
        waiting: first(&list.waiting),
        declined: first(&list.declined),
    })
}

async fn decide(call: Call<DecideReview>) -> Answer<DecideReview> {
    let decision = match call.body.action {
        ReviewAction::Accept => Decision::Accept(chosen(&call.body)?),
        ReviewAction::Decline => Decision::Decline(chosen(&call.body)?),
        ReviewAction::Look => Decision::Look,
    };
    let board = board(&call.shared, &call.place)?;
    let board = board.ok_or_else(|| {
        Failure::Unavailable(format!(
            "the source `{}` was not connected yet, or follows nothing at its far side",
            call.place.escape_debug()
        ))
    })?;
    let decided = timeout(LIMIT, board.decide(decision)).await;
    let words = decided
        .unwrap_or_else(|_| {
            Err("the source did not answer in time; look what came of it".to_owned())
        })
        .map_err(|words| Failure::Unavailable(shown(&words)))?;
    Ok(ReviewDone { words })
}

fn chosen(draft: &ReviewDraft) -> Result<Chosen, Failure> {
    match (&draft.points, &draft.version) {
        (Some(points), _) => Ok(Chosen::Points(read(points)?)),
        (None, Some(version)) => Ok(Chosen::All(version.clone())),
        (None, None) => Err(Failure::Malformed(
            "say which list you looked at: `version` is in it; or name the `points`".into(),
        )),
    }
}

/// The desk of a source that is configured; none before it was connected for the first time.
fn board(shared: &Shared, source: &str) -> Result<Option<ReviewBoard>, Failure> {
    let loaded = shared.desired.current();
    if loaded.item(Section::Source, source).is_none() {
        return Err(Failure::no_such("source", source));
    }
    let board = shared.gateway.running(|running| {
        let state = running.sources.get(source)?;
        state.reviews.board()
    });
    Ok(board)
}

fn read(points: &[String]) -> Result<Vec<PointId>, Failure> {
    let read = |point: &String| {
        point.parse::<PointId>().map_err(|error| {
            Failure::Malformed(format!("`{}` is no point: {error}", point.escape_debug()))
        })
    };
    points.iter().map(read).collect()
}

/// The point's id stays as it is, so that it can be decided on; whoever shows it has to spell out what hides in it.
fn item(newcomer: &Newcomer) -> ReviewItem {
    ReviewItem {
        point: newcomer.point.to_string(),
        address: shown(&newcomer.address),
        data_type: newcomer.data_type.as_deref().map(shown),
        since: newcomer.since,
    }
}
