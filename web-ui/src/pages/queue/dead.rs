//! Dead letters: by destination and reason, each to be looked at; retried one by one or all of a kind, exported, purged.

use fieldgate_api::dead::{
    DeadChoice, DeadDone, DeadGroup, DeadLetter, DeadLetterPage, DeadLetters, DeadPurge, DeadQuery,
};
use fieldgate_api::endpoint::{
    GetDeadLetter, GetDeadLetters, PurgeDeadLetters, RetryDeadLetters, with_query,
};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client::{call, change};
use crate::fetched::{Fetched, OFTEN, asked};
use crate::widgets::confirm::type_to_confirm;
use crate::widgets::empty::empty_state;
use crate::widgets::job_progress::{Job, job_progress};
use crate::widgets::page::when_there;
use crate::widgets::time::instant;
use crate::widgets::toast::Toasts;

/// So many letters are shown at first, and so many when more are wanted.
const FIRST: u32 = 10;
const MOST: u32 = 200;
/// What a person types to throw letters away.
const WORD: &str = "purge";

/// What the section works with.
#[derive(Clone, Copy)]
struct Shelf {
    letters: Fetched<DeadLetters>,
    /// So many of the newest are shown.
    limit: RwSignal<u32>,
    open: RwSignal<Option<DeadLetterPage>>,
    /// The retry that is under way.
    retry: RwSignal<Option<Job>>,
    /// Somebody wants it to end after the step that runs.
    stop: StoredValue<bool>,
    toasts: Toasts,
}

pub fn dead() -> AnyView {
    let limit = RwSignal::new(FIRST);
    let letters = asked::<GetDeadLetters>(Some(OFTEN), move || {
        let query = DeadQuery {
            limit: Some(limit.get()),
            ..DeadQuery::default()
        };
        Some((Vec::new(), query))
    });
    let shelf = Shelf {
        letters,
        limit,
        open: RwSignal::new(None),
        retry: RwSignal::new(None),
        stop: StoredValue::new(false),
        toasts: Toasts::expect(),
    };
    let any = Memo::new(move |_| {
        let some = |letters: &DeadLetters| letters.shelf.letters > 0;
        letters
            .data
            .with(|letters| letters.as_ref().is_some_and(some))
    });
    view! {
        <section aria-labelledby="dead-title" id="dead">
            <h2 id="dead-title">"Dead letters"</h2>
            <p class="help">"Readings that their destination refused for their own sake. They are kept until you decide; a retry sends them under the message ids that they always had."</p>
            {shelf.progress()}
            {when_there(letters, move |letters| shelf.view(letters))}
            {move || shelf.open.get().map(|page| shelf.letter(&page))}
            {move || any.get().then(|| shelf.purge())}
        </section>
    }
    .into_any()
}

// === impl Shelf ===

impl Shelf {
    fn view(self, letters: &DeadLetters) -> AnyView {
        if letters.shelf.letters == 0 {
            let words = match letters.shelf.retried {
                0 => "No destination refused a reading.".to_owned(),
                retried => format!(
                    "{} went back into the queue.",
                    words::counted(retried, "letter")
                ),
            };
            return empty_state("No dead letters.", &words, None);
        }
        let groups: Vec<AnyView> = letters
            .groups
            .iter()
            .map(|group| self.group(group))
            .collect();
        let lines: Vec<AnyView> = letters
            .letters
            .iter()
            .map(|letter| self.line(letter))
            .collect();
        let more = letters.next.is_some() && self.limit.get_untracked() < MOST;
        let newest = format!(
            "The newest {}",
            words::counted(letters.letters.len() as u64, "letter")
        );
        view! {
            <h3>"By reason"</h3>
            <ul class="lines" data-test="dead-groups">{groups}</ul>
            <h3>{newest}</h3>
            <ul class="lines" data-test="dead-letters">{lines}</ul>
            {more.then(|| view! { <div class="actions"><button type="button" on:click=move |_| self.limit.set(MOST)>{format!("Show up to {MOST}")}</button></div> })}
        }
        .into_any()
    }

    fn group(self, group: &DeadGroup) -> AnyView {
        let choice = DeadChoice {
            destination: Some(group.destination.clone()),
            reason: Some(group.reason.clone()),
            ..DeadChoice::default()
        };
        let asked = [
            ("destination", Some(group.destination.as_str())),
            ("reason", Some(group.reason.as_str())),
        ];
        let url = with_query("/api/v1/export/dead.jsonl", &asked);
        let reason = words::plain(&group.reason);
        let title = format!(
            "{} from {}: {reason}",
            words::counted(group.letters, "letter"),
            group.destination
        );
        let (retry, export) = (format!("Retry all: {reason}"), format!("Export: {reason}"));
        view! {
            <li>
                <span>{title}</span>
                <span class="faint">"last "{instant(group.last_refused_at)}</span>
                <button type="button" class="small" data-test="retry-all" aria-label=retry on:click=move |_| self.retry(choice.clone())>"Retry all"</button>
                <a class="button small" href=url download="dead-letters.jsonl" aria-label=export>"Export"</a>
            </li>
        }
        .into_any()
    }

