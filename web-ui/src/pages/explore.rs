//! Explore ▸ OPC UA: where to look around, the tree of what is there, what is known of a node, the basket of what is chosen, and
//! what a source reads as a file.

mod basket;
pub mod bluetooth;
pub mod cameras;
mod commands;
mod detail;
mod file;
mod offers;
mod past;
mod search;
mod target;

use std::collections::BTreeMap;

use fieldgate_api::config::Draft;
use fieldgate_api::endpoint::{AboutExplored, ExploreNodes};
use fieldgate_api::explore::{ExploreAbout, ExploreAt, ExploreChildren, ExploreKind, ExploreNode};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::basket::{Known, patterns, rules};
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::tree::{Branch, Children};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value as Json;

use crate::client::change;
use crate::fetched::asked;
use crate::items::{self, Loaded};
use crate::nav::Nav;
use crate::widgets::empty::empty_state;
use crate::widgets::page::{heading, trouble_note};
use crate::widgets::tree::{Tree, branch};

/// Where the tree begins.
const TOP: &str = "Objects";
/// The value of the URL that holds the node that is looked at.
const NODE: &str = "node";
/// Children of a folder that are read without being asked for.
const FIRST: usize = 1000;

/// What all parts of the page share.
#[derive(Clone, Copy)]
struct Session {
    at: StoredValue<ExploreAt>,
    /// The source as it is saved; an item for a configured one.
    loaded: StoredValue<Loaded>,
    rules: RwSignal<Vec<Json>>,
    /// Every node that was read, by its path.
    known: RwSignal<BTreeMap<String, Known>>,
    /// What was read of each folder so far.
    below: StoredValue<BTreeMap<String, Vec<Branch>>>,
    /// Folders that go on, with the mark of their next page.
    more: RwSignal<Vec<(String, String)>>,
    words: RwSignal<Option<String>>,
    trouble: RwSignal<Option<Trouble>>,
    tree: StoredValue<Option<Tree>>,
    /// The node that is looked at.
    looked: RwSignal<Option<Looked>>,
}

/// A node, and the way by which somebody came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looked {
    address: String,
    path: String,
}

pub fn page() -> AnyView {
    let nav = Nav::expect();
    // Settings that were found at an address, as long as the page is open.
    let found = RwSignal::new(None::<Draft>);
    let chosen = Memo::new(move |_| nav.value("source"));
    let session = move || match (chosen.get(), found.get()) {
        (source, _) if !source.is_empty() => open(Some(source), None),
        (_, Some(draft)) => open(None, Some(draft)),
        _ => empty_state(
            "No server is chosen yet.",
            "Choose a source, or type the address of a server and find the ways into it. What is there is then shown as a tree; what you tick in it becomes what the gateway reads.",
            None,
        ),
    };
    view! {
        {heading("Explore OPC UA", bluetooth::ways(&Place::Explore))}
        {target::choose(nav, found)}
        {session}
        {move || Some(chosen.get()).filter(|source| !source.is_empty()).map(|source| file::selection_file(&source))}
    }
    .into_any()
}

/// Looks around at a configured source, or with settings that nobody saved.
fn open(source: Option<String>, draft: Option<Draft>) -> AnyView {
    let at = ExploreAt {
        source: source.clone(),
        draft,
    };
    let about = {
        let at = at.clone();
        asked::<AboutExplored>(None, move || Some((Vec::new(), at.clone())))
    };
    let loaded = RwSignal::new(None::<Result<Loaded, Trouble>>);
    spawn_local(async move {
        let answer = items::load(Section::Sources, source.as_deref()).await;
        loaded.try_set(Some(answer));
    });
    let there = Memo::new(move |_| about.data.with(Option::is_some));
    let failed = Memo::new(move |_| about.trouble.with(Option::is_some));
    let trusting = at.source.clone();
    let settings = at
        .source
        .clone()
        .map(|source| Place::Item(Section::Sources, source).path());
    let at = StoredValue::new(at);
    view! {
        {move || match (about.data.get(), about.trouble.get()) {
            (_, Some(trouble)) => view! {
                {trouble_note(&trouble)}
                <div class="actions"><button type="button" data-test="look-again" on:click=move |_| about.refresh()>"Look again"</button>
                    {settings.clone().map(|url| view! { <a class="button" href=url>"Change the source"</a> })}</div>
            }.into_any(),
            (Some(about), None) => {
                let facts = about.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.text)).collect::<Vec<_>>();
                view! {
                    <p role="status" data-test="about">{words::capital(&words::plain(&about.words))}". "<span class="faint">{facts.join(" · ")}</span></p>
                }.into_any()
            }
            (None, None) => view! { <p class="waiting" role="status">"Connecting…"</p> }.into_any(),
        }}
        {move || failed.get().then(|| match &trusting {
            // Trust may be what is missing, and is given without leaving the page.
            Some(source) => super::trust::of_source(source),
            None => view! { <p class="faint">"A server that does not trust this gateway yet, or whose certificate nobody has accepted, is settled once it is a source: add it, and see Trust."</p> }.into_any(),
        })}
        {move || there.get().then(|| loaded.get().map(|loaded| match loaded {
            Ok(loaded) => body(Session::new(at, loaded), about.data),
            Err(trouble) => trouble_note(&trouble),
        }))}
    }
    .into_any()
}

