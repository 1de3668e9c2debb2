//! The open alarms of a device, and what a person says about one; only where alarms are watched.

use fieldgate_api::alarm::{AlarmQuery, AlarmView};
use fieldgate_api::command::CommandDraft;
use fieldgate_api::endpoint::GetAlarms;
use fieldgate_model::ActionKind;
use fieldgate_ui_logic::{alarm, words};
use leptos::prelude::*;
use web_sys::SubmitEvent;

use crate::fetched::{Fetched, OFTEN, asked};
use crate::pages::command::{Counter, Said, said_note};
use crate::widgets::dialog::{Dialog, FOCUS};
use crate::widgets::icon::{level_class, level_icon};
use crate::widgets::time::{ago, instant};

const TITLE: &str = "alarm-title";

/// The card, and the dialog in which something is said.
#[derive(Clone, Copy)]
pub struct Alarms {
    alarms: Fetched<Vec<AlarmView>>,
    counter: Counter,
    dialog: Dialog,
    chosen: RwSignal<Option<(AlarmView, ActionKind)>>,
    text: RwSignal<String>,
    said: RwSignal<Option<Said>>,
    waiting: RwSignal<bool>,
}

// === impl Alarms ===

impl Alarms {
    pub fn new(device: &str, counter: Counter) -> Self {
        let query = AlarmQuery {
            device: Some(device.to_owned()),
            ..AlarmQuery::default()
        };
        let asks = move || Some((Vec::new(), query.clone()));
        Self {
            alarms: asked::<GetAlarms>(Some(OFTEN), asks),
            counter,
            dialog: Dialog::new(),
            chosen: RwSignal::new(None),
            text: RwSignal::new(String::new()),
            said: RwSignal::new(None),
            waiting: RwSignal::new(false),
        }
    }

    /// Nothing where no alarms are watched.
    pub fn view(self, watched: bool) -> AnyView {
        if !watched {
            return ().into_any();
        }
        let rows = move || {
            let alarms = self.alarms.data.get().unwrap_or_default();
            alarms.iter().map(|alarm| self.row(alarm)).collect_view()
        };
        let any = move || {
            let alarms = self.alarms.data;
            alarms.with(|alarms| alarms.as_ref().is_some_and(|all| !all.is_empty()))
        };
        view! {
            <section aria-labelledby="alarms-title" id="alarms" data-test="alarms">
                <h2 id="alarms-title">"Alarms"</h2>
                {move || match any() {
                    true => view! { <ul class="lines card">{rows}</ul> }.into_any(),
                    false => view! { <p class="faint" data-test="no-alarm">"No open alarm."</p> }.into_any(),
                }}
            </section>
            {self.dialog.view(TITLE, move || self.content(), move || self.chosen.set(None))}
        }
        .into_any()
    }

    fn row(self, alarm: &AlarmView) -> AnyView {
        let level = alarm::level(alarm);
        let class = format!("status {}", level_class(level));
        let name = title(alarm);
        let comment = alarm.comment.as_deref().filter(|text| !text.is_empty());
        let comment = comment.map(|comment| {
            let who = alarm.user.as_deref().map_or_else(String::new, |user| {
                format!(" – {}", words::plain(user))
            });
            view! { <span class="faint">{format!("\u{201c}{}\u{201d}{who}", words::plain(comment))}</span> }
        });
        let buttons: Vec<AnyView> = alarm::deeds(alarm)
            .into_iter()
            .map(|kind| self.button(alarm, kind))
            .collect();
        view! {
            <li data-alarm=alarm.target.clone()>
                <span class=class>{level_icon(level)}<span data-test="alarm-state">{words::capital(&words::plain(&alarm.state()))}</span></span>
                <strong>{name}</strong>
                <span>{words::plain(&alarm.message)}</span>
                <span class="faint">{format!("severity {}", alarm::severity(alarm.severity))}</span>
                <span class="faint">"since "{instant(alarm.since)}", "{ago(alarm.since)}</span>
                {comment}
                <span class="actions">{buttons}</span>
            </li>
        }
        .into_any()
    }

