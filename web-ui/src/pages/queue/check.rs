//! The check of the open queue: how far it is, and what it found, lane by lane.

use fieldgate_api::queue::{CheckFinding, CheckLine, LaneCheck};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::lines::Lines;
use crate::widgets::announce::Announcer;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::job_progress::{Job, job_progress};
use crate::widgets::page::trouble_note;

const PATH: &str = "/api/v1/queue/check.jsonl";

/// A check on this page.
#[derive(Clone, Copy)]
struct Check {
    job: RwSignal<Option<Job>>,
    results: RwSignal<Vec<LaneCheck>>,
    trouble: RwSignal<Option<Trouble>>,
    stop: StoredValue<bool>,
    announcer: Announcer,
}

pub fn check() -> AnyView {
    let check = Check {
        job: RwSignal::new(None),
        results: RwSignal::new(Vec::new()),
        trouble: RwSignal::new(None),
        stop: StoredValue::new(false),
        announcer: Announcer::expect(),
    };
    let running = Memo::new(move |_| check.job.with(Option::is_some));
    let job = Memo::new(move |_| check.job.get().unwrap_or_default());
    let stop = Callback::new(move |()| check.stop.set_value(true));
    on_cleanup(move || {
        check.stop.try_set_value(true);
    });
    view! {
        <section aria-labelledby="check-title" id="check">
            <h2 id="check-title">"Check"</h2>
            <p class="help">"Reads every record on the disk and compares its checksum and the ledger. It changes nothing, and readings go on meanwhile."</p>
            {move || match running.get() {
                true => job_progress(job, stop),
                false => view! { <div class="actions"><button type="button" data-test="check" on:click=move |_| check.start()>"Check the queue"</button></div> }.into_any(),
            }}
            {move || check.trouble.get().map(|trouble| trouble_note(&trouble))}
            <ul class="cards" data-test="checked">{move || check.results.with(|results| results.iter().map(result).collect_view())}</ul>
        </section>
    }
    .into_any()
}

// === impl Check ===

impl Check {
    fn start(self) {
        self.stop.set_value(false);
        self.results.set(Vec::new());
        self.trouble.set(None);
        self.job.set(Some(Job {
            title: "Check of the queue".to_owned(),
            all: 1,
            ..Job::default()
        }));
        spawn_local(async move {
            let outcome = self.run().await;
            self.announcer.say(match &outcome {
                Ok(()) => "The check has ended",
                Err(_) => "The check could not go on",
            });
            self.job.try_set(None);
            self.trouble.try_set(outcome.err());
        });
    }

    async fn run(self) -> Result<(), Trouble> {
        let mut lines = Lines::of(PATH).await?;
        while let Some(line) = lines.next::<CheckLine>().await? {
            // A page that is gone wants no more, either.
            if self.stop.try_get_value() != Some(false) {
                lines.stop().await;
                return Ok(());
            }
            self.took(line);
        }
        Ok(())
    }

    fn took(self, line: CheckLine) {
        self.job.try_set(Some(Job {
            title: "Check of the queue".to_owned(),
            done: line.read.min(line.of),
            all: line.of,
            words: format!("records of the {} lane", line.lane),
        }));
        if let Some(result) = line.result {
            self.results.try_update(|results| results.push(result));
        }
    }
}

fn result(check: &LaneCheck) -> AnyView {
    let well = check.findings.is_empty() && check.unaccounted == 0;
    let read = format!(
        "{} in {}",
        words::counted(check.records, "record"),
        words::took(check.seconds * 1000.0)
    );
    let spooled = words::counted(check.spooled, "payload file");
    let verdict = match (well, check.lost) {
        (true, _) => "Everything can be read, and the ledger balances.".to_owned(),
        (false, 0) => "Something is not as it should be; no record is lost.".to_owned(),
        (false, lost) => format!("{} cannot be read.", words::counted(lost, "record")),
    };
    let class = if well { "status good" } else { "status bad" };
    let picture = icon(if well { Icon::Good } else { Icon::Bad });
    let findings: Vec<AnyView> = check.findings.iter().map(finding).collect();
    let more = (check.more_findings > 0).then(|| {
        let more = format!(
            "{} more; fieldgate queue check lists them",
            check.more_findings
        );
        view! { <p class="faint">{more}</p> }
    });
    view! {
        <li class="card">
            <h3>{words::capital(&check.lane)}</h3>
            <p class=class>{picture}<span>{verdict}</span></p>
            <p class="faint">{read}", "{spooled}", unaccounted: "{check.unaccounted.to_string()}</p>
            <ul class="lines">{findings}</ul>
            {more}
        </li>
    }
    .into_any()
}

fn finding(finding: &CheckFinding) -> AnyView {
    let what = format!(
        "{}: {}",
        words::plain(&finding.place),
        words::plain(&finding.what)
    );
    let cost = words::counted(finding.lost, "record");
    let advice = format!("costs {cost}; {}", words::plain(&finding.advice));
    view! { <li><span>{what}</span><span class="faint">{advice}</span></li> }.into_any()
}
