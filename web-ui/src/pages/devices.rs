//! Devices: what exists, how fresh it is, and what is wrong with it.

use std::sync::Arc;

use fieldgate_api::endpoint::GetDevices;
use fieldgate_api::state::{DeviceView, Presence};
use fieldgate_model::unescape_segment;
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::{radio, words};
use leptos::prelude::*;

use crate::fetched::{OFTEN, fetched};
use crate::live::Live;
use crate::widgets::data_table::{Column, Row, column, data_table, number, numeric, text};
use crate::widgets::empty::empty_state;
use crate::widgets::page::{heading, when_there};
use crate::widgets::status::{freshness_word, status_word};

const COLUMNS: &[Column] = &[
    column("Name"),
    column("Source"),
    column("State"),
    column("Freshness"),
    numeric("Points"),
    numeric("Problems"),
    numeric("Rate"),
];

pub fn page() -> AnyView {
    let devices = fetched::<GetDevices>(Some(OFTEN), || Some(Vec::new()));
    let rows = Signal::derive(move || {
        devices
            .data
            .with(|devices| devices.iter().flatten().map(row).collect::<Vec<_>>())
    });
    let empty = Memo::new(move |_| {
        devices
            .data
            .with(|devices| devices.as_ref().is_none_or(Vec::is_empty))
    });
    let content = move |_: &Vec<DeviceView>| {
        (move || {
            if empty.get() {
                empty_state(
                    "No device yet.",
                    "Devices appear as soon as a source finds them.",
                    Some(("Add a source", Place::New(Section::Sources).path())),
                )
            } else {
                data_table("devices", COLUMNS, rows)
            }
        })
        .into_any()
    };
    view! {
        {heading("Devices", ())}
        {when_there(devices, content)}
    }
    .into_any()
}

fn row(device: &DeviceView) -> Row {
    let live = Live::expect();
    let name = if device.name.is_empty() {
        unescape_segment(&device.id)
    } else {
        device.name.clone()
    };
    let problems = device.points_with_problems;
    let seen = device.last_seen.map(|seen| seen.millis());
    let cells = vec![
        text(words::plain(&name)),
        text(device.source.clone()),
        text(device.status.state.clone()),
        // Sorts by the instant; what is read is kept fresh by the view.
        seen.map_or_else(
            || text("never heard of"),
            |seen| {
                let word = device.presence.as_ref();
                number(
                    seen as f64,
                    word.map_or("", |known| known.freshness.as_str()),
                )
            },
        ),
        number(device.points as f64, words::count(device.points)),
        number(problems as f64, words::count(problems)),
        number(device.rate, words::rate(device.rate)),
    ];
    let (url, id, status) = (
        Place::Device(device.id.clone()).path(),
        device.id.clone(),
        device.status.clone(),
    );
    let source = device.source.clone();
    let presence = device.presence.clone();
    let view = move |index| {
        match index {
        0 => Some(view! { <a href=url.clone() data-test="device" data-device=id.clone()>{words::plain(&name)}</a> }.into_any()),
        1 => {
            let url = Place::Item(Section::Sources, source.clone()).path();
            Some(view! { <a href=url>{source.clone()}</a> }.into_any())
        }
        2 => {
            let (level, sentence) = (status.level, words::plain(&status.words));
            let told = (level > fieldgate_api::state::Level::Idle).then_some(sentence);
            Some(view! { {status_word(level, &status.state)}{told.map(|told| view! { <span class="reason">{told}</span> })} }.into_any())
        }
        3 => Some(match &presence {
            Some(presence) => known_presence(presence),
            None => (move || words::freshness(seen, live.now.get())).into_any(),
        }),
        5 if problems > 0 => Some(view! { <strong class="bad-text">{words::count(problems)}</strong> }.into_any()),
        _ => None,
    }
    };
    Row {
        key: device.id.clone(),
        cells,
        view: Arc::new(view),
    }
}

/// As its source knows it: whether it comes when it should, its signal, its charge.
fn known_presence(presence: &Presence) -> AnyView {
    let signal = presence.rssi.map(radio::dbm);
    let battery = presence
        .battery
        .map(|percent| format!("battery {percent:.0} %"));
    let more = [signal, battery].into_iter().flatten();
    let more = more.collect::<Vec<_>>().join(" · ");
    view! { <span class="stack">{freshness_word(presence.freshness)}<span class="faint">{more}</span></span> }
        .into_any()
}
