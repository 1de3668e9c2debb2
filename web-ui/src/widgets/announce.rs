//! What a screen reader is told without moving the focus: politely, and at most every five seconds.

use std::time::Duration;

use leptos::prelude::*;

const PAUSE: Duration = Duration::from_secs(5);

/// The region that is read aloud.
#[derive(Clone, Copy)]
pub struct Announcer {
    said: RwSignal<String>,
    next: RwSignal<Option<String>>,
    resting: RwSignal<bool>,
}

impl Announcer {
    pub fn start() -> Self {
        let announcer = Self {
            said: RwSignal::new(String::new()),
            next: RwSignal::new(None),
            resting: RwSignal::new(false),
        };
        provide_context(announcer);
        announcer
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Says it now if nothing was said lately, else the last of what waits in five seconds.
    pub fn say(self, words: &str) {
        if self.resting.get_untracked() {
            self.next.set(Some(words.to_owned()));
            return;
        }
        self.said.set(words.to_owned());
        self.resting.set(true);
        set_timeout(
            move || {
                self.resting.set(false);
                if let Some(next) = self.next.get_untracked() {
                    self.next.set(None);
                    self.say(&next);
                }
            },
            PAUSE,
        );
    }

    pub fn view(self) -> AnyView {
        view! { <p class="unseen" role="status" aria-live="polite">{move || self.said.get()}</p> }
            .into_any()
    }
}
