//! The peers' shelves: what waits for a person with its difference, what is trusted, authorities, what is rejected.

use fieldgate_api::trust::{Difference, PeerView, ShelfName, TrustView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::actions::Actions;
use super::certificate;
use crate::widgets::empty::empty_state;
use crate::widgets::time::instant;

/// What a shelf says of itself.
struct Words {
    id: &'static str,
    title: &'static str,
    help: &'static str,
    empty: Option<(&'static str, &'static str)>,
}

pub fn shelf(view: &TrustView, shelf: ShelfName, actions: Actions) -> AnyView {
    let words = words_of(shelf);
    let mut on: Vec<&PeerView> = view
        .peers
        .iter()
        .filter(|peer| peer.shelf == shelf)
        .collect();
    on.sort_by_key(|peer| std::cmp::Reverse(peer.since));
    let body = match (on.is_empty(), words.empty) {
        (true, None) => return ().into_any(),
        (true, Some((title, help))) => empty_state(title, help, None),
        (false, _) => {
            let items: Vec<AnyView> = on.iter().map(|peer| peer_view(peer, actions)).collect();
            view! { <ul class="certificates" data-test=words.id>{items}</ul> }.into_any()
        }
    };
    let title_id = format!("{}-title", words.id);
    let labelled = title_id.clone();
    view! {
        <section aria-labelledby=labelled id=words.id>
            <h2 id=title_id>{words.title}</h2>
            <p class="help">{words.help}</p>
            {body}
        </section>
    }
    .into_any()
}

fn words_of(shelf: ShelfName) -> Words {
    match shelf {
        ShelfName::Waiting => Words {
            id: "waiting",
            title: "Waiting for you",
            help: "Servers showed these certificates, and nobody has decided. Compare the thumbprint with what the server itself shows, then trust or reject it.",
            empty: Some((
                "Nothing waits.",
                "When a server shows a certificate that is not trusted, it is listed here.",
            )),
        },
        ShelfName::Trusted => Words {
            id: "trusted",
            title: "Trusted peers",
            help: "Whoever proves to have one of these certificates is believed to be that server.",
            empty: Some((
                "No server is trusted yet.",
                "The first certificate of a server is trusted when its source says so; others are decided on here.",
            )),
        },
        ShelfName::Issuers => Words {
            id: "issuers",
            title: "Authorities",
            help: "What these authorities sign is trusted, unless they have revoked it.",
            empty: None,
        },
        ShelfName::Rejected => Words {
            id: "rejected",
            title: "Rejected",
            help: "Who shows one of these is refused.",
            empty: None,
        },
    }
}

fn peer_view(peer: &PeerView, actions: Actions) -> AnyView {
    let one = &peer.certificate;
    let name = words::plain(&one.subject);
    let used: Vec<AnyView> = peer
        .used_by
        .iter()
        .map(|used| {
            let url = format!(
                "/sources/{}",
                fieldgate_ui_logic::place::encode(&used.source)
            );
            view! { <a href=url>{used.source.clone()}</a>" at "{words::plain(&used.address)}" " }
                .into_any()
        })
        .collect();
    let used = match used.is_empty() {
        true => "all sources".into_any(),
        false => used.into_any(),
    };
    let buttons = buttons(peer, &name, actions);
    view! {
        <li data-test="peer">
            {certificate::expiry(one)}
            <p>{words::capital(&words::plain(&peer.words))}</p>
            {differences(&peer.differences)}
            {certificate::facts(one)}
            <p class="faint">"Used by "{used}</p>
            <p class="faint">"Since "{instant(peer.since)}</p>
            <div class="actions">{buttons}{certificate::downloads(one, &name)}</div>
        </li>
    }
    .into_any()
}

fn buttons(peer: &PeerView, name: &str, actions: Actions) -> AnyView {
    let id = &peer.certificate.sha256;
    let accept = || actions.accept_button(id, name);
    let reject = || actions.reject_button(id, name);
    let remove = || actions.remove_button(id, "Forget", &format!("Forget {name}"));
    match peer.shelf {
        ShelfName::Waiting => view! { {accept()}{reject()}{remove()} }.into_any(),
        ShelfName::Trusted => view! { {reject()}{remove()} }.into_any(),
        ShelfName::Issuers => remove(),
        ShelfName::Rejected => view! { {accept()}{remove()} }.into_any(),
    }
}

/// Before and after, each fact in its lines; the words say which is which.
fn differences(differences: &[Difference]) -> Option<AnyView> {
    if differences.is_empty() {
        return None;
    }
    let rows: Vec<AnyView> = differences
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <th scope="row">{one.what.clone()}</th>
                    <td data-label="trusted"><span>{words::plain(&one.trusted)}</span></td>
                    <td data-label="waiting"><span>{words::plain(&one.waiting)}</span></td>
                </tr>
            }
            .into_any()
        })
        .collect();
    Some(
        view! {
            <div class="table-box" tabindex="0" role="region" aria-label="What is different">
                <table class="plain" data-test="differences">
                    <thead><tr><th scope="col">"Different"</th><th scope="col">"Trusted so far"</th><th scope="col">"Waiting"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any(),
    )
}
