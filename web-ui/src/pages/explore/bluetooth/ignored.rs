//! Whom nobody wants to see: the list, and the way back.

use fieldgate_api::endpoint::IgnoreHeard;
use fieldgate_api::scanner::{IgnoreDraft, ScanView};
use fieldgate_ui_logic::{radio, words};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Radio;
use crate::client::change;
use crate::fetched::Fetched;

/// What an entry begins with that means all devices of a maker.
pub const VENDOR: &str = "vendor:";

// === impl Radio ===

impl Radio {
    /// Ignores from now on, or no longer.
    pub(super) fn ignore(self, add: Vec<String>, remove: Vec<String>) {
        let words = match (add.as_slice(), remove.as_slice()) {
            ([one], []) => format!("Ignored: {}.", meant(one)),
            (many, []) => format!("Ignored {}.", words::counted(many.len() as u64, "device")),
            (_, [one, ..]) => format!("No longer ignored: {}.", meant(one)),
        };
        spawn_local(async move {
            let source = self.source.get_value();
            let draft = IgnoreDraft { add, remove };
            match change::<IgnoreHeard>(&[&source], &draft, None).await {
                Ok(saved) => self.toasts.saved(&words, &saved),
                Err(trouble) => self.toasts.trouble(&trouble),
            }
        });
    }
}

/// An entry in words.
fn meant(entry: &str) -> String {
    match entry.strip_prefix(VENDOR) {
        Some(vendor) => format!("all from {}", words::plain(vendor)),
        None => words::plain(entry),
    }
}

pub fn section(radio: Radio, scan: Fetched<ScanView>) -> AnyView {
    let entries = Memo::new(move |_| {
        scan.data.with(|view| {
            let view = view.as_ref();
            view.map(|view| {
                let entry = |entry: &String| {
                    let own = view.ignored.iter();
                    let known = own.filter(|heard| heard.address.eq_ignore_ascii_case(entry));
                    (entry.clone(), known.map(radio::title).next())
                };
                view.ignore.iter().map(entry).collect::<Vec<_>>()
            })
            .unwrap_or_default()
        })
    });
    let some = Memo::new(move |_| entries.with(|entries| !entries.is_empty()));
    let line = move |(entry, title): (String, Option<String>)| {
        let words = meant(&entry);
        let label = format!("No longer ignore {words}");
        view! {
            <li>
                <span>{words}</span>
                {title.map(|title| view! { <span class="faint">{title}</span> })}
                <button type="button" class="small" data-test="unignore" aria-label=label
                    on:click=move |_| radio.ignore(Vec::new(), vec![entry.clone()])>"Unignore"</button>
            </li>
        }
    };
    (move || {
        some.get().then(|| {
            view! {
                <section aria-labelledby="ignored-title">
                    <details data-test="ignored">
                        <summary id="ignored-title">{move || format!("Ignored ({})", entries.with(Vec::len))}</summary>
                        <ul class="lines card"><For each=move || entries.get() key=|(entry, _)| entry.clone() children=line/></ul>
                    </details>
                </section>
            }
        })
    })
    .into_any()
}
