//! `CopyText`: an identifier with a button that copies it.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlDocument, HtmlElement, HtmlTextAreaElement};

use super::announce::Announcer;
use super::icon::{Icon, icon};
use fieldgate_ui_logic::words;

/// Shows `text`, and copies it; `what` names it for the button: `Copy the topic`.
pub fn copy_text(text: &str, what: &str, test: &'static str) -> AnyView {
    let shown = words::plain(text);
    view! {
        <span class="copy">
            <code data-test=(!test.is_empty()).then_some(test)>{shown}</code>
            {copy_button(text, what)}
        </span>
    }
    .into_any()
}

/// The button alone.
pub fn copy_button(text: &str, what: &str) -> AnyView {
    let announcer = Announcer::expect();
    let copied = RwSignal::new(false);
    let text = text.to_owned();
    let label = format!("Copy {what}");
    let done = move || {
        copied.try_set(true);
        announcer.say("Copied");
        set_timeout(
            move || {
                copied.try_set(false);
            },
            Duration::from_secs(2),
        );
    };
    let click = move |_| {
        let text = text.clone();
        spawn_local(async move {
            if copy(&text).await {
                done();
            }
        });
    };
    view! {
        <button type="button" class="quiet small" on:click=click aria-label=label>
            {icon(Icon::Copy)}
            <span class="copy-word">{move || if copied.get() { "Copied" } else { "Copy" }}</span>
        </button>
    }
    .into_any()
}

/// Browsers give the clipboard to secure pages only; the rest goes the old way.
async fn copy(text: &str) -> bool {
    if window().is_secure_context() {
        let promise = window().navigator().clipboard().write_text(text);
        if JsFuture::from(promise).await.is_ok() {
            return true;
        }
    }
    copy_by_selection(text).unwrap_or(false)
}

fn copy_by_selection(text: &str) -> Option<bool> {
    let document: HtmlDocument = document().dyn_into().ok()?;
    let focused = document.active_element();
    let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_value(text);
    area.set_class_name("unseen");
    document.body()?.append_child(&area).ok()?;
    area.select();
    let copied = document.exec_command("copy").ok();
    area.remove();
    if let Some(focused) = focused.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // The button had it before, so it can have it again.
        let _ = focused.focus();
    }
    copied
}
