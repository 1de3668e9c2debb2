//! One advertiser: who it is, what it says, its key, what it has, its packets.

use fieldgate_api::endpoint::GetHeard;
use fieldgate_api::scanner::{
    AddDevice, AddDraft, HeardAt, HeardPage, HeardView, PacketView, ScanView,
};
use fieldgate_ui_logic::place::Place;
use fieldgate_ui_logic::{radio as logic, words};
use leptos::prelude::*;

use super::adding::Adding;
use super::ignored::VENDOR;
use super::parts::{lock, reading, signal};
use super::{PERIOD, Radio, capture, gatt, key, lost, not_listening, pairing, scan, with_source};
use crate::fetched::{Fetched, asked};
use crate::nav::Nav;
use crate::widgets::copy::{copy_button, copy_text};
use crate::widgets::page::{heading, once_there};
use crate::widgets::status::freshness_word;
use crate::widgets::time::{ago, instant};

/// Packets that are listed.
const PACKETS: usize = 20;

/// What the parts of the page share.
#[derive(Clone, Copy)]
pub struct Advertiser {
    pub radio: Radio,
    pub address: StoredValue<String>,
    pub page: Fetched<HeardPage>,
    pub adding: Adding,
}

pub fn page(address: &str) -> AnyView {
    let address = StoredValue::new(address.to_owned());
    provide_context(address);
    with_source(|source| one(source, expect_context()))
}

fn one(source: &str, address: StoredValue<String>) -> AnyView {
    let radio = Radio::new(source);
    let page = detail(source, address);
    let scan = scan(source);
    let advertiser = Advertiser {
        radio,
        address,
        page,
        adding: Adding::new(radio),
    };
    let listening = Memo::new(move |_| {
        scan.data
            .with(|view| view.as_ref().is_none_or(|view| view.listening))
    });
    let title = Memo::new(move |_| {
        let known = page
            .data
            .with(|page| page.as_ref().map(|page| logic::title(&page.heard)));
        known.unwrap_or_else(|| address.get_value())
    });
    let content = move |first: &HeardPage| advertiser.content(first, scan);
    view! {
        <p class="crumbs"><a href=radio.url(&Place::Bluetooth)>"Explore Bluetooth"</a></p>
        {move || heading(title.get(), advertiser.deeds())}
        {move || (!listening.get()).then(|| scan.data.with(|view| view.as_ref().map(not_listening)))}
        {advertiser.adding.view()}
        {once_there(page, content)}
        {lost(scan)}
    }
    .into_any()
}

/// An advertiser, kept fresh.
pub fn detail(source: &str, address: StoredValue<String>) -> Fetched<HeardPage> {
    let source = source.to_owned();
    asked::<GetHeard>(Some(PERIOD), move || {
        let at = HeardAt {
            address: address.get_value(),
        };
        Some((vec![source.clone()], at))
    })
}

// === impl Advertiser ===

impl Advertiser {
    fn content(self, first: &HeardPage, scan: Fetched<ScanView>) -> AnyView {
        let heard = Memo::new(move |_| {
            self.page
                .data
                .with(|page| page.as_ref().map(|page| page.heard.clone()))
        });
        let connects = first.heard.connectable != Some(false);
        view! {
            {move || heard.get().map(|heard| facts(&heard))}
            {move || heard.get().map(|heard| readings(&heard))}
            {key::card(self)}
            {connects.then(|| gatt::section(self, heard))}
            {self.packets()}
            {self.teach(heard)}
            {capture::card(self.radio, scan, Some(self.address.get_value()))}
            {self.snippet()}
            {pairing::dialog(self.radio, scan)}
        }
        .into_any()
    }

