//! `TypeToConfirm`: a deed without undo; its button works once a person has typed the word.

use leptos::prelude::*;

/// `label` names the deed, `word` is what has to be typed; it is read anew whenever it changes.
pub fn type_to_confirm(
    id: &'static str,
    label: &'static str,
    word: Signal<String>,
    deed: impl Fn() + Clone + Send + Sync + 'static,
) -> AnyView {
    let typed = RwSignal::new(String::new());
    let meant = Memo::new(move |_| {
        let word = word.get();
        !word.is_empty() && typed.get().trim() == word
    });
    let click = move |_| {
        if meant.get_untracked() {
            typed.set(String::new());
            deed();
        }
    };
    view! {
        <div class="confirm">
            <div class="field">
                <label for=id>"Type "<code>{move || word.get()}</code>" to confirm; there is no undo"</label>
                <input class="short" id=id type="text" autocomplete="off" spellcheck="false" prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))/>
            </div>
            <button type="button" data-test=id disabled=move || !meant.get() on:click=click>{label}</button>
        </div>
    }
    .into_any()
}
