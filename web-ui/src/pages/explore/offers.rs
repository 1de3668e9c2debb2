//! Models of devices that the server speaks: one click puts what is known of one into the basket.

use fieldgate_api::explore::{ExploreAbout, ExploreOffer};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::Session;

/// Nothing for a server that speaks none.
pub fn offers(session: Session, about: RwSignal<Option<ExploreAbout>>) -> AnyView {
    let offers = Memo::new(move |_| {
        about.with(|about| {
            about
                .as_ref()
                .map_or_else(Vec::new, |about| about.offers.clone())
        })
    });
    (move || {
        let offers = offers.get();
        (!offers.is_empty()).then(|| {
            view! {
                <section class="card" aria-labelledby="offers-title" data-test="offers">
                    <h2 id="offers-title">"What this server is known to have"</h2>
                    <ul class="lines">{offers.into_iter().map(|one| offer(session, one)).collect_view()}</ul>
                </section>
            }
        })
    })
    .into_any()
}

fn offer(session: Session, offer: ExploreOffer) -> AnyView {
    let title = words::plain(&offer.title);
    let label = format!("Take what is known of {title}");
    let rule = StoredValue::new(offer.rule);
    let taken = move || {
        let rule = rule.get_value();
        session.rules.with(|rules| rules.contains(&rule))
    };
    let take = move |_| {
        if !taken() {
            session.rules.update(|rules| rules.push(rule.get_value()));
        }
    };
    let words = move || if taken() { "Taken" } else { "Take it" };
    view! {
        <li>
            <strong>{title}</strong>
            <span class="faint">{words::plain(&offer.about)}</span>
            <button type="button" class="small" data-test="take-offer" aria-label=label aria-disabled=move || taken().then_some("true") on:click=take>{words}</button>
        </li>
    }
    .into_any()
}
