//! The adapters: how each is, in words, what was done lately to bring it back, and how it listens.

use fieldgate_api::scanner::{AdapterView, ScanView};
use fieldgate_api::state::Level;
use fieldgate_ui_logic::{radio, words};
use leptos::prelude::*;

use super::not_listening;
use crate::fetched::Fetched;
use crate::widgets::status::status_word;
use crate::widgets::time::ago;

pub fn card(scan: Fetched<ScanView>) -> AnyView {
    let state = Memo::new(move |_| {
        scan.data.with(|view| {
            let view = view.as_ref()?;
            Some((
                view.listening,
                view.status.clone(),
                view.words.clone(),
                view.adapters.clone(),
                view.source.clone(),
            ))
        })
    });
    let counts = move || {
        scan.data.with(|view| {
            let view = view.as_ref()?;
            let ignored: Vec<String> = view
                .not_looked_at
                .iter()
                .filter(|ignored| ignored.packets > 0)
                .map(|ignored| {
                    format!(
                        "{} not looked at: {}",
                        words::count(ignored.packets),
                        words::plain(&ignored.why)
                    )
                })
                .collect();
            let counted = words::counted(view.packets, "packet");
            let all = [vec![counted], ignored].concat().join(" · ");
            view.listening
                .then(|| view! { <p class="faint">{format!("{all}.")}</p> })
        })
    };
    view! {
        {move || state.get().map(|(listening, status, sentence, adapters, source)| {
            if !listening {
                let view = ScanView { source, status, ..ScanView::default() };
                return not_listening(&view);
            }
            view! {
                <section class="card" aria-labelledby="radios-title" data-test="radios">
                    <h2 id="radios-title">"Radio"</h2>
                    {(!sentence.is_empty()).then(|| view! { <p role="status" data-test="radio-words">{begun(&sentence)}</p> })}
                    <ul class="radios">{adapters.iter().map(adapter).collect_view()}</ul>
                    {counts}
                </section>
            }
            .into_any()
        })}
    }
    .into_any()
}

fn adapter(adapter: &AdapterView) -> AnyView {
    let (level, state) = radio::adapter(adapter.state);
    let mode = adapter.mode.as_deref().map(|mode| match mode {
        "active" => "active scan: asks devices for their names",
        _ => "passive scan: only listens, saves the devices’ batteries",
    });
    let links = (adapter.connections > 0).then(|| {
        format!(
            "{} of {} in use",
            words::counted(adapter.connections.into(), "connection"),
            adapter.most_connections
        )
    });
    let rate = (adapter.packets_per_s > 0.0)
        .then(|| format!("{} packets", words::rate(adapter.packets_per_s)));
    let facts = [
        adapter.address.clone(),
        mode.map(str::to_owned),
        rate,
        links,
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let steps = adapter.steps.iter().rev().map(|step| {
        view! { <li><span>{words::sentence(&words::capital(&step.words))}</span><span class="faint">{ago(step.at)}</span></li> }
    });
    let steps = (!adapter.steps.is_empty()).then(|| {
        view! {
            <details open=level != Level::Good><summary>"What was done to bring it back"</summary><ul class="lines">{steps.collect_view()}</ul></details>
        }
    });
    view! {
        <li data-test="adapter" data-state=format!("{:?}", adapter.state)>
            <p class="card-head"><strong>{words::plain(&adapter.id)}</strong>{status_word(level, state)}</p>
            {(!adapter.words.is_empty()).then(|| view! { <p>{begun(&adapter.words)}</p> })}
            <p class="faint">{facts}</p>
            {steps}
        </li>
    }
    .into_any()
}

/// A sentence; an adapter's name at its beginning stays as the system writes it.
fn begun(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let sentence = words::sentence(text);
    match first.contains(|c: char| c.is_ascii_digit()) {
        true => sentence,
        false => words::capital(&sentence),
    }
}
