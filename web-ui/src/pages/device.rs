//! A device: where it is, where its readings go, its points live, its alarms, and what may be done to it.

mod alarms;
mod commands;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fieldgate_api::endpoint::GetDevice;
use fieldgate_api::state::{DeviceAddress, DevicePage, DeviceView, LiveValue, PointView, Presence};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::{radio, words};
use leptos::prelude::*;

use self::alarms::Alarms;
use crate::fetched::fetched;
use crate::live::Live;
use crate::pages::command::{Counter, Record};
use crate::widgets::copy::copy_text;
use crate::widgets::data_table::{Column, Row, column, data_table, text};
use crate::widgets::icon::{Icon, icon};
use crate::widgets::page::{heading, once_there};
use crate::widgets::sparkline::sparkline;
use crate::widgets::status::{freshness_word, status_sentence};
use crate::widgets::time::{ago, instant};
use crate::widgets::value::{value_cell, watch_what_is_in_sight};

const COLUMNS: &[Column] = &[
    column("Point"),
    column("Value"),
    column("Trend"),
    column("Type"),
];

/// The page itself is fetched again for what is not live: problems, counts, addresses.
const EVERY: Duration = Duration::from_secs(10);
/// As many numbers of a point are kept for its chart.
const KEPT: usize = 120;

type History = RwSignal<Vec<(i64, f64)>>;

/// The charts of the page's points. Each is filled by the gateway's history first, then by what comes live.
#[derive(Clone, Copy)]
struct Charts {
    owner: StoredValue<Owner>,
    known: StoredValue<HashMap<String, History>>,
}

pub fn page(id: &str) -> AnyView {
    let wanted = id.to_owned();
    let device = fetched::<GetDevice>(Some(EVERY), move || Some(vec![wanted.clone()]));
    let charts = Charts::new();
    watch_what_is_in_sight();
    let rows = Signal::derive(move || {
        device.data.with(|page| {
            page.iter()
                .flat_map(|page| &page.points)
                .map(|point| row(point, charts))
                .collect::<Vec<_>>()
        })
    });
    let top = Memo::new(move |_| {
        device.data.with(|page| {
            page.as_ref()
                .map(|page| (page.device.clone(), page.addresses.clone()))
        })
    });
    let name = Memo::new({
        let id = id.to_owned();
        move |_| {
            top.with(|top| {
                top.as_ref()
                    .map(|(device, _)| device.name.clone())
                    .filter(|name| !name.is_empty())
            })
            .unwrap_or_else(|| id.clone())
        }
    });
    let device_id = id.to_owned();
    let counter = Counter::new(Record::new(move || Some(device_id.clone())));
    let alarms = Alarms::new(id, counter);
    let content = move |page: &DevicePage| {
        view! {
            {move || top.get().map(|(device, addresses)| head(&device, &addresses))}
            {alarms.view(page.watches_alarms)}
            <section aria-labelledby="points-title">
                <h2 id="points-title">"Points"</h2>
                {data_table("points", COLUMNS, rows)}
            </section>
            {commands::section(&page.device, page.takes_commands, counter)}
        }
        .into_any()
    };
    view! {
        <p class="crumbs"><a href="/devices">"Devices"</a></p>
        {move || heading(name.get(), ())}
        {once_there(device, content)}
    }
    .into_any()
}

fn head(device: &DeviceView, addresses: &[DeviceAddress]) -> AnyView {
    let source = Place::Item(Section::Sources, device.source.clone()).path();
    let topics: Vec<AnyView> = addresses.iter().map(address).collect();
    view! {
        {status_sentence(&device.status)}
        <dl class="facts card">
            <div><dt>"Source"</dt><dd><a href=source>{device.source.clone()}</a></dd></div>
            <div><dt>"Id"</dt><dd>{copy_text(&device.id, "the id of the device", "")}</dd></div>
            {device.model.as_deref().map(|model| view! { <div><dt>"Model"</dt><dd>{words::plain(model)}</dd></div> })}
            {(!device.address.is_empty()).then(|| view! { <div><dt>"Address"</dt><dd>{copy_text(&device.address, "the address", "address")}</dd></div> })}
            <div><dt>"Last seen"</dt><dd>{device.last_seen.map_or_else(|| "never".into_any(), ago)}</dd></div>
            {device.presence.as_ref().map(presence)}
            <div><dt>"Rate"</dt><dd>{words::rate(device.rate)}</dd></div>
            {topics}
            {addresses.is_empty().then(|| view! {
                <div><dt>"Goes to"</dt><dd>"nowhere: no route takes it. "<a href="/routes/new">"Add a route"</a></dd></div>
            })}
        </dl>
    }
    .into_any()
}

/// What its source knows of its pace and its signal.
fn presence(presence: &Presence) -> AnyView {
    let signal = presence.rssi.map(radio::dbm);
    let battery = presence.battery.map(|percent| format!("{percent:.0} %"));
    let every = presence.interval_ms.map(|ms| words::span(ms as i64));
    view! {
        <div><dt>"Freshness"</dt><dd class="stack" data-test="freshness">{freshness_word(presence.freshness)}{presence.heard.map(|heard| view! { <span class="faint">"heard "{ago(heard)}</span> })}</dd></div>
        {every.map(|every| view! { <div><dt>"Sends every"</dt><dd>{every}</dd></div> })}
        {signal.map(|signal| view! { <div><dt>"Signal"</dt><dd>{signal}</dd></div> })}
        {battery.map(|battery| view! { <div><dt>"Battery"</dt><dd>{battery}</dd></div> })}
    }
    .into_any()
}

