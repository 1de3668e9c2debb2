//! What every page has: its heading, and what stands there while nothing is known yet.

use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::icon::{Icon, icon};
use crate::fetched::Fetched;

/// The heading, which takes the focus when the page is shown, and the actions of the page.
pub fn heading(title: impl Into<String>, actions: impl IntoView + 'static) -> AnyView {
    let title: String = title.into();
    view! {
        <header class="page-head">
            <h1 id="page-title" tabindex="-1">{words::plain(&title)}</h1>
            <div class="actions">{actions.into_any()}</div>
        </header>
    }
    .into_any()
}

/// The page's content as soon as it is there; before, or when it cannot be had, the reason.
pub fn when_there<T>(
    fetched: Fetched<T>,
    view: impl Fn(&T) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    T: PartialEq + Send + Sync + 'static,
{
    let there = Memo::new(move |_| fetched.data.with(Option::is_some));
    (move || {
        if there.get() {
            fetched
                .data
                .with(|data| data.as_ref().map(&view))
                .into_any()
        } else {
            waiting(fetched.trouble)
        }
    })
    .into_any()
}

/// As [`when_there`], drawn once: what stands in it keeps itself fresh, so that a dialog stays open and a field keeps its focus.
pub fn once_there<T>(
    fetched: Fetched<T>,
    view: impl Fn(&T) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    T: PartialEq + Send + Sync + 'static,
{
    let there = Memo::new(move |_| fetched.data.with(Option::is_some));
    (move || {
        if there.get() {
            fetched
                .data
                .with_untracked(|data| data.as_ref().map(&view))
                .into_any()
        } else {
            waiting(fetched.trouble)
        }
    })
    .into_any()
}

fn waiting(trouble: RwSignal<Option<Trouble>>) -> AnyView {
    (move || match trouble.get() {
        Some(trouble) => trouble_note(&trouble),
        None => view! { <p class="waiting" role="status">"Loading…"</p> }.into_any(),
    })
    .into_any()
}

/// Something went wrong, in words.
pub fn trouble_note(trouble: &Trouble) -> AnyView {
    let code = trouble.code.clone();
    view! {
        <div class="note bad" role="alert">
            {icon(Icon::Bad)}
            <p><strong>{words::capital(&trouble.title)}</strong>" – "{trouble.detail.clone()}" "<small class="code">{code}</small></p>
        </div>
    }
    .into_any()
}

/// A doc comment as text; what stands in back quotes is code.
pub fn prose(text: &str) -> AnyView {
    let pieces: Vec<AnyView> = text
        .split('`')
        .enumerate()
        .map(|(index, piece)| {
            let piece = piece.to_owned();
            if index % 2 == 1 {
                view! { <code>{piece}</code> }.into_any()
            } else {
                piece.into_any()
            }
        })
        .collect();
    pieces.into_any()
}
