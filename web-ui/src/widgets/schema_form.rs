//! `SchemaForm`: draws any settings from their JSON Schema, and keeps what is entered as JSON.
//!
//! A text field changes the settings and nothing else. What changes which fields there are (an item more, another
//! alternative) draws the form again and puts the focus where the person goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldgate_api::config::Origin;
use fieldgate_api::trouble::ConfigProblem;
use fieldgate_ui_logic::form::{self, element_id, field_id};
use fieldgate_ui_logic::schema::{self, Choice, Field, Node, Shape, Variant};
use leptos::prelude::*;
use serde_json::Value as Json;

use super::page::prose;
use super::problems::sentence;
use super::secret::secret_field;
use crate::nav::focus;

/// The state of a form.
#[derive(Clone, Copy)]
pub struct Form {
    pub settings: RwSignal<Json>,
    pub problems: RwSignal<Vec<ConfigProblem>>,
    node: StoredValue<Arc<Node>>,
    locked: StoredValue<BTreeMap<String, Origin>>,
    offers: StoredValue<BTreeMap<String, Offer>>,
    /// Alternatives that were chosen and that the value alone does not tell.
    picks: StoredValue<BTreeMap<String, usize>>,
    drawing: RwSignal<u32>,
}

/// Texts that are offered for a field, by its dotted path with `*` for indices.
#[derive(Debug, Clone)]
pub enum Offer {
    /// Only these make sense.
    Choose(Vec<String>),
    /// Others do, too.
    Suggest(Vec<String>),
}

/// A field as it is drawn.
struct Spot<'a> {
    node: &'a Node,
    path: Vec<String>,
    label: String,
    required: bool,
    /// An item of a list stays when it is emptied.
    stays: bool,
}

/// All fields.
pub fn schema_form(form: Form) -> AnyView {
    drawn(form, move |node| {
        draw_fields(form, node.fields(), &[]).into_any()
    })
}

/// One field of the top, drawn as the whole form would.
pub fn schema_field(form: Form, key: &'static str) -> AnyView {
    drawn(form, move |node| {
        let field = node.fields().iter().find(|field| field.key == key);
        field.map(|field| draw_field(form, field, &[])).into_any()
    })
}

/// Draws from nothing each time: an input in place would keep what was typed for another item.
fn drawn(form: Form, view: impl Fn(&Node) -> AnyView + Clone + Send + Sync + 'static) -> AnyView {
    view! {
        <For each=move || [form.drawing.get()] key=|drawing| *drawing children=move |_| form.node.with_value(|node| view(node))/>
    }
    .into_any()
}

// === impl Form ===

impl Form {
    /// Starts from `settings`, or from the least that the schema asks for.
    pub fn new(schema: &Json, settings: Option<Json>, locked: BTreeMap<String, Origin>) -> Self {
        let node = schema::read(schema);
        let settings = settings.unwrap_or_else(|| form::skeleton(&node));
        Self {
            settings: RwSignal::new(settings),
            problems: RwSignal::new(Vec::new()),
            node: StoredValue::new(Arc::new(node)),
            locked: StoredValue::new(locked),
            offers: StoredValue::new(BTreeMap::new()),
            picks: StoredValue::new(BTreeMap::new()),
            drawing: RwSignal::new(0),
        }
    }

    /// Puts a value, or takes it away; the problem that stood there is answered by that.
    pub fn put(self, path: &[String], value: Option<Json>) {
        let answered = |problem: &ConfigProblem| self.anchor(problem) == path;
        if self
            .problems
            .with_untracked(|problems| problems.iter().any(answered))
        {
            let left = self
                .problems
                .get_untracked()
                .into_iter()
                .filter(|problem| !answered(problem))
                .collect();
            self.problems.set(left);
        }
        self.settings.update(|settings| match value {
            Some(value) => form::set(settings, path, value),
            None => form::remove(settings, path),
        });
    }

    /// Offers texts for a field.
    pub fn offer_for(self, dotted: &str, offer: Offer) {
        self.offers
            .try_update_value(|offers| offers.insert(dotted.to_owned(), offer));
    }

    /// Draws again, then gives an element the focus.
    pub fn redraw(self, focus_id: Option<String>) {
        if let Some(mut drawing) = self.drawing.try_write() {
            *drawing += 1;
        }
        if let Some(id) = focus_id {
            request_animation_frame(move || focus(&id));
        }
    }

    /// The field at which a problem is shown.
    pub fn anchor(self, problem: &ConfigProblem) -> Vec<String> {
        self.node.with_value(|node| {
            self.settings
                .with_untracked(|settings| form::anchor(node, settings, problem))
        })
    }

