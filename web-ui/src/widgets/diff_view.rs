//! `DiffView`: a unified diff; plus and minus stay, so that colour is not needed.

use fieldgate_ui_logic::diff::{self, Line};
use leptos::prelude::*;

/// The lines, and how many were added and removed.
pub fn diff_view(diff: &str) -> AnyView {
    if diff.trim().is_empty() {
        return view! { <p class="faint">"Nothing differs."</p> }.into_any();
    }
    let (added, removed) = diff::sum(diff);
    let lines: Vec<AnyView> = diff::lines(diff)
        .into_iter()
        .map(|(kind, line)| {
            let class = match kind {
                Line::Added => "added",
                Line::Removed => "removed",
                Line::Place => "place",
                Line::Same => "same",
            };
            view! { <span class=class>{format!("{line}\n")}</span> }.into_any()
        })
        .collect();
    view! {
        <p class="faint">{format!("{added} added, {removed} removed")}</p>
        <pre class="diff" tabindex="0" role="region" aria-label="What differs" data-test="diff">{lines}</pre>
    }
    .into_any()
}
