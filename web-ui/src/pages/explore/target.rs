//! Where to look around: a configured source, or an address with the ways into it as a grid of policies and modes.

use fieldgate_api::config::{Draft, Kind};
use fieldgate_api::discovery::{DiscoverDraft, Found, FoundWay};
use fieldgate_api::endpoint::{DiscoverSources, GetKinds, GetSources};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::NODE;
use crate::client::change;
use crate::fetched::fetched;
use crate::nav::Nav;
use crate::widgets::page::trouble_note;

/// The columns of the grid, the strongest first.
const MODES: [&str; 3] = ["SignAndEncrypt", "Sign", "None"];

pub fn choose(nav: Nav, chosen: RwSignal<Option<Draft>>) -> AnyView {
    let kinds = fetched::<GetKinds>(None, || Some(Vec::new()));
    let sources = fetched::<GetSources>(None, || Some(Vec::new()));
    let explores = Memo::new(move |_| -> Vec<Kind> {
        let kinds = kinds.data.get().map(|kinds| kinds.sources);
        kinds
            .into_iter()
            .flatten()
            .filter(|kind| kind.explores)
            .collect()
    });
    let options = move || {
        let here = nav.value("source");
        let explores = explores.get();
        let sources = sources.data.get().unwrap_or_default().into_iter();
        let sources = sources.filter(|source| {
            explores
                .iter()
                .any(|kind| kind.kind == source.item.draft.kind)
        });
        let option = move |id: String| {
            let selected = here == id;
            view! { <option value=id.clone() selected=selected>{id.clone()}</option> }
        };
        sources.map(|source| option(source.item.id)).collect_view()
    };
    let (address, busy) = (RwSignal::new(String::new()), RwSignal::new(false));
    let outcome = RwSignal::new(None::<Result<Vec<Found>, Trouble>>);
    let find = move || {
        let kind = explores.with_untracked(|kinds| kinds.first().map(|kind| kind.kind.clone()));
        let draft = DiscoverDraft {
            kind: kind.unwrap_or_default(),
            address: address.get_untracked().trim().to_owned(),
        };
        if draft.address.is_empty() || busy.get_untracked() {
            return;
        }
        busy.set(true);
        outcome.set(None);
        spawn_local(async move {
            let found = change::<DiscoverSources>(&[], &draft, None).await;
            busy.try_set(false);
            outcome.try_set(Some(found));
        });
    };
    let look = Callback::new(move |way: FoundWay| {
        nav.set_value(NODE, "");
        nav.set_value("source", "");
        let kind = explores.with_untracked(|kinds| kinds.first().map(|kind| kind.kind.clone()));
        chosen.set(Some(Draft {
            kind: kind.unwrap_or_default(),
            paused: false,
            settings: way.settings,
        }));
    });
    view! {
        <section class="card" aria-label="Where to look around">
            <div class="inputs">
                <div class="field">
                    <label for="explore-source">"Source"</label>
                    <select id="explore-source" on:change=move |event| { chosen.set(None); nav.set_value(NODE, ""); nav.set_value("source", &event_target_value(&event)); }>
                        <option value="">"none"</option>
                        {options}
                    </select>
                </div>
                <div class="field">
                    <label for="explore-address">"Or an address, such as 192.168.0.10"</label>
                    <input type="text" id="explore-address" autocomplete="off" spellcheck="false" prop:value=move || address.get()
                        on:input=move |event| address.set(event_target_value(&event))
                        on:keydown=move |event| if event.key() == "Enter" { find(); }/>
                </div>
                <div class="field"><button type="button" data-test="explore-find" on:click=move |_| find()>{move || if busy.get() { "Asking…" } else { "Find" }}</button></div>
            </div>
            {move || outcome.get().map(|outcome| match outcome {
                Err(trouble) => trouble_note(&trouble),
                Ok(found) => {
                    // Servers that only are known of have no ways in.
                    let asked = found.iter().filter(|found| !found.ways.is_empty());
                    asked.map(|found| grid(found, look)).collect_view().into_any()
                }
            })}
        </section>
    }
    .into_any()
}

/// The ways into a server: a row for each policy, a column for each mode.
fn grid(found: &Found, look: Callback<FoundWay>) -> AnyView {
    let part = |way: &FoundWay, name: &str| {
        way.settings["security"][name]
            .as_str()
            .unwrap_or("None")
            .to_owned()
    };
    let mut policies: Vec<String> = Vec::new();
    for way in &found.ways {
        let policy = part(way, "policy");
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    let row = |policy: &String| {
        let cell = |mode: &'static str| {
            let way = found
                .ways
                .iter()
                .find(|way| part(way, "policy") == *policy && part(way, "mode") == mode);
            let content = match way.cloned() {
                None => view! { <span class="faint">"—"</span> }.into_any(),
                Some(way) => match way.needs.clone() {
                    Some(needs) => format!("needs {needs}").into_any(),
                    None => {
                        let label = format!("Look around: {policy} {mode}");
                        view! { <button type="button" class="small" data-test="look" aria-label=label on:click=move |_| look.run(way.clone())>"Look around"</button> }.into_any()
                    }
                },
            };
            view! { <td role="cell" data-label=mode>{content}</td> }
        };
        view! { <tr role="row"><th role="rowheader" scope="row">{policy.clone()}</th>{MODES.map(cell).into_iter().collect_view()}</tr> }
    };
    view! {
        <h3>{words::plain(&found.title)}" "<span class="faint">{words::plain(&found.identity)}</span></h3>
        <table role="table" class="plain" aria-label="Ways in" data-test="ways">
            <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">"Policy"</th>{MODES.map(|mode| view! { <th role="columnheader" scope="col">{mode}</th> }).into_iter().collect_view()}</tr></thead>
            <tbody role="rowgroup">{policies.iter().map(row).collect_view()}</tbody>
        </table>
        <p class="help">"A way that needs a name and a password: add it as a source, then look around there."</p>
    }
    .into_any()
}
