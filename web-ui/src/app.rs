//! The frame around the pages: skip link, top bar, navigation, banner, toasts.

use fieldgate_api::state::Status;
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::live::Live;
use crate::nav::{Nav, focus};
use crate::pages;
use crate::widgets::announce::Announcer;
use crate::widgets::icon::{Icon, icon, level_class, level_icon};
use crate::widgets::toast::Toasts;

/// The key in the browser's storage; `boot.js` reads it before the first paint.
const THEME_KEY: &str = "fieldgate-theme";

/// The navigation: what phones show at once, and what they show behind *More*.
const FIRST: [(Icon, Place); 4] = [
    (Icon::Overview, Place::Overview),
    (Icon::Devices, Place::Devices),
    (Icon::Sources, Place::Items(Section::Sources)),
    (Icon::Routes, Place::Items(Section::Routes)),
];
const REST: [(Icon, Place); 6] = [
    (Icon::Rules, Place::Items(Section::Rules)),
    (Icon::Explore, Place::Explore),
    (Icon::Queue, Place::Queue),
    (Icon::Destinations, Place::Items(Section::Destinations)),
    (Icon::Trust, Place::Trust),
    (Icon::Configuration, Place::Configuration),
];

/// The whole console.
#[component]
pub fn App() -> impl IntoView {
    let nav = Nav::start();
    let announcer = Announcer::start();
    let toasts = Toasts::start();
    let live = Live::start();
    let lost = Memo::new(move |_| live.lost_for().is_some());
    announce_verdict(live, announcer);
    view! {
        <a class="skip" href="#main" on:click=|event| { event.prevent_default(); focus("page-title"); }>"Skip to the content"</a>
        <div class="frame" class:lost=lost>
            {top_bar(live)}
            {navigation(nav)}
            <main id="main">
                {banner(live, lost)}
                {move || pages::page(&nav.place.get())}
            </main>
        </div>
        {toasts.view()}
        {announcer.view()}
    }
}

fn top_bar(live: Live) -> AnyView {
    let gateway = move || {
        live.overview
            .with(|overview| overview.as_ref().map(|o| o.gateway.clone()))
    };
    view! {
        <header class="top">
            <a class="brand" href="/"><span class="mark" aria-hidden="true"></span>"Fieldgate"</a>
            <span class="gateway">{gateway}</span>
            {health_pill(live)}
            {theme_switch()}
        </header>
    }
    .into_any()
}

/// How the gateway is, with the reason in words.
fn health_pill(live: Live) -> AnyView {
    let verdict = Memo::new(move |_| {
        live.overview
            .with(|overview| overview.as_ref().map(|o| o.verdict.clone()))
    });
    (move || {
        verdict.get().map(|Status { level, state, words: reason, .. }| {
            let class = format!("pill {}", level_class(level));
            view! {
                <a class=class href="/" data-test="health">
                    {level_icon(level)}
                    <span class="pill-words"><span class="unseen">"Health: "</span>{if reason.is_empty() { words::capital(&state) } else { words::plain(&reason) }}</span>
                </a>
            }
        })
    })
    .into_any()
}

fn theme_switch() -> AnyView {
    let stored = || window().local_storage().ok().flatten();
    let chosen = stored()
        .and_then(|storage| storage.get_item(THEME_KEY).ok().flatten())
        .unwrap_or_default();
    let change = move |event| {
        let theme = event_target_value(&event);
        if let Some(root) = document().document_element() {
            // Both are refused only for names that these are not.
            let _ = if theme.is_empty() {
                root.remove_attribute("data-theme")
            } else {
                root.set_attribute("data-theme", &theme)
            };
        }
        if let Some(storage) = stored() {
            // A full or forbidden storage keeps the theme for this page only.
            let _ = storage.set_item(THEME_KEY, &theme);
        }
    };
    let options =
        [("", "System theme"), ("light", "Light"), ("dark", "Dark")].map(|(value, label)| {
            view! { <option value=value selected=chosen == value>{label}</option> }
        });
    view! {
        <select class="theme" aria-label="Theme" data-test="theme" on:change=change>{options.collect_view()}</select>
    }
    .into_any()
}

fn navigation(nav: Nav) -> AnyView {
    let open = RwSignal::new(false);
    let shelf = Memo::new(move |_| nav.place.get().shelf());
    Effect::new(move |_| {
        nav.place.track();
        open.set(false);
    });
    let item = move |(picture, place): (Icon, Place)| {
        let (url, title) = (place.path(), place.title());
        let here = move || (shelf.get() == place).then_some("page");
        view! { <li><a href=url aria-current=here>{icon(picture)}<span>{title}</span></a></li> }
    };
    view! {
        <nav class="nav" aria-label="Main">
            <ul>{FIRST.map(item).collect_view()}</ul>
            <ul class="rest" id="nav-rest" class:open=open>{REST.map(item).collect_view()}</ul>
            <button type="button" class="more" aria-expanded=move || open.get().to_string() aria-controls="nav-rest"
                on:click=move |_| open.update(|open| *open = !*open)>{icon(Icon::More)}<span>"More"</span></button>
        </nav>
    }
    .into_any()
}

fn banner(live: Live, lost: Memo<bool>) -> AnyView {
    (move || {
        lost.get().then(|| {
            let age = move || words::span(live.lost_for().unwrap_or(0) / 1000 * 1000);
            view! {
                <div class="note bad banner" data-test="banner">
                    {icon(Icon::Bad)}
                    <p><strong>"The connection to the gateway is lost"</strong>" – what you see is "{age}" old. Trying again…"</p>
                </div>
            }
        })
    })
    .into_any()
}

fn announce_verdict(live: Live, announcer: Announcer) {
    let words = Memo::new(move |_| {
        live.overview
            .with(|overview| overview.as_ref().map(|o| o.verdict.state.clone()))
    });
    Effect::new(move |former: Option<Option<String>>| {
        let state = words.get();
        if let (Some(Some(_)), Some(_)) = (&former, &state) {
            let sentence = live
                .overview
                .with_untracked(|o| o.as_ref().map(|o| o.verdict.words.clone()));
            announcer.say(&sentence.unwrap_or_default());
        }
        state
    });
    Effect::new(move |former: Option<bool>| {
        let lost = live.lost_for().is_some();
        if lost && former == Some(false) {
            announcer.say("The connection to the gateway is lost");
        }
        lost
    });
}
