//! Who is near: a live table that can be frozen, narrowed by its URL, and chosen from.

use std::collections::BTreeSet;
use std::sync::Arc;

use fieldgate_api::scanner::{AddDevice, AddDraft, HeardView, ScanView};
use fieldgate_ui_logic::place::Place;
use fieldgate_ui_logic::{radio, words};
use leptos::prelude::*;
use web_sys::HtmlInputElement;

use super::adding::Adding;
use super::parts::{lock, signal, values};
use super::{Radio, note};
use crate::fetched::Fetched;
use crate::widgets::data_table::{Column, Row, column, data_table, number, numeric, text};
use crate::widgets::icon::Icon;
use crate::widgets::status::freshness_word;
use crate::widgets::time::ago;

const COLUMNS: &[Column] = &[
    column("Device").steady(),
    column("Values").steady(),
    column("Signal").steady(),
    column("State").steady(),
    numeric("Every").steady(),
    column("Heard").steady(),
    column("Do").steady(),
];

/// The weakest signals to choose from.
const WEAKEST: [(&str, &str); 5] = [
    ("", "any signal"),
    ("-50", "at least −50 dBm, beside it"),
    ("-67", "at least −67 dBm, in the room"),
    ("-80", "at least −80 dBm"),
    ("-90", "at least −90 dBm"),
];
const RSSI: &str = "rssi";
const DECODED: &str = "decoded";
/// What several devices are called.
const NAMES: &str = "{vendor}-{mac4}";

/// The table's state.
#[derive(Clone, Copy)]
struct Near {
    radio: Radio,
    adding: Adding,
    frozen: RwSignal<bool>,
    chosen: RwSignal<BTreeSet<String>>,
}

pub fn section(radio: Radio, scan: Fetched<ScanView>, adding: Adding) -> AnyView {
    let near = Near {
        radio,
        adding,
        frozen: RwSignal::new(false),
        chosen: RwSignal::new(BTreeSet::new()),
    };
    let heard = Memo::new(move |former: Option<&Vec<HeardView>>| match former {
        Some(former) if near.frozen.get() => former.clone(),
        _ => scan
            .data
            .with(|view| view.as_ref().map(|view| view.heard.clone()))
            .unwrap_or_default(),
    });
    let rows = Signal::derive(move || {
        let (weakest, decoded) = (radio.nav.value(RSSI), radio.nav.value(DECODED));
        let weakest = weakest.parse::<f64>().ok();
        let passes = |heard: &&HeardView| {
            let strong = weakest.is_none_or(|least| heard.rssi.is_some_and(|rssi| rssi >= least));
            strong && (decoded.is_empty() || heard.profile.is_some())
        };
        heard.with(|heard| {
            let rows = heard.iter().filter(passes);
            rows.map(|heard| near.row(heard)).collect::<Vec<_>>()
        })
    });
    let empty = Memo::new(move |_| heard.with(Vec::is_empty));
    let listening = Memo::new(move |_| {
        scan.data
            .with(|view| view.as_ref().is_some_and(|view| view.listening))
    });
    let table = move || match (listening.get(), empty.get()) {
        (false, _) => ().into_any(),
        (true, true) => nothing(scan),
        (true, false) => view! {
            {near.filters()}
            {data_table("devices nearby", COLUMNS, rows)}
        }
        .into_any(),
    };
    view! {
        <section aria-labelledby="near-title" data-test="near">
            <h2 id="near-title">"Nearby"</h2>
            {near.chosen_bar(heard)}
            {table}
            {passing(scan)}
        </section>
    }
    .into_any()
}

/// It listens, and nothing came yet; the radio's card says what is wrong with it, if something is.
fn nothing(scan: Fetched<ScanView>) -> AnyView {
    let deaf = move || {
        scan.data
            .with(|view| view.as_ref().is_some_and(|view| view.packets == 0))
    };
    view! {
        <div class="empty">
            <p class="empty-title">"Nobody is heard yet."</p>
            <p>{move || match deaf() {
                true => "Most sensors send every one to ten seconds; some wait a minute. When nothing comes, the radio’s card above says why.",
                false => "What is heard has random addresses that change, or is ignored. Sensors keep their address; some send only every minute.",
            }}</p>
        </div>
    }
    .into_any()
}