    /// Add, open, ignore; drawn anew only when one of them changes.
    fn deeds(self) -> AnyView {
        let state = Memo::new(move |_| {
            self.page.data.with(|page| {
                let heard = &page.as_ref()?.heard;
                Some((heard.added.clone(), heard.vendor.clone(), heard.ignored))
            })
        });
        let add = move |_| {
            let device = AddDevice {
                address: self.address.get_value(),
                ..AddDevice::default()
            };
            self.add(device);
        };
        (move || {
            let (added, vendor, ignored) = state.get()?;
            let main = match added {
                Some(device) => {
                    let url = Place::Device(device).path();
                    view! { <a class="button" href=url data-test="added">"Open its device"</a> }.into_any()
                }
                None => view! {
                    <button type="button" class="primary" data-test="add-heard" disabled=move || self.adding.busy.get() on:click=add>"Add & send"</button>
                }
                .into_any(),
            };
            let own = vec![self.address.get_value()];
            let ignore = match ignored {
                true => view! { <button type="button" data-test="unignore" on:click=move |_| self.radio.ignore(Vec::new(), own.clone())>"Unignore"</button> }.into_any(),
                false => view! { <button type="button" data-test="ignore" on:click=move |_| self.radio.ignore(own.clone(), Vec::new())>"Ignore"</button> }.into_any(),
            };
            let all = vendor.filter(|_| !ignored).map(|vendor| {
                let words = format!("Ignore all from {}", words::plain(&vendor));
                let entry = format!("{VENDOR}{vendor}");
                view! { <button type="button" class="quiet" on:click=move |_| self.radio.ignore(vec![entry.clone()], Vec::new())>{words}</button> }
            });
            Some(view! { {main}{ignore}{all} })
        })
        .into_any()
    }

    pub fn add(self, device: AddDevice) {
        let page = self.page.data.get_untracked();
        let title = page.map(|page| logic::title(&page.heard));
        let draft = AddDraft {
            devices: vec![device],
            names: None,
        };
        self.adding.add(draft, &title.unwrap_or_default());
    }

    fn packets(self) -> AnyView {
        let frozen = RwSignal::new(false);
        let packets = Memo::new(move |former: Option<&Vec<PacketView>>| match former {
            Some(former) if frozen.get() => former.clone(),
            _ => self.page.data.with(|page| {
                let all = page.iter().flat_map(|page| &page.packets);
                all.take(PACKETS).cloned().collect()
            }),
        });
        let rows = move || packets.get().iter().map(packet).collect_view();
        let none = move || packets.with(Vec::is_empty);
        view! {
            <section aria-labelledby="packets-title" data-test="packets">
                <div class="card-head">
                    <h2 id="packets-title">"Packets"</h2>
                    <button type="button" class="small" aria-pressed=move || frozen.get().to_string()
                        on:click=move |_| frozen.update(|frozen| *frozen = !*frozen)>{move || if frozen.get() { "Go on" } else { "Freeze" }}</button>
                </div>
                {move || none().then(|| view! { <p class="faint">"None was kept yet."</p> })}
                <ul class="packets">{rows}</ul>
            </section>
        }
        .into_any()
    }

    fn teach(self, heard: Memo<Option<HeardView>>) -> AnyView {
        let decoded = Memo::new(move |_| {
            heard.with(|heard| heard.as_ref().is_some_and(|heard| heard.profile.is_some()))
        });
        let url = self.radio.url(&Place::Teach(self.address.get_value()));
        view! {
            <section class="card" aria-labelledby="teach-title">
                <h2 id="teach-title">"Teach a decoder"</h2>
                <p>{move || match decoded.get() {
                    true => "Something is missing, or wrong? Type what its display shows a few times, and this gateway finds where that is in its packets.",
                    false => "Nothing decodes it yet. Type what its display shows a few times, and this gateway finds where that is in its packets.",
                }}</p>
                <p><a class="button" href=url data-test="teach">"Teach"</a></p>
            </section>
        }
        .into_any()
    }

    /// Its entry in the settings, to be taken into a file.
    fn snippet(self) -> AnyView {
        let settings = Memo::new(move |_| {
            let settings = self
                .page
                .data
                .with(|page| page.as_ref().map(|page| page.settings.clone()));
            settings.and_then(|settings| serde_json::to_string_pretty(&settings).ok())
        });
        (move || {
            settings.get().filter(|text| text.len() > 2).map(|text| {
                view! {
                    <details>
                        <summary>"Its entry in the settings"</summary>
                        <pre class="raw" tabindex="0">{words_by_line(&text)}</pre>
                        <p>{copy_button(&text, "the entry")}</p>
                    </details>
                }
            })
        })
        .into_any()
    }
}

