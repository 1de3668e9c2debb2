//! `Tree`: an ARIA tree with three-state boxes, whose branches are read when they are opened.
//!
//! The rows stand flat in one list and tell their level, so that a branch that opens moves no element. One row is in the tab order.

use std::collections::BTreeSet;

use fieldgate_ui_logic::tree::{self, Branch, Children, Chosen, Row, Step};
use fieldgate_ui_logic::words;
use leptos::attr::custom::custom_attribute;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::nav::focus;

/// The state of a tree.
#[derive(Clone, Copy)]
pub struct Tree {
    pub roots: RwSignal<Vec<Branch>>,
    /// What is chosen; the owner keeps it.
    patterns: Signal<Vec<String>>,
    choose: Callback<Vec<String>>,
    /// Asked for what is below a branch, the first time that it opens.
    read: Callback<String>,
    open: RwSignal<BTreeSet<String>>,
    at: RwSignal<String>,
}

// === impl Tree ===

impl Tree {
    pub fn new(
        patterns: Signal<Vec<String>>,
        choose: impl Fn(Vec<String>) + Send + Sync + 'static,
        read: impl Fn(String) + Send + Sync + 'static,
    ) -> Self {
        Self {
            roots: RwSignal::new(Vec::new()),
            patterns,
            choose: Callback::new(choose),
            read: Callback::new(read),
            open: RwSignal::new(BTreeSet::new()),
            at: RwSignal::new(String::new()),
        }
    }

    /// Puts what is below a branch; the page may be gone by now.
    pub fn put(self, key: &str, children: Vec<Branch>) {
        if let Some(mut roots) = self.roots.try_write() {
            tree::put(&mut roots, key, children);
        }
    }

    /// The row that was last looked at; empty before. Tracked.
    pub fn here(self) -> String {
        self.at.get()
    }

    /// Opens a branch whose children are there.
    pub fn unfold(self, key: &str) {
        if let Some(mut open) = self.open.try_write() {
            open.insert(key.to_owned());
        }
    }

    pub fn view(self, label: &'static str) -> AnyView {
        let rows = move || {
            self.roots
                .with(|roots| self.open.with(|open| tree::rows(roots, open)))
        };
        view! {
            <ul class="tree" role="tree" aria-label=label aria-multiselectable="true" on:keydown=move |event| self.pressed(&event)>
                <For each=rows key=|row| (row.key.clone(), row.position, row.siblings) children=move |row| self.row(row)/>
            </ul>
        }
        .into_any()
    }

    fn row(self, row: Row) -> AnyView {
        let Row {
            key,
            label,
            leaf,
            fixed,
            level,
            position,
            siblings,
        } = row;
        let key = StoredValue::new(key);
        let is_open = move || {
            self.open
                .with(|open| key.with_value(|key| open.contains(key)))
        };
        let state = move || {
            self.patterns
                .with(|patterns| key.with_value(|key| tree::chosen(patterns, key, leaf)))
        };
        let checked = move || match state() {
            _ if fixed => None,
            Chosen::None => Some("false"),
            Chosen::Some => Some("mixed"),
            Chosen::All => Some("true"),
        };
        let expanded = move || (!leaf).then(|| if is_open() { "true" } else { "false" });
        let reading = move || {
            is_open()
                && self
                    .roots
                    .with(|roots| key.with_value(|key| tree::is_unread(roots, key)))
        };
        // The view macro does not know this attribute.
        let level_of = custom_attribute("aria-level", level.to_string());
        let turn = move |event: leptos::ev::MouseEvent| {
            event.stop_propagation();
            self.turn(&key.get_value());
        };
        view! {
            <li role="treeitem" id=key.with_value(|key| element_id(key)) class=format!("level-{level}") data-key=key.get_value()
                {..level_of} aria-posinset=position.to_string() aria-setsize=siblings.to_string()
                aria-expanded=expanded aria-checked=checked tabindex=move || self.tab_index(&key.get_value())
                on:click=move |_| { self.go(&key.get_value()); self.toggle(&key.get_value()); }>
                <span class="turn" aria-hidden="true" on:click=turn></span>
                {(!fixed).then(|| view! { <span class="box" aria-hidden="true"></span> })}
                <span>{words::plain(&label)}</span>
                {move || reading().then(|| view! { <span class="faint">"reading…"</span> })}
            </li>
        }
        .into_any()
    }

    /// The row that was last looked at is in the tab order, at first the topmost.
    fn tab_index(self, key: &str) -> &'static str {
        let here = self.at.with(|at| {
            if at.is_empty() {
                self.roots
                    .with(|roots| roots.first().is_some_and(|root| root.key == key))
            } else {
                at == key
            }
        });
        if here { "0" } else { "-1" }
    }

    fn pressed(self, event: &KeyboardEvent) {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        let rows = self
            .roots
            .with_untracked(|roots| self.open.with_untracked(|open| tree::rows(roots, open)));
        let Some(first) = rows.first() else { return };
        let at = match self.at.get_untracked() {
            at if at.is_empty() => first.key.clone(),
            at => at,
        };
        let key = event.key();
        if key == " " || key == "Enter" {
            event.prevent_default();
            self.toggle(&at);
            return;
        }
        let open = self.open.get_untracked();
        let Some(step) = tree::step(&rows, &open, &at, &key) else {
            return;
        };
        event.prevent_default();
        match step {
            Step::Go(key) => self.go(&key),
            Step::Open(key) | Step::Close(key) => self.turn(&key),
        }
    }

    fn go(self, key: &str) {
        self.at.set(key.to_owned());
        focus(&element_id(key));
    }

    /// Opens a closed branch, closes an open one; what is below it may go with the focus, so the branch takes it.
    fn turn(self, key: &str) {
        let opens = !self.open.with_untracked(|open| open.contains(key));
        self.open.update(|open| {
            if !open.remove(key) {
                open.insert(key.to_owned());
            }
        });
        self.go(key);
        let unread = self
            .roots
            .with_untracked(|roots| tree::is_unread(roots, key));
        if opens && unread {
            self.read.run(key.to_owned());
        }
    }

    fn toggle(self, key: &str) {
        let patterns = self.patterns.get_untracked();
        let next = self
            .roots
            .with_untracked(|roots| tree::toggle(roots, &patterns, key));
        self.choose.run(next);
    }
}

/// A branch of the tree that was not read yet, or a leaf.
pub fn branch(key: &str, label: &str, children: Children) -> Branch {
    Branch {
        key: key.to_owned(),
        label: label.to_owned(),
        children,
    }
}

fn element_id(key: &str) -> String {
    format!("tree-{key}")
}
