//! The dialog of a command, in steps: what is wanted, checked by its type; old and new value to be confirmed; the answer.

use fieldgate_api::command::{CommandDraft, OfferView};
use fieldgate_model::{ActionKind, Parameter};
use fieldgate_ui_logic::command::{self, Field};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use serde_json::Value as Json;
use web_sys::SubmitEvent;

use super::{Counter, Said, said_note};
use crate::live::Live;
use crate::widgets::dialog::{Dialog, FOCUS};
use crate::widgets::value::value_cell;

const TITLE: &str = "command-title";

/// The dialog, and what is asked for in it.
#[derive(Clone, Copy)]
pub struct Asking {
    pub counter: Counter,
    dialog: Dialog,
    chosen: RwSignal<Option<Chosen>>,
    step: RwSignal<Step>,
    typed: RwSignal<Vec<String>>,
    /// What is wrong with each field.
    wrong: RwSignal<Vec<Option<String>>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Chosen {
    offer: OfferView,
    kind: ActionKind,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Fill,
    Confirm(Vec<Json>),
    Waiting,
    Said(Said),
}

// === impl Asking ===

impl Asking {
    pub fn new(counter: Counter) -> Self {
        Self {
            counter,
            dialog: Dialog::new(),
            chosen: RwSignal::new(None),
            step: RwSignal::new(Step::Fill),
            typed: RwSignal::new(Vec::new()),
            wrong: RwSignal::new(Vec::new()),
        }
    }

    /// Asks for a value or for arguments.
    pub fn ask(self, offer: &OfferView, kind: ActionKind) {
        let chosen = Chosen {
            offer: offer.clone(),
            kind,
        };
        let fields = chosen.parameters().len();
        self.typed.set(vec![String::new(); fields]);
        self.wrong.set(vec![None; fields]);
        self.step.set(match fields {
            0 => Step::Confirm(Vec::new()),
            _ => Step::Fill,
        });
        self.chosen.set(Some(chosen));
        self.dialog.open();
    }

    pub fn view(self) -> AnyView {
        let content = move || match self.chosen.get() {
            Some(chosen) => self.content(&chosen),
            None => view! { <h2 id=TITLE>"No command"</h2> }.into_any(),
        };
        self.dialog
            .view(TITLE, content, move || self.chosen.set(None))
    }

    fn content(self, chosen: &Chosen) -> AnyView {
        let title = format!("{} {}", chosen.verb(), words::plain(&chosen.offer.name));
        let target = words::plain(&chosen.offer.target);
        let step = {
            let chosen = chosen.clone();
            move || match self.step.get() {
                Step::Fill => self.fill(&chosen),
                Step::Confirm(values) => self.confirm(&chosen, values),
                Step::Waiting => {
                    view! { <p role="status" id=FOCUS tabindex="-1">"Waiting for the device…"</p> }
                        .into_any()
                }
                Step::Said(said) => self.said(&said),
            }
        };
        view! {
            <h2 id=TITLE>{title}</h2>
            <p class="faint"><code>{target}</code></p>
            {step}
        }
        .into_any()
    }

    fn fill(self, chosen: &Chosen) -> AnyView {
        let parameters = chosen.parameters();
        let fields: Vec<AnyView> = parameters
            .iter()
            .enumerate()
            .map(|(at, parameter)| self.field(at, parameter))
            .collect();
        let submit = move |event: SubmitEvent| {
            event.prevent_default();
            self.check(&parameters);
        };
        view! {
            <form on:submit=submit novalidate=true>
                {chosen.now()}
                {fields}
                <div class="actions">
                    <button type="submit" class="primary" data-test="command-next">"Continue"</button>
                    {self.close_button("Cancel")}
                </div>
            </form>
        }
        .into_any()
    }

    fn field(self, at: usize, parameter: &Parameter) -> AnyView {
        let (id, help) = (field_id(at), format!("argument-help-{at}"));
        let name = words::plain(&parameter.name);
        let hint = hint(parameter);
        let wrong = move || self.wrong.with(|wrong| wrong.get(at).cloned().flatten());
        let invalid = move || wrong().is_some().then_some("true");
        let typed = move || {
            let typed = self.typed.with(|typed| typed.get(at).cloned());
            typed.unwrap_or_default()
        };
        let is = move |word: &str| typed() == word;
        let change = move |text: String| {
            self.typed.update(|typed| typed[at] = text);
            self.wrong.update(|wrong| wrong[at] = None);
        };
        let input = match command::field(&parameter.data_type) {
            Field::Truth => view! {
                <select id=id.clone() class="short" aria-invalid=invalid aria-describedby=help.clone()
                    on:change=move |event| change(event_target_value(&event))>
                    <option value="">"Choose…"</option>
                    <option value="true" selected=move || is("true")>"true"</option>
                    <option value="false" selected=move || is("false")>"false"</option>
                </select>
            }
            .into_any(),
            Field::Line => view! {
                <input id=id.clone() type="text" autocomplete="off" spellcheck="false" aria-invalid=invalid aria-describedby=help.clone()
                    prop:value=typed on:input=move |event| change(event_target_value(&event))/>
            }
            .into_any(),
            Field::Json => view! {
                <textarea id=id.clone() rows="4" spellcheck="false" autocomplete="off" aria-invalid=invalid aria-describedby=help.clone()
                    prop:value=typed on:input=move |event| change(event_target_value(&event))></textarea>
            }
            .into_any(),
        };
        view! {
            <div class="field">
                <label for=id>{name}</label>
                {input}
                <p class="help" id=help>{hint}</p>
                <p role="alert" data-test="command-wrong">{move || wrong().map(|why| view! { <span class="problem">{words::capital(&words::plain(&why))}</span> })}</p>
            </div>
        }
        .into_any()
    }

