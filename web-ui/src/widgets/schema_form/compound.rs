//! Fields that hold fields: groups, lists, maps, alternatives.

use fieldgate_ui_logic::form::{self, element_id, field_id};
use fieldgate_ui_logic::schema::{Field, Node, Shape, Variant};
use leptos::prelude::*;
use serde_json::Value as Json;

use super::{Form, Spot, default_words, described_by, draw, draw_fields, framed, mark, notes};
use crate::nav::focus;

/// A place that is not set, with a button that sets it.
fn draw_unset(form: Form, spot: &Spot) -> AnyView {
    let (path, node) = (spot.path.clone(), spot.node.clone());
    let set = move |_| {
        form.put(&path, Some(form::skeleton(&node)));
        form.redraw(Some(field_id(&path)));
    };
    let label = format!("Set {}", spot.label);
    let control = view! {
        <div class="unset">
            <span class="faint">"not set"</span>
            <button type="button" id=element_id("set", &spot.path) disabled=form.lock(&spot.path).is_some()
                aria-label=label on:click=set>"Set"</button>
        </div>
    };
    let title = view! { <span class="label" id=field_id(&spot.path) tabindex="-1">{spot.label.clone()}</span> }.into_any();
    framed(form, spot, title, control.into_any())
}

fn clear_button(form: Form, spot: &Spot) -> Option<AnyView> {
    if spot.required || spot.stays || form.lock(&spot.path).is_some() {
        return None;
    }
    let path = spot.path.clone();
    let clear = move |_| {
        form.put(&path, None);
        form.forget_picks(&path);
        form.redraw(Some(element_id("set", &path)));
    };
    let label = format!("Do not set {}", spot.label);
    Some(view! { <button type="button" class="quiet" id=element_id("clear", &spot.path) aria-label=label on:click=clear>"Do not set"</button> }.into_any())
}

fn fieldset(form: Form, spot: &Spot, content: AnyView) -> AnyView {
    view! {
        <fieldset id=field_id(&spot.path) tabindex="-1" aria-describedby=described_by(spot)>
            <legend>{spot.label.clone()}{mark(spot)}</legend>
            {notes(form, spot)}
            {content}
        </fieldset>
    }
    .into_any()
}

pub fn draw_group(form: Form, spot: &Spot, fields: &[Field]) -> AnyView {
    if form.value(&spot.path).is_none() && !spot.required && !spot.stays {
        return draw_unset(form, spot);
    }
    let content = view! { {draw_fields(form, fields, &spot.path)}{clear_button(form, spot)} };
    fieldset(form, spot, content.into_any())
}

pub fn draw_list(form: Form, spot: &Spot, item: &Node) -> AnyView {
    let count = form
        .value(&spot.path)
        .and_then(|list| list.as_array().map(Vec::len))
        .unwrap_or(0);
    let locked = form.lock(&spot.path).is_some();
    let items: Vec<AnyView> = (0..count)
        .map(|index| draw_item(form, spot, item, index, count, locked))
        .collect();
    let (path, skeleton) = (spot.path.clone(), form::skeleton(item));
    let add = move |_| {
        let mut index = 0;
        form.settings
            .update(|settings| index = form::append(settings, &path, skeleton.clone()));
        let mut item = path.clone();
        item.push(index.to_string());
        form.redraw(Some(field_id(&item)));
    };
    let label = format!("Add to {}", spot.label);
    let content = view! {
        <ol class="items">{items}</ol>
        {(count == 0).then(|| view! { <p class="faint">"none"</p> })}
        <button type="button" id=element_id("add", &spot.path) disabled=locked aria-label=label on:click=add>"Add"</button>
    };
    fieldset(form, spot, content.into_any())
}

fn draw_item(
    form: Form,
    list: &Spot,
    node: &Node,
    index: usize,
    count: usize,
    locked: bool,
) -> AnyView {
    let mut path = list.path.clone();
    path.push(index.to_string());
    let one = list.label.strip_suffix('s').unwrap_or(&list.label);
    let label = format!("{one} {}", index + 1);
    let spot = Spot {
        node,
        path: path.clone(),
        label: label.clone(),
        required: false,
        stays: true,
    };
    let up = (index > 0).then(|| {
        mover(
            form,
            &path,
            index - 1,
            "↑",
            format!("Move {label} up"),
            "up",
        )
    });
    let down = (index + 1 < count).then(|| {
        mover(
            form,
            &path,
            index + 1,
            "↓",
            format!("Move {label} down"),
            "down",
        )
    });
    let list_path = list.path.clone();
    let removed = path.clone();
    let remove = move |_| {
        form.put(&removed, None);
        form.forget_picks(&list_path);
        form.redraw(Some(element_id("add", &list_path)));
    };
    let buttons = (!locked).then(|| {
        view! {
            <div class="item-buttons">
                {up}{down}
                <button type="button" class="quiet" id=element_id("remove", &path) aria-label=format!("Remove {label}") on:click=remove>"Remove"</button>
            </div>
        }
    });
    view! { <li class="item"><div class="item-body">{draw(form, &spot)}</div>{buttons}</li> }
        .into_any()
}