fn address(address: &DeviceAddress) -> AnyView {
    let route = Place::Item(Section::Routes, address.route.clone()).path();
    let destination = address.destination.clone();
    view! {
        <div>
            <dt>"Goes to "{destination}" by "<a href=route>{address.route.clone()}</a></dt>
            <dd>{copy_text(&address.address, "the topic", "topic")}</dd>
        </div>
    }
    .into_any()
}

fn row(point: &PointView, charts: Charts) -> Row {
    let live = Live::expect();
    let value = live.value(&point.id);
    if let Some(newest) = &point.live
        && value.with_untracked(|known| known.as_ref().is_none_or(|known| known.seen < newest.seen))
    {
        value.set(Some(newest.clone()));
    }
    let history = charts.of(point, value);
    let name = if point.name.is_empty() {
        point.id.clone()
    } else {
        point.name.clone()
    };
    let data_type = point.data_type.clone().unwrap_or_default();
    let problem = point.problem.clone();
    // The texts for search; the count is in it so that the details are drawn again when it changes.
    let cells = vec![
        text(format!(
            "{} {} {}",
            words::plain(&name),
            problem.as_deref().unwrap_or_default(),
            point.address
        )),
        text(
            point
                .live
                .as_ref()
                .map(|value| value.text.clone())
                .unwrap_or_default(),
        ),
        text(words::count(point.count)),
        text(data_type.clone()),
    ];
    let key = point.id.clone();
    let point = point.clone();
    let view = move |index| {
        Some(match index {
            0 => name_cell(&point, &name, value),
            1 => value_cell(&point.id, value),
            2 => (move || history.with(|history| sparkline(history))).into_any(),
            _ => data_type.clone().into_any(),
        })
    };
    Row {
        key,
        cells,
        view: Arc::new(view),
    }
}

/// The point's name, what is wrong with it, and its details on request.
fn name_cell(point: &PointView, name: &str, value: RwSignal<Option<LiveValue>>) -> AnyView {
    let problem = point.problem.as_deref().map(words::plain);
    let remark = point.remark.as_deref().map(words::plain);
    let description = point.description.as_deref().map(words::plain);
    let range = point
        .range
        .map(|range| words::range(range.low, range.high, point.unit.as_deref()));
    let count = words::counted(point.count, "reading");
    let times = move || {
        value.get().map(|value| {
            view! {
                <div><dt>"Source's time"</dt><dd>{instant(value.at)}</dd></div>
                <div><dt>"Gateway's time"</dt><dd>{instant(value.seen)}</dd></div>
            }
        })
    };
    view! {
        <span class="point-name">{words::plain(name)}</span>
        {problem.map(|problem| view! { <span class="reason bad" data-test="problem">{icon(Icon::Bad)}{problem}</span> })}
        <details class="point-details">
            <summary>"Details"<span class="unseen">{format!(" of {}", words::plain(name))}</span></summary>
            <dl class="facts">
                {description.map(|description| view! { <div><dt>"Description"</dt><dd>{description}</dd></div> })}
                {range.map(|range| view! { <div><dt>"Range"</dt><dd>{range}</dd></div> })}
                <div><dt>"Id"</dt><dd>{copy_text(&point.id, "the id", "")}</dd></div>
                <div><dt>"Address"</dt><dd>{copy_text(&point.address, "the address", "")}</dd></div>
                {times}
                <div><dt>"Since the start"</dt><dd>{count}</dd></div>
                {remark.map(|remark| view! { <div><dt>"Remark"</dt><dd>{remark}</dd></div> })}
            </dl>
        </details>
    }
    .into_any()
}

// === impl Charts ===

impl Charts {
    fn new() -> Self {
        let owner = Owner::current().expect("a page is always drawn within the app");
        Self {
            owner: StoredValue::new(owner),
            known: StoredValue::new(HashMap::new()),
        }
    }

    /// The chart of a point, made when it is asked for first.
    fn of(self, point: &PointView, value: RwSignal<Option<LiveValue>>) -> History {
        if let Some(history) = self.known.with_value(|known| known.get(&point.id).copied()) {
            return history;
        }
        let history = self.owner.get_value().with(|| {
            let history = RwSignal::new(point.history.clone());
            Effect::new(move |_| {
                value.with(|value| value.as_ref().map(|value| extend(history, value)));
            });
            history
        });
        self.known.update_value(|known| {
            known.insert(point.id.clone(), history);
        });
        history
    }
}

fn extend(history: History, value: &LiveValue) {
    let at = value.at.millis();
    let Some(number) = value.value.as_f64() else {
        return;
    };
    if history.with_untracked(|history| history.last().is_none_or(|(last, _)| *last < at)) {
        history.update(|history| {
            history.push((at, number));
            if history.len() > KEPT {
                history.remove(0);
            }
        });
    }
}
