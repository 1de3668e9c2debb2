//! The ledger as a sum that can be checked by eye: what was accepted, where it went, and that nothing is left over.

use fieldgate_api::state::{EvictedBy, Ledger, LedgerRow, LedgerSum};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

const TITLES: [&str; 8] = [
    "Accepted",
    "=\u{a0}Delivered",
    "+\u{a0}Waiting",
    "+\u{a0}Expired",
    "+\u{a0}Evicted",
    "+\u{a0}Dead letters",
    "+\u{a0}Lost, detected",
    "Unaccounted",
];

pub fn ledger(ledger: &Ledger) -> AnyView {
    let rows: Vec<_> = ledger.rows.iter().map(row).collect();
    let dropped: Vec<AnyView> = ledger
        .dropped_before
        .iter()
        .map(|(reason, count)| figure(&reason.replace('_', " "), *count))
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
        {evicted(ledger.total.evicted_by)}
        {any_dropped.then(|| view! {
            <h3>"Held back before they were accepted"</h3>
            <dl class="figures">{dropped}</dl>
        })}
    }
    .into_any()
}

fn row(row: &LedgerRow) -> AnyView {
    let name = format!("{} → {}, {} lane", row.route, row.destination, row.lane);
    view! { <tr role="row"><th role="rowheader" scope="row" data-label="Route">{name}</th>{numbers(&row.sum)}</tr> }.into_any()
}

fn numbers(sum: &LedgerSum) -> AnyView {
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
        .into_any()
}

fn evicted(by: EvictedBy) -> AnyView {
    let reasons = [
        ("the lane was full", by.full),
        ("thinned", by.thinned),
        ("purged by a person", by.purged),
        ("their destination was removed", by.removed),
    ];
    let some: Vec<AnyView> = reasons
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| figure(reason, count))
        .collect();
    if some.is_empty() {
        return ().into_any();
    }
    view! { <h3>"Evicted, by reason"</h3><dl class="figures">{some}</dl> }.into_any()
}

fn figure(name: &str, count: u64) -> AnyView {
    let name = name.to_owned();
    view! { <div><dt>{name}</dt><dd>{words::count(count)}</dd></div> }.into_any()
}
