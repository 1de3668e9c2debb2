//! Queue: the lanes on the disk, what each destination still has to deliver, the ledger, the dead letters.

use std::sync::Arc;

use fieldgate_api::dead::{DeadLetter, DeadQuery};
use fieldgate_api::endpoint::{GetDeadLetters, GetQueue};
use fieldgate_api::state::{Backlog, LaneView, Ledger, LedgerRow, LedgerSum, QueueView};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::fetched::{OFTEN, asked, fetched};
use crate::widgets::data_table::{Column, Row, column, data_table, text};
use crate::widgets::empty::empty_state;
use crate::widgets::page::{heading, when_there};
use crate::widgets::status::status_sentence;
use crate::widgets::time::{ago, instant};

const DEAD: &[Column] = &[
    column("Point"),
    column("Value"),
    column("Destination"),
    column("Reason"),
    column("Refused"),
];

pub fn page() -> AnyView {
    let queue = fetched::<GetQueue>(Some(OFTEN), || Some(Vec::new()));
    let dead =
        asked::<GetDeadLetters>(Some(OFTEN * 3), || Some((Vec::new(), DeadQuery::default())));
    let dead_rows = Signal::derive(move || {
        dead.data.with(|dead| {
            dead.iter()
                .flat_map(|dead| &dead.letters)
                .map(dead_row)
                .collect::<Vec<_>>()
        })
    });
    let no_dead = Memo::new(move |_| {
        dead.data
            .with(|dead| dead.as_ref().is_none_or(|dead| dead.letters.is_empty()))
    });
    view! {
        {heading("Queue", ())}
        {when_there(queue, queue_view)}
        <section aria-labelledby="dead-title" id="dead">
            <h2 id="dead-title">"Dead letters"</h2>
            <p class="help">"Readings that their destination refused for their own sake. They are kept, so that nothing is lost without a word."</p>
            {move || if no_dead.get() { empty_state("No dead letters.", "No destination refused a reading.", None) } else { data_table("dead letters", DEAD, dead_rows) }}
        </section>
    }
    .into_any()
}

fn queue_view(queue: &QueueView) -> AnyView {
    let lanes: Vec<AnyView> = queue.lanes.iter().map(lane).collect();
    let backlogs: Vec<AnyView> = queue.backlogs.iter().map(backlog).collect();
    let none = backlogs.is_empty();
    view! {
        {status_sentence(&queue.status)}
        <section aria-labelledby="backlog-title">
            <h2 id="backlog-title">"What is still to be delivered"</h2>
            <ul class="cards">{backlogs}</ul>
            {none.then(|| empty_state("No destination.", "What is accepted waits for a route and a destination.", None))}
        </section>
        <section aria-labelledby="lanes-title">
            <h2 id="lanes-title">"Lanes on the disk"</h2>
            <ul class="cards">{lanes}</ul>
            <p class="faint">{format!("{} free on the queue's disk", words::bytes(queue.disk_free_bytes))}</p>
        </section>
        <section aria-labelledby="ledger-title">
            <h2 id="ledger-title">"Ledger by route and lane"</h2>
            {ledger(&queue.ledger)}
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
                </div>
            })}
            <dl class="figures">
                <div><dt>"records"</dt><dd>{words::count(lane.records)}</dd></div>
                <div><dt>"oldest"</dt><dd>{lane.oldest.map_or_else(|| "none".into_any(), ago)}</dd></div>
                <div><dt>"sequence"</dt><dd>{format!("{} – {}", lane.first_seq, lane.last_seq)}</dd></div>
                <div><dt>"commits"</dt><dd>{words::count(lane.commits)}</dd></div>
                <div><dt>"last commit, synced"</dt><dd>{words::took(lane.last_commit_ms)}</dd></div>
            </dl>
        </li>
    }
    .into_any()
}

fn backlog(backlog: &Backlog) -> AnyView {
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
        </li>
    }
    .into_any()
}

fn ledger(ledger: &Ledger) -> AnyView {
    const TITLES: [&str; 8] = [
        "Accepted",
        "Delivered",
        "Waiting",
        "Expired",
        "Evicted",
        "Dead letters",
        "Lost, detected",
        "Unaccounted",
    ];
    let numbers = |sum: &LedgerSum| {
        let counts = [
            sum.accepted,
            sum.acked,
            sum.pending,
            sum.expired,
            sum.evicted,
            sum.dead_lettered,
            sum.lost_detected,
        ];
        let mut texts: Vec<String> = counts.into_iter().map(words::count).collect();
        texts.push(sum.unaccounted.to_string());
        let cells = texts.into_iter().zip(TITLES);
        cells
            .map(|(text, title)| view! { <td role="cell" class="num" data-label=title>{text}</td> })
            .collect_view()
    };
    let row = |row: &LedgerRow| {
        let name = format!("{} → {}, {} lane", row.route, row.destination, row.lane);
        view! { <tr role="row"><th role="rowheader" scope="row" data-label="Route">{name}</th>{numbers(&row.sum)}</tr> }
    };
    let rows: Vec<_> = ledger.rows.iter().map(row).collect();
    let dropped: Vec<AnyView> = ledger
        .dropped_before
        .iter()
        .map(|(reason, count)| {
            view! { <div><dt>{reason.replace('_', " ")}</dt><dd>{words::count(*count)}</dd></div> }
                .into_any()
        })
        .collect();
    let any_dropped = !dropped.is_empty();
    view! {
        <div class="table-box" tabindex="0" role="region" aria-label="Table of the ledger">
        <table class="plain" role="table" aria-label="Ledger by route and lane">
            <thead role="rowgroup"><tr role="row">
                <th role="columnheader" scope="col">"Route"</th>
                {TITLES.map(|title| view! { <th role="columnheader" scope="col" class="num">{title}</th> }).collect_view()}
            </tr></thead>
            <tbody role="rowgroup">{rows}
                <tr role="row" class="total"><th role="rowheader" scope="row" data-label="Route">"All"</th>{numbers(&ledger.total)}</tr>
            </tbody>
        </table>
        </div>
        {any_dropped.then(|| view! {
            <h3>"Held back before they were accepted"</h3>
            <dl class="figures">{dropped}</dl>
        })}
    }
    .into_any()
}

fn dead_row(letter: &DeadLetter) -> Row {
    let letter = letter.clone();
    let cells = vec![
        text(words::plain(&letter.point)),
        text(words::plain(&letter.text)),
        text(letter.destination.clone()),
        text(words::plain(&letter.why)),
        text(letter.refused_at.to_string()),
    ];
    let key = letter.id.to_string();
    let view = move |index| (index == 4).then(|| instant(letter.refused_at));
    Row {
        key,
        cells,
        view: Arc::new(view),
    }
}
