//! `ValueCell`: a value with its unit, its quality and its age. Never one without the others.

use fieldgate_api::state::LiveValue;
use fieldgate_model::QualityLevel;
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::icon::{Icon, icon};
use crate::live::Live;

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