fn passing(scan: Fetched<ScanView>) -> AnyView {
    (move || {
        let (passing, more) = scan.data.with(|view| {
            let view = view.as_ref();
            view.map(|view| {
                let told = view.heard.len() as u64;
                (view.passing, view.heard_total.saturating_sub(told))
            })
        })?;
        let passing = (passing > 0).then(|| {
            view! {
                <p class="passing" data-test="passing"><strong>{words::counted(passing, "passing device")}</strong>
                " (random addresses): phones, watches and tags that change their address. They are counted, and never sent anywhere."</p>
            }
        });
        let more = (more > 0).then(|| {
            view! { <p class="faint">{format!("{} heard longer ago are not listed.", words::counted(more, "device"))}</p> }
        });
        Some(view! { {passing}{more} })
    })
    .into_any()
}

// === impl Near ===

impl Near {
    fn filters(self) -> AnyView {
        let nav = self.radio.nav;
        let option = move |(value, words): (&'static str, &'static str)| {
            let here = nav.value(RSSI) == value;
            view! { <option value=value selected=here>{words}</option> }
        };
        let decoded = move |event| {
            let on = event_target::<HtmlInputElement>(&event).checked();
            nav.set_value(DECODED, if on { "yes" } else { "" });
        };
        view! {
            <div class="filters">
                <label class="inline">"Signal "<select data-test="rssi" on:change=move |event| nav.set_value(RSSI, &event_target_value(&event))>{WEAKEST.map(option).into_iter().collect_view()}</select></label>
                <label class="check"><input type="checkbox" data-test="decoded" prop:checked=move || !nav.value(DECODED).is_empty() on:change=decoded/><span>"Only what is decoded"</span></label>
                <button type="button" data-test="freeze" aria-pressed=move || self.frozen.get().to_string()
                    on:click=move |_| self.frozen.update(|frozen| *frozen = !*frozen)>{move || if self.frozen.get() { "Go on" } else { "Freeze" }}</button>
            </div>
            {move || self.frozen.get().then(|| note("warning", Icon::Idle, "The list is frozen; what is heard meanwhile is shown when it goes on."))}
        }
        .into_any()
    }

    fn row(self, heard: &HeardView) -> Row {
        let title = radio::title(heard);
        let vendor = heard
            .vendor
            .as_deref()
            .map(words::plain)
            .unwrap_or_default();
        let profile = heard
            .profile
            .as_ref()
            .map(|profile| words::plain(&profile.title));
        let about = [
            Some(title.clone()),
            Some(vendor),
            profile,
            Some(heard.address.clone()),
            heard.added.clone(),
        ];
        let named = about.into_iter().flatten().filter(|part| !part.is_empty());
        let lock = radio::lock(heard.seal).map(|(_, words)| words);
        let state = [Some(heard.freshness.as_str()), lock];
        let state: Vec<&str> = state.into_iter().flatten().collect();
        let every = heard
            .interval_ms
            .map(|ms| (ms as f64, words::span(ms as i64)));
        let cells = vec![
            text(named.collect::<Vec<_>>().join(" · ")),
            text(radio::line(&heard.fields)),
            heard
                .rssi
                .map_or_else(|| text("—"), |rssi| number(rssi, radio::dbm(rssi))),
            text(state.join(", ")),
            every.map_or_else(|| text("—"), |(ms, words)| number(ms, words)),
            // Sorts by the instant; what is read is kept fresh by the view.
            number(heard.last.millis() as f64, heard.adapter.clone()),
            text(if heard.added.is_some() { "added" } else { "" }),
        ];
        let shown = heard.clone();
        let view = move |index| {
            match index {
            0 => Some(self.who(&shown, &title)),
            1 => Some(values(&shown.fields)),
            2 => Some(signal(&shown)),
            3 => Some(view! { <span class="stack">{freshness_word(shown.freshness)}{self::lock(&shown)}</span> }.into_any()),
            5 => {
                let adapter = words::plain(&shown.adapter);
                Some(view! { <span class="stack"><span>{ago(shown.last)}</span><span class="faint">{adapter}</span></span> }.into_any())
            }
            6 => Some(self.deeds(&shown, &title)),
            _ => None,
        }
        };
        Row {
            key: heard.address.clone(),
            cells,
            view: Arc::new(view),
        }
    }