    /// Nothing is sent that does not fit.
    fn check(self, parameters: &[Parameter]) {
        let typed = self.typed.get_untracked();
        let read: Vec<Result<Json, String>> = parameters
            .iter()
            .zip(&typed)
            .map(|(parameter, typed)| command::read(typed, &parameter.data_type))
            .collect();
        self.wrong
            .set(read.iter().map(|read| read.clone().err()).collect());
        let values: Result<Vec<Json>, String> = read.into_iter().collect();
        if let Ok(values) = values {
            self.step.set(Step::Confirm(values));
            self.dialog.turned();
        }
    }

    fn confirm(self, chosen: &Chosen, values: Vec<Json>) -> AnyView {
        let list: Vec<AnyView> = chosen
            .parameters()
            .iter()
            .zip(&values)
            .map(|(parameter, value)| changed(chosen, parameter, value))
            .collect();
        let fields = !list.is_empty();
        let name = words::plain(&chosen.offer.name);
        let verb = chosen.verb();
        let go = {
            let chosen = chosen.clone();
            move |_| self.give(&chosen, &values)
        };
        let back = move |_| {
            self.step.set(Step::Fill);
            self.dialog.turned();
        };
        view! {
            <p id=FOCUS tabindex="-1">"The device does this at once, and there is no undo."</p>
            <dl class="facts" data-test="command-change">{list}</dl>
            <div class="actions">
                <button type="button" class="primary" data-test="command-go" on:click=go>{format!("{verb} {name}")}</button>
                {fields.then(|| view! { <button type="button" on:click=back>"Back"</button> })}
                {self.close_button("Cancel")}
            </div>
        }
        .into_any()
    }

    fn give(self, chosen: &Chosen, values: &[Json]) {
        let draft = CommandDraft {
            action: chosen.kind.as_str().to_owned(),
            ..match chosen.kind {
                ActionKind::Call => CommandDraft {
                    arguments: Some(Json::Array(values.to_vec())),
                    ..CommandDraft::default()
                },
                _ => CommandDraft {
                    value: values.first().cloned(),
                    ..CommandDraft::default()
                },
            }
        };
        self.step.set(Step::Waiting);
        self.dialog.turned();
        let offer = &chosen.offer;
        self.counter
            .give(&offer.target, &offer.name, draft, move |said| {
                self.step.try_set(Step::Said(said));
                self.dialog.turned();
            });
    }

    fn said(self, said: &Said) -> AnyView {
        view! {
            <div id=FOCUS tabindex="-1" role="status" data-test="command-answer">{said_note(said)}</div>
            <div class="actions">{self.close_button("Close")}</div>
        }
        .into_any()
    }

    fn close_button(self, word: &'static str) -> AnyView {
        let click = move |_| self.dialog.close();
        view! { <button type="button" data-test="command-close" on:click=click>{word}</button> }
            .into_any()
    }
}

// === impl Chosen ===

impl Chosen {
    fn verb(&self) -> &'static str {
        match self.kind {
            ActionKind::Call => "Call",
            _ => "Write",
        }
    }

    /// What has to be filled in.
    fn parameters(&self) -> Vec<Parameter> {
        match self.kind {
            ActionKind::Call => self.offer.inputs.clone(),
            _ => vec![Parameter {
                name: "New value".to_owned(),
                data_type: self.offer.data_type.clone().unwrap_or_default(),
                description: None,
            }],
        }
    }

    /// The value as it is now, where there is one.
    fn now(&self) -> Option<AnyView> {
        let live = Live::expect().value(&self.offer.target);
        (self.kind == ActionKind::Write).then(|| {
            view! { <p><span class="faint">"Now "</span>{value_cell(&self.offer.target, live)}</p> }
                .into_any()
        })
    }
}

/// The old and the new value, or an argument.
fn changed(chosen: &Chosen, parameter: &Parameter, value: &Json) -> AnyView {
    let value = match value {
        Json::String(text) => format!("\"{text}\""),
        value => value.to_string(),
    };
    let value = words::plain(&value);
    if chosen.kind == ActionKind::Call {
        let name = words::plain(&parameter.name);
        return view! { <div><dt>{name}</dt><dd><strong>{value}</strong></dd></div> }.into_any();
    }
    let live = Live::expect().value(&chosen.offer.target);
    let old = move || {
        live.with(|live| {
            live.as_ref()
                .map_or_else(|| "not known".to_owned(), |live| words::plain(&live.text))
        })
    };
    view! {
        <div><dt>"Old value → new value"</dt><dd>{old}" → "<strong>{value}</strong></dd></div>
    }
    .into_any()
}

fn field_id(at: usize) -> String {
    match at {
        0 => FOCUS.to_owned(),
        at => format!("argument-{at}"),
    }
}

fn hint(parameter: &Parameter) -> String {
    let described = parameter.description.as_deref().map(words::plain);
    let begin = described.map_or_else(String::new, |described| words::sentence(&described) + " ");
    let data_type = match parameter.data_type.as_str() {
        "" => String::new(),
        data_type => format!("{}: ", words::plain(data_type)),
    };
    format!("{begin}{data_type}{}.", command::hint(&parameter.data_type))
}