/// Nothing hides in it, and its lines stay lines.
fn words_by_line(text: &str) -> String {
    let lines = text.lines().map(words::plain);
    lines.collect::<Vec<_>>().join("\n")
}

fn facts(heard: &HeardView) -> AnyView {
    let distance = heard.distance_m.map(logic::distance);
    let every = heard.interval_ms.map(|ms| words::span(ms as i64));
    let yes_no = |known: Option<bool>| match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let link = match (heard.connected, heard.bonded) {
        (true, true) => "connected, paired",
        (true, false) => "connected",
        (false, true) => "paired",
        (false, false) => yes_no(heard.connectable),
    };
    let profile = heard
        .profile
        .as_ref()
        .map(|profile| words::plain(&profile.title));
    view! {
        <dl class="facts card" data-test="facts">
            <div><dt>{format!("Address, {}", heard.address_kind)}</dt><dd>{copy_text(&heard.address, "the address", "address")}</dd></div>
            {heard.vendor.as_deref().map(|vendor| view! { <div><dt>"Maker, as it claims"</dt><dd>{words::plain(vendor)}</dd></div> })}
            <div><dt>"Decoded by"</dt><dd>{profile.unwrap_or_else(|| "nothing yet".to_owned())}</dd></div>
            <div><dt>"Signal"</dt><dd>{signal(heard)}</dd></div>
            {distance.map(|distance| view! { <div><dt>"Distance, a guess"</dt><dd>{distance}</dd></div> })}
            <div><dt>"State"</dt><dd class="stack">{freshness_word(heard.freshness)}{lock(heard)}</dd></div>
            <div><dt>"Sends every"</dt><dd>{every.unwrap_or_else(|| "not known yet".to_owned())}</dd></div>
            <div><dt>"Last heard"</dt><dd>{ago(heard.last)}{format!(" by {}", words::plain(&heard.adapter))}</dd></div>
            <div><dt>"First heard"</dt><dd>{instant(heard.first)}</dd></div>
            <div><dt>"Packets"</dt><dd>{words::count(heard.packets)}</dd></div>
            <div><dt>"Takes connections"</dt><dd>{link}</dd></div>
        </dl>
    }
    .into_any()
}

fn readings(heard: &HeardView) -> AnyView {
    let nothing = heard.fields.is_empty().then(|| {
        let why = match logic::lock(heard.seal) {
            Some((_, words)) => format!("Nothing is decoded: it is encrypted, and {words}."),
            None => "Nothing is decoded.".to_owned(),
        };
        view! { <p class="faint">{why}</p> }
    });
    view! {
        <section aria-labelledby="says-title">
            <h2 id="says-title">"What it says"</h2>
            {nothing}
            <p class="readings large" data-test="readings">{heard.fields.iter().map(reading).collect_view()}</p>
        </section>
    }
    .into_any()
}

fn packet(packet: &PacketView) -> AnyView {
    let part = |part: &fieldgate_api::scanner::PacketPartView| {
        view! {
            <p class="part"><span class="faint">{words::plain(&part.title)}</span>" "<code>{logic::pairs(&part.hex)}</code></p>
        }
    };
    let rssi = packet.rssi.map(|rssi| logic::dbm(rssi.into()));
    view! {
        <li data-test="packet">
            <p class="card-head"><span class="faint">{instant(packet.at)}</span>{rssi.map(|rssi| view! { <span class="faint">{rssi}</span> })}<span>{words::capital(&words::plain(&packet.words))}</span></p>
            {packet.parts.iter().map(part).collect_view()}
        </li>
    }
    .into_any()
}

/// The page of an advertiser, for who needs a link to it.
pub fn back(nav: Nav, radio: Radio, address: &str) {
    nav.go(&radio.url(&Place::Heard(address.to_owned())));
}
