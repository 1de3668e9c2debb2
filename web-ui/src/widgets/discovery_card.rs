//! `DiscoveryCard`: something that answered, who it is, and a button for each way to it.

use fieldgate_api::discovery::{Found, FoundWay};
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
            <p>{copy_text(&found.identity, "its identity", "identity")}</p>
            <ul class="lines">{ways}</ul>
        </li>
    }
    .into_any()
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
