//! What a device wants to know while it pairs: a dialog over the page, for as long as the device waits.

use fieldgate_api::endpoint::AnswerPairing;
use fieldgate_api::scanner::{PairingAnswer, PairingQuestion, PairingWants, ScanView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Radio;
use crate::client::change;
use crate::fetched::Fetched;
use crate::widgets::dialog::{Dialog, FOCUS};

pub fn dialog(radio: Radio, scan: Fetched<ScanView>) -> AnyView {
    let dialog = Dialog::new();
    let asked = Memo::new(move |_| {
        scan.data
            .with(|view| view.as_ref().and_then(|view| view.prompts.first().cloned()))
    });
    // What was answered or closed here is not asked again, although it stays in the report for a moment.
    let done = RwSignal::new(0);
    let open = Memo::new(move |_| asked.get().filter(|question| question.id > done.get()));
    Effect::new(move |former: Option<Option<u64>>| {
        let id = open.with(|question| question.as_ref().map(|question| question.id));
        match id {
            Some(_) if former.flatten() != id => dialog.open(),
            None => dialog.close(),
            Some(_) => {}
        }
        id
    });
    let answer = move |question: u64, yes: bool, passkey: Option<u32>| {
        done.set(question);
        spawn_local(async move {
            let answer = PairingAnswer {
                prompt: question,
                yes,
                passkey,
            };
            let source = radio.source.get_value();
            if let Err(trouble) = change::<AnswerPairing>(&[&source], &answer, None).await {
                radio.toasts.trouble(&trouble);
            }
        });
    };
    let closed = move || {
        // Escape is a no.
        if let Some(question) = open.get_untracked() {
            answer(question.id, false, None);
        }
    };
    let content = move || {
        open.get()
            .map(|question| asking(radio, &question, answer))
            .into_any()
    };
    dialog.view("pairing-title", content, closed)
}

fn asking(
    radio: Radio,
    question: &PairingQuestion,
    answer: impl Fn(u64, bool, Option<u32>) + Copy + Send + Sync + 'static,
) -> AnyView {
    let id = question.id;
    let name = question.name.as_deref().unwrap_or(&question.address);
    let who = words::plain(name);
    let until = question.until.millis();
    let left = move || {
        let left = (until - radio.live.now.get()).max(0);
        format!("It waits {} longer.", words::span(left / 1000 * 1000))
    };
    let number = question.number.clone().unwrap_or_default();
    let typed = RwSignal::new(String::new());
    let passkey = move || {
        let text = typed.get();
        let text = text.trim();
        (text.len() <= 6)
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let no = move |_| answer(id, false, None);
    let body = match question.wants {
        PairingWants::Passkey => view! {
            <form on:submit=move |event| { event.prevent_default(); if let Some(key) = passkey() { answer(id, true, Some(key)); } }>
                <div class="field">
                    <label for=FOCUS>"The number on its display or label"</label>
                    <input class="short" id=FOCUS type="text" inputmode="numeric" autocomplete="off" maxlength="6" data-test="passkey"
                        on:input=move |event| typed.set(event_target_value(&event))/>
                </div>
                <div class="actions">
                    <button type="submit" class="primary" disabled=move || passkey().is_none()>"Pair"</button>
                    <button type="button" on:click=no>"Cancel"</button>
                </div>
            </form>
        }
        .into_any(),
        PairingWants::Compare => view! {
            <p>"Does it show this number?"</p>
            <p class="pairing-number" data-test="pairing-number">{number}</p>
            <div class="actions">
                <button type="button" class="primary" id=FOCUS data-test="pairing-yes" on:click=move |_| answer(id, true, None)>"Yes, it does"</button>
                <button type="button" on:click=no>"No"</button>
            </div>
        }
        .into_any(),
        PairingWants::Allow => view! {
            <p>"It wants to pair with this gateway."</p>
            <div class="actions">
                <button type="button" class="primary" id=FOCUS data-test="pairing-yes" on:click=move |_| answer(id, true, None)>"Pair"</button>
                <button type="button" on:click=no>"Refuse"</button>
            </div>
        }
        .into_any(),
        PairingWants::Show => view! {
            <p>"Type this number at the device:"</p>
            <p class="pairing-number" data-test="pairing-number">{number}</p>
            <div class="actions"><button type="button" id=FOCUS on:click=no>"Cancel"</button></div>
        }
        .into_any(),
    };
    view! {
        <h2 id="pairing-title">{format!("Pairing with {who}")}</h2>
        {question.name.as_ref().map(|_| view! { <p class="faint">{question.address.clone()}</p> })}
        {body}
        <p class="faint">{left}</p>
    }
    .into_any()
}
