//! Overview: is data flowing? The verdict, the strip, the ledger.

use fieldgate_api::state::{FlowNode, LedgerSum, Level, Overview, Status};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::live::Live;
use crate::widgets::empty::empty_state;
use crate::widgets::icon::{level_class, level_icon};
use crate::widgets::page::heading;
use crate::widgets::status::status_word;
use crate::widgets::time::local;

/// The strip shows as many boxes of a column; the rest is a link.
const SHOWN: usize = 7;
/// From the top of a box to the top of the next, in pixels, as in the style sheet.
const PITCH: usize = 96;

/// What of the overview the strip shows.
#[derive(Clone, PartialEq)]
struct Strip {
    sources: Vec<FlowNode>,
    routes: Vec<FlowNode>,
    queue: FlowNode,
    destinations: Vec<FlowNode>,
}

pub fn page() -> AnyView {
    let live = Live::expect();
    let there = Memo::new(move |_| live.overview.with(Option::is_some));
    view! {
        {heading("Overview", ())}
        {move || if there.get() { content(live) } else { view! { <p class="waiting" role="status">"Loading…"</p> }.into_any() }}
    }
    .into_any()
}

fn content(live: Live) -> AnyView {
    let verdict = part(live, |overview| overview.verdict.clone());
    let strip = part(live, |overview| Strip {
        sources: overview.sources.clone(),
        routes: overview.routes.clone(),
        queue: overview.queue.clone(),
        destinations: overview.destinations.clone(),
    });
    let ledger = part(live, |overview| overview.ledger.clone());
    let first_use = Memo::new(move |_| {
        strip.with(|strip| strip.as_ref().is_some_and(|s| s.sources.is_empty()))
    });
    let waiting = part(live, |overview| overview.trust_waiting);
    view! {
        {move || verdict.get().map(|status| verdict_view(&status))}
        {move || waiting.get().filter(|waiting| *waiting > 0).map(waiting_view)}
        {move || first_use.get().then(|| empty_state(
            "No source yet.",
            "A source is what values come from, for instance an OPC UA server. Add one, then a destination, and a route between them.",
            Some(("Add a source", Place::New(Section::Sources).path())),
        ))}
        <section aria-labelledby="flow-title">
            <h2 id="flow-title">"Where data flows"</h2>
            {move || strip.get().map(|strip| strip_view(&strip))}
        </section>
        <div class="columns">
            <section class="card" aria-labelledby="ledger-title">
                <h2 id="ledger-title">"Ledger"</h2>
                {move || ledger.get().map(|ledger| ledger_view(&ledger.total, ledger.dropped_before.values().sum()))}
            </section>
            <section class="card" aria-labelledby="machine-title">
                <h2 id="machine-title">"This gateway"</h2>
                {machine(live)}
            </section>
        </div>
    }
    .into_any()
}

/// A part of the overview that changes only when it differs.
fn part<T: PartialEq + Send + Sync + 'static>(
    live: Live,
    of: impl Fn(&Overview) -> T + Send + Sync + 'static,
) -> Memo<Option<T>> {
    Memo::new(move |_| live.overview.with(|overview| overview.as_ref().map(&of)))
}

fn verdict_view(status: &Status) -> AnyView {
    let class = format!("verdict {}", level_class(status.level));
    let sentence = if status.words.is_empty() {
        words::capital(&status.state)
    } else {
        words::plain(&status.words)
    };
    view! {
        <div class=class data-test="verdict">
            {level_icon(status.level)}
            <div>
                <p class="sentence">{sentence}</p>
                {status.since.map(|since| view! { <p class="faint">{format!("{} since {}", words::capital(&status.state), local(since))}</p> })}
            </div>
        </div>
    }
    .into_any()
}

/// Certificates that nobody has decided on yet.
fn waiting_view(waiting: u64) -> AnyView {
    let (words, verb) = match waiting {
        1 => ("1 certificate".to_owned(), "waits"),
        many => (format!("{many} certificates"), "wait"),
    };
    view! {
        <div class="note warning" data-test="trust-waiting">
            {level_icon(Level::Warning)}
            <p>{format!("{words} of servers {verb} for your decision. ")}<a href=Place::Trust.path()>"Decide on the page Trust"</a></p>
        </div>
    }
    .into_any()
}

fn strip_view(strip: &Strip) -> AnyView {
    let queue = std::slice::from_ref(&strip.queue);
    view! {
        <div class="strip">
            {column("Sources", Some(Section::Sources), &strip.sources)}
            {edges(&strip.sources, &strip.routes, false)}
            {column("Routes", Some(Section::Routes), &strip.routes)}
            {edges(&strip.routes, queue, true)}
            {column("Queue", None, queue)}
            {edges(queue, &strip.destinations, true)}
            {column("Destinations", Some(Section::Destinations), &strip.destinations)}
        </div>
    }
    .into_any()
}

