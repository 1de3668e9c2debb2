//! `EmptyState`: says why nothing is here, and what to do.

use leptos::prelude::*;

/// A sentence and a way on: the words of the link and where it goes.
pub fn empty_state(title: &str, words: &str, action: Option<(&'static str, String)>) -> AnyView {
    let (title, words) = (title.to_owned(), words.to_owned());
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            <p>{words}</p>
            {action.map(|(label, url)| view! { <a class="button primary" href=url>{label}</a> })}
        </div>
    }
    .into_any()
}
