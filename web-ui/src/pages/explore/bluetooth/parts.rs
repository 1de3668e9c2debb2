//! What lists and pages of advertisers have in common: the signal, the values, how it comes and whether it can be read.

use fieldgate_api::scanner::{FieldView, HeardView};
use fieldgate_ui_logic::radio;
use fieldgate_ui_logic::spark;
use leptos::prelude::*;

use crate::widgets::status::status_word;

const WIDTH: f64 = 72.0;
const HEIGHT: f64 = 20.0;

/// Bars, the number, and how it was lately.
pub fn signal(heard: &HeardView) -> AnyView {
    let Some(rssi) = heard.rssi else {
        return view! { <span class="faint">"—"<span class="unseen">" no signal strength"</span></span> }
            .into_any();
    };
    view! { <span class="signal">{bars(rssi)}<span class="dbm">{radio::dbm(rssi)}</span>{trend(&heard.rssi_history)}</span> }
        .into_any()
}

fn bars(rssi: f64) -> AnyView {
    let full = radio::bars(rssi);
    let bar = |place: u8| {
        let (x, height) = (f64::from(place) * 5.0, f64::from(place + 1) * 4.0);
        let class = if place < full { "on" } else { "off" };
        view! { <rect class=class x=x y=16.0 - height width="3.5" height=height rx="1"></rect> }
    };
    view! { <svg class="bars" viewBox="0 0 19 16" width="19" height="16" aria-hidden="true">{(0..4).map(bar).collect_view()}</svg> }
        .into_any()
}

/// The last packets as a line; they have no times, so each is a step.
fn trend(history: &[i16]) -> Option<AnyView> {
    let points: Vec<(i64, f64)> = (0..)
        .zip(history.iter().map(|dbm| f64::from(*dbm)))
        .collect();
    let (low, high) = spark::range(&points);
    let label = format!(
        "the last {} packets: {} to {}",
        points.len(),
        radio::dbm(low),
        radio::dbm(high)
    );
    let lines: Vec<_> = spark::pieces(&points, WIDTH, HEIGHT)
        .into_iter()
        .map(|points| view! { <polyline points=points></polyline> })
        .collect();
    (points.len() > 1).then(|| {
        view! { <svg class="spark" viewBox="-2 -2 76 24" width="76" height="24" role="img" aria-label=label>{lines}</svg> }
            .into_any()
    })
}

/// The first values, each with its unit.
pub fn values(fields: &[FieldView]) -> AnyView {
    let (shown, more) = radio::first(fields);
    if shown.is_empty() {
        return view! { <span class="faint">"—"<span class="unseen">" nothing decoded"</span></span> }
            .into_any();
    }
    let each = shown.iter().map(reading).collect_view();
    let more =
        (more > 0).then(|| view! { <span class="faint">{format!("and {more} more")}</span> });
    view! { <span class="readings">{each}{more}</span> }.into_any()
}

/// One value with its name.
pub fn reading(field: &FieldView) -> AnyView {
    view! {
        <span class="reading"><span class="faint">{radio::label(field)}</span>" "<strong>{radio::value(field)}</strong></span>
    }
    .into_any()
}

/// Whether it can be read; nothing where nothing is locked.
pub fn lock(heard: &HeardView) -> Option<AnyView> {
    radio::lock(heard.seal).map(|(level, words)| status_word(level, words))
}
