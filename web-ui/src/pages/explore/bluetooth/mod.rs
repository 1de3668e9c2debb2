//! Explore ▸ Bluetooth: who is near and what they say, how the radio is, and what becomes a device of this gateway.

mod adding;
mod capture;
mod gatt;
mod heard;
mod ignored;
mod key;
mod near;
mod pairing;
mod parts;
mod radios;
mod teach;

use std::time::Duration;

use fieldgate_api::config::{Draft, Kind, Kinds};
use fieldgate_api::endpoint::{GetKinds, GetScan, GetScanners, PutSource};
use fieldgate_api::scanner::{ScanQuery, ScanView, ScannerView};
use fieldgate_ui_logic::place::{Place, with_query};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

pub use self::heard::page as heard;
pub use self::teach::page as teach;
use crate::client::change;
use crate::fetched::{Fetched, OFTEN, fetched, narrowed};
use crate::live::Live;
use crate::nav::Nav;
use crate::widgets::empty::empty_state;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::page::{heading, once_there, trouble_note};
use crate::widgets::status::status_sentence;
use crate::widgets::toast::Toasts;

/// How often it is asked who is near.
const PERIOD: Duration = Duration::from_secs(2);
/// The key of the source in the URL.
const SOURCE: &str = "source";
/// What a source is called that is made here.
const NEW_SOURCE: &str = "bluetooth";
/// Advertisers that are listed; those beyond are counted.
const LISTED: u32 = 500;

/// What the parts of the pages share.
#[derive(Clone, Copy)]
struct Radio {
    source: StoredValue<String>,
    nav: Nav,
    toasts: Toasts,
    live: Live,
}

// === impl Radio ===

impl Radio {
    fn new(source: &str) -> Self {
        Self {
            source: StoredValue::new(source.to_owned()),
            nav: Nav::expect(),
            toasts: Toasts::expect(),
            live: Live::expect(),
        }
    }

    /// The URL of a page about an advertiser.
    fn url(self, place: &Place) -> String {
        let query = with_query("", SOURCE, &self.source.get_value());
        format!("{}?{query}", place.path())
    }
}

/// The ways into Explore, for the head of its pages.
pub fn ways(here: &Place) -> AnyView {
    let current = here;
    let way = |place: Place, title: &'static str| {
        let current = (place == *current).then_some("page");
        view! { <a href=place.path() aria-current=current>{title}</a> }
    };
    let kinds = fetched::<GetKinds>(None, || Some(Vec::new()));
    let shows = Memo::new(move |_| {
        let shows = |kinds: &Kinds| kinds.sources.iter().any(|kind| kind.shows);
        kinds.data.with(|kinds| kinds.as_ref().is_some_and(shows))
    });
    let here = here.clone();
    let cameras = move || {
        let current = (here == Place::Cameras).then_some("page");
        let path = Place::Cameras.path();
        shows
            .get()
            .then(|| view! { <a href=path aria-current=current>"Cameras"</a> })
    };
    view! {
        <nav class="ways" aria-label="Explore">
            {way(Place::Explore, "OPC UA")}
            {way(Place::Bluetooth, "Bluetooth")}
            {cameras}
        </nav>
    }
    .into_any()
}

pub fn page() -> AnyView {
    view! {
        {heading("Explore Bluetooth", ways(&Place::Bluetooth))}
        {with_source(list)}
    }
    .into_any()
}

/// Draws for the source that the URL names, or else for the first that listens; says what to do when there is none.
fn with_source(view: fn(&str) -> AnyView) -> AnyView {
    let nav = Nav::expect();
    let scanners = fetched::<GetScanners>(Some(OFTEN), || Some(Vec::new()));
    let names = Memo::new(move |_| {
        let name = |scanner: &ScannerView| scanner.source.clone();
        scanners
            .data
            .with(|all| all.iter().flatten().map(name).collect::<Vec<_>>())
    });
    let chosen = Memo::new(move |_| {
        let wanted = nav.value(SOURCE);
        names.with(|names| {
            let named = names.iter().find(|name| **name == wanted);
            named.or(names.first()).cloned()
        })
    });
    let content = move |_: &Vec<ScannerView>| {
        view! {
            {move || choice(nav, &names.get(), chosen.get())}
            {move || chosen.get().map_or_else(nobody_listens, |source| view(&source))}
        }
        .into_any()
    };
    once_there(scanners, content)
}

