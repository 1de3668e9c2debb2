//! What is new on a source's far side: what waits for a person, what was declined, and a look now.

use std::time::Duration;

use fieldgate_api::endpoint::{DecideReview, GetReview};
use fieldgate_api::review::{ReviewAction, ReviewDraft, ReviewItem, ReviewView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client::change;
use crate::fetched::{Fetched, fetched};
use crate::widgets::copy::copy_text;
use crate::widgets::time::ago;
use crate::widgets::toast::Toasts;

/// Something may appear while somebody looks.
const EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
struct Review {
    source: StoredValue<String>,
    view: Fetched<ReviewView>,
    toasts: Toasts,
}

/// The card on a source's page; nothing for a source that follows nothing.
pub fn card(source: &str) -> AnyView {
    let id = source.to_owned();
    let view = fetched::<GetReview>(Some(EVERY), move || Some(vec![id.clone()]));
    let review = Review {
        source: StoredValue::new(source.to_owned()),
        view,
        toasts: Toasts::expect(),
    };
    (move || {
        let shown = view.data.get().filter(|view| !view.words.is_empty());
        shown.map(|view| review.content(&view))
    })
    .into_any()
}

// === impl Review ===

impl Review {
    fn content(self, view: &ReviewView) -> AnyView {
        let look = move |_| self.decide(ReviewAction::Look, None, None);
        let closed = !view.open;
        view! {
            <section aria-labelledby="review-title" id="review" data-test="review">
                <h2 id="review-title">"New on the server"</h2>
                <p class="help">{words::capital(&words::plain(&view.words))}</p>
                {self.waiting(view)}
                {self.declined(view)}
                <div class="actions">
                    <button type="button" data-test="look" disabled=closed on:click=look>"Look now"</button>
                </div>
            </section>
        }
        .into_any()
    }

    fn waiting(self, view: &ReviewView) -> AnyView {
        if !view.asks {
            return view! { <p>"What is new where a rule looks is read at once."</p> }.into_any();
        }
        if view.waiting.is_empty() {
            return view! { <p>"Nothing waits for you."</p> }.into_any();
        }
        let items: Vec<AnyView> = view
            .waiting
            .iter()
            .map(|item| self.item(item, view.open, true))
            .collect();
        let all = |action: ReviewAction| {
            let seen = Some(view.version.clone());
            move |_| self.decide(action, None, seen.clone())
        };
        let (accept_all, decline_all) = (all(ReviewAction::Accept), all(ReviewAction::Decline));
        let closed = !view.open;
        view! {
            <h3>{format!("Waiting for you: {}", words::counted(view.waiting_total, "node"))}</h3>
            <div class="actions">
                <button type="button" class="primary small" data-test="accept-all" disabled=closed on:click=accept_all>"Accept all"</button>
                <button type="button" class="small" data-test="decline-all" disabled=closed on:click=decline_all>"Decline all"</button>
            </div>
            <ul class="certificates" data-test="waiting">{items}</ul>
            {more(view.waiting.len(), view.waiting_total)}
        }
        .into_any()
    }

    fn declined(self, view: &ReviewView) -> Option<AnyView> {
        if view.declined.is_empty() {
            return None;
        }
        let items: Vec<AnyView> = view
            .declined
            .iter()
            .map(|item| self.item(item, view.open, false))
            .collect();
        Some(
            view! {
                <details>
                    <summary>{format!("Declined: {}", words::counted(view.declined_total, "node"))}</summary>
                    <ul class="certificates" data-test="declined">{items}</ul>
                    {more(view.declined.len(), view.declined_total)}
                </details>
            }
            .into_any(),
        )
    }

    fn item(self, item: &ReviewItem, open: bool, waits: bool) -> AnyView {
        let name = words::plain(&item.point);
        let decide = |action: ReviewAction| {
            let point = item.point.clone();
            move |_| self.decide(action, Some(vec![point.clone()]), None)
        };
        let (accept, decline) = (decide(ReviewAction::Accept), decide(ReviewAction::Decline));
        let (accept_label, decline_label) = (format!("Accept {name}"), format!("Decline {name}"));
        let closed = !open;
        let since = if waits { "Found " } else { "Declined " };
        view! {
            <li data-test="newcomer">
                <p>{name}{item.data_type.as_deref().map(|of| format!(", {}", words::plain(of)))}</p>
                <p class="faint">{since}{ago(item.since)}</p>
                <div class="actions">
                    <button type="button" class="primary small" data-test="accept" aria-label=accept_label disabled=closed on:click=accept>"Accept"</button>
                    {waits.then(|| view! {
                        <button type="button" class="small" data-test="decline" aria-label=decline_label disabled=closed on:click=decline>"Decline"</button>
                    })}
                    {copy_text(&item.address, "the node id", "address")}
                </div>
            </li>
        }
        .into_any()
    }

    /// `seen` is the version of the list that is shown: what came since is not decided with it.
    fn decide(self, action: ReviewAction, points: Option<Vec<String>>, seen: Option<String>) {
        let source = self.source.get_value();
        spawn_local(async move {
            let draft = ReviewDraft {
                action,
                points,
                version: seen,
            };
            match change::<DecideReview>(&[&source], &draft, None).await {
                Ok(done) => self.toasts.done(&words::capital(&done.words)),
                Err(trouble) => self.toasts.trouble(&trouble),
            }
            self.view.refresh();
        });
    }
}

fn more(shown: usize, total: u64) -> Option<AnyView> {
    let more = total.saturating_sub(shown as u64);
    (more > 0).then(|| {
        view! { <p class="faint">{format!("and {} more", words::count(more))}</p> }.into_any()
    })
}
