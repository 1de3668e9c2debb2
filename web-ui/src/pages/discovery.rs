//! Finding a source: a person types an address, or has the network searched; what answers is shown, and one click fills the form with it.

mod search;

use fieldgate_api::config::Kind;
use fieldgate_api::discovery::{DiscoverDraft, Found, FoundWay};
use fieldgate_api::endpoint::DiscoverSources;
use fieldgate_api::trouble::Trouble;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::editor::Editor;
use crate::client::change;
use crate::widgets::announce::Announcer;
use crate::widgets::discovery_card::discovery_card;
use crate::widgets::empty::empty_state;
use crate::widgets::page::trouble_note;

/// What a search came to.
type Outcome = Result<Vec<Found>, Trouble>;

/// The search of one kind; nothing for a kind that has nobody to ask.
pub fn discovery(editor: Editor, kind: &Kind) -> Option<AnyView> {
    let hint = kind.discovers.clone()?;
    let address = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let outcome = RwSignal::new(None::<Outcome>);
    let announcer = Announcer::expect();
    let name = kind.kind.clone();
    let ask = move || {
        let draft = DiscoverDraft {
            kind: name.clone(),
            address: address.get_untracked().trim().to_owned(),
        };
        if !draft.address.is_empty() && !busy.get_untracked() {
            look(draft, busy, outcome, announcer);
        }
    };
    let ask = Callback::new(move |()| ask());
    let kind = StoredValue::new(kind.clone());
    let words = move || if busy.get() { "Asking…" } else { "Find" };
    Some(view! {
        <section class="card discovery" aria-labelledby="find-title">
            <h2 id="find-title">"Find it"</h2>
            <div class="field">
                <label for="find-address">"Address"</label>
                <input type="text" id="find-address" autocomplete="off" spellcheck="false" aria-describedby="find-help" prop:value=move || address.get()
                    on:input=move |event| address.set(event_target_value(&event))
                    on:keydown=move |event| if event.key() == "Enter" { event.prevent_default(); ask.run(()); }/>
                <p class="help" id="find-help">{hint}". Only this machine is asked, and only now. Or fill in the form below."</p>
            </div>
            <div class="actions">
                <button type="button" data-test="find" aria-disabled=move || busy.get().then_some("true") on:click=move |_| ask.run(())>{words}</button>
            </div>
            {move || outcome.get().map(|outcome| shown(editor, kind, outcome))}
            {search::search(editor, kind)}
        </section>
    }
    .into_any())
}

fn look(
    draft: DiscoverDraft,
    busy: RwSignal<bool>,
    outcome: RwSignal<Option<Outcome>>,
    announcer: Announcer,
) {
    busy.set(true);
    outcome.set(None);
    spawn_local(async move {
        let found = change::<DiscoverSources>(&[], &draft, None).await;
        busy.try_set(false);
        announcer.say(match &found {
            Ok(found) if found.is_empty() => "Nothing was found",
            Ok(_) => "Found",
            Err(_) => "Nobody answers there",
        });
        outcome.try_set(Some(found));
    });
}

fn shown(editor: Editor, kind: StoredValue<Kind>, outcome: Outcome) -> AnyView {
    let found = match outcome {
        Err(trouble) => return trouble_note(&trouble),
        Ok(found) if found.is_empty() => {
            let words = "It answers, but offers no way in that is spoken here. Look at the security policies that are enabled on it.";
            return empty_state("Nothing to add.", words, None);
        }
        Ok(found) => found,
    };
    cards(editor, kind, &found)
}

/// A card for each; its buttons fill the form.
fn cards(editor: Editor, kind: StoredValue<Kind>, found: &[Found]) -> AnyView {
    let card = |found: &Found| {
        let id = found.id.clone();
        let add = Callback::new(move |way: FoundWay| {
            kind.with_value(|kind| editor.fill(kind, &id, way.settings));
        });
        kind.with_value(|kind| discovery_card(found, &kind.title, add))
    };
    let cards: Vec<AnyView> = found.iter().map(card).collect();
    view! { <ul class="cards">{cards}</ul> }.into_any()
}
