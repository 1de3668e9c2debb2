//! The search by name or node id: it goes on part by part until it is over or somebody stops it.

use fieldgate_api::endpoint::SearchNodes;
use fieldgate_api::explore::{ExploreKind, ExploreNode, ExploreSearch};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Looked, Session};
use crate::client::change;

/// The most finds that are shown.
const MOST: usize = 200;

pub fn search(session: Session) -> AnyView {
    let text = RwSignal::new(String::new());
    let found = RwSignal::new(Vec::<ExploreNode>::new());
    let told = RwSignal::new(String::new());
    // The search that goes on; another number stops it.
    let (turn, running) = (RwSignal::new(0u32), RwSignal::new(false));
    let start = move || {
        let text = text.get_untracked().trim().to_owned();
        if text.is_empty() {
            return;
        }
        turn.update(|turn| *turn += 1);
        let mine = turn.get_untracked();
        found.set(Vec::new());
        running.set(true);
        spawn_local(async move {
            let mut ask = ExploreSearch {
                at: session.at.get_value(),
                text,
                ..ExploreSearch::default()
            };
            loop {
                let answer = change::<SearchNodes>(&[], &ask, None).await;
                if turn.try_get_untracked() != Some(mine) {
                    return;
                }
                match answer {
                    Ok(page) => {
                        session.learn(&page.nodes);
                        found.update(|found| found.extend(page.nodes));
                        let count = found.with_untracked(Vec::len);
                        let mut said = format!(
                            "{} among {}",
                            words::counted(count as u64, "find"),
                            words::counted(page.looked_at, "node")
                        );
                        if let Some(cut) = page.cut {
                            said.push_str(&format!("; {cut}"));
                        }
                        told.set(said);
                        ask.more = page.more.filter(|_| count < MOST);
                    }
                    Err(trouble) => {
                        told.set(trouble.detail);
                        ask.more = None;
                    }
                }
                if ask.more.is_none() {
                    running.set(false);
                    return;
                }
            }
        });
    };
    let press = move || {
        if running.get_untracked() {
            turn.update(|turn| *turn += 1);
            running.set(false);
        } else {
            start();
        }
    };
    let line = move |node: ExploreNode| {
        let label = format!("Select {}", node.path);
        let path = node.path.clone();
        let selectable = node.kind != ExploreKind::Method && !path.is_empty();
        let select = move |_| {
            let pattern = if node.branch {
                format!("{path}/**")
            } else {
                path.clone()
            };
            session.add(pattern);
        };
        let look_label = format!("Look at {}", node.path);
        let looked = Looked {
            address: node.address.clone(),
            path: node.path.clone(),
        };
        let look = move |_| session.looked.set(Some(looked.clone()));
        view! {
            <li>
                <strong>{words::plain(&node.name)}</strong>
                <span class="faint">{words::plain(&node.path)}</span>
                <button type="button" class="small" data-test="look-at" aria-label=look_label on:click=look>"Look"</button>
                {selectable.then(|| view! { <button type="button" class="small" data-test="select-find" aria-label=label on:click=select>"Select"</button> })}
            </li>
        }
    };
    view! {
        <section aria-label="Search">
            <div class="table-tools">
                <label class="search"><span class="unseen">"Search a name or a node id"</span>
                    <input type="search" placeholder="Name or node id" data-test="explore-search" prop:value=move || text.get()
                        on:input=move |event| text.set(event_target_value(&event))
                        on:keydown=move |event| if event.key() == "Enter" { start(); }/>
                </label>
                <button type="button" on:click=move |_| press()>{move || if running.get() { "Stop" } else { "Search" }}</button>
                <span class="faint" role="status" data-test="search-told">{move || told.get()}</span>
            </div>
            <ul class="lines" data-test="finds">{move || found.get().into_iter().take(MOST).map(line).collect_view()}</ul>
        </section>
    }
    .into_any()
}
