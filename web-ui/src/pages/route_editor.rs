//! The editor of a route: a strip from → steps → to, with what it would do to what is live right now.

use std::time::Duration;

use fieldgate_api::config::{Kind, RouteSample, RouteTest};
use fieldgate_api::endpoint::{GetDestinations, GetSources, TestRoute};
use fieldgate_ui_logic::place::Section;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::editor::{Editor, editor_page, is_blank};
use super::point_picker::picker;
use crate::client::{call, change};
use crate::items::Loaded;
use crate::widgets::hop_ladder::test_button;
use crate::widgets::page::prose;
use crate::widgets::schema_form::{Form, Offer, schema_field};

/// After the last keystroke a route is tried by itself.
const PAUSE: Duration = Duration::from_millis(600);

pub fn page(id: Option<String>) -> AnyView {
    editor_page(Section::Routes, id, body, route_form)
}

fn route_form(kind: &Kind, loaded: Option<&Loaded>) -> Form {
    let item = loaded.and_then(|loaded| loaded.item.as_ref());
    let locked = item.map(|item| item.locked.clone()).unwrap_or_default();
    let form = Form::new(
        &kind.schema,
        item.map(|item| item.draft.settings.clone()),
        locked,
    );
    spawn_local(offer(form));
    form
}

/// Offers what there is to take from and to send to.
async fn offer(form: Form) {
    let (sources, destinations) = (
        call::<GetSources>(&[]).await,
        call::<GetDestinations>(&[]).await,
    );
    let patterns = sources
        .into_iter()
        .flatten()
        .map(|source| format!("{}/**", source.item.id))
        .collect();
    let ids: Vec<String> = destinations
        .into_iter()
        .flatten()
        .map(|destination| destination.item.id)
        .collect();
    if !ids.is_empty() {
        form.offer_for("to", Offer::Choose(ids));
    }
    form.offer_for("from.*", Offer::Suggest(patterns));
    form.redraw(None);
}

fn body(editor: Editor, loaded: Loaded) -> AnyView {
    let result = RwSignal::new(None::<RouteTest>);
    let testing = RwSignal::new(false);
    let run = move |loud: bool| {
        if editor.form.with_untracked(|form| {
            form.settings
                .with_untracked(|settings| is_blank(settings, "from"))
        }) && !loud
        {
            return;
        }
        testing.set(loud);
        spawn_local(async move {
            let mut draft = editor.draft();
            // How many points it matches is known before it is known where they go.
            if !loud && draft.settings["to"].is_null() {
                draft.settings["to"] = "".into();
            }
            let answer = change::<TestRoute>(&[&editor.id_or_new()], &draft, None).await;
            testing.try_set(false);
            // What is half typed is not scolded; a test that was asked for is answered.
            let found = if loud {
                editor.take(answer)
            } else {
                answer.ok()
            };
            result.try_set(found);
        });
    };
    try_by_itself(editor, move || run(false));
    let form = editor.form.get_untracked();
    let about = loaded.kinds.first().map(|kind| prose(&kind.about));
    view! {
        <form class="editor route" novalidate=true on:submit=move |event| { event.prevent_default(); editor.save(); }>
            {editor.messages()}
            {editor.id_field()}
            <p class="help">{about}</p>
            <ol class="pipeline">
                <li class="stage">{schema_field(form, "from")}{picker(form)}<p class="stage-note">{move || result.with(|r| r.as_ref().map(matches_words))}</p></li>
                <li class="stage">{schema_field(form, "steps")}</li>
                <li class="stage">{schema_field(form, "to")}</li>
            </ol>
            {editor.footer(test_button(testing, move || run(true)))}
            {move || result.get().map(|result| result_view(&result))}
        </form>
    }
    .into_any()
}

/// Tries the route once typing has paused.
fn try_by_itself(editor: Editor, run: impl Fn() + Send + Sync + Clone + 'static) {
    let waiting = StoredValue::new_local(None::<TimeoutHandle>);
    Effect::new(move |_| {
        editor.form.get().settings.track();
        let run = run.clone();
        let next = set_timeout_with_handle(run, PAUSE).ok();
        waiting.update_value(|waiting| {
            if let Some(former) = std::mem::replace(waiting, next) {
                former.clear();
            }
        });
    });
    on_cleanup(move || {
        waiting.try_update_value(|waiting| waiting.take().map(|waiting| waiting.clear()));
    });
}

fn matches_words(result: &RouteTest) -> AnyView {
    let class = if result.matches == 0 {
        "warning-text"
    } else {
        "good-text"
    };
    let hint = if result.matches == 0 {
        ": check the patterns, or wait until the source has found its points"
    } else {
        ""
    };
    view! { <span class=class data-test="matches">{format!("matches {}{hint}", words::counted(result.matches, "point"))}</span> }.into_any()
}

fn result_view(result: &RouteTest) -> AnyView {
    let rows: Vec<AnyView> = result.samples.iter().map(sample).collect();
    view! {
        <section class="card" aria-labelledby="route-test" data-test="route-test">
            <h2 id="route-test">"What it does right now"</h2>
            <p>{matches_words(result)}</p>
            <ul class="samples">{rows}</ul>
        </section>
    }
    .into_any()
}

fn sample(sample: &RouteSample) -> AnyView {
    let after = if sample.after.is_empty() {
        "nothing: the steps hold it back".to_owned()
    } else {
        sample.after.join(", ")
    };
    let address = sample.address.as_deref().map(words::plain);
    view! {
        <li>
            <p class="sample-point"><code>{words::plain(&sample.point)}</code></p>
            <p><span class="before">{words::plain(&sample.before)}</span>" → "<strong>{words::plain(&after)}</strong></p>
            {address.map(|address| view! { <p class="faint">"to "<code>{address}</code></p> })}
        </li>
    }
    .into_any()
}
