//! Sources, destinations, routes and rules alike: how they are read, written, tried, paused and removed.

use fieldgate_api::config::{Draft, Item, Kind, Saved, TestReport};
use fieldgate_api::endpoint::{
    DeleteDestination, DeleteRoute, DeleteRule, DeleteSource, GetDestination, GetKinds,
    GetOverview, GetRoute, GetRule, GetSource, PutDestination, PutRoute, PutRule, PutSource,
    RetryDestination, RetrySource, TestDestination, TestSource,
};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::place::Section;
use leptos::prelude::GetUntracked;
use leptos::task::spawn_local;

use crate::client::{call, change};
use crate::live::Live;
use crate::widgets::toast::Toasts;

/// What an editor starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The revision that a change is based on.
    pub revision: u64,
    pub kinds: Vec<Kind>,
    /// None for a new one.
    pub item: Option<Item>,
}

/// Reads what an editor needs. The revision first: a change in between is then noticed when saving, never overwritten.
///
/// # Errors
/// What the gateway answers.
pub async fn load(section: Section, id: Option<&str>) -> Result<Loaded, Trouble> {
    let revision = call::<GetOverview>(&[]).await?.revision;
    let kinds = call::<GetKinds>(&[]).await?;
    let kinds = match section {
        Section::Sources => kinds.sources,
        Section::Destinations => kinds.destinations,
        Section::Routes => vec![kinds.routes],
        Section::Rules => vec![kinds.rules],
    };
    let item = match (section, id) {
        (_, None) => None,
        (Section::Sources, Some(id)) => Some(call::<GetSource>(&[id]).await?.item),
        (Section::Destinations, Some(id)) => Some(call::<GetDestination>(&[id]).await?.item),
        (Section::Routes, Some(id)) => Some(call::<GetRoute>(&[id]).await?.item),
        (Section::Rules, Some(id)) => Some(call::<GetRule>(&[id]).await?.item),
    };
    Ok(Loaded {
        revision,
        kinds,
        item,
    })
}

/// Writes one, if the configuration is still at `revision`.
///
/// # Errors
/// What the gateway answers: `problems` for settings that are wrong, 409 when someone else was faster.
pub async fn put(
    section: Section,
    id: &str,
    draft: &Draft,
    revision: u64,
) -> Result<Saved, Trouble> {
    let revision = Some(revision);
    match section {
        Section::Sources => change::<PutSource>(&[id], draft, revision).await,
        Section::Destinations => change::<PutDestination>(&[id], draft, revision).await,
        Section::Routes => change::<PutRoute>(&[id], draft, revision).await,
        Section::Rules => change::<PutRule>(&[id], draft, revision).await,
    }
}

/// Tries the settings of a source or a destination; nothing is saved.
///
/// # Errors
/// What the gateway answers.
pub async fn test(section: Section, id: &str, draft: &Draft) -> Result<TestReport, Trouble> {
    match section {
        Section::Sources => change::<TestSource>(&[id], draft, None).await,
        _ => change::<TestDestination>(&[id], draft, None).await,
    }
}

/// What can be done to an item at once. Made while a page is drawn, as event handlers know no context.
#[derive(Clone, Copy)]
pub struct Actions {
    live: Live,
    toasts: Toasts,
}

// === impl Actions ===

impl Actions {
    pub fn expect() -> Self {
        Self {
            live: Live::expect(),
            toasts: Toasts::expect(),
        }
    }

    /// Pauses it, or lets it run again.
    pub fn set_paused(self, section: Section, item: Item, paused: bool) {
        let revision = self.live.revision.get_untracked();
        let done = if paused { "Paused" } else { "Resumed" };
        let words = format!("{done} the {} {}.", section.one(), item.id);
        spawn_local(async move {
            let draft = Draft {
                paused,
                ..item.draft
            };
            self.tell(&words, put(section, &item.id, &draft, revision).await);
        });
    }

    /// Removes it at once; the toast brings it back.
    pub fn remove(self, section: Section, id: String) {
        let revision = Some(self.live.revision.get_untracked());
        let words = format!("Removed the {} {id}.", section.one());
        spawn_local(async move {
            let places = [id.as_str()];
            let saved = match section {
                Section::Sources => change::<DeleteSource>(&places, &(), revision).await,
                Section::Destinations => change::<DeleteDestination>(&places, &(), revision).await,
                Section::Routes => change::<DeleteRoute>(&places, &(), revision).await,
                Section::Rules => change::<DeleteRule>(&places, &(), revision).await,
            };
            self.tell(&words, saved);
        });
    }

    /// Starts the next attempt now.
    pub fn retry(self, section: Section, id: String) {
        spawn_local(async move {
            let places = [id.as_str()];
            let started = match section {
                Section::Sources => call::<RetrySource>(&places).await,
                _ => call::<RetryDestination>(&places).await,
            };
            match started {
                Ok(()) => self.toasts.done(&format!("Trying {id} again now.")),
                Err(trouble) => self.toasts.trouble(&trouble),
            }
        });
    }

    fn tell(self, words: &str, saved: Result<Saved, Trouble>) {
        match saved {
            Ok(saved) => self.toasts.saved(words, &saved),
            Err(trouble) => self.toasts.trouble(&trouble),
        }
    }
}
