//! `UndoToast`: says that something was done, and takes it back on request.

use std::time::Duration;

use fieldgate_api::config::Saved;
use fieldgate_api::endpoint::RevertTo;
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icon::{Icon, icon};
use crate::client;

/// How long a toast stays. What it undoes can be reverted later on the page Configuration, too.
const STAYS: Duration = Duration::from_secs(10);

/// The toasts of the tab.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    last: RwSignal<u32>,
}

#[derive(Clone, PartialEq)]
struct Toast {
    id: u32,
    words: String,
    bad: bool,
    /// The revision that was written; undone by going back to the one before.
    undo: Option<u64>,
}

impl Toasts {
    pub fn start() -> Self {
        let toasts = Self {
            shown: RwSignal::new(Vec::new()),
            last: RwSignal::new(0),
        };
        provide_context(toasts);
        toasts
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Something was written, and can be undone.
    pub fn saved(self, words: &str, saved: &Saved) {
        self.show(words.to_owned(), false, Some(saved.revision));
    }

    /// Something was done.
    pub fn done(self, words: &str) {
        self.show(words.to_owned(), false, None);
    }

    /// Something was refused.
    pub fn trouble(self, trouble: &Trouble) {
        let first = trouble.problems.first();
        let more = first.map(|problem| format!(": {}; {}", problem.what, problem.remedy));
        let detail = more.unwrap_or_else(|| format!(" – {}", trouble.detail));
        self.show(
            format!("{}{detail}", words::capital(&trouble.title)),
            true,
            None,
        );
    }

    /// Something cannot be asked for, in words.
    pub fn refused(self, words: &str) {
        self.show(words.to_owned(), true, None);
    }

    fn show(self, words: String, bad: bool, undo: Option<u64>) {
        let id = self.last.get_untracked() + 1;
        self.last.set(id);
        self.shown.update(|shown| {
            shown.push(Toast {
                id,
                words,
                bad,
                undo,
            });
            if shown.len() > 3 {
                shown.remove(0);
            }
        });
        set_timeout(move || self.close(id), STAYS);
    }

    fn close(self, id: u32) {
        self.shown
            .update(|shown| shown.retain(|toast| toast.id != id));
    }

    fn undo(self, id: u32, revision: u64) {
        self.close(id);
        spawn_local(async move {
            let before = revision.saturating_sub(1).to_string();
            match client::change::<RevertTo>(&[&before], &(), Some(revision)).await {
                Ok(_) => self.done("Undone."),
                Err(trouble) => self.trouble(&trouble),
            }
        });
    }

    pub fn view(self) -> AnyView {
        view! {
            <div class="toasts" role="status" aria-live="polite">
                <For each=move || self.shown.get() key=|toast| toast.id children=move |toast| self.toast(&toast)/>
            </div>
        }
        .into_any()
    }

    fn toast(self, toast: &Toast) -> AnyView {
        let id = toast.id;
        let undo = toast.undo.map(|revision| {
            view! {
                <button type="button" data-test="undo" on:click=move |_| self.undo(id, revision)>"Undo"</button>
            }
        });
        view! {
            <div class=if toast.bad { "toast bad" } else { "toast good" } data-test="toast">
                {icon(if toast.bad { Icon::Bad } else { Icon::Good })}
                <p>{toast.words.clone()}</p>
                {undo}
                <button type="button" class="quiet" on:click=move |_| self.close(id)>"Close"</button>
            </div>
        }
        .into_any()
    }
}
