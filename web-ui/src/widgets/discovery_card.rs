//! `DiscoveryCard`: something that answered, or that somebody knows of: who it is, where, and a button for each way to it.

use fieldgate_api::discovery::{Found, FoundWay};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::copy::copy_text;

/// `protocol` is written on the card; `add` gets the way that was chosen.
pub fn discovery_card(found: &Found, protocol: &str, add: Callback<FoundWay>) -> AnyView {
    let title = words::plain(&found.title);
    let ways: Vec<AnyView> = found
        .ways
        .iter()
        .enumerate()
        .map(|(place, each)| way(each, place == 0 && found.ways.len() > 1, &title, add))
        .collect();
    let product = (!found.product.is_empty()).then(|| words::plain(&found.product));
    view! {
        <li class="card" data-test="found">
            <div class="card-head">
                <h3>{title.clone()}</h3>
                <span class="tag">{protocol.to_owned()}</span>
                {product.map(|product| view! { <span class="faint">{product}</span> })}
            </div>
            {sources(&found.sources)}
            {(!found.identity.is_empty()).then(|| view! { <p>{copy_text(&found.identity, "its identity", "identity")}</p> })}
            {place(found).map(|place| view! { <p class="faint" data-test="found-at">{place}</p> })}
            {found.silent.as_ref().map(|why| view! { <p data-test="found-silent">{words::capital(&words::plain(why))}"."</p> })}
            <ul class="lines">{ways}</ul>
        </li>
    }
    .into_any()
}

/// The sources that lead to it already.
fn sources(ids: &[String]) -> Option<AnyView> {
    let link = |id: &String| {
        let url = Place::Item(Section::Sources, id.clone()).path();
        view! { " "<a href=url>{id.clone()}</a> }
    };
    let links: Vec<_> = ids.iter().map(link).collect();
    (!ids.is_empty()).then(|| {
        view! { <p data-test="found-source"><span class="tag">"already a source"</span>{links}</p> }
            .into_any()
    })
}

/// Where it answered, and where else it says that it is.
fn place(found: &Found) -> Option<String> {
    let mut all: Vec<&str> = found.ways.iter().map(|way| way.address.as_str()).collect();
    all.extend(found.addresses.iter().map(String::as_str));
    let mut told: Vec<String> = Vec::new();
    for address in all.into_iter().map(words::plain) {
        if !told.contains(&address) {
            told.push(address);
        }
    }
    (!told.is_empty()).then(|| told.join(" · "))
}

fn way(way: &FoundWay, best: bool, title: &str, add: Callback<FoundWay>) -> AnyView {
    let needs = way.needs.as_deref().unwrap_or("nothing");
    let label = format!("Add {title}: {}", way.words);
    let chosen = way.clone();
    view! {
        <li>
            <span>{words::capital(&way.words)}{best.then(|| view! { " "<span class="tag">"strongest"</span> })}</span>
            <span class="faint">{format!("needs: {needs}")}</span>
            <button type="button" class="small" data-test="add-found" aria-label=label
                on:click=move |_| add.run(chosen.clone())>"Add as source"</button>
        </li>
    }
    .into_any()
}
