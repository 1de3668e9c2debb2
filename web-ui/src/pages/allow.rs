//! A rule for the setting `commands` that another page proposes: it comes by the URL and is put into the form, and nothing but the
//! person's own Save writes it.

use fieldgate_ui_logic::form::{append, element_id, field_id};
use fieldgate_ui_logic::place::{Place, Section, encode};
use leptos::prelude::*;
use serde_json::Value as Json;

use super::editor::Editor;
use crate::nav::{Nav, focus};

/// The value of the URL that holds the rule.
const KEY: &str = "allow";
const SETTING: &str = "commands";

/// The page of a source's settings, with a rule to be looked at.
pub fn link(source: &str, rule: &Json) -> String {
    let place = Place::Item(Section::Sources, source.to_owned()).path();
    format!("{place}?{KEY}={}", encode(&rule.to_string()))
}

/// Puts the rule of the URL into the form, once, and says so. Nothing without one, or where the setting is fixed by a file.
pub fn proposed(editor: Editor) -> Option<AnyView> {
    let nav = Nav::expect();
    let asked = untrack(move || nav.value(KEY));
    let rule: Json = serde_json::from_str(&asked).ok()?;
    let form = editor.form.get_untracked();
    let setting = [SETTING.to_owned()];
    if !rule.is_object() || form.is_locked(&setting) {
        return None;
    }
    let there = form.settings.with_untracked(|settings| {
        let rules = settings[SETTING].as_array();
        rules.and_then(|rules| rules.iter().position(|known| *known == rule))
    });
    let index = there.unwrap_or_else(|| {
        let mut index = 0;
        form.settings
            .update(|settings| index = append(settings, &setting, rule));
        index
    });
    nav.set_value(KEY, "");
    let item = [SETTING.to_owned(), index.to_string()];
    let (field, add) = (field_id(&item), element_id("add", &setting));
    request_animation_frame(move || {
        focus(&add);
        focus(&field);
    });
    Some(
        view! {
            <div class="note warning" role="status" data-test="proposed">
                <p><strong>"A rule was added under "<code>{SETTING}</code></strong>", and nothing is saved yet. Look at what it allows and whom it lets do it, then save."</p>
            </div>
        }
        .into_any(),
    )
}
