//! What each destination has before it, how long that takes, and when it was away.

use fieldgate_api::state::{Backlog, OutageView, RiddenOut};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::live::Live;
use crate::widgets::time::{ago, instant};

/// So many outages are shown.
const SHOWN: usize = 10;

pub fn backlog(backlog: &Backlog) -> AnyView {
    let url = Place::Item(Section::Destinations, backlog.destination.clone()).path();
    let behind = backlog.pending > 0 && backlog.drain_s.is_none();
    view! {
        <li class="card">
            <h3><a href=url>{backlog.destination.clone()}</a></h3>
            <p class=if behind { "drain warning-text" } else { "drain" }>{words::capital(&words::drain(backlog.pending, backlog.drain_s))}</p>
            <dl class="figures">
                <div><dt>"waiting"</dt><dd>{format!("{}, {}", words::counted(backlog.pending, "reading"), words::bytes(backlog.pending_bytes))}</dd></div>
                <div><dt>"in flight"</dt><dd>{words::count(backlog.in_flight)}</dd></div>
                <div><dt>"oldest"</dt><dd>{backlog.oldest.map_or_else(|| "none".into_any(), ago)}</dd></div>
                <div><dt>"in"</dt><dd>{words::rate(backlog.rate_in)}</dd></div>
                <div><dt>"out"</dt><dd>{words::rate(backlog.rate_out)}</dd></div>
            </dl>
            {outages(&backlog.outages)}
        </li>
    }
    .into_any()
}

fn outages(outages: &[OutageView]) -> AnyView {
    if outages.is_empty() {
        return view! { <p class="faint">"No outage since the gateway started."</p> }.into_any();
    }
    let lines: Vec<AnyView> = outages.iter().take(SHOWN).map(outage).collect();
    let title = format!(
        "{} since the gateway started",
        words::counted(outages.len() as u64, "outage")
    );
    view! { <h4>{title}</h4><ol class="lines">{lines}</ol> }.into_any()
}

fn outage(outage: &OutageView) -> AnyView {
    let live = Live::expect();
    let from = outage.from;
    let lasted = match outage.to {
        Some(to) => {
            let text = format!(
                ", for {}",
                words::span((to.millis() - from.millis()).max(1000))
            );
            text.into_any()
        }
        None => (move || {
            format!(
                ", for {} so far",
                words::span((live.now.get() - from.millis()).max(1000))
            )
        })
        .into_any(),
    };
    let words = words::plain(&outage.words);
    view! { <li><span>{instant(from)}{lasted}</span><span class="faint">{words}</span></li> }
        .into_any()
}

/// `Longest outage ridden out: 2 h 14 min, of broker`
pub fn ridden_out(longest: Option<&RiddenOut>) -> AnyView {
    let Some(longest) = longest else {
        return ().into_any();
    };
    let lasted = words::span((longest.to.millis() - longest.from.millis()).max(1000));
    view! {
        <p class="faint" data-test="ridden-out">{format!("Longest outage ridden out: {lasted}, of {}, from ", longest.destination)}{instant(longest.from)}"."</p>
    }
    .into_any()
}
