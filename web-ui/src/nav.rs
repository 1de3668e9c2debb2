//! The URL of the tab: which page is shown, and its state.

use fieldgate_ui_logic::place::{Place, query_value, with_query};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlAnchorElement, HtmlElement, MouseEvent};

/// The URL, as signals.
#[derive(Clone, Copy)]
pub struct Nav {
    pub place: Memo<Place>,
    path: RwSignal<String>,
    query: RwSignal<String>,
}

impl Nav {
    /// Reads the URL, and follows it: links of the console change it without loading the page anew.
    pub fn start() -> Self {
        let path = RwSignal::new(String::new());
        let nav = Self {
            place: Memo::new(move |_| path.with(|path| Place::parse(path))),
            path,
            query: RwSignal::new(String::new()),
        };
        nav.read();
        window_event_listener(ev::popstate, move |_| nav.read());
        window_event_listener(ev::click, move |event| nav.clicked(&event));
        Effect::new(move |former: Option<()>| {
            document().set_title(&format!("{} · Fieldgate", nav.place.get().title()));
            if former.is_some() {
                request_animation_frame(|| focus("page-title"));
            }
        });
        provide_context(nav);
        nav
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// Shows another page.
    pub fn go(self, url: &str) {
        if let Ok(history) = window().history() {
            // A URL of our own origin is never refused.
            let _ = history.push_state_with_url(&JsValue::NULL, "", Some(url));
        }
        self.read();
        window().scroll_to_with_x_and_y(0.0, 0.0);
    }

    /// A value of the query; tracked.
    pub fn value(self, key: &str) -> String {
        self.query.with(|query| query_value(query, key))
    }

    /// Changes a value of the query; an empty one takes it away. It makes no step in the history.
    pub fn set_value(self, key: &str, value: &str) {
        let query = with_query(&self.query.get_untracked(), key, value);
        let path = self.path.get_untracked();
        let url = if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        };
        if let Ok(history) = window().history() {
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&url));
        }
        self.query.set(query);
    }

    fn read(self) {
        let location = window().location();
        let path = location.pathname().unwrap_or_default();
        let query = location.search().unwrap_or_default();
        self.query.set(query.trim_start_matches('?').to_owned());
        if self.path.get_untracked() != path {
            self.path.set(path);
        }
    }

    fn clicked(self, event: &MouseEvent) {
        let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
        if event.default_prevented() || event.button() != 0 || modified {
            return;
        }
        let Some(link) = link(event).filter(is_ours) else {
            return;
        };
        event.prevent_default();
        self.go(&format!("{}{}", link.pathname(), link.search()));
    }
}

/// Gives an element the focus, if it is there.
pub fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id)
        && let Ok(element) = element.dyn_into::<HtmlElement>()
    {
        // An element that cannot take the focus leaves it where it is.
        let _ = element.focus();
    }
}

fn link(event: &MouseEvent) -> Option<HtmlAnchorElement> {
    let target: Element = event.target()?.dyn_into().ok()?;
    target.closest("a[href]").ok()??.dyn_into().ok()
}

/// A page of the console, and not one of the gateway's other files.
fn is_ours(link: &HtmlAnchorElement) -> bool {
    let same = window()
        .location()
        .origin()
        .is_ok_and(|origin| origin == link.origin());
    let other = [
        "/api/", "/help", "/metrics", "/healthz", "/readyz", "/ca.crt",
    ];
    same && link.hash().is_empty()
        && link.target().is_empty()
        && !link.has_attribute("download")
        && !other.iter().any(|start| link.pathname().starts_with(start))
}