fn mover(
    form: Form,
    item: &[String],
    to: usize,
    arrow: &'static str,
    label: String,
    what: &'static str,
) -> AnyView {
    let (list, from) = match item.split_last() {
        Some((last, list)) => (list.to_vec(), last.parse::<usize>().unwrap_or(to)),
        None => return ().into_any(),
    };
    let click = move |_| {
        form.settings
            .update(|settings| form::swap(settings, &list, from, to));
        form.forget_picks(&list);
        let mut moved = list.clone();
        moved.push(to.to_string());
        // At the end of its way the button is gone; then the field itself has the focus.
        let button = element_id(what, &moved);
        form.redraw(Some(field_id(&moved)));
        request_animation_frame(move || focus(&button));
    };
    view! { <button type="button" class="quiet" id=element_id(what, item) aria-label=label on:click=click>{arrow}</button> }.into_any()
}

/// Names chosen by the user, each with a value.
pub fn draw_map(form: Form, spot: &Spot, item: &Node) -> AnyView {
    let names: Vec<String> = match form.value(&spot.path) {
        Some(Json::Object(map)) => map.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let rows: Vec<AnyView> = names.into_iter().map(|name| {
        let mut path = spot.path.clone();
        path.push(name.clone());
        let inner = Spot { node: item, path: path.clone(), label: name.clone(), required: false, stays: true };
        let add = element_id("name", &spot.path);
        let remove = move |_| {
            form.put(&path, None);
            form.redraw(Some(add.clone()));
        };
        let label = format!("Remove {name}");
        view! {
            <li class="item"><div class="item-body">{draw(form, &inner)}</div>
            <div class="item-buttons"><button type="button" class="quiet" aria-label=label on:click=remove>"Remove"</button></div></li>
        }
        .into_any()
    }).collect();
    let name = RwSignal::new(String::new());
    let (path, skeleton) = (spot.path.clone(), form::skeleton(item));
    let add = move |_| {
        let key = name.get_untracked();
        if !key.is_empty() {
            let mut path = path.clone();
            path.push(key);
            form.put(&path, Some(skeleton.clone()));
            form.redraw(Some(field_id(&path)));
        }
    };
    let content = view! {
        <ul class="items">{rows}</ul>
        <div class="unset">
            <input type="text" id=element_id("name", &spot.path) aria-label=format!("Name to add to {}", spot.label) placeholder="name"
                on:input=move |event| name.set(event_target_value(&event))/>
            <button type="button" id=element_id("add", &spot.path) on:click=add>"Add"</button>
        </div>
    };
    fieldset(form, spot, content.into_any())
}

pub fn draw_alternatives(form: Form, spot: &Spot, variants: &[Variant]) -> AnyView {
    let value = form.value(&spot.path);
    let current = value
        .as_ref()
        .map(|value| form.picked(&spot.path, variants, value));
    let id = element_id("alternative", &spot.path);
    let options = variants.iter().enumerate().map(|(index, variant)| {
        view! { <option value=index.to_string() selected=current == Some(index)>{variant.label.clone()}</option> }
    });
    let (path, skeletons) = (
        spot.path.clone(),
        variants
            .iter()
            .map(|variant| form::skeleton(&variant.node))
            .collect::<Vec<_>>(),
    );
    let own_id = id.clone();
    let change = move |event| {
        let index: Option<usize> = event_target_value(&event).parse().ok();
        form.put(&path, index.and_then(|index| skeletons.get(index).cloned()));
        form.forget_picks(&path);
        form.picks.update_value(|picks| match index {
            Some(index) => drop(picks.insert(path.join("."), index)),
            None => drop(picks.remove(&path.join("."))),
        });
        form.redraw(Some(own_id.clone()));
    };
    let optional = (!spot.required && !spot.stays) || current.is_none();
    let chooser = view! {
        <select id=id.clone() disabled=form.lock(&spot.path).is_some() on:change=change aria-describedby=described_by(spot)>
            {optional.then(|| view! { <option value="" selected=current.is_none()>{default_words(spot.node).unwrap_or_else(|| "not set".to_owned())}</option> })}
            {options.collect_view()}
        </select>
    };
    let inner = current.map(|index| draw_variant(form, spot, &variants[index]));
    view! {
        <div class="alternatives" id=(current.is_none()).then(|| field_id(&spot.path)) tabindex=(current.is_none()).then_some("-1")>
            <div class="field"><label for=id>{spot.label.clone()}{mark(spot)}</label>{chooser}{current.is_none().then(|| notes(form, spot))}</div>
            {inner}
        </div>
    }
    .into_any()
}

/// The fields of an alternative; one that is a single field is drawn without a frame around it.
fn draw_variant(form: Form, spot: &Spot, variant: &Variant) -> AnyView {
    let path = spot.path.clone();
    if let Some(field) = variant.node.only_field()
        && !matches!(variant.node.shape, Shape::Fixed(_))
    {
        let mut inner = path.clone();
        inner.push(field.key.clone());
        let help = if field.node.help.is_empty() {
            &variant.node.help
        } else {
            &field.node.help
        };
        let node = Node {
            help: help.clone(),
            ..field.node.clone()
        };
        let own = Spot {
            node: &node,
            path: inner,
            label: field.label.clone(),
            required: true,
            stays: true,
        };
        return view! { <div id=field_id(&path) tabindex="-1" class="only">{draw(form, &own)}</div> }.into_any();
    }
    let own = Spot {
        node: &variant.node,
        path,
        label: variant.label.clone(),
        required: true,
        stays: true,
    };
    draw(form, &own)
}
