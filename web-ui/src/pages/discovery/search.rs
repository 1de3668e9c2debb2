//! Searching where nobody knows the address: a question to the local network, or a scan, whose scope is shown before it is sent.

use std::time::Duration;

use fieldgate_api::config::Kind;
use fieldgate_api::discovery::{SearchDraft, SearchScope, SearchView};
use fieldgate_api::endpoint::{GetSearch, GetSearches, PreviewSearch, StartSearch, StopSearch};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::cards;
use crate::client::{call, change};
use crate::pages::editor::Editor;
use crate::widgets::announce::Announcer;
use crate::widgets::empty::empty_state;
use crate::widgets::job_progress::{Job, job_progress};
use crate::widgets::page::trouble_note;

/// How often a search is looked at while it runs.
const PERIOD: Duration = Duration::from_millis(700);
const RUNNING: &str = "running";

/// A search on this page.
#[derive(Clone, Copy)]
struct Search {
    kind: StoredValue<Kind>,
    range: RwSignal<String>,
    ports: RwSignal<String>,
    public: RwSignal<bool>,
    /// What the range that stands in the fields would send.
    scope: RwSignal<Option<SearchScope>>,
    view: RwSignal<Option<SearchView>>,
    trouble: RwSignal<Option<Trouble>>,
    announcer: Announcer,
}

/// Nothing for a kind that cannot be searched for.
pub fn search(editor: Editor, kind: StoredValue<Kind>) -> Option<AnyView> {
    let usual = kind.with_value(|kind| kind.searches.clone())?;
    let search = Search {
        kind,
        range: RwSignal::new(String::new()),
        ports: RwSignal::new(listed(&usual)),
        public: RwSignal::new(false),
        scope: RwSignal::new(None),
        view: RwSignal::new(None),
        trouble: RwSignal::new(None),
        announcer: Announcer::expect(),
    };
    search.resume();
    Some(view! {
        <details data-test="search-network">
            <summary>"Nobody knows its address? Search the network"</summary>
            <div class="field">
                <div class="actions"><button type="button" data-test="ask-network" aria-describedby="ask-help" on:click=move |_| search.start(None)>"Ask the local network"</button></div>
                <p class="help" id="ask-help">"One question by multicast DNS, heard within this machine's own network segments. Only who answers is asked further. It takes about 3 seconds."</p>
            </div>
            {search.fields()}
            {move || search.scope.get().map(|scope| search.confirm(&scope))}
        </details>
        {move || search.trouble.get().map(|trouble| trouble_note(&trouble))}
        {search.progress()}
        {move || search.view.get().map(|view| search.outcome(editor, &view))}
    }
    .into_any())
}

// === impl Search ===

impl Search {
    fn fields(self) -> AnyView {
        let changed = move |field: RwSignal<String>, event| {
            field.set(event_target_value(&event));
            self.scope.set(None);
        };
        view! {
            <div class="inputs">
                <div class="field">
                    <label for="scan-range">"Or a range of addresses"</label>
                    <input type="text" id="scan-range" autocomplete="off" spellcheck="false" aria-describedby="scan-help" prop:value=move || self.range.get()
                        on:input=move |event| changed(self.range, event)
                        on:keydown=move |event| if event.key() == "Enter" { event.prevent_default(); self.preview(); }/>
                    <p class="help" id="scan-help">"Such as 192.168.0.0/24, or 192.168.0.10-50."</p>
                </div>
                <div class="field">
                    <label for="scan-ports">"Ports"</label>
                    <input type="text" id="scan-ports" autocomplete="off" spellcheck="false" prop:value=move || self.ports.get()
                        on:input=move |event| changed(self.ports, event)/>
                </div>
            </div>
            <div class="actions"><button type="button" data-test="scope" on:click=move |_| self.preview()>"Show what a scan sends"</button></div>
        }
        .into_any()
    }

    /// What it sends, and the button that does it.
    fn confirm(self, scope: &SearchScope) -> AnyView {
        let range = self.range.get_untracked();
        let public = scope.public.then(|| {
            view! {
                <div class="check">
                    <input type="checkbox" id="scan-public" prop:checked=move || self.public.get() on:change=move |event| self.public.set(event_target_checked(&event))/>
                    <label for="scan-public">"These are public addresses. They are ours, and may be scanned."</label>
                </div>
            }
        });
        view! {
            <div class="note" role="status" data-test="scope-words"><p>{words::capital(&scope.words)}"."</p></div>
            {public}
            <div class="actions"><button type="button" data-test="scan" on:click=move |_| self.start(Some(range.clone()))>"Scan now"</button></div>
        }
        .into_any()
    }

