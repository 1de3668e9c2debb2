//! `Sparkline`: the last numbers of a point as a line, gaps left as gaps, with the same in words.

use fieldgate_ui_logic::{spark, words};
use leptos::prelude::*;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// Draws it; a dash for fewer than two numbers.
pub fn sparkline(history: &[(i64, f64)]) -> AnyView {
    let (Some(first), Some(last)) = (history.first(), history.last()) else {
        return view! { <span class="faint">"–"<span class="unseen">" no trend"</span></span> }
            .into_any();
    };
    let (low, high) = spark::range(history);
    let label = format!(
        "last {}: from {} to {}, now {}",
        words::span((last.0 - first.0).max(1000)),
        words::short(low),
        words::short(high),
        words::short(last.1)
    );
    let lines: Vec<AnyView> = spark::pieces(history, WIDTH, HEIGHT)
        .into_iter()
        .map(|points| view! { <polyline points=points></polyline> }.into_any())
        .collect();
    view! {
        <svg class="spark" viewBox="-2 -2 124 32" width="124" height="32" role="img" aria-label=label>{lines}</svg>
    }
    .into_any()
}
