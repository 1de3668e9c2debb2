//! A source's rules as a file: download, and import with all that it would change shown first.

use fieldgate_api::endpoint::ImportSelection;
use fieldgate_api::selection::{SelectionConflict, SelectionImport, SelectionMode, SelectionPlan};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::diff::Line;
use fieldgate_ui_logic::import::{
    MODES, can_apply, fates, format_of, lines, mode_words, outcome, place, summary,
};
use fieldgate_ui_logic::place::{Place, Section, encode};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, File, HtmlInputElement};

use crate::client::change;
use crate::live::Live;
use crate::nav::Nav;
use crate::widgets::announce::Announcer;
use crate::widgets::page::trouble_note;
use crate::widgets::toast::Toasts;

/// What is chosen and what it would do.
#[derive(Clone, Copy)]
struct Import {
    source: StoredValue<String>,
    file: RwSignal<Option<Chosen>>,
    mode: RwSignal<SelectionMode>,
    outcome: RwSignal<Option<Result<Checked, Trouble>>>,
    live: Live,
    nav: Nav,
    toasts: Toasts,
    announcer: Announcer,
}

/// A file as it was read.
#[derive(Clone, PartialEq)]
struct Chosen {
    name: String,
    text: String,
}

/// What a dry run told, and the revision that it was based on.
#[derive(Clone)]
struct Checked {
    plan: SelectionPlan,
    revision: u64,
}

/// The rules of a configured source as a file.
pub fn selection_file(source: &str) -> AnyView {
    let import = Import {
        source: StoredValue::new(source.to_owned()),
        file: RwSignal::new(None),
        mode: RwSignal::new(SelectionMode::Merge),
        outcome: RwSignal::new(None),
        live: Live::expect(),
        nav: Nav::expect(),
        toasts: Toasts::expect(),
        announcer: Announcer::expect(),
    };
    let download = |format: &str| {
        let url = format!(
            "/api/v1/export/sources/{}/selection.{format}",
            encode(source)
        );
        let (name, test) = (format!("{source}.{format}"), format!("export-{format}"));
        let label = format!("Export {}", format.to_uppercase());
        view! { <a class="button" href=url download=name data-test=test>{label}</a> }
    };
    let choose = move |event: Event| {
        let input = event_target::<HtmlInputElement>(&event);
        let file = input.files().and_then(|files| files.get(0));
        if let Some(file) = file {
            import.read(file);
        }
        // So that the same file can be chosen again once it is corrected.
        input.set_value("");
    };
    view! {
        <section class="card" aria-labelledby="file-title" data-test="selection-file">
            <h2 id="file-title">"As a file"</h2>
            <p class="help">{format!("What {source} reads, as a table for a spreadsheet or as the list of the settings. It comes back the same way; what it changes is shown first.")}</p>
            <div class="actions">{download("csv")}{download("json")}</div>
            <div class="inputs">
                <div class="field">
                    <label for="import-file">"Import a .csv or .json file"</label>
                    <input type="file" id="import-file" accept=".csv,.json,text/csv,application/json" on:change=choose/>
                </div>
            </div>
            <fieldset class="modes">
                <legend>"What the file does to the rules that are there"</legend>
                {MODES.map(|mode| import.mode(mode)).into_iter().collect_view()}
            </fieldset>
            {move || import.outcome.get().map(|outcome| match outcome {
                Err(trouble) => trouble_note(&trouble),
                Ok(checked) => import.plan(&checked),
            })}
        </section>
    }
    .into_any()
}

// === impl Import ===

impl Import {
    /// A mode to choose, with what it would come to once a file is there.
    fn mode(self, mode: SelectionMode) -> AnyView {
        let words = mode_words(mode);
        let (id, help) = (
            format!("import-{}", words.id),
            format!("import-help-{}", words.id),
        );
        let would = move || {
            let of = |plan: &SelectionPlan| {
                let told = plan.modes.iter().find(|told| told.mode == mode);
                told.map(|told| format!("{}.", words::capital(&outcome(told))))
            };
            self.outcome.with(|outcome| match outcome {
                Some(Ok(checked)) => of(&checked.plan),
                _ => None,
            })
        };
        view! {
            <div class="check">
                <input type="radio" name="import-mode" id=id.clone() aria-describedby=help.clone() prop:checked=move || self.mode.get() == mode
                    on:change=move |_| { self.mode.set(mode); self.check(); }/>
                <label for=id>{words.name}</label>
                <p class="help" id=help>{words.help}" "<strong data-test="mode-would">{would}</strong></p>
            </div>
        }
        .into_any()
    }

    fn read(self, file: File) {
        let name = file.name();
        spawn_local(async move {
            let read = JsFuture::from(file.text()).await;
            match read.ok().and_then(|text| text.as_string()) {
                Some(text) => {
                    self.file.try_set(Some(Chosen { name, text }));
                    self.check();
                }
                None => {
                    self.outcome.try_set(Some(Err(unreadable(&name))));
                }
            }
        });
    }

