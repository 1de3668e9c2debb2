//! Reviews as a person makes them: what is new on a source's server, and what becomes of it.

use fieldgate_api::{
    endpoint::{DecideReview, GetReview},
    review::{ReviewAction, ReviewDraft, ReviewView},
};

use crate::api::Api;

/// What waits and what was declined.
#[track_caller]
#[must_use]
pub fn view(api: &Api, source: &str) -> ReviewView {
    api.get::<GetReview>(&[source])
}

/// Has the server looked at now.
///
/// # Panics
/// When the source is not connected.
#[track_caller]
pub fn look(api: &Api, source: &str) {
    let draft = ReviewDraft {
        action: ReviewAction::Look,
        points: None,
        version: None,
    };
    let done = api.call::<DecideReview>(&[source], &draft);
    done.expect("the source is connected");
}
