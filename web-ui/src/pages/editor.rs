//! The editor of a source or a destination: kind, settings, test, save.

use std::collections::BTreeMap;

use fieldgate_api::config::{Draft, Kind, TestReport};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::place::{Place, Section};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value as Json;

use super::allow;
use super::discovery::discovery;
use crate::items::{self, Loaded};
use crate::live::Live;
use crate::nav::{Nav, focus};
use crate::widgets::announce::Announcer;
use crate::widgets::hop_ladder::{hop_ladder, test_button};
use crate::widgets::page::{heading, prose, trouble_note};
use crate::widgets::problems::{self, problem_list};
use crate::widgets::schema_form::{Form, schema_form};
use crate::widgets::toast::Toasts;

/// What every editor of an item shares.
#[derive(Clone, Copy)]
pub struct Editor {
    pub section: Section,
    pub id: RwSignal<String>,
    pub kind: RwSignal<String>,
    pub form: RwSignal<Form>,
    pub trouble: RwSignal<Option<Trouble>>,
    is_new: bool,
    paused: bool,
    revision: RwSignal<u64>,
    busy: RwSignal<bool>,
    live: Live,
    nav: Nav,
    toasts: Toasts,
    announcer: Announcer,
}

/// The frame of an editor page: loads, then shows `body`.
pub fn editor_page(
    section: Section,
    id: Option<String>,
    body: fn(Editor, Loaded) -> AnyView,
    make_form: fn(&Kind, Option<&Loaded>) -> Form,
) -> AnyView {
    let loaded = RwSignal::new(None::<Result<Loaded, Trouble>>);
    let title = id.clone().unwrap_or_else(|| Place::New(section).title());
    let wanted = id.clone();
    let load = move || {
        let id = wanted.clone();
        loaded.set(None);
        spawn_local(async move {
            let answer = items::load(section, id.as_deref()).await;
            loaded.try_set(Some(answer));
        });
    };
    load();
    let reload = StoredValue::new(load);
    view! {
        <p class="crumbs"><a href=Place::Items(section).path()>{section.title()}</a></p>
        {heading(title, ())}
        {move || match loaded.get() {
            None => view! { <p class="waiting" role="status">"Loading…"</p> }.into_any(),
            Some(Err(trouble)) => trouble_note(&trouble),
            Some(Ok(found)) => match Editor::new(section, id.clone(), &found, make_form) {
                Some(editor) => view! { {stale_note(editor, move || reload.with_value(|load| load()))}{body(editor, found)} }.into_any(),
                None => view! { <p>"This gateway knows no kind of it."</p> }.into_any(),
            },
        }}
    }
    .into_any()
}

pub fn page(section: Section, id: Option<String>) -> AnyView {
    editor_page(section, id, body, plain_form)
}

fn plain_form(kind: &Kind, loaded: Option<&Loaded>) -> Form {
    let item = loaded.and_then(|loaded| loaded.item.as_ref());
    let locked = item.map(|item| item.locked.clone()).unwrap_or_default();
    Form::new(
        &kind.schema,
        item.map(|item| item.draft.settings.clone()),
        locked,
    )
}

