//! `SecretField`: says whether a secret is set, and takes a new one. It never shows one.

use fieldgate_ui_logic::form::{element_id, field_id, get, secret_place};
use leptos::prelude::*;
use serde_json::json;

use super::schema_form::Form;

/// The control of a secret; an untouched one sends back what came.
pub fn secret_field(
    form: Form,
    path: &[String],
    described_by: String,
    locked: bool,
    clearable: bool,
) -> AnyView {
    let path = path.to_vec();
    let (id, replace_id) = (field_id(&path), element_id("replace", &path));
    let before = form
        .settings
        .with_untracked(|settings| get(settings, &path).cloned());
    let place = secret_place(before.as_ref());
    let is_set = place.is_some();
    let typing = RwSignal::new(!is_set);
    let input = {
        let (path, before) = (path.clone(), before.clone());
        move |event| {
            let text = event_target_value(&event);
            let value = if text.is_empty() {
                before.clone()
            } else {
                Some(json!({ "typed": text }))
            };
            form.put(&path, value);
        }
    };
    let keep = {
        let (path, before) = (path.clone(), before.clone());
        move |_| {
            form.put(&path, before.clone());
            typing.set(false);
        }
    };
    let clear = {
        let path = path.clone();
        move |_| {
            form.put(&path, None);
            form.redraw(Some(field_id(&path)));
        }
    };
    let replace = {
        let id = id.clone();
        move |_| {
            typing.set(true);
            let id = id.clone();
            request_animation_frame(move || crate::nav::focus(&id));
        }
    };
    let place = place.unwrap_or_else(|| "not set".to_owned());
    view! {
        <div class="secret">
            <span class="secret-place" data-test="secret">{place}</span>
            <Show when=move || typing.get() && !locked>
                <input type="password" autocomplete="new-password" id=id.clone() aria-describedby=described_by.clone()
                    aria-invalid=form.invalid(&path) on:input=input.clone()/>
                {is_set.then(|| view! { <button type="button" class="quiet" on:click=keep.clone()>"Keep the one that is set"</button> })}
            </Show>
            <Show when=move || !typing.get() && !locked>
                <button type="button" id=replace_id.clone() on:click=replace.clone()>"Replace"</button>
                {clearable.then(|| view! { <button type="button" class="quiet" on:click=clear.clone()>"Clear"</button> })}
            </Show>
        </div>
    }
    .into_any()
}
