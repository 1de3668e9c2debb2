//! The browser console: a single page that shows what the gateway's API says and changes its configuration.
//!
//! | module | subject |
//! |---|---|
//! | [`app`] | the frame around the pages |
//! | [`nav`] | the URL, which holds all state of a page |
//! | [`client`] | calls of the API |
//! | [`fetched`] | answers that stay fresh |
//! | [`live`] | the one WebSocket |
//! | [`lines`] | an answer that comes line by line |
//! | [`items`] | sources, destinations and routes alike |
//! | [`widgets`] | the parts that all pages are made of |
//! | [`pages`] | one file a page |

mod app;
mod client;
mod fetched;
mod items;
mod lines;
mod live;
mod nav;
mod pages;
mod widgets;

fn main() {
    std::panic::set_hook(Box::new(|panic| tell(&panic.to_string())));
    leptos::mount::mount_to_body(app::App);
}

/// A console that stopped must not look as if it were alive.
fn tell(panic: &str) {
    web_sys::console::error_1(&panic.into());
    let document = leptos::prelude::document();
    if let (Ok(note), Some(body)) = (document.create_element("p"), document.body()) {
        note.set_class_name("stopped");
        note.set_text_content(Some(
            "The console stopped because of a fault of its own; the gateway goes on. Reload the page.",
        ));
        // There is nobody left to tell when even this fails.
        let _ = note
            .set_attribute("role", "alert")
            .and_then(|()| body.prepend_with_node_1(&note));
    }
}
