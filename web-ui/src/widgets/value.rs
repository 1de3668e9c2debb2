//! `ValueCell`: a value with its unit, its quality and its age. Never one without the others.

use std::time::Duration;

use fieldgate_api::state::LiveValue;
use fieldgate_model::QualityLevel;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::icon::{Icon, icon};
use crate::live::{Live, is_hidden};

/// How often it is looked which rows are in sight.
const LOOK: Duration = Duration::from_millis(500);
/// Rows so near to the window, in pixels, count as in sight.
const MARGIN: f64 = 300.0;
/// The cell of a point; `signal` is its live value.
pub fn value_cell(point: &str, signal: RwSignal<Option<LiveValue>>) -> AnyView {
    let point = point.to_owned();
    view! {
        <span class="value" data-test="value" data-point=point>
            {move || signal.get().map_or_else(nothing, |value| shown(&value))}
        </span>
    }
    .into_any()
}

fn nothing() -> AnyView {
    view! { <span class="number none">"—"<span class="unseen">" no value yet"</span></span> }
        .into_any()
}

fn shown(value: &LiveValue) -> AnyView {
    let live = Live::expect();
    let seen = value.seen.millis();
    let unit = value
        .unit
        .as_deref()
        .map(|unit| words::unit(unit).to_owned());
    let text = words::plain(&value.text);
    view! {
        <span class="number" data-test="value-text">{text}</span>
        {unit.filter(|unit| !unit.is_empty()).map(|unit| view! { <span class="unit">{format!(" {unit}")}</span> })}
        {quality(value.quality, value.why.as_deref())}
        <span class="age">{move || words::age(live.now.get() - seen)}</span>
    }
    .into_any()
}

/// How far a value can be trusted, and why not.
pub fn quality(level: QualityLevel, why: Option<&str>) -> AnyView {
    let (class, picture, word) = match level {
        QualityLevel::Good => ("quality good", Icon::Good, "good"),
        QualityLevel::Uncertain => ("quality warning", Icon::Warning, "uncertain"),
        QualityLevel::Bad => ("quality bad", Icon::Bad, "bad"),
    };
    let why = why.map(words::plain);
    view! {
        <span class=class>
            {icon(picture)}
            <span class="quality-word">{word}</span>
            {why.map(|why| view! { <span class="why">{why}</span> })}
        </span>
    }
    .into_any()
}

/// Watches the points whose cells are in sight, as long as the page is there.
pub fn watch_what_is_in_sight() {
    let live = Live::expect();
    let look = move || {
        if !is_hidden() {
            live.watch(in_sight());
        }
    };
    let timer = set_interval_with_handle(look, LOOK);
    on_cleanup(move || {
        if let Ok(timer) = timer {
            timer.clear();
        }
        live.watch(Vec::new());
    });
}

fn in_sight() -> Vec<String> {
    let height = window()
        .inner_height()
        .ok()
        .and_then(|height| height.as_f64())
        .unwrap_or(0.0);
    let Ok(cells) = document().query_selector_all("[data-point]") else {
        return Vec::new();
    };
    (0..cells.length())
        .filter_map(|index| cells.item(index)?.dyn_into::<Element>().ok())
        .filter(|cell| {
            let place = cell.get_bounding_client_rect();
            place.bottom() > -MARGIN && place.top() < height + MARGIN
        })
        .filter_map(|cell| cell.get_attribute("data-point"))
        .collect()
}
