//! The browser console: a single page that shows what the gateway's API says and changes its configuration.
//!
//! | module | subject |
//! |---|---|
//! | [`app`] | the frame around the pages |
//! | [`nav`] | the URL, which holds all state of a page |
//! | [`client`] | calls of the API |
//! | [`fetched`] | answers that stay fresh |
//! | [`live`] | the one WebSocket |
//! | [`items`] | sources, destinations and routes alike |
//! | [`widgets`] | the parts that all pages are made of |
//! | [`pages`] | one file a page |

mod app;
mod client;
mod fetched;
mod items;
mod live;
mod nav;
mod pages;
mod widgets;

fn main() {
    leptos::mount::mount_to_body(app::App);
}