/// Which source, where there are several.
fn choice(nav: Nav, names: &[String], chosen: Option<String>) -> Option<AnyView> {
    let option = |name: &String| {
        let here = chosen.as_ref() == Some(name);
        view! { <option value=name.clone() selected=here>{name.clone()}</option> }
    };
    let options: Vec<_> = names.iter().map(option).collect();
    (names.len() > 1).then(|| {
        view! {
            <div class="field">
                <label for="bluetooth-source">"Source"</label>
                <select class="short" id="bluetooth-source" on:change=move |event| nav.set_value(SOURCE, &event_target_value(&event))>{options}</select>
            </div>
        }
        .into_any()
    })
}

/// One button, and it listens; as far as this gateway can.
fn nobody_listens() -> AnyView {
    let (toasts, live) = (Toasts::expect(), Live::expect());
    let kinds = fetched::<GetKinds>(None, || Some(Vec::new()));
    let busy = RwSignal::new(false);
    let listen = move |kind: String| {
        busy.set(true);
        let draft = Draft {
            kind,
            paused: false,
            settings: json!({}),
        };
        let revision = Some(live.revision.get_untracked());
        spawn_local(async move {
            match change::<PutSource>(&[NEW_SOURCE], &draft, revision).await {
                Ok(saved) => toasts.saved("This gateway listens by Bluetooth now.", &saved),
                Err(trouble) => toasts.trouble(&trouble),
            }
            busy.try_set(false);
        });
    };
    let content = move |kinds: &Kinds| {
        let scans = |kind: &&Kind| kind.scans;
        match kinds.sources.iter().find(scans).cloned() {
            None => empty_state(
                "This gateway was built without Bluetooth.",
                "Nothing can be heard until it is replaced by one that has it.",
                None,
            ),
            Some(kind) => view! {
                <div class="empty">
                    <p class="empty-title">"Nobody listens yet."</p>
                    <p>"Sensors nearby are heard and decoded as soon as this gateway listens. Nothing is sent anywhere until you add a device."</p>
                    <button type="button" class="primary" data-test="listen" disabled=move || busy.get()
                        on:click=move |_| listen(kind.kind.clone())>"Listen with this gateway’s Bluetooth"</button>
                </div>
            }
            .into_any(),
        }
    };
    once_there(kinds, content)
}

fn list(source: &str) -> AnyView {
    let radio = Radio::new(source);
    let scan = scan(source);
    let adding = adding::Adding::new(radio);
    let content = move |_: &ScanView| {
        view! {
            {radios::card(scan)}
            {near::section(radio, scan, adding)}
            {ignored::section(radio, scan)}
            {capture::card(radio, scan, None)}
            {pairing::dialog(radio, scan)}
            {adding.view()}
        }
        .into_any()
    };
    view! {
        {once_there(scan, content)}
        {lost(scan)}
    }
    .into_any()
}

/// What is heard at a source, kept fresh.
fn scan(source: &str) -> Fetched<ScanView> {
    let source = source.to_owned();
    narrowed::<GetScan>(Some(PERIOD), move || {
        let query = ScanQuery {
            limit: Some(LISTED),
            ..ScanQuery::default()
        };
        Some((vec![source.clone()], query))
    })
}

/// The last answer is an old one.
fn lost(scan: Fetched<ScanView>) -> AnyView {
    (move || {
        let trouble = scan.trouble.get()?;
        scan.data
            .with_untracked(Option::is_some)
            .then(|| trouble_note(&trouble))
    })
    .into_any()
}

/// The source does not listen: why, and what can be done.
fn not_listening(view: &ScanView) -> AnyView {
    let edit = Place::Item(
        fieldgate_ui_logic::place::Section::Sources,
        view.source.clone(),
    );
    view! {
        <div class="card" data-test="not-listening">
            {status_sentence(&view.status)}
            <p><a href=edit.path()>"Look at the source "{words::plain(&view.source)}</a></p>
        </div>
    }
    .into_any()
}

/// A note with a sign.
fn note(level: &'static str, sign: Icon, text: impl IntoView + 'static) -> AnyView {
    let class = format!("note {level}");
    view! { <div class=class role="status">{icon(sign)}<p>{text.into_any()}</p></div> }.into_any()
}