    /// Asks what the file would change.
    fn check(self) {
        let Some(Some(file)) = self.file.try_get_untracked() else {
            return;
        };
        let (mode, revision) = (
            self.mode.get_untracked(),
            self.live.revision.get_untracked(),
        );
        let asked = request(&file, mode, true);
        spawn_local(async move {
            let source = self.source.get_value();
            let answer = change::<ImportSelection>(&[&source], &asked, None).await;
            // Another file, or another mode, may have been chosen meanwhile; or the page may be gone.
            let still = self.file.try_get_untracked() == Some(Some(file))
                && self.mode.try_get_untracked() == Some(mode);
            if still {
                if let Ok(plan) = &answer {
                    self.announcer.say(&summary(plan));
                }
                let checked = answer.map(|plan| Checked { plan, revision });
                self.outcome.try_set(Some(checked));
            }
        });
    }

    /// Takes the file over, if nobody changed the configuration since it was checked.
    fn apply(self, revision: u64) {
        let Some(file) = self.file.get_untracked() else {
            return;
        };
        let asked = request(&file, self.mode.get_untracked(), false);
        spawn_local(async move {
            let source = self.source.get_value();
            let done = change::<ImportSelection>(&[&source], &asked, Some(revision)).await;
            match done {
                Ok(SelectionPlan {
                    saved: Some(saved), ..
                }) => {
                    let words = format!("The source {source} reads what {} says.", file.name);
                    self.toasts.saved(&words, &saved);
                    self.nav.go(&Place::Item(Section::Sources, source).path());
                }
                Ok(plan) => {
                    self.outcome.try_set(Some(Ok(Checked { plan, revision })));
                }
                Err(trouble) => {
                    self.outcome.try_set(Some(Err(trouble)));
                }
            }
        });
    }

    fn plan(self, checked: &Checked) -> AnyView {
        let Checked { plan, revision } = checked;
        let revision = *revision;
        let name = self
            .file
            .with_untracked(|file| file.as_ref().map(|file| words::plain(&file.name)));
        let problems: Vec<AnyView> = plan
            .problems
            .iter()
            .map(|problem| {
                view! { <li><strong>{place(problem)}</strong><span>{words::plain(&problem.words)}</span></li> }
                    .into_any()
            })
            .collect();
        let changes: Vec<AnyView> = lines(plan)
            .into_iter()
            .map(|(kind, line)| {
                let class = match kind {
                    Line::Added => "added",
                    Line::Removed => "removed",
                    Line::Place | Line::Same => "same",
                };
                view! { <span class=class>{format!("{}\n", words::plain(&line))}</span> }.into_any()
            })
            .collect();
        let (any_problem, any_change) = (!problems.is_empty(), !changes.is_empty());
        let cannot = !can_apply(plan);
        view! {
            <p role="status" data-test="import-summary"><strong>{name}</strong>": "{summary(plan)}</p>
            {any_problem.then(|| view! {
                <p class="warning-text">"Nothing is taken over as long as something is wrong:"</p>
                <ul class="lines" data-test="import-problems">{problems}</ul>
            })}
            {conflicts(&plan.conflicts)}
            {any_change.then(|| view! {
                <pre class="diff" tabindex="0" role="region" aria-label="What the file changes" data-test="import-diff">{changes}</pre>
            })}
            <div class="actions">
                <button type="button" class="primary" data-test="import-apply" disabled=cannot on:click=move |_| self.apply(revision)>"Apply"</button>
            </div>
        }
        .into_any()
    }
}

/// What is there already and differs, both beside each other, and what each mode does with it.
fn conflicts(conflicts: &[SelectionConflict]) -> Option<AnyView> {
    let row = |conflict: &SelectionConflict| {
        let line = format!("Line {}", conflict.line);
        view! {
            <tr role="row">
                <th role="rowheader" scope="row">{line}</th>
                <td role="cell" data-label="Is there"><code>{words::plain(&conflict.present.to_string())}</code></td>
                <td role="cell" data-label="The file says"><code>{words::plain(&conflict.file.to_string())}</code></td>
            </tr>
        }
        .into_any()
    };
    let (some, count) = (!conflicts.is_empty(), conflicts.len() as u64);
    some.then(|| view! {
        <h3>{words::counted(count, "conflict")}</h3>
        <p class="help">"A rule about the same is there already, and says something else. "{fates()}"."</p>
        <table role="table" class="plain" aria-label="Conflicts" data-test="conflicts">
            <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">"Where"</th><th role="columnheader" scope="col">"Is there"</th><th role="columnheader" scope="col">"The file says"</th></tr></thead>
            <tbody role="rowgroup">{conflicts.iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any())
}

fn request(file: &Chosen, mode: SelectionMode, dry_run: bool) -> SelectionImport {
    SelectionImport {
        format: format_of(&file.name, &file.text),
        text: file.text.clone(),
        mode,
        dry_run,
    }
}

fn unreadable(name: &str) -> Trouble {
    Trouble {
        code: "FG-REQUEST".to_owned(),
        title: "the file cannot be read".to_owned(),
        status: 0,
        detail: format!("the browser does not hand out {name}; choose it again"),
        problems: Vec::new(),
    }
}
