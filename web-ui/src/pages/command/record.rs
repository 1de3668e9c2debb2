//! The last commands of a device: who gave them, and what became of them.

use std::time::Duration;

use fieldgate_api::command::{CommandQuery, CommandView};
use fieldgate_api::endpoint::GetCommands;
use fieldgate_model::Outcome;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use serde_json::Value as Json;

use crate::fetched::{Fetched, asked};
use crate::widgets::icon::{Icon, icon};
use crate::widgets::time::instant;

/// Others command as well.
const EVERY: Duration = Duration::from_secs(10);
/// So many are listed; more are on the command line and in the API.
const LISTED: u32 = 20;

/// The list, fetched again after each command.
#[derive(Clone, Copy)]
pub struct Record(Fetched<Vec<CommandView>>);

// === impl Record ===

impl Record {
    /// Of the device that `device` names; it is tracked, and nothing is listed without one.
    pub fn new(device: impl Fn() -> Option<String> + 'static) -> Self {
        let asks = move || {
            let query = CommandQuery {
                device: Some(device()?),
                limit: Some(LISTED),
            };
            Some((Vec::new(), query))
        };
        Self(asked::<GetCommands>(Some(EVERY), asks))
    }

    pub fn refresh(self) {
        self.0.refresh();
    }

    pub fn view(self) -> AnyView {
        let any = move || {
            self.0
                .data
                .with(|commands| commands.as_ref().is_some_and(|all| !all.is_empty()))
        };
        let rows = move || {
            let commands = self.0.data.get().unwrap_or_default();
            commands.iter().map(row).collect_view()
        };
        (move || {
            any().then(|| {
                view! {
                    <h3>"Last commands"</h3>
                    <ul class="lines card" data-test="record">{rows}</ul>
                }
            })
        })
        .into_any()
    }
}

fn row(command: &CommandView) -> AnyView {
    let name = command.target.rsplit('/').next().unwrap_or_default();
    let value = match &command.value {
        Json::Null => String::new(),
        value => format!(" {value}"),
    };
    let what = words::plain(&format!("{} {name}{value}", command.action));
    let who = words::plain(&command.who);
    let (class, picture, words) = match &command.answer {
        None => (
            "status",
            Icon::Idle,
            "under way, or nobody knows".to_owned(),
        ),
        Some(answer) => {
            let words = format!("{} – {}", answer.outcome, words::plain(&answer.words));
            match answer.outcome {
                Outcome::Done => ("status good", Icon::Good, words),
                Outcome::Refused | Outcome::Expired => ("status warning", Icon::Warning, words),
                Outcome::Failed => ("status bad", Icon::Bad, words),
            }
        }
    };
    view! {
        <li>
            <span class="faint">{instant(command.at)}</span>
            <strong>{what}</strong>
            <span class="faint">"by "{who}</span>
            <span class=class>{icon(picture)}<span>{words}</span></span>
        </li>
    }
    .into_any()
}
