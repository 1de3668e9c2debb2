//! The basket: the rules, how many points they mean, how much that would send, a test, and taking them over.

use fieldgate_api::config::Draft;
use fieldgate_api::endpoint::{PreviewRules, SampleRules};
use fieldgate_api::explore::{ExplorePreview, ExploreRules, ExploreSample, ExploreTest};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::basket::{bytes_a_day, shown, together};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value as Json;

use super::Session;
use crate::client::change;
use crate::fetched::asked;
use crate::items;
use crate::nav::Nav;
use crate::widgets::page::trouble_note;
use crate::widgets::toast::Toasts;

/// How long a part of a test watches, and how many parts there are.
const SECONDS: u32 = 10;
const PARTS: u32 = 3;
/// The busiest points of a test that are shown.
const BUSIEST: usize = 20;

pub fn basket(session: Session) -> AnyView {
    let present = session.present();
    let id = RwSignal::new(String::new());
    let preview = {
        let present = present.clone();
        asked::<PreviewRules>(None, move || {
            let select = session.rules.get();
            (!select.is_empty()).then(|| {
                let rules = ExploreRules {
                    at: session.at.get_value(),
                    select,
                    present: present.clone(),
                };
                (Vec::new(), rules)
            })
        })
    };
    let (nav, toasts) = (Nav::expect(), Toasts::expect());
    let trouble = RwSignal::new(None::<Trouble>);
    let adopt = move |_| {
        let id = match session.at.get_value().source {
            Some(source) => source,
            None => id.get_untracked().trim().to_owned(),
        };
        spawn_local(async move {
            match session.adopt(&id).await {
                Ok(saved) => {
                    toasts.saved(&format!("The source {id} reads what was selected."), &saved);
                    nav.go(&Place::Item(Section::Sources, id).path());
                }
                Err(found) => {
                    trouble.try_set(Some(found));
                }
            }
        });
    };
    let line = move |(place, rule): (usize, Json)| {
        let text = shown(&rule);
        let label = format!("Take {text} out");
        let take = move |_| {
            session.rules.update(|rules| {
                rules.remove(place);
            });
        };
        view! { <li><code>{words::plain(&text)}</code><button type="button" class="quiet small" aria-label=label on:click=take>"Remove"</button></li> }
    };
    let changed = move || session.rules.with(|rules| *rules != present);
    let locked = session.locked();
    let is_new = session.at.with_value(|at| at.source.is_none());
    let cannot = locked.is_some();
    view! {
        <section class="card" aria-labelledby="basket-title" data-test="basket">
            <h2 id="basket-title">"Selected"</h2>
            {move || match (session.rules.with(Vec::is_empty), preview.data.get(), preview.trouble.get()) {
                (true, ..) => view! { <p class="faint">"Nothing is selected yet."</p> }.into_any(),
                (_, _, Some(trouble)) => trouble_note(&trouble),
                (_, Some(preview), _) => figures(&preview),
                _ => view! { <p class="waiting" role="status">"Counting…"</p> }.into_any(),
            }}
            <ul class="lines" data-test="rules">{move || session.rules.get().into_iter().enumerate().map(line).collect_view()}</ul>
            {test(session)}
            {move || trouble.get().map(|trouble| {
                let problem = trouble.problems.first().map(|problem| view! { <p>{format!("{}; {}", problem.what, problem.remedy)}</p> });
                view! { {trouble_note(&trouble)}{problem} }
            })}
            {locked}
            {is_new.then(|| view! {
                <div class="field"><label for="explore-id">"Name of the new source"</label>
                    <input class="short" type="text" id="explore-id" autocomplete="off" spellcheck="false" prop:value=move || id.get() on:input=move |event| id.set(event_target_value(&event))/></div>
            })}
            <div class="actions">
                <button type="button" class="primary" data-test="adopt" disabled=move || cannot || !changed() || session.rules.with(Vec::is_empty) || (is_new && id.with(String::is_empty))
                    on:click=adopt>{if is_new { "Make the source" } else { "Adopt" }}</button>
            </div>
        </section>
    }
    .into_any()
}

fn figures(preview: &ExplorePreview) -> AnyView {
    let new = preview.points.saturating_sub(preview.covered);
    let gone = preview.before.saturating_sub(preview.covered);
    let figure =
        |name: &'static str, text: String| view! { <div><dt>{name}</dt><dd>{text}</dd></div> };
    let warning = match (new, gone) {
        (0, 0) if preview.before > 0 => Some("All of this is read already.".to_owned()),
        (_, 0) if preview.covered > 0 && new > 0 => Some(format!(
            "{} of it are read already.",
            words::counted(preview.covered, "point")
        )),
        (_, gone) if gone > 0 => Some(format!(
            "{} will no longer be read.",
            words::counted(gone, "point")
        )),
        _ => None,
    };
    let day = words::bytes(bytes_a_day(preview.at_most_per_s));
    view! {
        <dl class="figures" data-test="figures">
            {figure("Points", words::count(preview.points))}
            {figure("New", words::count(new))}
            {figure("New values, at most", words::rate(preview.at_most_per_s))}
            {figure("New a day, at most", day)}
        </dl>
        {warning.map(|text| view! { <p class="warning-text">{text}</p> })}
        {preview.cut.clone().map(|text| view! { <p class="warning-text">{words::capital(&text)}</p> })}
    }
    .into_any()
}

