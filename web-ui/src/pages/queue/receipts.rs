//! The hourly receipts: whether their chain holds, and each to download.

use fieldgate_api::endpoint::GetReceipts;
use fieldgate_api::receipt::{ReceiptLine, Receipts};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::fetched::{OFTEN, fetched};
use crate::widgets::empty::empty_state;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::page::when_there;

/// So many are listed; the rest are on the disk and in the API.
const LISTED: usize = 24;

pub fn receipts() -> AnyView {
    let receipts = fetched::<GetReceipts>(Some(OFTEN * 20), || Some(Vec::new()));
    view! {
        <section aria-labelledby="receipts-title" id="receipts">
            <h2 id="receipts-title">"Receipts"</h2>
            <p class="help">"Each hour leaves a receipt of the ledger, which names the SHA-256 of the one before. Keep one elsewhere to prove later that none was changed."</p>
            {when_there(receipts, view_of)}
        </section>
    }
    .into_any()
}

fn view_of(receipts: &Receipts) -> AnyView {
    let lines: Vec<AnyView> = receipts.receipts.iter().take(LISTED).map(line).collect();
    let list = match lines.is_empty() {
        true => empty_state(
            "No receipt yet.",
            "The first is written when the hour is over.",
            None,
        ),
        false => view! { <ul class="lines">{lines}</ul> }.into_any(),
    };
    let any = !receipts.receipts.is_empty() || !receipts.findings.is_empty();
    view! {
        {any.then(|| verdict(receipts))}
        {list}
        <p><a class="button" href="/api/v1/queue/receipts/now" download="fieldgate-receipt-now.json">"Download the running hour so far"</a></p>
    }
    .into_any()
}

fn verdict(receipts: &Receipts) -> AnyView {
    if receipts.findings.is_empty() {
        let kept = words::counted(receipts.receipts.len() as u64, "receipt");
        let text = format!("{kept} of the last {} days; the chain holds", receipts.days);
        return view! { <p class="status good" data-test="chain">{icon(Icon::Good)}<span>{text}</span></p> }.into_any();
    }
    let findings: Vec<AnyView> = receipts
        .findings
        .iter()
        .map(|finding| {
            let words = format!("{}: {}", finding.hour, words::plain(&finding.words));
            view! { <li>{words}</li> }.into_any()
        })
        .collect();
    view! {
        <div class="note bad" role="alert" data-test="chain">{icon(Icon::Bad)}
            <div><p><strong>"The chain of receipts is broken"</strong></p><ul>{findings}</ul></div>
        </div>
    }
    .into_any()
}

fn line(line: &ReceiptLine) -> AnyView {
    let url = format!("/api/v1/export/receipts/{}.json", line.hour);
    let change = line.change;
    let text = format!(
        "{} accepted, {} delivered, {} unaccounted",
        words::count(change.accepted),
        words::count(change.acked),
        change.unaccounted
    );
    view! {
        <li><a href=url download>{format!("{} h UTC", line.hour.replace('T', " "))}</a><span class="faint">{text}</span></li>
    }
    .into_any()
}
