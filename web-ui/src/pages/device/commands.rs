//! What may be done at the device: reading now, writing, calling; in words what became of it.

use std::time::Duration;

use fieldgate_api::endpoint::GetOffers;
use fieldgate_api::state::DeviceView;
use fieldgate_model::ActionKind;
use fieldgate_ui_logic::place::{Place, Section};
use leptos::prelude::*;

use crate::fetched::fetched;
use crate::pages::command::{Asking, Counter, offer_row};

/// A source that comes back allows again what it did.
const EVERY: Duration = Duration::from_secs(5);
/// More are shown on request.
const FIRST: usize = 50;

/// The section; `takes` is whether the device's source takes commands at all.
pub fn section(device: &DeviceView, takes: bool, counter: Counter) -> AnyView {
    let wanted = device.id.clone();
    let offers = fetched::<GetOffers>(Some(EVERY), move || takes.then(|| vec![wanted.clone()]));
    let all = RwSignal::new(false);
    let asking = Asking::new(counter);
    let source = device.source.clone();
    let listed = Memo::new(move |_| {
        offers.data.with(|offers| {
            let mut offers = offers.clone().unwrap_or_default();
            // Methods first: they are few, and have no place elsewhere on the page.
            offers.sort_by_key(|offer| !offer.allow.contains(&ActionKind::Call));
            offers
        })
    });
    let limit = move || if all.get() { usize::MAX } else { FIRST };
    let rows = move || {
        let rows = listed.get().into_iter().take(limit());
        rows.map(|offer| offer_row(offer, asking)).collect_view()
    };
    let more = move || listed.with(Vec::len).saturating_sub(limit());
    let known = move || offers.data.with(Option::is_some);
    let nothing = move || listed.with(Vec::is_empty);
    view! {
        {move || known().then(|| view! {
            <section aria-labelledby="commands-title" id="commands">
                <h2 id="commands-title">"Commands"</h2>
                {hint(&source, nothing())}
                {(!nothing()).then(|| view! { <ul class="lines card" data-test="offers">{rows}</ul> })}
                {(more() > 0).then(|| view! {
                    <button type="button" class="quiet" on:click=move |_| all.set(true)>{format!("Show {} more", more())}</button>
                })}
                {counter.view()}
                {counter.record.view()}
            </section>
        })}
        {asking.view()}
    }
    .into_any()
}

/// Where it is allowed, said once.
fn hint(source: &str, nothing: bool) -> AnyView {
    let path = Place::Item(Section::Sources, source.to_owned()).path();
    let begin = match nothing {
        true => {
            "Nothing may be read on demand, written or called here, or its source is away. What may is said by "
        }
        false => "What is not listed is not allowed; what is, is said by ",
    };
    view! {
        <p class="help" data-test="commands-hint">{begin}<strong>"commands"</strong>" in the settings of "<a href=path>{source.to_owned()}</a>"."</p>
    }
    .into_any()
}