fn body(editor: Editor, loaded: Loaded) -> AnyView {
    let report = RwSignal::new(None::<TestReport>);
    let testing = RwSignal::new(false);
    let announcer = Announcer::expect();
    let start = move || {
        testing.set(true);
        report.set(None);
        spawn_local(async move {
            let answer = items::test(editor.section, &editor.id_or_new(), &editor.draft()).await;
            testing.try_set(false);
            if let Some(found) = editor.take(answer) {
                announcer.say(if found.ok {
                    "The test passed"
                } else {
                    "The test failed"
                });
                report.try_set(Some(found));
            }
        });
    };
    let kinds = StoredValue::new(loaded.kinds.clone());
    let about = move || {
        let kind = editor.kind.get();
        kinds.with_value(|kinds| {
            kinds
                .iter()
                .find(|known| known.kind == kind)
                .map(|kind| prose(&kind.about))
        })
    };
    let find = move || {
        let kind = editor.kind.get();
        let of = |kinds: &Vec<Kind>| {
            let kind = kinds.iter().find(|known| known.kind == kind)?;
            discovery(editor, kind)
        };
        editor.is_new.then(|| kinds.with_value(of))
    };
    let proposed = (editor.section == Section::Sources && !editor.is_new)
        .then(|| allow::proposed(editor))
        .flatten();
    view! {
        <form class="editor" novalidate=true on:submit=move |event| { event.prevent_default(); editor.save(); }>
            {editor.messages()}
            {proposed}
            {find}
            {editor.id_field()}
            {editor.is_new.then(|| kind_chooser(editor, loaded.kinds.clone()))}
            <p class="help">{about}</p>
            {move || schema_form(editor.form.get())}
            {editor.footer(test_button(testing, start))}
            {move || report.get().map(|report| hop_ladder(&report))}
        </form>
    }
    .into_any()
}

fn kind_chooser(editor: Editor, kinds: Vec<Kind>) -> AnyView {
    let options: Vec<AnyView> = kinds
        .into_iter()
        .map(|kind| {
            let (name, title, id) = (kind.kind.clone(), kind.title.clone(), format!("kind-{}", kind.kind));
            let chosen = {
                let name = name.clone();
                move || editor.kind.get() == name
            };
            let change = move |_| {
                editor.kind.set(kind.kind.clone());
                editor.form.set(plain_form(&kind, None));
            };
            view! {
                <div class="check"><input type="radio" name="kind" id=id.clone() prop:checked=chosen on:change=change/><label for=id>{title}</label></div>
            }
            .into_any()
        })
        .collect();
    view! { <fieldset class="kinds"><legend>"Kind"</legend>{options}</fieldset> }.into_any()
}

/// Someone else changed the configuration since the form was filled.
fn stale_note(editor: Editor, reload: impl Fn() + Send + Sync + Copy + 'static) -> AnyView {
    (move || {
        let newer = editor.live.revision.get() > editor.revision.get() && !editor.busy.get();
        newer.then(|| {
            let load = move |_| {
                if editor.is_new {
                    editor.revision.set(editor.live.revision.get_untracked());
                } else {
                    reload();
                }
            };
            let words = if editor.is_new { "Continue" } else { "Load the current state" };
            view! {
                <div class="note warning" role="status" data-test="conflict">
                    <p><strong>"The configuration changed meanwhile"</strong>" – what you see may be out of date."</p>
                    <button type="button" on:click=load>{words}</button>
                </div>
            }
        })
    })
    .into_any()
}

// === impl Editor ===

impl Editor {
    fn new(
        section: Section,
        id: Option<String>,
        loaded: &Loaded,
        make_form: fn(&Kind, Option<&Loaded>) -> Form,
    ) -> Option<Self> {
        let item = loaded.item.as_ref();
        let named = |kind: &&Kind| item.is_none_or(|item| item.draft.kind == kind.kind);
        let kind = loaded.kinds.iter().find(named)?;
        Some(Self {
            section,
            is_new: id.is_none(),
            id: RwSignal::new(id.unwrap_or_default()),
            kind: RwSignal::new(kind.kind.clone()),
            form: RwSignal::new(make_form(kind, Some(loaded))),
            trouble: RwSignal::new(None),
            paused: item.is_some_and(|item| item.draft.paused),
            revision: RwSignal::new(loaded.revision),
            busy: RwSignal::new(false),
            live: Live::expect(),
            nav: Nav::expect(),
            toasts: Toasts::expect(),
            announcer: Announcer::expect(),
        })
    }

    /// Puts settings that were found into the form; an id that was typed stays.
    pub fn fill(self, kind: &Kind, id: &str, settings: Json) {
        if self.id.with_untracked(String::is_empty) {
            self.id.set(id.to_owned());
        }
        let form = Form::new(&kind.schema, Some(settings), BTreeMap::new());
        self.form.set(form);
        self.trouble.set(None);
        self.announcer
            .say("The form is filled in. Test it, or save it.");
        request_animation_frame(|| focus("item-id"));
    }

