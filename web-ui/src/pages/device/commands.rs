//! What may be done at the device: reading now, writing, calling; in words what became of it.

use std::sync::Arc;
use std::time::Duration;

use fieldgate_api::command::{CommandAnswer, CommandDraft, OfferView};
use fieldgate_api::endpoint::{GetOffers, SendCommand};
use fieldgate_api::state::DeviceView;
use fieldgate_model::{ActionKind, Outcome};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::command_dialog::Asking;
use super::record::Record;
use crate::client::change;
use crate::fetched::fetched;
use crate::live::Live;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::value::value_cell;

/// A source that comes back allows again what it did.
const EVERY: Duration = Duration::from_secs(5);
/// More are shown on request.
const FIRST: usize = 50;

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

/// The section; `takes` is whether the device's source takes commands at all.
pub fn section(device: &DeviceView, takes: bool, counter: Counter) -> AnyView {
    let wanted = device.id.clone();
    let offers = fetched::<GetOffers>(Some(EVERY), move || takes.then(|| vec![wanted.clone()]));
    let all = RwSignal::new(false);
    let asking = Asking::new(counter);
    let source = device.source.clone();
    let listed = Memo::new(move |_| {
        offers.data.with(|offers| {
            let mut offers = offers.clone().unwrap_or_default();
            // Methods first: they are few, and have no place elsewhere on the page.
            offers.sort_by_key(|offer| !offer.allow.contains(&ActionKind::Call));
            offers
        })
    });
    let limit = move || if all.get() { usize::MAX } else { FIRST };
    let rows = move || {
        let rows = listed.get().into_iter().take(limit());
        rows.map(|offer| row(Arc::new(offer), asking))
            .collect_view()
    };
    let more = move || listed.with(Vec::len).saturating_sub(limit());
    let known = move || offers.data.with(Option::is_some);
    let nothing = move || listed.with(Vec::is_empty);
    view! {
        {move || known().then(|| view! {
            <section aria-labelledby="commands-title" id="commands">
                <h2 id="commands-title">"Commands"</h2>
                {hint(&source, nothing())}
                {(!nothing()).then(|| view! { <ul class="lines card" data-test="offers">{rows}</ul> })}
                {(more() > 0).then(|| view! {
                    <button type="button" class="quiet" on:click=move |_| all.set(true)>{format!("Show {} more", more())}</button>
                })}
                {counter.view()}
                {counter.record.view()}
            </section>
        })}
        {asking.view()}
    }
    .into_any()
}

/// Where it is allowed, said once.
fn hint(source: &str, nothing: bool) -> AnyView {
    let path = Place::Item(Section::Sources, source.to_owned()).path();
    let begin = match nothing {
        true => {
            "Nothing may be read on demand, written or called here, or its source is away. What may is said by "
        }
        false => "What is not listed is not allowed; what is, is said by ",
    };
    view! {
        <p class="help" data-test="commands-hint">{begin}<strong>"commands"</strong>" in the settings of "<a href=path>{source.to_owned()}</a>"."</p>
    }
    .into_any()
}

fn row(offer: Arc<OfferView>, asking: Asking) -> AnyView {
    let name = words::plain(&offer.name);
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