    /// For `aria-invalid`.
    pub fn invalid(
        self,
        path: &[String],
    ) -> impl Fn() -> Option<&'static str> + Send + Sync + Clone + use<> {
        let path = path.to_vec();
        move || (!self.problems_at(&path).is_empty()).then_some("true")
    }

    fn problems_at(self, path: &[String]) -> Vec<ConfigProblem> {
        let mut problems = self.problems.get();
        problems.retain(|problem| self.anchor(problem) == path);
        problems
    }

    fn value(self, path: &[String]) -> Option<Json> {
        self.settings
            .with_untracked(|settings| form::get(settings, path).cloned())
    }

    /// Where a field is fixed, if the console may not change it.
    fn lock(self, path: &[String]) -> Option<String> {
        self.locked.with_value(|locked| {
            (1..=path.len())
                .find_map(|length| locked.get(&path[..length].join(".")))
                .map(|origin| origin.place.clone())
        })
    }

    fn offer(self, path: &[String]) -> Option<Offer> {
        let keys: Vec<&str> = path
            .iter()
            .map(|key| {
                if key.parse::<usize>().is_ok() {
                    "*"
                } else {
                    key.as_str()
                }
            })
            .collect();
        self.offers
            .with_value(|offers| offers.get(&keys.join(".")).cloned())
    }

    /// The alternative that a value is of: as chosen, else as it looks.
    fn picked(self, path: &[String], variants: &[Variant], value: &Json) -> usize {
        let chosen = self
            .picks
            .with_value(|picks| picks.get(&path.join(".")).copied());
        let fits = form::alternative(variants, value);
        chosen
            .filter(|index| fits.is_some() && *index < variants.len())
            .or(fits)
            .unwrap_or(0)
    }

    /// Items moved: what was chosen below them is told by their values again.
    fn forget_picks(self, path: &[String]) {
        let start = format!("{}.", path.join("."));
        self.picks
            .update_value(|picks| picks.retain(|path, _| !path.starts_with(&start)));
    }
}

fn draw_fields(form: Form, fields: &[Field], path: &[String]) -> Vec<AnyView> {
    fields
        .iter()
        .map(|field| draw_field(form, field, path))
        .collect()
}

fn draw_field(form: Form, field: &Field, path: &[String]) -> AnyView {
    let mut path = path.to_vec();
    path.push(field.key.clone());
    let label = field.label.clone();
    draw(
        form,
        &Spot {
            node: &field.node,
            path,
            label,
            required: field.required,
            stays: false,
        },
    )
}

fn draw(form: Form, spot: &Spot) -> AnyView {
    match &spot.node.shape {
        Shape::Fixed(_) => ().into_any(),
        Shape::Text | Shape::Number { .. } => match form.offer(&spot.path) {
            Some(Offer::Choose(texts)) => draw_chooser(form, spot, &texts),
            Some(Offer::Suggest(texts)) => draw_input(form, spot, texts),
            None => draw_input(form, spot, Vec::new()),
        },
        Shape::Raw => draw_raw(form, spot),
        Shape::Toggle => draw_toggle(form, spot),
        Shape::Choice(choices) => draw_choice(form, spot, choices),
        Shape::Secret => draw_secret(form, spot),
        Shape::Group(fields) => draw_group(form, spot, fields),
        Shape::List(item) => draw_list(form, spot, item),
        Shape::Map(item) => draw_map(form, spot, item),
        Shape::OneOf(variants) => draw_alternatives(form, spot, variants),
    }
}

/// A labelled control with its help, its lock and its problems.
fn frame(form: Form, spot: &Spot, control: AnyView) -> AnyView {
    let label = view! { <label for=field_id(&spot.path)>{spot.label.clone()}{mark(spot)}</label> }
        .into_any();
    framed(form, spot, label, control)
}

fn framed(form: Form, spot: &Spot, label: AnyView, control: AnyView) -> AnyView {
    view! { <div class="field">{label}{control}{notes(form, spot)}</div> }.into_any()
}

fn mark(spot: &Spot) -> Option<AnyView> {
    spot.required
        .then(|| view! { <span class="required">" required"</span> }.into_any())
}

fn notes(form: Form, spot: &Spot) -> AnyView {
    let help = spot.node.help.clone();
    let path = spot.path.clone();
    let problems = move || {
        let problems = form.problems_at(&path);
        problems
            .iter()
            .map(|problem| view! { <p class="problem">{sentence(problem)}</p> })
            .collect_view()
    };
    view! {
        {(!help.is_empty()).then(|| view! { <p class="help" id=element_id("help", &spot.path)>{prose(&help)}</p> })}
        {form.lock(&spot.path).map(|place| view! { <p class="locked">{format!("fixed by {place}")}</p> })}
        <div id=element_id("error", &spot.path)>{problems}</div>
    }
    .into_any()
}

fn described_by(spot: &Spot) -> String {
    let error = element_id("error", &spot.path);
    if spot.node.help.is_empty() {
        error
    } else {
        format!("{} {error}", element_id("help", &spot.path))
    }
}

fn default_words(node: &Node) -> Option<String> {
    match node.default.as_ref()? {
        Json::Object(_) | Json::Array(_) => None,
        value => Some(format!("default: {}", schema::shown(value))),
    }
}

fn draw_input(form: Form, spot: &Spot, offered: Vec<String>) -> AnyView {
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
fn draw_raw(form: Form, spot: &Spot) -> AnyView {
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

fn draw_toggle(form: Form, spot: &Spot) -> AnyView {
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

fn draw_choice(form: Form, spot: &Spot, choices: &[Choice]) -> AnyView {
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
fn draw_chooser(form: Form, spot: &Spot, texts: &[String]) -> AnyView {
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

fn draw_secret(form: Form, spot: &Spot) -> AnyView {
    let locked = form.lock(&spot.path).is_some();
    let control = secret_field(form, &spot.path, described_by(spot), locked, !spot.required);
    frame(form, spot, control)
}

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

fn draw_group(form: Form, spot: &Spot, fields: &[Field]) -> AnyView {
    if form.value(&spot.path).is_none() && !spot.required && !spot.stays {
        return draw_unset(form, spot);
    }
    let content = view! { {draw_fields(form, fields, &spot.path)}{clear_button(form, spot)} };
    fieldset(form, spot, content.into_any())
}

fn draw_list(form: Form, spot: &Spot, item: &Node) -> AnyView {
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
fn draw_map(form: Form, spot: &Spot, item: &Node) -> AnyView {
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

fn draw_alternatives(form: Form, spot: &Spot, variants: &[Variant]) -> AnyView {
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