    /// The settings as they stand in the form.
    pub fn draft(self) -> Draft {
        Draft {
            kind: self.kind.get_untracked(),
            paused: self.paused,
            settings: self.form.get_untracked().settings.get_untracked(),
        }
    }

    /// The id for a test, which needs one even before a name was given.
    pub fn id_or_new(self) -> String {
        let id = self.id.get_untracked();
        if id.is_empty() { "new".to_owned() } else { id }
    }

    /// Shows what is wrong, or hands on what came.
    pub fn take<T>(self, answer: Result<T, Trouble>) -> Option<T> {
        let form = self.form.try_get_untracked()?;
        match answer {
            Ok(found) => {
                form.problems.try_set(Vec::new());
                self.trouble.try_set(None);
                Some(found)
            }
            Err(trouble) => {
                let has_problems = !trouble.problems.is_empty();
                form.problems.try_set(trouble.problems.clone());
                self.trouble.try_set((!has_problems).then_some(trouble));
                request_animation_frame(move || {
                    focus(if has_problems {
                        problems::ID
                    } else {
                        "trouble"
                    })
                });
                None
            }
        }
    }

    /// Saves, then goes to the list; the toast there takes it back.
    pub fn save(self) {
        let id = self.id.get_untracked();
        if id.is_empty() {
            self.take::<()>(Err(nameless(self.section)));
            return;
        }
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let revision = self.revision.get_untracked();
            let answer = items::put(self.section, &id, &self.draft(), revision).await;
            let saved = self.take(answer);
            self.busy.try_set(false);
            if let Some(saved) = saved {
                let done = if self.is_new { "Added" } else { "Saved" };
                self.toasts
                    .saved(&format!("{done} the {} {id}.", self.section.one()), &saved);
                self.nav.go(&Place::Items(self.section).path());
            }
        });
    }

    /// Everything that is wrong, above the fields.
    pub fn messages(self) -> AnyView {
        let item = move || format!("{} {}", self.section.one(), self.id.get());
        view! {
            {move || problem_list(self.form.get(), item())}
            <div id="trouble" tabindex="-1">{move || self.trouble.get().map(|trouble| trouble_note(&trouble))}</div>
        }
        .into_any()
    }

    /// The name, which only a new one can be given.
    pub fn id_field(self) -> Option<AnyView> {
        let one = self.section.one();
        self.is_new.then(|| {
            view! {
                <div class="field">
                    <label for="item-id">"Id"<span class="required">" required"</span></label>
                    <input type="text" id="item-id" autocomplete="off" spellcheck="false" required=true aria-describedby="help-item-id" prop:value=move || self.id.get()
                        on:input=move |event| self.id.set(event_target_value(&event).trim().to_owned())/>
                    <p class="help" id="help-item-id">{format!("A short name for the {one}, such as press or line-4. It cannot be changed later.")}</p>
                </div>
            }
            .into_any()
        })
    }

    /// Test, save, leave.
    pub fn footer(self, test: AnyView) -> AnyView {
        view! {
            <div class="footer">
                <button type="submit" class="primary" data-test="save" aria-disabled=move || self.busy.get().then_some("true")>
                    {move || if self.busy.get() { "Saving…" } else { "Save" }}
                </button>
                {test}
                <a class="button quiet" href=Place::Items(self.section).path()>"Cancel"</a>
            </div>
        }
        .into_any()
    }
}

fn nameless(section: Section) -> Trouble {
    Trouble {
        code: "FG-CONFIG".to_owned(),
        title: format!("the {} has no id", section.one()),
        status: 0,
        detail: "give it a short name in the field Id".to_owned(),
        problems: Vec::new(),
    }
}

/// Whether a list of texts holds nothing but blanks; such patterns are not worth a test yet.
pub fn is_blank(settings: &Json, key: &str) -> bool {
    settings[key].as_array().is_none_or(|list| {
        list.iter()
            .all(|item| item.as_str().is_none_or(|text| text.trim().is_empty()))
    })
}
