//! What the value of the node that is looked at was, as far as the server itself keeps it: read when somebody asks.

use fieldgate_api::endpoint::ReadPast;
use fieldgate_api::explore::{ExploreDetail, ExploreHistory, ExplorePast, ExploreValue};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Session;
use crate::client::change;
use crate::widgets::page::trouble_note;
use crate::widgets::sparkline::sparkline;
use crate::widgets::time::instant;
use crate::widgets::value::quality;

/// How far back, in seconds.
const SPANS: [(u32, &str); 3] = [
    (3600, "last hour"),
    (86_400, "last day"),
    (604_800, "last week"),
];
/// The newest of these are read, and so many are listed.
const MOST: u32 = 500;
const LISTED: usize = 20;

/// Nothing for a node of which no history is kept.
pub fn past(session: Session, detail: RwSignal<Option<ExploreDetail>>) -> AnyView {
    let node = Memo::new(move |_| {
        detail.with(|detail| {
            let detail = detail.as_ref().filter(|detail| detail.history)?;
            Some(detail.node.address.clone())
        })
    });
    let outcome = RwSignal::new(None::<Result<ExplorePast, Trouble>>);
    let busy = RwSignal::new(false);
    // Another node has another past.
    Effect::new(move |_| {
        node.track();
        outcome.set(None);
        busy.set(false);
    });
    let read = move |seconds: u32| {
        let Some(asked) = node.get_untracked().filter(|_| !busy.get_untracked()) else {
            return;
        };
        busy.set(true);
        let ask = ExploreHistory {
            at: session.at.get_value(),
            node: asked.clone(),
            seconds,
            most: MOST,
        };
        spawn_local(async move {
            let seen = change::<ReadPast>(&[], &ask, None).await;
            if node.try_get_untracked().flatten() == Some(asked) {
                busy.try_set(false);
                outcome.try_set(Some(seen));
            }
        });
    };
    let button = move |(seconds, span): (u32, &'static str)| {
        view! { <button type="button" class="small" data-test="read-past" aria-disabled=move || busy.get().then_some("true") on:click=move |_| read(seconds)>{words::capital(span)}</button> }
    };
    (move || {
        node.get().map(|_| {
            view! {
                <h3>"History"</h3>
                <p class="help">"The server keeps what this value was."</p>
                <div class="actions">{SPANS.map(button).into_iter().collect_view()}</div>
                <div role="status" data-test="past">{move || outcome.get().map(|outcome| match outcome {
                    Err(trouble) => trouble_note(&trouble),
                    Ok(past) => values(&past),
                })}</div>
            }
        })
    })
    .into_any()
}

fn values(past: &ExplorePast) -> AnyView {
    let count = past.values.len() as u64;
    let told = match (count, past.more) {
        (0, _) => "There is none of this time.".to_owned(),
        (count, false) => format!("{}.", words::counted(count, "value")),
        (count, true) => format!(
            "The newest {}; there are older ones.",
            words::counted(count, "value")
        ),
    };
    let number = |value: &ExploreValue| {
        let number = value
            .text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())?;
        Some((value.source_at?.millis(), number))
    };
    let mut line: Vec<(i64, f64)> = past.values.iter().filter_map(number).collect();
    line.reverse();
    let row = |value: &ExploreValue| {
        view! {
            <li>
                <span class="faint">{value.source_at.map(instant)}</span>
                <strong>{words::plain(&value.text)}</strong>
                {quality(value.quality, value.why.as_deref())}
            </li>
        }
    };
    view! {
        <p>{told}" "{(line.len() > 1).then(|| sparkline(&line))}</p>
        <ul class="lines">{past.values.iter().take(LISTED).map(row).collect_view()}</ul>
    }
    .into_any()
}