fn body(session: Session, about: RwSignal<Option<ExploreAbout>>) -> AnyView {
    let tree = session.tree.get_value();
    let more = move || {
        let button = |(path, _): (String, String)| {
            let words = format!("Show more of {}", words::plain(&path));
            view! { <button type="button" class="quiet" on:click=move |_| session.go_on(&path)>{words}</button> }
        };
        session.more.get().into_iter().map(button).collect_view()
    };
    view! {
        <div class="explore">
            <div>
                {search::search(session)}
                <section aria-labelledby="tree-title">
                    <h2 id="tree-title">"What is there"</h2>
                    <p class="help">"A folder that is ticked is a live rule: what is new below it is read as well. Arrow keys lead through the tree, space ticks."</p>
                    {tree.map(|tree| tree.view("Address space"))}
                    <p class="faint" role="status" data-test="explore-words">{move || session.words.get().map(|text| words::capital(&text))}</p>
                    {move || session.trouble.get().map(|trouble| trouble_note(&trouble))}
                    {more}
                </section>
            </div>
            <div>
                {detail::detail(session)}
                {offers::offers(session, about)}
                {basket::basket(session)}
            </div>
        </div>
    }
    .into_any()
}

// === impl Session ===

impl Session {
    fn new(at: StoredValue<ExploreAt>, loaded: Loaded) -> Self {
        let item = loaded.item.as_ref();
        let present = item.and_then(|item| item.draft.settings["select"].as_array().cloned());
        let session = Self {
            at,
            loaded: StoredValue::new(loaded),
            rules: RwSignal::new(present.unwrap_or_default()),
            known: RwSignal::new(BTreeMap::new()),
            below: StoredValue::new(BTreeMap::new()),
            more: RwSignal::new(Vec::new()),
            words: RwSignal::new(None),
            trouble: RwSignal::new(None),
            tree: StoredValue::new(None),
            looked: RwSignal::new(None),
        };
        let marks = Signal::derive(move || {
            session.known.with(|known| {
                let by_address =
                    |address: &str| known.values().find(|node| node.address == address);
                session.rules.with(|rules| patterns(rules, by_address))
            })
        });
        let tree = Tree::new(
            marks,
            move |next| session.choose(&next),
            move |path| session.read(path, None),
        );
        tree.roots.set(vec![branch(TOP, TOP, Children::Unread)]);
        tree.unfold(TOP);
        session.tree.set_value(Some(tree));
        session.read(TOP.to_owned(), None);
        session
    }

    fn choose(self, next: &[String]) {
        let after = self.known.with_untracked(|known| {
            let by_address = |address: &str| known.values().find(|node| node.address == address);
            let is_leaf = |path: &str| known.get(path);
            self.rules
                .with_untracked(|before| rules(before, next, by_address, is_leaf))
        });
        self.rules.set(after);
    }

    /// Remembers nodes, so that they can be asked for and chosen.
    fn learn(self, nodes: &[ExploreNode]) {
        let known = |node: &ExploreNode| Known {
            path: node.path.clone(),
            address: node.address.clone(),
            name: node.name.clone(),
        };
        if let Some(mut all) = self.known.try_write() {
            all.extend(nodes.iter().map(|node| (node.path.clone(), known(node))));
        }
    }

    fn address(self, path: &str) -> String {
        self.known
            .with_untracked(|known| known.get(path).map(|node| node.address.clone()))
            .unwrap_or_default()
    }

    /// The rest of a folder, some pages of it.
    fn go_on(self, path: &str) {
        let marks = self.more.get_untracked();
        if let Some((path, mark)) = marks.into_iter().find(|(known, _)| known == path) {
            self.read(path, Some(mark));
        }
    }

    fn read(self, path: String, more: Option<String>) {
        self.more
            .update(|all| all.retain(|(known, _)| *known != path));
        self.words.set(None);
        self.trouble.set(None);
        spawn_local(async move {
            let mut ask = ExploreChildren {
                at: self.at.get_value(),
                node: self.address(&path),
                path: path.clone(),
                more,
            };
            let mut count = 0;
            loop {
                let answer = change::<ExploreNodes>(&[], &ask, None).await;
                // The page may be gone by now.
                let Some(tree) = self.tree.try_get_value().flatten() else {
                    return;
                };
                let (nodes, next) = match answer {
                    Ok(page) => {
                        self.words.try_set(page.words);
                        (page.nodes, page.more)
                    }
                    Err(trouble) => {
                        self.trouble.try_set(Some(trouble));
                        (Vec::new(), None)
                    }
                };
                count += nodes.len();
                self.learn(&nodes);
                let shown = nodes.iter().filter_map(shown);
                let all = self.below.try_update_value(|below| {
                    let all = below.entry(path.clone()).or_default();
                    all.extend(shown);
                    all.clone()
                });
                tree.put(&path, all.unwrap_or_default());
                match next {
                    None => return,
                    Some(mark) if count >= FIRST => {
                        self.more.try_update(|all| all.push((path, mark)));
                        return;
                    }
                    next => ask.more = next,
                }
            }
        });
    }
}

/// What can be selected, what leads to it, and what can be called. What describes a variable stands beside it.
fn shown(node: &ExploreNode) -> Option<Branch> {
    let (children, name) = match (node.kind, node.branch) {
        (ExploreKind::Property, _) => return None,
        (ExploreKind::Method, _) => (Children::Fixed, format!("{}()", node.name)),
        (_, true) => (Children::Unread, node.name.clone()),
        (_, false) => (Children::Leaf, node.name.clone()),
    };
    Some(branch(&node.path, &name, children))
}