fn column(title: &'static str, section: Option<Section>, nodes: &[FlowNode]) -> AnyView {
    let place = section.map_or(Place::Queue, Place::Items);
    let more = nodes.len().saturating_sub(SHOWN);
    let none = nodes.is_empty();
    let boxes: Vec<AnyView> = nodes
        .iter()
        .take(SHOWN)
        .map(|node| node_view(section, node))
        .collect();
    view! {
        <section class="strip-column" aria-label=title>
            <h3><a href=place.path()>{title}</a></h3>
            <ul>
                {boxes}
                {none.then(|| view! { <li class="node none">"None yet"</li> })}
                {(more > 0).then(|| view! { <li class="node more"><a href=place.path()>{format!("{more} more")}</a></li> })}
            </ul>
        </section>
    }
    .into_any()
}

fn node_view(section: Option<Section>, node: &FlowNode) -> AnyView {
    let place = section.map_or(Place::Queue, |section| {
        Place::Item(section, node.id.clone())
    });
    let url = match section {
        // What flows from a source is looked at device by device.
        Some(Section::Sources) => {
            format!("/devices?q={}", fieldgate_ui_logic::place::encode(&node.id))
        }
        _ => place.path(),
    };
    let class = format!("node {}", level_class(node.status.level));
    let rates = match section {
        Some(Section::Sources) => words::rate(node.rate_out),
        Some(Section::Destinations) => format!("{} acknowledged", words::rate(node.rate_out)),
        _ => format!(
            "{} in, {} out",
            words::rate(node.rate_in),
            words::rate(node.rate_out)
        ),
    };
    view! {
        <li class=class>
            <a href=url title=node.status.words.clone()>
                <span class="node-title">{words::plain(&node.title)}</span>
                <span class="node-rate">{rates}</span>
                {status_word(node.status.level, &node.status.state)}
            </a>
        </li>
    }
    .into_any()
}

/// The lines between two columns; `all` joins each with each.
fn edges(from: &[FlowNode], to: &[FlowNode], all: bool) -> AnyView {
    let rows = from.len().min(SHOWN).max(to.len().min(SHOWN)).max(1);
    let height = rows * PITCH;
    let middle = |row: usize| row * PITCH + PITCH / 2 - 6;
    let mut lines = Vec::new();
    for (start, node) in from.iter().take(SHOWN).enumerate() {
        for (end, other) in to.iter().take(SHOWN).enumerate() {
            if all || node.to.contains(&other.id) {
                let moving = node.rate_out.max(if all { 0.0 } else { other.rate_in }) > 0.005;
                let (y1, y2) = (middle(start), middle(end));
                let d = format!("M0 {y1}C24 {y1} 24 {y2} 48 {y2}");
                lines.push(view! { <path d=d class=moving.then_some("moving")></path> }.into_any());
            }
        }
    }
    let view_box = format!("0 0 48 {height}");
    view! {
        <svg class="edges" width="48" height=height.to_string() viewBox=view_box aria-hidden="true" focusable="false">{lines}</svg>
    }
    .into_any()
}

fn ledger_view(sum: &LedgerSum, dropped: u64) -> AnyView {
    let all_well = sum.unaccounted == 0;
    let sentence = if all_well {
        "Every reading that was accepted is delivered, waiting, or counted with a reason. None is missing."
    } else {
        "Some readings are in no count. This is a fault of the gateway: please keep its state folder and report it."
    };
    let parts = [
        ("delivered", sum.acked),
        ("waiting", sum.pending),
        ("expired", sum.expired),
        ("evicted", sum.evicted),
        ("dead letters", sum.dead_lettered),
        ("lost, detected", sum.lost_detected),
    ];
    let row = |(name, number): (&'static str, u64)| view! { <div><dt>{name}</dt><dd>{words::count(number)}</dd></div> };
    view! {
        <p class=if all_well { "unaccounted good" } else { "unaccounted bad" }>
            "unaccounted: "<strong data-test="ledger-unaccounted">{sum.unaccounted.to_string()}</strong>
        </p>
        <p>{sentence}</p>
        <dl class="figures">
            <div class="sum"><dt>"accepted"</dt><dd>{words::count(sum.accepted)}</dd></div>
            {parts.map(row).collect_view()}
        </dl>
        <p class="faint">{format!("{} held back by routes' steps or without a route, before they were accepted. ", words::counted(dropped, "reading"))}<a href="/queue">"By route and lane"</a></p>
    }
    .into_any()
}

fn machine(live: Live) -> AnyView {
    let cpu = move || {
        live.overview.with(|o| {
            o.as_ref()
                .map(|o| format!("{:.1} % of one core", o.cpu_percent))
        })
    };
    let memory = move || {
        live.overview
            .with(|o| o.as_ref().map(|o| words::bytes(o.rss_bytes)))
    };
    let version = part(live, |overview| overview.version.clone());
    let started = part(live, |overview| overview.started);
    let running = move || {
        started
            .get()
            .map(|started| words::span((live.now.get() - started.millis()) / 1000 * 1000))
    };
    view! {
        <dl class="figures">
            <div><dt>"processor"</dt><dd>{cpu}</dd></div>
            <div><dt>"memory"</dt><dd>{memory}</dd></div>
            <div><dt>"running for"</dt><dd>{running}</dd></div>
            <div><dt>"version"</dt><dd>{move || version.get()}</dd></div>
            <div><dt>"configuration"</dt><dd><a href="/config">{move || format!("revision {}", live.revision.get())}</a></dd></div>
        </dl>
    }
    .into_any()
}
