//! Captures: what is heard of a device, or of all, as a file that replays.

use fieldgate_api::endpoint::{StartCapture, StopCapture};
use fieldgate_api::scanner::{CaptureAt, CaptureDraft, CaptureView, ScanView};
use fieldgate_ui_logic::place::encode;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Radio;
use crate::client::change;
use crate::fetched::Fetched;
use crate::widgets::time::instant;

/// How long, in seconds.
const TIMES: [(&str, &str); 3] = [
    ("60", "1 minute"),
    ("300", "5 minutes"),
    ("600", "10 minutes"),
];

/// Of one device, or of all.
pub fn card(radio: Radio, scan: Fetched<ScanView>, address: Option<String>) -> AnyView {
    let address = StoredValue::new(address);
    let seconds = RwSignal::new(60);
    let captures = Memo::new(move |_| {
        let of_this = |capture: &&CaptureView| {
            address.with_value(|address| address.is_none() || capture.address == *address)
        };
        scan.data.with(|view| {
            let all = view.iter().flat_map(|view| &view.captures);
            all.filter(of_this).cloned().collect::<Vec<_>>()
        })
    });
    let start = move |_| {
        let draft = CaptureDraft {
            address: address.get_value(),
            seconds: seconds.get_untracked(),
        };
        spawn_local(async move {
            let source = radio.source.get_value();
            match change::<StartCapture>(&[&source], &draft, None).await {
                Ok(_) => scan.refresh(),
                Err(trouble) => radio.toasts.trouble(&trouble),
            }
        });
    };
    let words = match address.with_value(Option::is_some) {
        true => "What it sends from now on, as a file: for a bug report, or to be replayed.",
        false => {
            "What everybody near sends from now on, as a file: for a bug report, or to be replayed. It has the addresses of all devices around."
        }
    };
    let option = |(value, words): (&'static str, &'static str)| view! { <option value=value>{words}</option> };
    let listening = Memo::new(move |_| {
        scan.data
            .with(|view| view.as_ref().is_some_and(|view| view.listening))
    });
    let content = move || {
        view! {
            <section class="card" aria-labelledby="capture-title" data-test="capture">
                <h2 id="capture-title">"Capture"</h2>
                <p class="help">{words}</p>
                <div class="actions">
                    <label class="inline">"For "<select on:change=move |event| seconds.set(event_target_value(&event).parse().unwrap_or(60))>{TIMES.map(option).into_iter().collect_view()}</select></label>
                    <button type="button" data-test="capture-start" on:click=start>"Capture"</button>
                </div>
                <ul class="lines"><For each=move || captures.get() key=|capture| capture.id
                    children=move |capture| line(radio, scan, captures, capture.id)/></ul>
            </section>
        }
    };
    (move || listening.get().then(content)).into_any()
}

fn line(
    radio: Radio,
    scan: Fetched<ScanView>,
    captures: Memo<Vec<CaptureView>>,
    id: u64,
) -> AnyView {
    let own = Memo::new(move |_| {
        captures.with(|all| all.iter().find(|capture| capture.id == id).cloned())
    });
    let running = Memo::new(move |_| own.get().is_some_and(|capture| capture.running));
    let about = move || {
        own.get().map(|capture| {
            let of = capture.address.as_deref().map_or("everybody", |address| address);
            let left = capture.until.millis() - radio.live.now.get();
            let state = match capture.running {
                true => format!("{} left", words::span(left.max(0))),
                false => "ended".to_owned(),
            };
            view! {
                <span><strong>{words::counted(capture.packets, "packet")}</strong>{format!(" of {of}, since ")}{instant(capture.since)}</span>
                <span class="faint">{state}</span>
            }
        })
    };
    let url = format!(
        "/api/v1/export/scanners/{}/captures/{id}",
        encode(&radio.source.get_value())
    );
    let stop = move |_| {
        spawn_local(async move {
            let source = radio.source.get_value();
            match change::<StopCapture>(&[&source], &CaptureAt { id }, None).await {
                Ok(_) => scan.refresh(),
                Err(trouble) => radio.toasts.trouble(&trouble),
            }
        });
    };
    view! {
        <li data-test="captured">
            {about}
            {move || running.get().then(|| view! { <button type="button" class="small" on:click=stop>"Stop"</button> })}
            <a class="button small" href=url download=format!("bluetooth-{id}.jsonl")>"Download"</a>
        </li>
    }
    .into_any()
}
