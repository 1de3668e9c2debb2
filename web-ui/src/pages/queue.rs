//! Queue: what each destination has before it, the lanes on the disk, the ledger, and what can be done about all of it.

mod actions;
mod backlogs;
mod check;
mod dead;
mod ledger;
mod receipts;

use fieldgate_api::endpoint::GetQueue;
use fieldgate_api::state::{LaneView, QueueView};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::fetched::{OFTEN, fetched};
use crate::widgets::empty::empty_state;
use crate::widgets::page::{heading, when_there};
use crate::widgets::status::status_sentence;
use crate::widgets::time::ago;

/// A lane that is full within a day needs somebody.
const SOON_FULL_S: f64 = 86_400.0;

pub fn page() -> AnyView {
    let queue = fetched::<GetQueue>(Some(OFTEN), || Some(Vec::new()));
    // The forms stand outside of what is drawn anew with each figure.
    let destinations = Memo::new(move |_| {
        queue.data.with(|queue| {
            let backlogs = queue.iter().flat_map(|queue| &queue.backlogs);
            backlogs
                .map(|backlog| backlog.destination.clone())
                .collect::<Vec<_>>()
        })
    });
    let any = Memo::new(move |_| destinations.with(|all| !all.is_empty()));
    view! {
        {heading("Queue", ())}
        {when_there(queue, queue_view)}
        {dead::dead()}
        {move || any.get().then(|| actions::actions(destinations))}
        {check::check()}
        {receipts::receipts()}
    }
    .into_any()
}

fn queue_view(queue: &QueueView) -> AnyView {
    let lanes: Vec<AnyView> = queue.lanes.iter().map(lane).collect();
    let backlogs: Vec<AnyView> = queue.backlogs.iter().map(backlogs::backlog).collect();
    let none = backlogs.is_empty();
    view! {
        {status_sentence(&queue.status)}
        {backlogs::ridden_out(queue.longest_outage.as_ref())}
        <section aria-labelledby="backlog-title">
            <h2 id="backlog-title">"What is still to be delivered"</h2>
            <ul class="cards">{backlogs}</ul>
            {none.then(|| empty_state("No destination yet.", "What a route takes waits here until its destination acknowledges it.", Some(("Add a destination", Place::New(Section::Destinations).path()))))}
        </section>
        <section aria-labelledby="lanes-title">
            <h2 id="lanes-title">"Lanes on the disk"</h2>
            <ul class="cards">{lanes}</ul>
            <p class="faint">{format!("{} free on the queue's disk", words::bytes(queue.disk_free_bytes))}</p>
        </section>
        <section aria-labelledby="ledger-title">
            <h2 id="ledger-title">"Ledger by route and lane"</h2>
            {ledger::ledger(&queue.ledger)}
        </section>
    }
    .into_any()
}

fn lane(lane: &LaneView) -> AnyView {
    let share = if lane.max_bytes == 0 {
        0.0
    } else {
        lane.disk_bytes as f64 / lane.max_bytes as f64 * 100.0
    };
    let level = if share >= 95.0 {
        "bad"
    } else if share >= 80.0 {
        "warning"
    } else {
        "good"
    };
    let words_of_share = format!(
        "{} of {} ({share:.0} %)",
        words::bytes(lane.disk_bytes),
        words::bytes(lane.max_bytes)
    );
    let full = match lane.on_full.as_str() {
        "drop_oldest" => "when full, the oldest readings make room",
        "refuse_newest" => "when full, new readings wait",
        "thin" => "when full, old readings are thinned",
        other => other,
    };
    let full = full.to_owned();
    let forecast = lane.full_in_s.map(|seconds| {
        let text = format!(
            "At this rate it is full in {}",
            words::span((seconds * 1000.0) as i64)
        );
        let class = if seconds < SOON_FULL_S {
            "warning-text"
        } else {
            "faint"
        };
        view! { <p class=class>{text}</p> }
    });
    let trouble = lane.trouble.clone().map(|trouble| {
        let kept = match lane.in_memory_bytes {
            0 => String::new(),
            kept => format!("; {} of the newest are kept in memory", words::bytes(kept)),
        };
        view! { <p class="bad-text">{format!("{}{kept}", words::capital(&trouble))}</p> }
    });
    let sequence = match lane.records {
        0 => "none".to_owned(),
        _ => format!("{} – {}", lane.first_seq, lane.last_seq),
    };
    let last_commit = match lane.commits {
        0 => "none since the start".to_owned(),
        _ => words::took(lane.last_commit_ms),
    };
    let has_budget = lane.max_bytes > 0;
    let name = words::capital(&lane.lane);
    view! {
        <li class="card">
            <h3>{name.clone()}</h3>
            {has_budget.then(|| view! {
                <div class="budget">
                    <svg class=format!("bar {level}") viewBox="0 0 100 6" preserveAspectRatio="none" height="10" width="100%" role="img" aria-label=format!("{name} lane: {words_of_share}")>
                        <rect class="bar-back" width="100" height="6"></rect>
                        <rect class="bar-fill" width=format!("{:.2}", share.clamp(0.0, 100.0)) height="6"></rect>
                    </svg>
                    <p>{words_of_share.clone()}", "{full}</p>
                    {forecast}
                </div>
            })}
            {trouble}
            <dl class="figures">
                <div><dt>"records"</dt><dd>{words::count(lane.records)}</dd></div>
                <div><dt>"oldest"</dt><dd>{lane.oldest.map_or_else(|| "none".into_any(), ago)}</dd></div>
                <div><dt>"sequence"</dt><dd>{sequence}</dd></div>
                <div><dt>"commits"</dt><dd>{words::count(lane.commits)}</dd></div>
                <div><dt>"last commit, synced"</dt><dd>{last_commit}</dd></div>
            </dl>
        </li>
    }
    .into_any()
}
