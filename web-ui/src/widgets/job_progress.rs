//! `JobProgress`: how far something is that takes a while, how long it still takes, and a way to stop it.

use fieldgate_ui_logic::pace::{self, Seen};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::live::Live;

/// A job as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// What is done: `Replay to broker`.
    pub title: String,
    pub done: u64,
    pub all: u64,
    /// More about it: `at most 100/s`.
    pub words: String,
}

/// Draws `job`; `stop` is offered where the gateway can stop it.
pub fn job_progress(job: Memo<Job>, stop: Callback<()>) -> AnyView {
    let live = Live::expect();
    let first = StoredValue::new(Seen {
        at_ms: live.now.get_untracked(),
        done: job.with_untracked(|job| job.done),
    });
    let left = move || {
        let (done, all) = job.with(|job| (job.done, job.all));
        let at_ms = live.now.get_untracked();
        let left = pace::left_ms(first.get_value(), Seen { at_ms, done }, all);
        left.map(|left| format!(", done in about {}", words::span(left / 1000 * 1000)))
    };
    let percent = move || job.with(|job| pace::percent(job.done, job.all));
    let title = move || job.with(|job| job.title.clone());
    let far =
        move || job.with(|job| format!("{} of {}", words::count(job.done), words::count(job.all)));
    let more = move || job.with(|job| job.words.clone());
    view! {
        <div class="job" data-test="job">
            <div class="job-head">
                <strong>{title}</strong>
                <span>{move || format!("{} %", percent())}</span>
                <button type="button" class="small" data-test="stop" aria-label=move || format!("Stop: {}", title()) on:click=move |_| stop.run(())>"Stop"</button>
            </div>
            <progress max="100" value=move || percent().to_string() aria-label=title></progress>
            <p class="faint">{far}", "{more}{left}</p>
        </div>
    }
    .into_any()
}
