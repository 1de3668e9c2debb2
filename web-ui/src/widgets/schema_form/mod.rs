//! `SchemaForm`: draws any settings from their JSON Schema, and keeps what is entered as JSON.
//!
//! A text field changes the settings and nothing else. What changes which fields there are (an item more, another
//! alternative) draws the form again and puts the focus where the person goes on.

mod compound;
mod scalar;

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldgate_api::config::Origin;
use fieldgate_api::trouble::ConfigProblem;
use fieldgate_ui_logic::form::{self, element_id, field_id};
use fieldgate_ui_logic::schema::{self, Field, Node, Shape, Variant};
use leptos::prelude::*;
use serde_json::Value as Json;

use super::page::prose;
use super::problems::sentence;
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

    /// Whether a field is fixed elsewhere.
    pub fn is_locked(self, path: &[String]) -> bool {
        self.lock(path).is_some()
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
            Some(Offer::Choose(texts)) => scalar::draw_chooser(form, spot, &texts),
            Some(Offer::Suggest(texts)) => scalar::draw_input(form, spot, texts),
            None => scalar::draw_input(form, spot, Vec::new()),
        },
        Shape::Raw => scalar::draw_raw(form, spot),
        Shape::Toggle => scalar::draw_toggle(form, spot),
        Shape::Choice(choices) => scalar::draw_choice(form, spot, choices),
        Shape::Secret => scalar::draw_secret(form, spot),
        Shape::Group(fields) => compound::draw_group(form, spot, fields),
        Shape::List(item) => compound::draw_list(form, spot, item),
        Shape::Map(item) => compound::draw_map(form, spot, item),
        Shape::OneOf(variants) => compound::draw_alternatives(form, spot, variants),
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
