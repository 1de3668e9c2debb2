//! Trust: who we are to the servers, which of theirs are trusted, and what waits for a person.

mod actions;
mod certificate;
mod peers;

use std::time::Duration;

use fieldgate_api::endpoint::GetTrust;
use fieldgate_api::trust::{DistrustView, IdentityRole, IdentityView, ShelfName, TrustView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use self::actions::Actions;
use crate::fetched::fetched;
use crate::widgets::empty::empty_state;
use crate::widgets::icon::{Icon, icon};
use crate::widgets::page::{heading, when_there};
use crate::widgets::time::ago;

/// Something may come to wait, or a server begin to trust us, while somebody looks.
const EVERY: Duration = Duration::from_secs(5);

pub fn page() -> AnyView {
    let trust = fetched::<GetTrust>(Some(EVERY), || Some(Vec::new()));
    let actions = Actions::new(trust);
    view! {
        {heading("Trust", ())}
        {when_there(trust, move |view| content(view, actions))}
        {actions.import_form()}
    }
    .into_any()
}

/// What of a source waits for a person: the server's certificate here, or ours at the server. Nothing when nothing does.
pub fn of_source(source: &str) -> AnyView {
    let trust = fetched::<GetTrust>(Some(EVERY), || Some(Vec::new()));
    let actions = Actions::new(trust);
    let source = source.to_owned();
    let content = move || {
        trust.data.with(|view| {
            let view = of(view.as_ref()?, &source);
            let waits = !view.peers.is_empty();
            Some(view! {
                {waits.then(|| peers::shelf(&view, ShelfName::Waiting, actions))}
                {distrusting(&view)}
            })
        })
    };
    view! { <div class="stack" data-test="trust-here">{content}</div> }.into_any()
}

/// What is about one source, and undecided.
fn of(view: &TrustView, source: &str) -> TrustView {
    let mut view = view.clone();
    view.peers.retain(|peer| {
        let used = peer.used_by.iter().any(|used| used.source == source);
        used && peer.shelf == ShelfName::Waiting
    });
    view.distrusting.retain(|one| one.source == source);
    view
}

fn content(view: &TrustView, actions: Actions) -> AnyView {
    let problems: Vec<AnyView> = view
        .problems
        .iter()
        .map(|problem| {
            let problem = words::plain(problem);
            view! { <div class="note bad" role="alert">{icon(Icon::Bad)}<p>{problem}</p></div> }
                .into_any()
        })
        .collect();
    view! {
        {problems}
        {peers::shelf(view, ShelfName::Waiting, actions)}
        {distrusting(view)}
        {identities(view, actions)}
        {peers::shelf(view, ShelfName::Trusted, actions)}
        {peers::shelf(view, ShelfName::Issuers, actions)}
        {peers::shelf(view, ShelfName::Rejected, actions)}
    }
    .into_any()
}

/// Servers that do not trust us yet: a person has to do something there.
fn distrusting(view: &TrustView) -> AnyView {
    if view.distrusting.is_empty() {
        return ().into_any();
    }
    let items: Vec<AnyView> = view
        .distrusting
        .iter()
        .map(|one| distrust(view, one))
        .collect();
    view! {
        <section aria-labelledby="distrust-title" id="distrust">
            <h2 id="distrust-title">"Servers that do not trust us yet"</h2>
            <p class="help">"Let the server's operator trust our certificate; many servers list it among their rejected ones by now. It is tried again by itself, and this note goes once it works."</p>
            <ul class="certificates" data-test="distrust">{items}</ul>
        </section>
    }
    .into_any()
}

fn distrust(view: &TrustView, one: &DistrustView) -> AnyView {
    let mut ours = view
        .identities
        .iter()
        .filter_map(|own| own.certificate.as_ref());
    let own = ours.find(|own| own.thumbprint == one.thumbprint);
    let downloads = own.map(|own| certificate::downloads(own, "our certificate"));
    let url = format!(
        "/sources/{}",
        fieldgate_ui_logic::place::encode(&one.source)
    );
    view! {
        <li>
            <p><a href=url>{one.source.clone()}</a>" at "{words::plain(&one.address)}</p>
            <p>{words::plain(&one.words)}</p>
            <p class="faint">"Last tried "{ago(one.tried)}</p>
            <div class="actions">{downloads}{certificate::thumbprint(&one.thumbprint)}</div>
        </li>
    }
    .into_any()
}

fn identities(view: &TrustView, actions: Actions) -> AnyView {
    let items: Vec<AnyView> = view
        .identities
        .iter()
        .map(|own| identity(own, actions))
        .collect();
    let list = match items.is_empty() {
        true => empty_state(
            "No certificate yet.",
            "The first connection with security makes one; or make it now, and trust it on the servers beforehand.",
            None,
        ),
        false => view! { <ul class="certificates" data-test="identities">{items}</ul> }.into_any(),
    };
    let forms: Vec<AnyView> = view
        .kinds
        .iter()
        .map(|kind| actions.renew_form(kind))
        .collect();
    view! {
        <section aria-labelledby="own-title" id="own">
            <h2 id="own-title">"Our identities"</h2>
            <p class="help">"By these certificates the servers know this gateway. Before one expires, the next one is made and offered first, while the one in use still works."</p>
            {list}
            {forms}
        </section>
    }
    .into_any()
}

fn identity(own: &IdentityView, actions: Actions) -> AnyView {
    let title = match own.role {
        IdentityRole::Own => "In use",
        IdentityRole::Next => "Next",
        IdentityRole::Request => "Request for an authority",
    };
    let withdraw = match (own.role, &own.certificate) {
        (IdentityRole::Next, Some(next)) => {
            Some(actions.remove_button(&next.sha256, "Withdraw", "Withdraw our next certificate"))
        }
        (IdentityRole::Request, _) => {
            Some(actions.remove_button("request", "Withdraw", "Withdraw the request"))
        }
        _ => None,
    };
    let body = match &own.certificate {
        Some(one) => view! {
            {certificate::facts(one)}
            <div class="actions">{certificate::downloads(one, "our certificate")}{withdraw}</div>
        }
        .into_any(),
        None => {
            let url = format!("/api/v1/export/trust/{}.csr", own.kind);
            view! {
                <div class="actions"><a class="button small" href=url download="fieldgate.csr">"Download the request"</a>{withdraw}</div>
            }
            .into_any()
        }
    };
    let expiry = own.certificate.as_ref().map(certificate::expiry);
    view! {
        <li data-test="identity">
            <h3>{title}</h3>
            {expiry}
            <p>{words::plain(&own.words)}</p>
            {body}
        </li>
    }
    .into_any()
}
