//! `Dialog`: a question over the page. The browser keeps the focus in it and gives it back; Escape closes it.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// A dialog of a page, closed at first. `FOCUS` is the id of what takes the focus in it.
#[derive(Clone, Copy)]
pub struct Dialog(NodeRef<html::Dialog>);

/// What has this id within an open dialog takes the focus.
pub const FOCUS: &str = "dialog-focus";

// === impl Dialog ===

impl Dialog {
    pub fn new() -> Self {
        Self(NodeRef::new())
    }

    /// Opens it, once what stands in it was drawn.
    pub fn open(self) {
        request_animation_frame(move || {
            if let Some(dialog) = self.0.get_untracked()
                && !dialog.open()
            {
                // It is in the page and closed, so that nothing can be wrong.
                let _opened = dialog.show_modal();
            }
            focus();
        });
    }

    pub fn close(self) {
        if let Some(dialog) = self.0.get_untracked() {
            dialog.close();
        }
    }

    /// Another step is shown: the focus goes there.
    pub fn turned(self) {
        request_animation_frame(focus);
    }

    /// `title` is the id of its heading, `closed` is called however it was closed.
    pub fn view(
        self,
        title: &'static str,
        content: impl Fn() -> AnyView + Send + Sync + 'static,
        closed: impl Fn() + Send + Sync + 'static,
    ) -> AnyView {
        view! {
            <dialog class="dialog" node_ref=self.0 aria-labelledby=title on:close=move |_| closed()>{content}</dialog>
        }
        .into_any()
    }
}

fn focus() {
    let place = document().get_element_by_id(FOCUS);
    if let Some(place) = place.and_then(|place| place.dyn_into::<HtmlElement>().ok()) {
        // An element that is gone again needs no focus.
        let _focused = place.focus();
    }
}
