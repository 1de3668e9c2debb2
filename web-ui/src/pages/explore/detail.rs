//! What is known of the node that was last looked at, its value kept up to date.

use std::time::Duration;

use fieldgate_api::endpoint::ExploreNodeDetail;
use fieldgate_api::explore::{ExploreDetail, ExploreLook, ExploreValue};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::commands::commands;
use super::past::past;
use super::{Looked, NODE, Session, TOP};
use crate::fetched::{OFTEN, asked};
use crate::nav::Nav;
use crate::widgets::copy::copy_text;
use crate::widgets::page::when_there;
use crate::widgets::time::instant;
use crate::widgets::value::{quality, watch_what_is_in_sight};

/// Who only passes by asks nothing.
const PASSING: Duration = Duration::from_millis(250);

pub fn detail(session: Session) -> AnyView {
    let Some(tree) = session.tree.get_value() else {
        return ().into_any();
    };
    watch_what_is_in_sight();
    let looked = session.looked;
    Effect::new(move |_| {
        let here = tree.here();
        if here.is_empty() || here == TOP {
            return;
        }
        set_timeout(
            move || {
                if untrack(move || tree.here()) == here {
                    let address = session.address(&here);
                    looked.try_set(Some(Looked {
                        address,
                        path: here,
                    }));
                }
            },
            PASSING,
        );
    });
    // The node stands in the URL, as far as others could look at it.
    if session.at.with_value(|at| at.source.is_some()) {
        let nav = Nav::expect();
        let address = untrack(move || nav.value(NODE));
        if !address.is_empty() {
            let path = String::new();
            looked.set(Some(Looked { address, path }));
        }
        Effect::new(move |_| {
            if let Some(Looked { address, .. }) = looked.get() {
                nav.set_value(NODE, &address);
            }
        });
    }
    let fetched = asked::<ExploreNodeDetail>(Some(OFTEN), move || {
        let Looked { address, path } = looked.get()?;
        let look = ExploreLook {
            at: session.at.get_value(),
            node: address,
            path,
        };
        Some((Vec::new(), look))
    });
    let shown = move || match looked.get() {
        None => {
            view! { <p class="faint">"Go to a node in the tree to see what it is."</p> }.into_any()
        }
        Some(_) => when_there(fetched, facts),
    };
    view! {
        <section class="card" aria-labelledby="node-title" data-test="node">
            <h2 id="node-title">"Node"</h2>
            {shown}
            {past(session, fetched.data)}
            {commands(session, fetched.data)}
        </section>
    }
    .into_any()
}

fn facts(detail: &ExploreDetail) -> AnyView {
    let fact = |name: &str, content: AnyView| view! { <div><dt>{name.to_owned()}</dt><dd>{content}</dd></div> };
    let node = &detail.node;
    let text = |text: &str| words::plain(text).into_any();
    let unit = detail.unit.as_ref().map(|unit| fact("Unit", text(unit)));
    let range = detail
        .range
        .map(|[low, high]| fact("Range", format!("{low} to {high}").into_any()));
    let described = (!detail.description.is_empty())
        .then(|| view! { <p>{words::plain(&detail.description)}</p> });
    let facts = detail
        .facts
        .iter()
        .map(|known| fact(&known.name, text(&known.text)))
        .collect_view();
    view! {
        <h3>{words::plain(&node.name)}" "<span class="faint">{words::plain(&node.type_name)}</span></h3>
        {described}
        {detail.value.as_ref().map(value)}
        <dl class="facts">
            {fact("Node id", copy_text(&node.address, "the node id", "node-id"))}
            {fact("Path", copy_text(&node.path, "the path", ""))}
            {unit}
            {range}
            {facts}
        </dl>
    }
    .into_any()
}

fn value(value: &ExploreValue) -> AnyView {
    let time = |name: &'static str, at| {
        let shown = move |at| view! { <span class="faint">{name}{instant(at)}</span> };
        Option::map(at, shown)
    };
    view! {
        <p class="value">
            <span class="number" data-test="node-value">{words::plain(&value.text)}</span>
            {quality(value.quality, value.why.as_deref())}
        </p>
        <p class="actions">{time("Source ", value.source_at)}{time("Server ", value.server_at)}</p>
    }
    .into_any()
}