    fn button(self, alarm: &AlarmView, kind: ActionKind) -> AnyView {
        let word = word(kind);
        let label = format!("{word} {}", title(alarm));
        let alarm = alarm.clone();
        let click = move |_| {
            self.text.set(String::new());
            self.said.set(None);
            self.waiting.set(false);
            self.chosen.set(Some((alarm.clone(), kind)));
            self.dialog.open();
        };
        view! { <button type="button" class="small" data-test=kind.as_str() aria-label=label on:click=click>{word}"…"</button> }
            .into_any()
    }

    fn content(self) -> AnyView {
        let Some((alarm, kind)) = self.chosen.get() else {
            return view! { <h2 id=TITLE>"No alarm"</h2> }.into_any();
        };
        let heading = format!("{} {}", word(kind), title(&alarm));
        let message = words::plain(&alarm.message);
        let body = move || match self.said.get() {
            Some(said) => self.answered(&said),
            None => self.form(&alarm, kind),
        };
        view! {
            <h2 id=TITLE>{heading}</h2>
            <p class="faint">{message}</p>
            {body}
        }
        .into_any()
    }

    fn form(self, alarm: &AlarmView, kind: ActionKind) -> AnyView {
        let (alarm, needed) = (alarm.clone(), kind == ActionKind::Comment);
        let submit = move |event: SubmitEvent| {
            event.prevent_default();
            if !needed || self.text.with_untracked(|text| !text.trim().is_empty()) {
                self.say(&alarm, kind);
            }
        };
        let help = match needed {
            true => "It is added to the alarm on the device.",
            false => "It goes to the device with it, and may be left out.",
        };
        view! {
            <form on:submit=submit>
                <div class="field">
                    <label for=FOCUS>"Remark"</label>
                    <textarea id=FOCUS rows="3" maxlength="500" required=needed aria-describedby="alarm-help" prop:value=move || self.text.get()
                        on:input=move |event| self.text.set(event_target_value(&event))></textarea>
                    <p class="help" id="alarm-help">{help}</p>
                </div>
                <div class="actions">
                    <button type="submit" class="primary" data-test="alarm-go" disabled=move || self.waiting.get()>{word(kind)}</button>
                    {self.close_button("Cancel")}
                </div>
            </form>
        }
        .into_any()
    }

    fn say(self, alarm: &AlarmView, kind: ActionKind) {
        let text = self.text.get_untracked();
        let draft = CommandDraft {
            action: kind.as_str().to_owned(),
            comment: (!text.is_empty()).then_some(text),
            // Another state of it is not what was looked at.
            event: Some(alarm.event.clone()),
            ..CommandDraft::default()
        };
        self.waiting.set(true);
        self.counter
            .give(&alarm.target, &alarm.name, draft, move |said| {
                self.said.try_set(Some(said));
                self.dialog.turned();
                self.alarms.refresh();
            });
    }

    fn answered(self, said: &Said) -> AnyView {
        view! {
            <div id=FOCUS tabindex="-1" role="status" data-test="alarm-answer">{said_note(said)}</div>
            <div class="actions">{self.close_button("Close")}</div>
        }
        .into_any()
    }

    fn close_button(self, word: &'static str) -> AnyView {
        let click = move |_| self.dialog.close();
        view! { <button type="button" data-test="alarm-close" on:click=click>{word}</button> }
            .into_any()
    }
}

fn title(alarm: &AlarmView) -> String {
    match alarm.about.is_empty() {
        true => words::plain(&alarm.name),
        false => words::plain(&format!("{} {}", alarm.about, alarm.name)),
    }
}

fn word(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Acknowledge => "Acknowledge",
        ActionKind::Confirm => "Confirm",
        _ => "Comment",
    }
}