    fn who(self, heard: &HeardView, title: &str) -> AnyView {
        let url = self.radio.url(&Place::Heard(heard.address.clone()));
        let address = StoredValue::new(heard.address.clone());
        let is_chosen = move || {
            self.chosen
                .with(|chosen| chosen.contains(&address.get_value()))
        };
        let choose = move |event| {
            let on = event_target::<HtmlInputElement>(&event).checked();
            self.chosen.update(|chosen| {
                if on {
                    chosen.insert(address.get_value());
                } else {
                    chosen.remove(&address.get_value());
                }
            });
        };
        let by = [
            heard.vendor.as_deref().map(words::plain),
            heard
                .profile
                .as_ref()
                .map(|profile| words::plain(&profile.title)),
        ];
        let by = by.into_iter().flatten().filter(|by| by != title);
        let by = by.collect::<Vec<_>>().join(" · ");
        let label = format!("Choose {title} {}", heard.address);
        view! {
            <span class="who">
                <input type="checkbox" aria-label=label prop:checked=is_chosen on:change=choose/>
                <span class="stack">
                    <a href=url data-test="heard" data-address=heard.address.clone()>{title.to_owned()}</a>
                    {(!by.is_empty()).then(|| view! { <span class="faint small-text">{by}</span> })}
                    <code class="faint">{heard.address.clone()}</code>
                </span>
            </span>
        }
        .into_any()
    }

    fn deeds(self, heard: &HeardView, title: &str) -> AnyView {
        if let Some(device) = &heard.added {
            let url = Place::Device(device.clone()).path();
            let label = format!("Open the device of {title}");
            return view! { <a href=url class="tag" data-test="added" aria-label=label>"added"</a> }
                .into_any();
        }
        let (address, words) = (heard.address.clone(), title.to_owned());
        let add = move |_| {
            let device = AddDevice {
                address: address.clone(),
                ..AddDevice::default()
            };
            self.adding.add(
                AddDraft {
                    devices: vec![device],
                    names: None,
                },
                &words,
            );
        };
        let label = format!("Add and send {title} {}", heard.address);
        view! { <button type="button" class="small" data-test="add-heard" aria-label=label disabled=move || self.adding.busy.get() on:click=add>"Add & send"</button> }
            .into_any()
    }

    /// What can be done with all that are chosen.
    fn chosen_bar(self, heard: Memo<Vec<HeardView>>) -> AnyView {
        let names = RwSignal::new(NAMES.to_owned());
        let count = Memo::new(move |_| self.chosen.with(BTreeSet::len));
        let some = Memo::new(move |_| count.get() > 0);
        let add = move |_| {
            let device = |address: String| AddDevice {
                address,
                ..AddDevice::default()
            };
            let chosen = self.chosen.get_untracked();
            let words = words::counted(chosen.len() as u64, "device");
            let draft = AddDraft {
                devices: chosen.into_iter().map(device).collect(),
                names: Some(names.get_untracked()),
            };
            self.adding.add(draft, &words);
            self.chosen.set(BTreeSet::new());
        };
        let ignore = move |_| {
            let chosen = self.chosen.get_untracked().into_iter().collect();
            self.radio.ignore(chosen, Vec::new());
            self.chosen.set(BTreeSet::new());
        };
        let example = move || {
            let chosen = self.chosen.get();
            let first = heard.with(|heard| {
                let known = heard.iter().find(|heard| chosen.contains(&heard.address));
                known.map(radio::title)
            });
            first.unwrap_or_default()
        };
        (move || some.get().then(|| view! {
            <div class="card chosen" data-test="chosen">
                <p><strong>{move || format!("{} chosen", words::counted(count.get() as u64, "device"))}</strong>" "<span class="faint">{example}{move || (count.get() > 1).then_some(", …")}</span></p>
                <div class="field">
                    <label for="names">"Names"</label>
                    <input class="short" type="text" id="names" aria-describedby="names-help" autocomplete="off" spellcheck="false" prop:value=move || names.get()
                        on:input=move |event| names.set(event_target_value(&event))/>
                    <p class="help" id="names-help">"{vendor}, {name}, {model} and {mac4}, the end of the address, are filled in."</p>
                </div>
                <div class="actions">
                    <button type="button" class="primary" data-test="add-chosen" disabled=move || self.adding.busy.get() on:click=add>"Add & send"</button>
                    <button type="button" on:click=ignore>"Ignore"</button>
                    <button type="button" class="quiet" on:click=move |_| self.chosen.set(BTreeSet::new())>"Choose none"</button>
                </div>
            </div>
        }))
        .into_any()
    }
}
