//! Sources, destinations, routes and rules: a list of each with how they are, and what can be done at once.

use std::collections::BTreeMap;

use fieldgate_api::config::Item;
use fieldgate_api::endpoint::{GetDestinations, GetRoutes, GetRules, GetSources};
use fieldgate_api::state::{
    DestinationCommands, DestinationView, RouteView, RuleView, SourceView, Status,
};
use fieldgate_ui_logic::place::{Place, Section, encode};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use serde_json::Value as Json;

use crate::fetched::{Fetched, OFTEN, fetched};
use crate::items::Actions;
use crate::widgets::copy::copy_text;
use crate::widgets::empty::empty_state;
use crate::widgets::page::{heading, when_there};
use crate::widgets::status::status_sentence;
use crate::widgets::time::local;

/// An item as the list shows it.
#[derive(Clone, PartialEq)]
struct Card {
    item: Item,
    status: Status,
    about: String,
    facts: Vec<(&'static str, String)>,
    /// Where its figures lead to.
    link: Option<(String, String)>,
    /// Where commands are taken.
    commands: Option<String>,
}

pub fn page(section: Section) -> AnyView {
    let none = || Some(Vec::new());
    match section {
        Section::Sources => list(section, fetched::<GetSources>(Some(OFTEN), none), source),
        Section::Destinations => list(
            section,
            fetched::<GetDestinations>(Some(OFTEN), none),
            destination,
        ),
        Section::Routes => list(section, fetched::<GetRoutes>(Some(OFTEN), none), route),
        Section::Rules => list(section, fetched::<GetRules>(Some(OFTEN), none), rule),
    }
}

fn list<T>(section: Section, fetched: Fetched<Vec<T>>, card: fn(&T) -> Card) -> AnyView
where
    T: PartialEq + Send + Sync + 'static,
{
    let cards = Memo::new(move |_| {
        fetched
            .data
            .with(|list| list.iter().flatten().map(card).collect::<Vec<_>>())
    });
    let add = format!("Add a {}", section.one());
    view! {
        {heading(section.title(), view! { <a class="button primary" href=Place::New(section).path() data-test="add">{add}</a> })}
        {when_there(fetched, move |_| cards_view(section, cards))}
    }
    .into_any()
}

fn cards_view(section: Section, cards: Memo<Vec<Card>>) -> AnyView {
    let keys = move || {
        cards.with(|cards| {
            cards
                .iter()
                .map(|card| card.item.id.clone())
                .collect::<Vec<_>>()
        })
    };
    let one = move |id: String| {
        Memo::new(move |_| {
            cards.with(|cards| cards.iter().find(|card| card.item.id == id).cloned())
        })
    };
    view! {
        {move || cards.with(Vec::is_empty).then(|| nothing(section))}
        <ul class="cards">
            <For each=keys key=|id| id.clone() children=move |id| {
                let card = one(id);
                let actions = Actions::expect();
                move || card.get().map(|card| card_view(section, &card, actions))
            }/>
        </ul>
    }
    .into_any()
}

fn nothing(section: Section) -> AnyView {
    let (title, words) = match section {
        Section::Sources => (
            "No source yet.",
            "A source is what values come from, for instance an OPC UA server.",
        ),
        Section::Destinations => (
            "No destination yet.",
            "A destination is where readings are delivered, for instance an MQTT broker.",
        ),
        Section::Routes => (
            "No route yet.",
            "A route takes points, shapes their readings, and sends them to a destination.",
        ),
        Section::Rules => (
            "No rule yet.",
            "A rule does something at one source when something comes true at another: an alarm saves a clip, a temperature that is too high writes a set point. The source has to allow that in its commands.",
        ),
    };
    empty_state(title, words, None)
}

fn card_view(section: Section, card: &Card, actions: Actions) -> AnyView {
    let Card {
        item,
        status,
        about,
        facts,
        link,
        commands,
    } = card.clone();
    let url = Place::Item(section, item.id.clone()).path();
    let facts = facts
        .into_iter()
        .map(|(name, text)| view! { <div><dt>{name}</dt><dd>{text}</dd></div> });
    let origin = (!item.removable).then(|| format!("fixed by {}", item.origin.place));
    let title_id = format!("item-{}", item.id);
    let labelled_by = title_id.clone();
    view! {
        <li class="card item-card" data-test="item" data-item=item.id.clone() aria-labelledby=labelled_by>
            <div class="card-head">
                <h2 id=title_id><a href=url>{item.id.clone()}</a></h2>
                <span class="faint">{about}</span>
            </div>
            {status_sentence(&status)}
            <dl class="figures">{facts.collect_view()}</dl>
            {commands.map(|topic| view! { <p><span class="faint">"Commands at "</span>{copy_text(&topic, "the command topic", "command-topic")}</p> })}
            {link.map(|(label, url)| view! { <p><a href=url>{label}</a></p> })}
            <div class="actions">
                {buttons(section, &item, &status, actions)}
                {origin.map(|origin| view! { <span class="locked">{origin}</span> })}
            </div>
        </li>
    }
    .into_any()
}

fn buttons(section: Section, item: &Item, status: &Status, actions: Actions) -> AnyView {
    let id = item.id.clone();
    let url = Place::Item(section, id.clone()).path();
    let (paused, removable) = (item.draft.paused, item.removable);
    let retry = status.retry_at.is_some().then(|| {
        let id = id.clone();
        view! {
            <button type="button" class="primary" data-test="retry" aria-label=format!("Retry {id} now")
                on:click=move |_| actions.retry(section, id.clone())>"Retry now"</button>
        }
    });
    let item = item.clone();
    let pause_word = if paused { "Resume" } else { "Pause" };
    let pause = move |_| actions.set_paused(section, item.clone(), !paused);
    let remove = {
        let id = id.clone();
        move |_| actions.remove(section, id.clone())
    };
    view! {
        {retry}
        <a class="button" href=url data-test="edit" aria-label=format!("Edit {id}")>"Edit"</a>
        <button type="button" data-test="pause" aria-label=format!("{pause_word} {id}") on:click=pause>{pause_word}</button>
        {removable.then(|| view! {
            <button type="button" data-test="remove" aria-label=format!("Remove {id}") on:click=remove>"Remove"</button>
        })}
    }
    .into_any()
}

fn source(view: &SourceView) -> Card {
    let mut facts = vec![
        ("devices", words::count(view.devices)),
        ("points", words::count(view.points)),
        ("rate", words::rate(view.rate)),
        ("readings", words::count(view.readings_total)),
    ];
    if view.points_with_problems > 0 {
        facts.push((
            "points without values",
            words::count(view.points_with_problems),
        ));
    }
    Card {
        item: view.item.clone(),
        status: view.status.clone(),
        about: view.item.draft.kind.clone(),
        facts,
        link: (view.devices > 0).then(|| {
            (
                "Show its devices".to_owned(),
                format!("/devices?q={}", encode(&view.item.id)),
            )
        }),
        commands: None,
    }
}

fn destination(view: &DestinationView) -> Card {
    let mut facts = vec![
        ("delivered", words::count(view.acked_total)),
        ("rate", words::rate(view.rate)),
        ("waiting", words::count(view.pending)),
        ("in flight", words::count(view.in_flight)),
        (
            "last acknowledged",
            view.last_ack.map_or_else(|| "never".to_owned(), local),
        ),
    ];
    if let Some(millis) = view.ack_ms {
        facts.push(("acknowledged in", words::took(millis)));
    }
    if let (Some(half), Some(most)) = (view.delay_ms_p50, view.delay_ms_p99) {
        let delay = format!(
            "{}, 99 of 100 within {}",
            words::took(half),
            words::took(most)
        );
        facts.push(("from source to acknowledgement", delay));
    }
    if view.dead_letters > 0 {
        facts.push(("went to the dead letters", words::count(view.dead_letters)));
    }
    let rejected = reasons(&view.rejected);
    if !rejected.is_empty() {
        facts.push(("refused, in its words", rejected));
    }
    let throttled = reasons(&view.throttled);
    if !throttled.is_empty() {
        facts.push(("asked for less", throttled));
    }
    if view.tried_again > 0 {
        facts.push(("sent again after a refusal", words::count(view.tried_again)));
    }
    if view.unheard > 0 {
        facts.push(("taken while nobody listened", words::count(view.unheard)));
    }
    facts.extend(view.commands.iter().flat_map(command_facts));
    Card {
        item: view.item.clone(),
        status: view.status.clone(),
        about: view.item.draft.kind.clone(),
        facts,
        link: (view.pending > 0).then(|| ("Show its backlog".to_owned(), "/queue".to_owned())),
        commands: view
            .commands
            .as_ref()
            .map(|commands| commands.address.clone()),
    }
}

fn route(view: &RouteView) -> Card {
    let settings = &view.item.draft.settings;
    let steps = settings["steps"].as_array().map_or(0, Vec::len) as u64;
    let to = settings["to"].as_str().unwrap_or("?");
    let mut facts = vec![
        ("matches", words::counted(view.matches, "point")),
        ("in", words::rate(view.rate_in)),
        ("out", words::rate(view.rate_out)),
        ("taken", words::count(view.in_total)),
        ("let through", words::count(view.out_total)),
    ];
    let dropped = reasons(&view.dropped);
    if !dropped.is_empty() {
        facts.push(("held back", dropped));
    }
    Card {
        item: view.item.clone(),
        status: view.status.clone(),
        about: format!(
            "{} → {} → {to}",
            patterns(&settings["from"]),
            words::counted(steps, "step")
        ),
        facts,
        link: None,
        commands: None,
    }
}

fn rule(view: &RuleView) -> Card {
    let settings = &view.item.draft.settings;
    let target = settings["do"]["target"].as_str().unwrap_or("?");
    let act = &settings["do"];
    let does = match (&act["call"], &act["write"]) {
        (Json::Null, Json::Null) => "read",
        (Json::Null, _) => "write",
        _ => "call",
    };
    let mut facts = vec![
        ("watches", words::counted(view.watches, "point")),
        ("fired", words::count(view.fired)),
    ];
    if let (Some(at), Some(point)) = (view.last_fired, &view.last_point) {
        facts.push(("last", format!("{}, by {}", local(at), words::plain(point))));
    }
    if let (Some(outcome), Some(said)) = (view.last_outcome, &view.last_words) {
        facts.push(("its command", format!("{outcome}: {}", words::plain(said))));
    }
    if let Some(until) = view.rests_until {
        facts.push(("rests until", local(until)));
    }
    let missed = reasons(&view.missed);
    if !missed.is_empty() {
        facts.push(("gave no command", missed));
    }
    Card {
        item: view.item.clone(),
        status: view.status.clone(),
        about: format!(
            "{} → {does} {}",
            patterns(&settings["when"]),
            words::plain(target)
        ),
        facts,
        link: None,
        commands: None,
    }
}

fn patterns(list: &Json) -> String {
    let list = list.as_array().into_iter().flatten();
    let texts: Vec<&str> = list.filter_map(Json::as_str).collect();
    words::plain(&texts.join(", "))
}

/// What came of commands, as far as any came.
fn command_facts(commands: &DestinationCommands) -> Vec<(&'static str, String)> {
    let some = |count: u64| (count > 0).then(|| words::count(count));
    let texts = [
        ("commands", some(commands.received)),
        ("not carried out", Some(reasons(&commands.refused))),
        ("repeated commands", some(commands.repeated)),
        ("answers that it did not take", some(commands.answers_lost)),
    ];
    let facts = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    facts.filter(|(_, text)| !text.is_empty()).collect()
}

fn reasons(counts: &BTreeMap<String, u64>) -> String {
    let each = counts.iter().filter(|(_, count)| **count > 0);
    each.map(|(reason, count)| format!("{} {}", words::count(*count), words::plain(reason)))
        .collect::<Vec<_>>()
        .join(", ")
}
