//! `StatusSentence`: how something is, in words first: subject, state, since when, what to do.

use fieldgate_api::scanner::FreshnessWord;
use fieldgate_api::state::{Level, Status};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::icon::{level_class, level_icon};
use super::time::local;
use crate::live::Live;

/// The whole sentence.
pub fn status_sentence(status: &Status) -> AnyView {
    let class = format!("status {}", level_class(status.level));
    view! {
        <div class=class>
            {level_icon(status.level)}
            <p>
                <strong>{words::capital(&status.state)}</strong>
                {(!status.words.is_empty()).then(|| format!(" – {}", words::sentence(&status.words)))}
                {status.since.map(|since| view! { <span class="since">{format!(" Since {}.", local(since))}</span> })}
                {retry(status)}
            </p>
        </div>
    }
    .into_any()
}

/// Only the state, for tables.
pub fn status_word(level: Level, state: &str) -> AnyView {
    let class = format!("status short {}", level_class(level));
    let state = words::capital(state);
    view! { <span class=class>{level_icon(level)}<span>{state}</span></span> }.into_any()
}

/// Whether a device comes when it should, as its source knows it.
pub fn freshness_word(word: FreshnessWord) -> AnyView {
    let level = match word {
        FreshnessWord::OnTime => Level::Good,
        FreshnessWord::Learning | FreshnessWord::Sleeping => Level::Idle,
        FreshnessWord::Late => Level::Warning,
        FreshnessWord::Silent => Level::Bad,
    };
    status_word(level, word.as_str())
}

fn retry(status: &Status) -> Option<AnyView> {
    let at = status.retry_at?;
    let live = Live::expect();
    let attempts = status.attempts;
    let view = move || {
        let left = at.millis() - live.now.get();
        let when = if left > 999 {
            format!("in {}", words::span(left))
        } else {
            "now".to_owned()
        };
        format!(
            " Next attempt {when}; {} so far.",
            words::counted(attempts, "attempt")
        )
    };
    Some(view! { <span class="since">{view}</span> }.into_any())
}