    fn progress(self) -> AnyView {
        let running = Memo::new(move |_| {
            self.view
                .with(|view| view.as_ref().is_some_and(|view| view.state == RUNNING))
        });
        let job = Memo::new(move |_| {
            let of = |view: &SearchView| Job {
                title: view.title.clone(),
                done: view.done,
                all: view.all,
                words: format!("{} found", view.found.len()),
            };
            self.view
                .with(|view| view.as_ref().map(of))
                .unwrap_or_default()
        });
        let stop = Callback::new(move |()| self.stop());
        (move || running.get().then(|| job_progress(job, stop))).into_any()
    }

    fn outcome(self, editor: Editor, view: &SearchView) -> AnyView {
        let silent = view
            .silent
            .iter()
            .map(|words| view! { <li>{words::capital(&words::plain(words))}</li> });
        let silent = (!view.silent.is_empty()).then(|| {
            view! {
                <p class="faint">"Somebody is there who does not answer as one of these:"</p>
                <ul class="lines faint" data-test="search-silent">{silent.collect_view()}</ul>
            }
        });
        let nothing = view.found.is_empty() && view.state != RUNNING;
        let nothing = nothing.then(|| {
            let words = "Devices in another network segment do not hear the question, and some announce nothing. Type the address, or scan a range.";
            empty_state("Nothing was found.", words, None)
        });
        view! { {cards(editor, self.kind, &view.found)}{nothing}{silent} }.into_any()
    }

    fn preview(self) {
        self.trouble.set(None);
        let draft = self.draft(Some(self.range.get_untracked()));
        spawn_local(async move {
            match change::<PreviewSearch>(&[], &draft, None).await {
                Ok(scope) => self.scope.try_set(Some(scope)),
                Err(trouble) => {
                    self.trouble.try_set(Some(trouble));
                    None
                }
            };
        });
    }

    fn start(self, range: Option<String>) {
        self.trouble.set(None);
        self.scope.set(None);
        let draft = self.draft(range);
        spawn_local(async move {
            match change::<StartSearch>(&[], &draft, None).await {
                Ok(view) => self.follow(view),
                Err(trouble) => {
                    self.trouble.try_set(Some(trouble));
                }
            }
        });
    }

    /// A search that was started before the page was loaded.
    fn resume(self) {
        spawn_local(async move {
            let all = call::<GetSearches>(&[]).await.unwrap_or_default();
            let kind = self.kind.try_with_value(|kind| kind.kind.clone());
            let ours =
                |view: &SearchView| view.state == RUNNING && Some(&view.kind) == kind.as_ref();
            if let Some(view) = all.into_iter().find(ours) {
                self.follow(view);
            }
        });
    }

    /// Shows it as it is, and looks again while it runs and the page is there.
    fn follow(self, view: SearchView) {
        let (id, running, found) = (view.id.clone(), view.state == RUNNING, view.found.len());
        if self.view.try_set(Some(view)).is_some() {
            return;
        }
        if !running {
            self.announcer
                .say(&format!("The search has ended, {found} found"));
            return;
        }
        set_timeout(
            move || {
                spawn_local(async move {
                    match call::<GetSearch>(&[&id]).await {
                        Ok(view) => self.follow(view),
                        Err(trouble) => {
                            self.trouble.try_set(Some(trouble));
                        }
                    }
                });
            },
            PERIOD,
        );
    }

    fn stop(self) {
        let Some(id) = self
            .view
            .with_untracked(|view| view.as_ref().map(|view| view.id.clone()))
        else {
            return;
        };
        spawn_local(async move {
            if let Err(trouble) = change::<StopSearch>(&[&id], &(), None).await {
                self.trouble.try_set(Some(trouble));
            }
        });
    }

    fn draft(self, range: Option<String>) -> SearchDraft {
        SearchDraft {
            kind: self.kind.with_value(|kind| kind.kind.clone()),
            public: self.public.get_untracked(),
            // What is no port becomes 0, which the gateway refuses in words.
            ports: match range {
                None => Vec::new(),
                Some(_) => ports(&self.ports.get_untracked()),
            },
            range,
        }
    }
}

fn listed(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ports.join(", ")
}

fn ports(text: &str) -> Vec<u16> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}
