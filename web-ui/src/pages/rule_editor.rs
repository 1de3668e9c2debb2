//! The editor of a rule: what it watches, what has to be so, and the command; the sources' points and offers are proposed.

use fieldgate_api::config::Kind;
use fieldgate_api::endpoint::{GetDevices, GetOffers, GetSources};
use fieldgate_ui_logic::place::Section;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::editor::{Editor, editor_page};
use crate::client::call;
use crate::items::Loaded;
use crate::widgets::page::prose;
use crate::widgets::schema_form::{Form, Offer, schema_field};

/// Devices that are asked for what may be done to them; the target of any other is typed.
const MOST_DEVICES: usize = 50;

pub fn page(id: Option<String>) -> AnyView {
    editor_page(Section::Rules, id, body, rule_form)
}

fn rule_form(kind: &Kind, loaded: Option<&Loaded>) -> Form {
    let item = loaded.and_then(|loaded| loaded.item.as_ref());
    let locked = item.map(|item| item.locked.clone()).unwrap_or_default();
    let form = Form::new(
        &kind.schema,
        item.map(|item| item.draft.settings.clone()),
        locked,
    );
    spawn_local(offer(form));
    form
}

/// Offers what there is to watch, and what the sources allow to be done. Drawing again takes the focus from a field, so who is
/// typing already gets the offers with the next change of the fields.
async fn offer(form: Form) {
    let before = form.settings.try_get_untracked();
    let sources = call::<GetSources>(&[]).await.unwrap_or_default();
    let patterns = sources
        .iter()
        .map(|source| format!("{}/**", source.item.id))
        .collect();
    form.offer_for("when.*", Offer::Suggest(patterns));
    let devices = call::<GetDevices>(&[]).await.unwrap_or_default();
    let mut targets = Vec::new();
    for device in devices.iter().take(MOST_DEVICES) {
        let offers = call::<GetOffers>(&[&device.id]).await.unwrap_or_default();
        targets.extend(offers.into_iter().map(|offer| offer.target));
    }
    form.offer_for("do.target", Offer::Suggest(targets));
    if form.settings.try_get_untracked() == before {
        form.redraw(None);
    }
}

fn body(editor: Editor, loaded: Loaded) -> AnyView {
    let form = editor.form.get_untracked();
    let about = loaded.kinds.first().map(|kind| prose(&kind.about));
    view! {
        <form class="editor" novalidate=true on:submit=move |event| { event.prevent_default(); editor.save(); }>
            {editor.messages()}
            {editor.id_field()}
            <p class="help">{about}</p>
            <ol class="pipeline">
                <li class="stage">{schema_field(form, "when")}</li>
                <li class="stage">{schema_field(form, "if")}</li>
                <li class="stage">{schema_field(form, "do")}</li>
                <li class="stage">{schema_field(form, "pause")}</li>
            </ol>
            {editor.footer(().into_any())}
        </form>
    }
    .into_any()
}
