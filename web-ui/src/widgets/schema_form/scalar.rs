//! Fields that hold one value: text, number, choice, yes or no, secret, anything.

use fieldgate_ui_logic::form::{self, element_id, field_id};
use fieldgate_ui_logic::schema::{self, Choice, Shape};
use leptos::prelude::*;
use serde_json::Value as Json;

use super::{Form, Spot, default_words, described_by, frame, framed};
use crate::widgets::page::prose;
use crate::widgets::secret::secret_field;

pub fn draw_input(form: Form, spot: &Spot, offered: Vec<String>) -> AnyView {
    let value = form
        .value(&spot.path)
        .map(|value| schema::shown(&value))
        .unwrap_or_default();
    let (path, node, stays) = (spot.path.clone(), spot.node.clone(), spot.stays);
    let input = move |event| {
        form.put(
            &path,
            form::typed(&node, &event_target_value(&event), stays),
        )
    };
    let mode = matches!(spot.node.shape, Shape::Number { .. }).then_some("decimal");
    let list = element_id("offers", &spot.path);
    let has_offers = !offered.is_empty();
    let control = view! {
        <input type="text" id=field_id(&spot.path) prop:value=value inputmode=mode autocomplete="off" spellcheck="false"
            class:short=mode.is_some() placeholder=default_words(spot.node) disabled=form.lock(&spot.path).is_some()
            required=spot.required list=has_offers.then(|| list.clone())
            aria-describedby=described_by(spot) aria-invalid=form.invalid(&spot.path) on:input=input/>
        {has_offers.then(|| view! {
            <datalist id=list>{offered.into_iter().map(|text| view! { <option value=text></option> }).collect_view()}</datalist>
        })}
    };
    frame(form, spot, control.into_any())
}

/// Anything: as JSON.
pub fn draw_raw(form: Form, spot: &Spot) -> AnyView {
    let value = form
        .value(&spot.path)
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_default();
    let (path, node, stays) = (spot.path.clone(), spot.node.clone(), spot.stays);
    let input = move |event| {
        form.put(
            &path,
            form::typed(&node, &event_target_value(&event), stays),
        )
    };
    let control = view! {
        <textarea id=field_id(&spot.path) rows="4" prop:value=value spellcheck="false" placeholder="JSON"
            disabled=form.lock(&spot.path).is_some() aria-describedby=described_by(spot)
            aria-invalid=form.invalid(&spot.path) on:input=input></textarea>
    };
    frame(form, spot, control.into_any())
}

pub fn draw_toggle(form: Form, spot: &Spot) -> AnyView {
    if spot.node.default.is_none() && !spot.required && spot.node.nullable {
        let yes_no = [(true, "Yes"), (false, "No")].map(|(value, label)| Choice {
            value: Json::Bool(value),
            label: label.to_owned(),
            help: String::new(),
        });
        return draw_choice(form, spot, &yes_no);
    }
    let value = form.value(&spot.path).or_else(|| spot.node.default.clone());
    let path = spot.path.clone();
    let change = move |event| form.put(&path, Some(Json::Bool(event_target_checked(&event))));
    let control = view! {
        <div class="check">
            <input type="checkbox" id=field_id(&spot.path) prop:checked=value == Some(Json::Bool(true))
                disabled=form.lock(&spot.path).is_some() aria-describedby=described_by(spot)
                aria-invalid=form.invalid(&spot.path) on:change=change/>
            <label for=field_id(&spot.path)>{spot.label.clone()}</label>
        </div>
    };
    framed(form, spot, ().into_any(), control.into_any())
}

/// A select; its options are numbered, the first is "not set" where that is possible.
fn select(
    form: Form,
    spot: &Spot,
    options: Vec<(String, bool)>,
    unset: Option<String>,
    change: impl Fn(Option<usize>) + Clone + Send + Sync + 'static,
) -> AnyView {
    let none_chosen = !options.iter().any(|(_, chosen)| *chosen);
    let options = options
        .into_iter()
        .enumerate()
        .map(|(index, (label, chosen))| {
            view! { <option value=index.to_string() selected=chosen>{label}</option> }
        });
    let changed = move |event| change(event_target_value(&event).parse().ok());
    let unset = unset.or_else(|| none_chosen.then(|| "choose…".to_owned()));
    view! {
        <select id=field_id(&spot.path) disabled=form.lock(&spot.path).is_some() required=spot.required
            aria-describedby=described_by(spot) aria-invalid=form.invalid(&spot.path) on:change=changed>
            {unset.map(|label| view! { <option value="" selected=none_chosen>{label}</option> })}
            {options.collect_view()}
        </select>
    }
    .into_any()
}

pub fn draw_choice(form: Form, spot: &Spot, choices: &[Choice]) -> AnyView {
    let value = form.value(&spot.path);
    let options = choices
        .iter()
        .map(|choice| (choice.label.clone(), value.as_ref() == Some(&choice.value)))
        .collect();
    let unset =
        (!spot.required).then(|| default_words(spot.node).unwrap_or_else(|| "not set".to_owned()));
    let helps: Vec<(Json, String)> = choices
        .iter()
        .map(|choice| (choice.value.clone(), choice.help.clone()))
        .collect();
    let values: Vec<Json> = choices.iter().map(|choice| choice.value.clone()).collect();
    let path = spot.path.clone();
    let control = select(form, spot, options, unset, move |index| {
        form.put(&path, index.and_then(|index| values.get(index).cloned()));
    });
    let path = spot.path.clone();
    let help = move || {
        form.settings.with(|settings| {
            let value = form::get(settings, &path)?;
            let (_, help) = helps
                .iter()
                .find(|(choice, help)| choice == value && !help.is_empty())?;
            Some(view! { <p class="help">{prose(help)}</p> })
        })
    };
    frame(form, spot, view! { {control}{help} }.into_any())
}

/// A text of which only some make sense, such as the id of a destination.
pub fn draw_chooser(form: Form, spot: &Spot, texts: &[String]) -> AnyView {
    let mut texts = texts.to_vec();
    let value = form.value(&spot.path).map(|value| schema::shown(&value));
    if let Some(value) = &value
        && !texts.contains(value)
    {
        texts.push(value.clone());
    }
    let options = texts
        .iter()
        .map(|text| (text.clone(), value.as_ref() == Some(text)))
        .collect();
    let path = spot.path.clone();
    let control = select(form, spot, options, None, move |index| {
        form.put(
            &path,
            index
                .and_then(|index| texts.get(index).cloned())
                .map(Json::String),
        );
    });
    frame(form, spot, control)
}

pub fn draw_secret(form: Form, spot: &Spot) -> AnyView {
    let locked = form.lock(&spot.path).is_some();
    let control = secret_field(form, &spot.path, described_by(spot), locked, !spot.required);
    frame(form, spot, control)
}
