//! What may be done to a camera from its page: move it, call a preset, take a picture, save a clip. All of it are commands.

use std::time::Duration;

use fieldgate_api::camera::CameraView;
use fieldgate_api::command::{CommandDraft, OfferView};
use fieldgate_api::endpoint::GetOffers;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use serde_json::{Value as Json, json};

use crate::fetched::{Fetched, fetched};
use crate::pages::command::{Counter, Record};

/// A source that comes back allows again what it did.
const EVERY: Duration = Duration::from_secs(5);
/// How fast it moves while a button is held or pressed, of 1.
const SPEED: f64 = 0.5;
/// How long one press moves it, in seconds.
const PRESS_S: f64 = 0.5;

/// The buttons, as far as the settings allow what they do.
pub fn panel(camera: Fetched<CameraView>, device: &str) -> AnyView {
    let wanted = device.to_owned();
    let offers = fetched::<GetOffers>(Some(EVERY), move || Some(vec![wanted.clone()]));
    let recorded = device.to_owned();
    let counter = Counter::new(Record::new(move || Some(recorded.clone())));
    let device = StoredValue::new(device.to_owned());
    let allowed = Memo::new(move |_| {
        let names = |offers: &Vec<OfferView>| {
            let points = offers.iter().filter_map(|offer| {
                let (_, point) = offer.target.rsplit_once('/')?;
                Some(point.to_owned())
            });
            points.collect::<Vec<_>>()
        };
        offers.data.with(|offers| offers.as_ref().map(names))
    });
    let may = move |name: &str| {
        allowed.with(|allowed| allowed.iter().flatten().any(|allowed| allowed == name))
    };
    let call = move |name: &'static str, title: String, arguments: Json| {
        let target = format!("{}/{name}", device.get_value());
        let draft = CommandDraft {
            action: "call".to_owned(),
            arguments: Some(arguments),
            ..CommandDraft::default()
        };
        counter.give(&target, &title, draft, |_| ());
    };
    let shot = move || {
        let picture = may("snapshot").then(|| {
            button("Take a picture", "take-picture", move || {
                call("snapshot", "Take a picture".into(), json!({}))
            })
        });
        let clip = may("clip").then(|| {
            button("Save a clip", "save-clip", move || {
                call("clip", "Save a clip".into(), json!({}))
            })
        });
        (picture.is_some() || clip.is_some())
            .then(|| view! { <div class="actions">{picture}{clip}</div> })
    };
    let movement = Memo::new(move |_| {
        camera
            .data
            .with(|view| view.as_ref().and_then(|view| view.movement.clone()))
    });
    let pad = move || {
        let there = movement.with(Option::is_some) && may("move");
        there.then(|| {
            let turn = move |title: &'static str, sign: &'static str, pan: f64, tilt: f64, zoom: f64| {
                let go = move |_| call("move", title.to_owned(), json!({ "pan": pan, "tilt": tilt, "zoom": zoom, "seconds": PRESS_S }));
                view! { <button type="button" aria-label=title title=title on:click=go>{sign}</button> }
            };
            view! {
                <div class="ptz" role="group" aria-label="Move the camera" data-test="ptz">
                    <span></span>{turn("Up", "↑", 0.0, SPEED, 0.0)}<span></span>
                    {turn("Left", "←", -SPEED, 0.0, 0.0)}
                    <button type="button" aria-label="Stop" title="Stop" on:click=move |_| call("stop", "Stop".into(), json!({}))>"■"</button>
                    {turn("Right", "→", SPEED, 0.0, 0.0)}
                    {turn("Zoom out", "−", 0.0, 0.0, -SPEED)}
                    {turn("Down", "↓", 0.0, -SPEED, 0.0)}
                    {turn("Zoom in", "+", 0.0, 0.0, SPEED)}
                </div>
            }
        })
    };
    let presets = move || {
        let movement = movement.get()?;
        let go = may("preset");
        let presets = movement.presets.into_iter().filter(|_| go).map(|preset| {
            let name = match preset.name.is_empty() {
                true => preset.token.clone(),
                false => preset.name.clone(),
            };
            let title = words::plain(&name);
            let token = preset.token;
            let called = title.clone();
            view! { <button type="button" on:click=move |_| call("preset", format!("Go to {called}"), json!({ "preset": token }))>{title}</button> }
        });
        let home = (movement.home && may("home")).then(|| {
            button("Home", "home", move || {
                call("home", "Home".into(), json!({}))
            })
        });
        Some(
            view! { <div class="actions" data-test="presets">{home}{presets.collect_view()}</div> },
        )
    };
    let none = move || {
        let known = allowed.with(|allowed| allowed.as_ref().is_some_and(Vec::is_empty));
        known.then(|| view! { <p class="help">"What may be done from here is said by "<strong>"commands"</strong>" in the camera’s settings; nothing is, at present."</p> })
    };
    view! {
        <div class="camera-acts">
            {shot}
            {pad}
            {presets}
            {none}
            {counter.view()}
        </div>
    }
    .into_any()
}

fn button(title: &'static str, test: &'static str, act: impl Fn() + 'static) -> AnyView {
    view! { <button type="button" data-test=test on:click=move |_| act()>{title}</button> }
        .into_any()
}
