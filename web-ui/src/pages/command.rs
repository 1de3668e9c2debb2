//! Commands on a page: giving one, what was said to it, and the rows of what may be done. The pages of a device and of a node share it.

mod dialog;
mod record;

use std::sync::Arc;

use fieldgate_api::command::{CommandAnswer, CommandDraft, OfferView};
use fieldgate_api::endpoint::SendCommand;
use fieldgate_model::{ActionKind, Outcome};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

pub use self::dialog::Asking;
pub use self::record::Record;
use crate::client::change;
use crate::live::Live;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::value::value_cell;

/// What was said to the last command that was given here.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub good: bool,
    pub words: String,
}

/// Where commands of the page are given.
#[derive(Clone, Copy)]
pub struct Counter {
    pub record: Record,
    said: RwSignal<Option<Said>>,
}

// === impl Counter ===

impl Counter {
    pub fn new(record: Record) -> Self {
        Self {
            record,
            said: RwSignal::new(None),
        }
    }

    /// Gives a command, and hands what was said to it to `then`.
    pub fn give(
        self,
        target: &str,
        name: &str,
        draft: CommandDraft,
        then: impl FnOnce(Said) + 'static,
    ) {
        let (target, name) = (target.to_owned(), name.to_owned());
        spawn_local(async move {
            let answer = change::<SendCommand>(&[&target], &draft, None).await;
            let said = match answer {
                Ok(answer) => said(&answer),
                Err(trouble) => Said {
                    good: false,
                    words: format!("{}: {}", trouble.title, trouble.detail),
                },
            };
            self.said.try_set(Some(Said {
                words: format!("{}: {}", words::plain(&name), words::plain(&said.words)),
                ..said.clone()
            }));
            self.record.refresh();
            then(said);
        });
    }

    /// The last answer; it is read out when it comes.
    pub fn view(self) -> AnyView {
        view! {
            <div role="status" data-test="command-said">
                {move || self.said.get().map(|said| said_note(&said))}
            </div>
        }
        .into_any()
    }
}

fn said(answer: &CommandAnswer) -> Said {
    let good = answer.outcome == Outcome::Done;
    let words = match good {
        true => answer.words.clone(),
        false => format!("{} – {}", answer.outcome, answer.words),
    };
    Said { good, words }
}

/// An answer or a refusal.
pub fn said_note(said: &Said) -> AnyView {
    let (class, picture) = match said.good {
        true => ("status good", Icon::Good),
        false => ("status bad", Icon::Bad),
    };
    let words = words::sentence(&words::capital(&words::plain(&said.words)));
    view! { <p class=class>{icon(picture)}<span>{words}</span></p> }.into_any()
}

/// What may be done at a point or method, with its value and a button for each.
pub fn offer_row(offer: OfferView, asking: Asking) -> AnyView {
    let name = words::plain(&offer.name);
    let offer = Arc::new(offer);
    let allows = |kind| offer.allow.contains(&kind);
    let value = (!allows(ActionKind::Call)).then(|| {
        let live = Live::expect().value(&offer.target);
        value_cell(&offer.target, live)
    });
    let about = about(&offer);
    let read = allows(ActionKind::Read).then(|| {
        let offer = Arc::clone(&offer);
        let label = format!("Read {name} now");
        let click = move |_| {
            let draft = CommandDraft {
                action: ActionKind::Read.as_str().to_owned(),
                ..CommandDraft::default()
            };
            asking.counter.give(&offer.target, &offer.name, draft, |_| {});
        };
        view! { <button type="button" class="small" data-test="read-now" aria-label=label on:click=click>"Read now"</button> }
    });
    let ask = |kind: ActionKind, word: &'static str, test: &'static str| {
        allows(kind).then(|| {
            let offer = Arc::clone(&offer);
            let label = format!("{word} {name}");
            let click = move |_| asking.ask(&offer, kind);
            view! { <button type="button" class="small" data-test=test aria-label=label on:click=click>{word}"…"</button> }
        })
    };
    view! {
        <li data-target=offer.target.clone()>
            <strong>{name.clone()}</strong><span class="faint">{about}</span>
            {value}
            <span class="actions">{read}{ask(ActionKind::Write, "Write", "write")}{ask(ActionKind::Call, "Call", "call")}</span>
        </li>
    }
    .into_any()
}

/// `Double`, or `speed: Double, ramp: UInt16 → total: Double`.
fn about(offer: &OfferView) -> String {
    if !offer.allow.contains(&ActionKind::Call) {
        return words::plain(offer.data_type.as_deref().unwrap_or_default());
    }
    let list = |parameters: &[fieldgate_model::Parameter]| {
        let each = parameters
            .iter()
            .map(|one| format!("{}: {}", one.name, one.data_type));
        each.collect::<Vec<_>>().join(", ")
    };
    let inputs = match offer.inputs.is_empty() {
        true => "no arguments".to_owned(),
        false => list(&offer.inputs),
    };
    match offer.outputs.is_empty() {
        true => words::plain(&inputs),
        false => words::plain(&format!("{inputs} → {}", list(&offer.outputs))),
    }
}
