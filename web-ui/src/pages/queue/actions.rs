//! What can be done to the queue: a replay with its preview, export, and a purge that is typed out.

use fieldgate_api::endpoint::{
    GetReplays, PreviewReplay, PurgeQueue, StartReplay, StopReplay, with_query,
};
use fieldgate_api::queue::{Purge, ReplayDraft, ReplayPreview, ReplayView};
use fieldgate_model::Timestamp;
use fieldgate_ui_logic::words;
use js_sys::Date;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client::change;
use crate::fetched::{Fetched, OFTEN, fetched};
use crate::widgets::confirm::type_to_confirm;
use crate::widgets::job_progress::{Job, job_progress};
use crate::widgets::toast::Toasts;

/// What a replay may send in a second unless a person says otherwise.
const RATE: &str = "100";

/// The state of a replay that still sends.
const RUNNING: &str = "running";

/// The form as it is filled in.
#[derive(Clone, Copy)]
struct Form {
    destination: RwSignal<String>,
    from: RwSignal<String>,
    to: RwSignal<String>,
    rate: RwSignal<String>,
    preview: RwSignal<Option<ReplayPreview>>,
}

pub fn actions(destinations: Memo<Vec<String>>) -> AnyView {
    let form = Form {
        destination: RwSignal::new(String::new()),
        from: RwSignal::new(String::new()),
        to: RwSignal::new(String::new()),
        rate: RwSignal::new(RATE.to_owned()),
        preview: RwSignal::new(None),
    };
    let chosen = Memo::new(move |_| {
        let chosen = form.destination.get();
        match chosen.is_empty() {
            true => destinations.with(|all| all.first().cloned().unwrap_or_default()),
            false => chosen,
        }
    });
    let replays = fetched::<GetReplays>(Some(OFTEN), || Some(Vec::new()));
    let options = move || {
        let ids = destinations.get().into_iter();
        ids.map(|id| view! { <option value=id.clone() selected=chosen.get() == id>{id.clone()}</option> })
            .collect_view()
    };
    view! {
        <section aria-labelledby="again-title" id="replay">
            <h2 id="again-title">"Send again, take away, empty"</h2>
            <div class="field">
                <label for="queue-destination">"Destination"</label>
                <select class="short" id="queue-destination" on:change=move |event| {
                    form.destination.set(event_target_value(&event));
                    form.preview.set(None);
                }>{options}</select>
            </div>
            {replay(form, chosen, replays)}
            {listed(replays)}
            {purge(chosen)}
        </section>
    }
    .into_any()
}

fn replay(form: Form, chosen: Memo<String>, replays: Fetched<Vec<ReplayView>>) -> AnyView {
    let toasts = Toasts::expect();
    let preview = move |_| {
        spawn_local(async move {
            match ask::<PreviewReplay>(form, chosen).await {
                Ok(preview) => form.preview.set(Some(preview)),
                Err(words) => toasts.refused(&words),
            }
        });
    };
    let start = move |_| {
        form.preview.set(None);
        spawn_local(async move {
            match ask::<StartReplay>(form, chosen).await {
                Ok(_) => toasts.done("The replay was started."),
                Err(words) => toasts.refused(&words),
            }
            replays.refresh();
        });
    };
    let startable = move || {
        form.preview
            .get()
            .is_some_and(|preview| preview.readings > 0)
    };
    view! {
        <h3>"Replay"</h3>
        <p class="help">"Readings that the queue still has are sent once more, beside what is new and under the message ids that they always had."</p>
        <div class="inputs">
            {input("replay-from", "From", "datetime-local", form.from, form)}
            {input("replay-to", "To", "datetime-local", form.to, form)}
            {input("replay-rate", "Readings a second, 0 for no limit", "number", form.rate, form)}
        </div>
        <div class="actions">
            <button type="button" data-test="preview" on:click=preview>"Preview"</button>
            <button type="button" class="primary" data-test="start-replay" disabled=move || !startable() on:click=start>"Start the replay"</button>
        </div>
        <p role="status" data-test="replay-preview">{move || form.preview.get().map(|preview| words::capital(&preview.words))}</p>
    }
    .into_any()
}

fn input(
    id: &'static str,
    label: &'static str,
    kind: &'static str,
    value: RwSignal<String>,
    form: Form,
) -> AnyView {
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input id=id type=kind step="1" min="0" prop:value=move || value.get() on:input=move |event| {
                value.set(event_target_value(&event));
                form.preview.set(None);
            }/>
        </div>
    }
    .into_any()
}

