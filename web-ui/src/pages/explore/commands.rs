//! What may be done to the node that is looked at: the rows of the device's page, and where nothing is allowed, how to allow exactly this.

use std::time::Duration;

use fieldgate_api::command::{NodeOffers, NodeQuery, OfferView};
use fieldgate_api::endpoint::GetNodeOffers;
use fieldgate_api::explore::{ExploreDetail, ExplorePermit};
use fieldgate_model::ActionKind;
use fieldgate_ui_logic::command::{deeds, missing, nearest, toml};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use serde_json::Value as Json;

use super::Session;
use crate::fetched::asked;
use crate::pages::allow;
use crate::pages::command::{Asking, Counter, Record, offer_row};
use crate::widgets::copy::copy_text;

/// Somebody may allow it meanwhile.
const EVERY: Duration = Duration::from_secs(3);

/// The node, as far as commands go.
#[derive(Debug, Clone, PartialEq)]
struct About {
    address: String,
    path: String,
    permit: ExplorePermit,
}

/// The section below the facts; nothing where nothing can be done.
pub fn commands(session: Session, detail: RwSignal<Option<ExploreDetail>>) -> AnyView {
    let about = Memo::new(move |_| {
        detail.with(|detail| {
            let detail = detail.as_ref()?;
            Some(About {
                address: detail.node.address.clone(),
                path: detail.node.path.clone(),
                permit: detail.permit.clone()?,
            })
        })
    });
    let Some(source) = session.at.with_value(|at| at.source.clone()) else {
        return (move || about.get().map(|_| view! {
            <p class="help" data-test="node-commands">"Once this is a source, its settings say what may be read on demand, written or called here."</p>
        }))
        .into_any();
    };
    let places = vec![source.clone()];
    let known = asked::<GetNodeOffers>(Some(EVERY), move || {
        let address = about.with(|about| about.as_ref().map(|about| about.address.clone()))?;
        Some((places.clone(), NodeQuery { address }))
    });
    let device = Memo::new(move |_| known.data.with(|known| device(known.as_ref()?)));
    let counter = Counter::new(Record::new(move || device.get()));
    let asking = Asking::new(counter);
    let source = StoredValue::new(source);
    let section = move || {
        let (about, known) = (about.get()?, known.data.get()?);
        Some(source.with_value(|source| section(session, source, &about, &known, asking)))
    };
    view! {
        {section}
        {move || device.get().map(|_| view! { {counter.view()}{counter.record.view()} })}
        {asking.view()}
    }
    .into_any()
}

/// The device whose record of commands is shown: that of a point, or of a method's object.
fn device(known: &NodeOffers) -> Option<String> {
    let offers = known.offers.iter().map(|offer| &offer.target);
    let target = offers.chain(&known.points).next()?;
    target.rsplit_once('/').map(|(device, _)| device.to_owned())
}

fn section(
    session: Session,
    source: &str,
    about: &About,
    known: &NodeOffers,
    asking: Asking,
) -> AnyView {
    let offers = nearest(&known.offers, source, &about.path);
    let several = offers.len() > 1;
    let named = |offer: &OfferView| OfferView {
        name: match several {
            true => offer.target.clone(),
            false => offer.name.clone(),
        },
        ..offer.clone()
    };
    let rows: Vec<AnyView> = offers
        .iter()
        .map(|offer| offer_row(named(offer), asking))
        .collect();
    let permit = &about.permit;
    let against = permit.against.as_deref().map(words::plain);
    let missing = missing(&permit.actions, &permit.rule, &offers);
    let callable = permit.actions.contains(&ActionKind::Call);
    let how = missing.map(|rule| match known.points.is_empty() && !callable {
        true => not_read(),
        false => how_to_allow(session, source, &rule),
    });
    view! {
        <div data-test="node-commands">
            <h3>"Commands"</h3>
            {(!offers.is_empty()).then(|| view! { <ul class="lines" data-test="offers">{rows}</ul> })}
            {against.map(|against| view! { <p class="faint">{words::sentence(&words::capital(&against))}</p> })}
            {how}
        </div>
    }
    .into_any()
}

fn not_read() -> AnyView {
    view! {
        <p class="help" data-test="not-read">"Only what the source reads can be read on demand or written: tick this node, adopt the selection, and come back."</p>
    }
    .into_any()
}

/// A link to the setting with the rule in it, and the rule itself for a file.
fn how_to_allow(session: Session, source: &str, rule: &Json) -> AnyView {
    let what = deeds(rule);
    let verb = match what.contains(" and ") {
        true => "are",
        false => "is",
    };
    let text = toml(rule);
    let how = match session.fixed_at("commands") {
        Some(place) => {
            format!("It is fixed at {}; put this there: ", words::plain(&place)).into_any()
        }
        None => {
            let url = allow::link(source, rule);
            view! {
                <a href=url data-test="allow">{format!("Allow {what} here")}</a>
                " in the settings of the source; in a file it is "
            }
            .into_any()
        }
    };
    view! {
        <p class="help">{format!("{} {verb} not allowed here.", words::capital(&what))}" "{how}</p>
        <p>{copy_text(&text, "the rule", "allow-rule")}</p>
    }
    .into_any()
}