    fn line(self, letter: &DeadLetter) -> AnyView {
        let (id, point) = (letter.id, words::plain(&letter.point));
        let text = format!("{} = {}", point, words::plain(&letter.text));
        let why = format!("{} of {}", words::plain(&letter.why), letter.destination);
        let (show, retry) = (format!("Inspect letter {id}"), format!("Retry letter {id}"));
        let one = DeadChoice {
            ids: vec![id],
            ..DeadChoice::default()
        };
        view! {
            <li>
                <span>{text}</span>
                <span class="faint">{why}", "{instant(letter.refused_at)}</span>
                <button type="button" class="small" data-test="inspect" aria-label=show on:click=move |_| self.inspect(id)>"Inspect"</button>
                <button type="button" class="small" data-test="retry-one" aria-label=retry on:click=move |_| self.retry(one.clone())>"Retry"</button>
            </li>
        }
        .into_any()
    }

    fn letter(self, page: &DeadLetterPage) -> AnyView {
        let letter = &page.letter;
        let reading = serde_json::to_string_pretty(&page.reading).unwrap_or_default();
        let lines: Vec<String> = reading.lines().map(words::plain).collect();
        let reading = lines.join("\n");
        let title = format!("Letter {}", letter.id);
        let close = move |_| self.open.set(None);
        view! {
            <div class="card" data-test="letter" role="region" aria-label=title.clone()>
                <h3>{title.clone()}</h3>
                <dl class="facts">
                    <div><dt>"message id"</dt><dd><code>{letter.message_id.clone()}</code></dd></div>
                    <div><dt>"destination"</dt><dd>{letter.destination.clone()}</dd></div>
                    <div><dt>"routes"</dt><dd>{letter.routes.join(", ")}</dd></div>
                    <div><dt>"refused"</dt><dd>{format!("{}, first ", words::counted(u64::from(letter.attempts), "time"))}{instant(letter.first_refused_at)}</dd></div>
                    <div><dt>"in its words"</dt><dd>{words::plain(&letter.why)}</dd></div>
                    <div><dt>"frame"</dt><dd>{words::bytes(page.frame_bytes)}</dd></div>
                </dl>
                <pre class="raw" tabindex="0" role="region" aria-label="The reading as JSON">{reading}</pre>
                <div class="actions"><button type="button" on:click=close>"Close"</button></div>
            </div>
        }
        .into_any()
    }

    fn purge(self) -> AnyView {
        let deed = move || {
            spawn_local(async move {
                let purge = DeadPurge {
                    which: DeadChoice {
                        all: true,
                        ..DeadChoice::default()
                    },
                    confirm: WORD.to_owned(),
                };
                self.settle(change::<PurgeDeadLetters>(&[], &purge, None).await);
            });
        };
        view! {
            <h3>"Throw all away"</h3>
            <p><a class="button" href="/api/v1/export/dead.jsonl" download="dead-letters.jsonl">"Export all first"</a></p>
            {type_to_confirm("purge-dead", "Throw all letters away", Signal::derive(|| WORD.to_owned()), deed)}
        }
        .into_any()
    }

    fn retry(self, choice: DeadChoice) {
        if self.retry.get_untracked().is_some() {
            self.toasts
                .refused("Another retry is under way; wait for it, or stop it.");
            return;
        }
        self.stop.set_value(false);
        spawn_local(async move {
            let outcome = self.retry_in_steps(choice).await;
            self.retry.try_set(None);
            self.settle(outcome);
        });
    }

    /// All that is chosen, or what was done until somebody stopped it.
    async fn retry_in_steps(self, mut choice: DeadChoice) -> Result<DeadDone, Trouble> {
        let mut sum = change::<RetryDeadLetters>(&[], &choice, None).await?;
        while sum.next.is_some() && self.stop.try_get_value() == Some(false) {
            let done = sum.done + sum.stuck;
            self.retry.try_set(Some(Job {
                title: "Retry of dead letters".to_owned(),
                done,
                all: done + sum.left,
                words: "what is left stays a dead letter when you stop".to_owned(),
            }));
            choice.within = sum.next;
            let step = change::<RetryDeadLetters>(&[], &choice, None).await?;
            let (done, stuck) = (sum.done + step.done, sum.stuck + step.stuck);
            sum = DeadDone {
                done,
                stuck,
                words: retried(done, stuck, step.left),
                ..step
            };
        }
        Ok(sum)
    }

    fn progress(self) -> AnyView {
        let job = Memo::new(move |_| self.retry.get().unwrap_or_default());
        let running = Memo::new(move |_| self.retry.with(Option::is_some));
        let stop = Callback::new(move |()| self.stop.set_value(true));
        (move || running.get().then(|| job_progress(job, stop))).into_any()
    }

    fn inspect(self, id: u64) {
        spawn_local(async move {
            match call::<GetDeadLetter>(&[&id.to_string()]).await {
                Ok(page) => self.open.set(Some(page)),
                Err(trouble) => self.toasts.trouble(&trouble),
            }
        });
    }

    fn settle(self, outcome: Result<DeadDone, Trouble>) {
        match outcome {
            Ok(done) => self.toasts.done(&words::capital(&done.words)),
            Err(trouble) => self.toasts.trouble(&trouble),
        }
        self.open.set(None);
        self.letters.refresh();
    }
}

/// What a retry of several steps did.
fn retried(done: u64, stuck: u64, left: u64) -> String {
    let mut words = format!(
        "put {} back into the queue",
        words::counted(done, "dead letter")
    );
    if stuck > 0 {
        let stuck = words::counted(stuck, "letter");
        words += &format!(
            "; {stuck} cannot go back, since no route leads to the destination or the bytes cannot be read"
        );
    }
    if left > 0 {
        words += &format!("; {} are left", words::counted(left, "letter"));
    }
    words
}