/// A test subscription: which points change, and how often. It goes in parts, whose sum is shown as it grows.
fn test(session: Session) -> AnyView {
    // The test that goes on; another number stops it.
    let (turn, running) = (RwSignal::new(0u32), RwSignal::new(None::<u32>));
    let outcome = RwSignal::new(None::<Result<ExploreSample, Trouble>>);
    let start = move || {
        let mine = turn.get_untracked() + 1;
        turn.set(mine);
        outcome.set(None);
        let test = ExploreTest {
            at: session.at.get_value(),
            select: session.rules.get_untracked(),
            seconds: SECONDS,
        };
        spawn_local(async move {
            let mut sum = None;
            for part in 0..PARTS {
                running.try_set(Some(part * SECONDS));
                let seen = change::<SampleRules>(&[], &test, None).await;
                if turn.try_get_untracked() != Some(mine) {
                    return;
                }
                let seen = seen.map(|seen| together(sum.take(), seen));
                sum = seen.as_ref().ok().cloned();
                outcome.try_set(Some(seen));
                if sum.is_none() {
                    break;
                }
            }
            running.try_set(None);
        });
    };
    let press = move |_| {
        if running.get_untracked().is_some() {
            turn.update(|turn| *turn += 1);
            running.set(None);
        } else {
            start();
        }
    };
    let all = PARTS * SECONDS;
    let words = move || match running.get() {
        Some(passed) => format!("Watching, {passed} of {all} s… Stop"),
        None => format!("Watch for {all} s"),
    };
    view! {
        <div class="actions"><button type="button" data-test="watch" disabled=move || session.rules.with(Vec::is_empty) on:click=press>{words}</button></div>
        {move || outcome.get().map(|outcome| match outcome {
            Err(trouble) => trouble_note(&trouble),
            Ok(sample) => watched(&sample),
        })}
    }
    .into_any()
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn watched(sample: &ExploreSample) -> AnyView {
    let seconds = sample.seconds.max(0.1);
    let sum: u64 = sample.watched.iter().map(|point| point.changes).sum();
    let moving = sample
        .watched
        .iter()
        .filter(|point| point.changes > 0)
        .count();
    let silent = sample
        .watched
        .iter()
        .filter(|point| point.trouble.is_some())
        .count();
    let rate = sum as f64 / seconds;
    let line = |point: &fieldgate_api::explore::ExploreWatched| {
        let often = match (&point.trouble, point.changes) {
            (Some(trouble), _) => trouble.clone(),
            (None, 0) => "did not change".to_owned(),
            (None, changes) => words::rate(changes as f64 / seconds),
        };
        let last = point.last.as_ref().map(|last| words::plain(&last.text));
        view! { <li><span>{words::plain(&point.point)}</span><strong>{last}</strong><span class="faint">{often}</span></li> }
    };
    view! {
        <div data-test="watched" role="status">
            <p>{format!("{moving} of {} watched points changed, {} in all, {} a day", sample.watched.len(), words::rate(rate), words::bytes(bytes_a_day(rate)))}
                {(silent > 0).then(|| format!("; {silent} give no value"))}"."</p>
            <p class="faint">{words::capital(&sample.words)}</p>
        </div>
        <ul class="lines">{sample.watched.iter().take(BUSIEST).map(line).collect_view()}</ul>
    }
    .into_any()
}

// === impl Session ===

impl Session {
    /// The rules that the source has.
    fn present(self) -> Vec<Json> {
        self.loaded.with_value(|loaded| {
            let item = loaded.item.as_ref();
            let select = item.and_then(|item| item.draft.settings["select"].as_array());
            select.cloned().unwrap_or_default()
        })
    }

    /// Why the rules cannot be changed here.
    fn locked(self) -> Option<AnyView> {
        let origin = self.fixed_at("select")?;
        let words = format!("What this source reads is fixed at {origin}; change it there.");
        Some(view! { <p class="warning-text" data-test="locked">{words}</p> }.into_any())
    }

    /// Where a setting of the source is fixed, if the console may not change it.
    pub(super) fn fixed_at(self, setting: &str) -> Option<String> {
        self.loaded.with_value(|loaded| {
            let item = loaded.item.as_ref()?;
            let below = format!("{setting}.");
            let fixed =
                |path: &&String| [setting, ""].contains(&path.as_str()) || path.starts_with(&below);
            let path = item.locked.keys().find(fixed)?;
            Some(item.locked[path].place.clone())
        })
    }

    /// Adds what a search found.
    pub(super) fn add(self, pattern: String) {
        let mut next = self.known.with_untracked(|known| {
            let by_address = |address: &str| known.values().find(|node| node.address == address);
            self.rules
                .with_untracked(|rules| fieldgate_ui_logic::basket::patterns(rules, by_address))
        });
        if !next.contains(&pattern) {
            next.push(pattern);
            self.choose(&next);
        }
    }

    /// Writes the rules, if nobody changed the configuration since the page was opened.
    async fn adopt(self, id: &str) -> Result<fieldgate_api::config::Saved, Trouble> {
        let loaded = self.loaded.get_value();
        let draft = match (loaded.item, self.at.get_value().draft) {
            (Some(item), _) => item.draft,
            (None, draft) => draft.unwrap_or_default(),
        };
        let mut settings = draft.settings.clone();
        settings["select"] = Json::from(self.rules.get_untracked());
        let draft = Draft { settings, ..draft };
        items::put(Section::Sources, id, &draft, loaded.revision).await
    }
}