async fn ask<E>(form: Form, chosen: Memo<String>) -> Result<E::Response, String>
where
    E: fieldgate_api::endpoint::Endpoint<Request = ReplayDraft>,
{
    let rate = form.rate.get_untracked();
    let draft = ReplayDraft {
        destination: chosen.get_untracked(),
        of: None,
        lane: None,
        from: moment(&form.from.get_untracked())?,
        to: moment(&form.to.get_untracked())?,
        rate: rate
            .trim()
            .parse()
            .map_err(|_| format!("`{rate}` is no number of readings a second"))?,
    };
    change::<E>(&[], &draft, None)
        .await
        .map_err(|trouble| trouble.detail)
}

/// A local time as the browser's field has it.
fn moment(text: &str) -> Result<Timestamp, String> {
    let millis = Date::parse(text);
    match millis.is_finite() {
        true => Ok(Timestamp::from_millis(millis as i64)),
        false => Err("Say from when and to when.".to_owned()),
    }
}

/// Those that run, with how far they are, and those that ended.
fn listed(replays: Fetched<Vec<ReplayView>>) -> AnyView {
    let some = move |running: bool| {
        replays.data.with(|all| {
            let all = all.iter().flatten();
            let some = all.filter(|replay| (replay.state == RUNNING) == running);
            some.cloned().collect::<Vec<_>>()
        })
    };
    let ids = move || {
        some(true)
            .into_iter()
            .map(|replay| replay.id)
            .collect::<Vec<_>>()
    };
    let ended = move || some(false).iter().map(ended).collect_view();
    view! {
        <div class="jobs" data-test="running-replays">
            <For each=ids key=|id| id.clone() children=move |id| running(id, replays)/>
        </div>
        <ul class="lines" data-test="replays">{ended}</ul>
    }
    .into_any()
}

fn running(id: String, replays: Fetched<Vec<ReplayView>>) -> AnyView {
    let toasts = Toasts::expect();
    let found = id.clone();
    let job = Memo::new(move |former: Option<&Job>| {
        let of = |all: &Vec<ReplayView>| all.iter().find(|replay| replay.id == found).map(job);
        let now = replays.data.with(|all| all.as_ref().and_then(of));
        now.or_else(|| former.cloned()).unwrap_or_default()
    });
    let stop = Callback::new(move |()| {
        let id = id.clone();
        spawn_local(async move {
            match change::<StopReplay>(&[&id], &(), None).await {
                Ok(_) => toasts.done("The replay was stopped."),
                Err(trouble) => toasts.trouble(&trouble),
            }
            replays.refresh();
        });
    });
    job_progress(job, stop)
}

fn job(replay: &ReplayView) -> Job {
    let rate = match replay.rate {
        0 => "as fast as what is new leaves room for".to_owned(),
        rate => format!("at most {rate} readings a second"),
    };
    Job {
        title: format!("Replay to {}", replay.destination),
        done: replay.accepted.saturating_sub(replay.pending),
        all: replay.accepted,
        words: rate,
    }
}

fn ended(replay: &ReplayView) -> AnyView {
    let title = format!(
        "{}: replay to {}",
        words::capital(&replay.state),
        replay.destination
    );
    let text = format!(
        "{} of {} delivered",
        words::count(replay.acked),
        words::counted(replay.accepted, "reading")
    );
    view! { <li><span>{title}</span><span class="faint">{text}</span></li> }.into_any()
}

fn purge(chosen: Memo<String>) -> AnyView {
    let toasts = Toasts::expect();
    let deed = move || {
        spawn_local(async move {
            let destination = chosen.get_untracked();
            let purge = Purge {
                confirm: destination.clone(),
                destination,
            };
            match change::<PurgeQueue>(&[], &purge, None).await {
                Ok(done) => toasts.done(&words::capital(&done.words)),
                Err(trouble) => toasts.trouble(&trouble),
            }
        });
    };
    let url = move || {
        with_query(
            "/api/v1/export/queue.jsonl",
            &[("destination", Some(chosen.get().as_str()))],
        )
    };
    view! {
        <h3>"Export and purge"</h3>
        <p class="help">"A purge throws away what the destination has before it; each reading is counted as evicted, purged. Export it first."</p>
        <p><a class="button" href=url download="queue.jsonl">"Export what is kept"</a></p>
        {type_to_confirm("purge-queue", "Empty the queue", chosen.into(), deed)}
    }
    .into_any()
}
