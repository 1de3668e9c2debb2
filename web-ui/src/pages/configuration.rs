//! Configuration: what is in force, every change that was made here, and the way back.

use fieldgate_api::config::{ConfigView, Revision, RevisionDetail};
use fieldgate_api::endpoint::{GetConfig, GetRevision, GetRevisions, RevertTo};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client::change;
use crate::fetched::fetched;
use crate::live::Live;
use crate::nav::Nav;
use crate::widgets::copy::copy_button;
use crate::widgets::diff_view::diff_view;
use crate::widgets::empty::empty_state;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::page::{heading, when_there};
use crate::widgets::problems::sentence;
use crate::widgets::time::instant;
use crate::widgets::toast::Toasts;

pub fn page() -> AnyView {
    let none = || Some(Vec::new());
    let config = fetched::<GetConfig>(None, none);
    let revisions = fetched::<GetRevisions>(None, none);
    view! {
        {heading("Configuration", ())}
        {when_there(config, refused)}
        <div class="columns wide-right">
            <section aria-labelledby="revisions-title">
                <h2 id="revisions-title">"Changes"</h2>
                {when_there(revisions, |revisions| revisions_view(revisions))}
            </section>
            <section aria-labelledby="shown-title">{shown()}</section>
        </div>
        <section aria-labelledby="effective-title">
            <h2 id="effective-title">"In force"</h2>
            {when_there(config, effective)}
        </section>
    }
    .into_any()
}

/// What is wrong with files on disk that a reload refused.
fn refused(config: &ConfigView) -> AnyView {
    if config.problems.is_empty() {
        return ().into_any();
    }
    let lines: Vec<AnyView> = config
        .problems
        .iter()
        .map(|problem| {
            let place = [
                problem.origin.as_str(),
                problem.item.as_str(),
                &problem.path.join("."),
            ]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
            view! { <li><code>{place}</code>": "{sentence(problem)}</li> }.into_any()
        })
        .collect();
    view! {
        <div class="note bad" role="alert" data-test="problems">
            {icon(Icon::Bad)}
            <div>
                <p><strong>"The files on disk were refused"</strong>" – the last good configuration stays in force until they are corrected."</p>
                <ul>{lines}</ul>
            </div>
        </div>
    }
    .into_any()
}

fn effective(config: &ConfigView) -> AnyView {
    let files = config.files.join(", ");
    view! {
        <p class="faint">{format!("Revision {} of the console", config.revision)}{(!files.is_empty()).then(|| format!(", over {files}"))}". Secrets are references only."</p>
        {copy_button(&config.effective, "the configuration")}
        <pre class="toml" tabindex="0" role="region" aria-label="Configuration in force" data-test="effective">{config.effective.clone()}</pre>
    }
    .into_any()
}

fn revisions_view(revisions: &[Revision]) -> AnyView {
    if revisions.is_empty() {
        return empty_state(
            "Nothing was changed here yet.",
            "Every change made in the console is listed here, and can be taken back.",
            None,
        );
    }
    let nav = Nav::expect();
    let items: Vec<AnyView> = revisions
        .iter()
        .map(|revision| {
            let number = revision.number.to_string();
            let chosen = {
                let number = number.clone();
                move || (nav.value("revision") == number).then_some("true")
            };
            view! {
                <li class="revision" data-test="revision">
                    <a href=format!("/config?revision={number}") aria-current=chosen>
                        <span class="revision-number">{format!("Revision {number}")}</span>
                        {revision.current.then(|| view! { <span class="tag">"in force"</span> })}
                        <span class="revision-what">{words::capital(&words::plain(&revision.what))}</span>
                        <span class="faint">{instant(revision.at)}" by "{words::plain(&revision.who)}</span>
                    </a>
                </li>
            }
            .into_any()
        })
        .collect();
    view! { <ol class="revisions">{items}</ol> }.into_any()
}

/// The revision that the URL names.
fn shown() -> AnyView {
    let nav = Nav::expect();
    let number = move || Some(nav.value("revision")).filter(|number| !number.is_empty());
    let detail = fetched::<GetRevision>(None, move || number().map(|number| vec![number]));
    let (live, toasts) = (Live::expect(), Toasts::expect());
    view! {
        <h2 id="shown-title">{move || number().map_or("What a change did".to_owned(), |number| format!("Revision {number}"))}</h2>
        {move || match number() {
            None => view! { <p class="faint">"Choose a change to see what it did."</p> }.into_any(),
            Some(_) => when_there(detail, move |detail| detail_view(detail, live, toasts)),
        }}
    }
    .into_any()
}

fn detail_view(detail: &RevisionDetail, live: Live, toasts: Toasts) -> AnyView {
    let number = detail.revision.number;
    let revert = move |_| {
        spawn_local(async move {
            let revision = Some(live.revision.get_untracked());
            match change::<RevertTo>(&[&number.to_string()], &(), revision).await {
                Ok(saved) => toasts.saved(
                    &format!("The configuration is again as in revision {number}."),
                    &saved,
                ),
                Err(trouble) => toasts.trouble(&trouble),
            }
        });
    };
    let current = detail.revision.current;
    let toml = detail.toml.clone();
    view! {
        {diff_view(&detail.diff)}
        {(!current).then(|| view! {
            <button type="button" data-test="revert" on:click=revert>{format!("Go back to revision {number}")}</button>
        })}
        <details><summary>"All that the console configured then"</summary>
            <pre class="toml" tabindex="0" role="region" aria-label="The revision's text">{toml}</pre>
        </details>
    }
    .into_any()
}
