//! The key of encrypted packets: typed in place, tried on the next broadcasts, kept as a secret once it fits.

use fieldgate_api::endpoint::TryKey;
use fieldgate_api::scanner::{AddDevice, KeyDraft, KeyTrialView, SealWord};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::heard::Advertiser;
use super::note;
use crate::client::change;
use crate::widgets::icon::Icon;
use crate::widgets::page::trouble_note;

/// Shown for a device whose packets are encrypted.
pub fn card(advertiser: Advertiser) -> AnyView {
    let page = advertiser.page.data;
    let seal = Memo::new(move |_| page.with(|page| page.as_ref().map(|page| page.heard.seal)));
    let sealed = Memo::new(move |_| seal.get().is_some_and(|seal| seal != SealWord::Open));
    (move || sealed.get().then(|| form(advertiser, seal))).into_any()
}

fn form(advertiser: Advertiser, seal: Memo<Option<SealWord>>) -> AnyView {
    let page = advertiser.page.data;
    let typed = RwSignal::new(String::new());
    // The key that is being tried, as it was typed.
    let tried = RwSignal::new(None::<String>);
    let trouble = RwSignal::new(None::<Trouble>);
    let trial =
        Memo::new(move |_| page.with(|page| page.as_ref().and_then(|page| page.trial.clone())));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let key = typed.get_untracked().trim().to_owned();
        if key.is_empty() {
            return;
        }
        trouble.set(None);
        spawn_local(async move {
            let source = advertiser.radio.source.get_value();
            let draft = KeyDraft {
                address: advertiser.address.get_value(),
                key: key.clone(),
            };
            match change::<TryKey>(&[&source], &draft, None).await {
                Ok(()) => {
                    tried.try_set(Some(key));
                    advertiser.page.refresh();
                }
                Err(refused) => {
                    tried.try_set(None);
                    trouble.try_set(Some(refused));
                }
            }
        });
    };
    let keep = move |_| {
        let device = AddDevice {
            address: advertiser.address.get_value(),
            key: tried.get_untracked(),
            ..AddDevice::default()
        };
        advertiser.add(device);
    };
    let fits = Memo::new(move |_| {
        tried.with(Option::is_some)
            && trial.with(|trial| trial.as_ref().is_some_and(|trial| trial.opened > 0))
    });
    let added = Memo::new(move |_| {
        page.with(|page| page.as_ref().is_some_and(|page| page.heard.added.is_some()))
    });
    let about = move || match seal.get() {
        Some(SealWord::Opened) => {
            "Its packets are encrypted, and the key that is kept opens them. Another one replaces it."
        }
        Some(SealWord::WrongKey) => {
            "Its packets are encrypted, and the key that is kept does not open them."
        }
        _ => {
            "Its packets are encrypted. The key is in the maker’s app, or was shown when the device was set up: 32 hexadecimal digits, 24 on older Xiaomi devices."
        }
    };
    view! {
        <section class="card" aria-labelledby="key-title" data-test="key">
            <h2 id="key-title">"Key"</h2>
            <p>{about}</p>
            <form class="key-form" on:submit=submit>
                <div class="field">
                    <label for="bind-key">"Bind key"</label>
                    <input id="bind-key" type="text" autocomplete="off" autocapitalize="off" spellcheck="false" prop:value=move || typed.get()
                        on:input=move |event| typed.set(event_target_value(&event))/>
                </div>
                <button type="submit" data-test="try-key">"Try it"</button>
            </form>
            {move || trouble.get().map(|trouble| trouble_note(&trouble))}
            {move || tried.with(Option::is_some).then(|| state(trial.get().as_ref()))}
            {move || fits.get().then(|| view! {
                <div class="actions"><button type="button" class="primary" data-test="keep-key" disabled=move || advertiser.adding.busy.get() on:click=keep>
                    {move || if added.get() { "Keep this key" } else { "Keep this key, add & send" }}</button></div>
            })}
        </section>
    }
    .into_any()
}

fn state(trial: Option<&KeyTrialView>) -> AnyView {
    let (level, sign, words) = match trial {
        Some(trial) if trial.opened > 0 => ("good", Icon::Good, words::plain(&trial.words)),
        Some(trial) if trial.tried > 0 => ("warning", Icon::Warning, words::plain(&trial.words)),
        _ => (
            "idle",
            Icon::Idle,
            "waiting for the next broadcast…".to_owned(),
        ),
    };
    view! { <div data-test="trial">{note(level, sign, words::capital(&words))}</div> }.into_any()
}
