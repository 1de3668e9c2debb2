//! Icons: strokes on a grid of 24, always beside words.

use fieldgate_api::state::Level;
use leptos::prelude::*;

/// What there is a picture of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Overview,
    Devices,
    Sources,
    Explore,
    Routes,
    Rules,
    Queue,
    Destinations,
    Trust,
    Configuration,
    More,
    Copy,
    Good,
    Idle,
    Warning,
    Bad,
}

/// Draws it; hidden from screen readers, which read the words.
pub fn icon(icon: Icon) -> AnyView {
    let path = match icon {
        Icon::Overview => "M3 12h4l3-8 4 16 3-8h4",
        Icon::Devices => "M6 4h12v16H6zM9 8h6M9 12h6M12 16h.01",
        Icon::Sources => "M12 3v8M8 7l4 4 4-4M4 14v5h16v-5",
        Icon::Explore => "M10.5 4a6.5 6.5 0 1 1-.01 0M15.5 15.5L21 21",
        Icon::Routes => "M6 6h4a4 4 0 0 1 4 4v4a4 4 0 0 0 4 4M18 15l3 3-3 3M6 6a2 2 0 1 1-.01 0",
        Icon::Rules => "M13 3L5 13h6l-1 8 8-10h-6z",
        Icon::Queue => "M4 6h16M4 12h16M4 18h16M8 4v4M13 10v4M17 16v4",
        Icon::Destinations => {
            "M12 21v-8M8 17l4-4 4 4M7 13a4 4 0 0 1 .5-8 5 5 0 0 1 9.6 1.5A3.5 3.5 0 0 1 18 13"
        }
        Icon::Trust => "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
        Icon::Configuration => "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
        Icon::More => "M5 12h.01M12 12h.01M19 12h.01",
        Icon::Copy => "M9 9h11v11H9zM5 15H4V4h11v1",
        Icon::Good => "M12 3a9 9 0 1 1-.01 0M8 12.5l3 3 5.5-6",
        Icon::Idle => "M12 3a9 9 0 1 1-.01 0M8.5 12h7",
        Icon::Warning => "M12 4L2.5 20h19zM12 10v4.5M12 17.2v.1",
        Icon::Bad => "M8 3h8l5 5v8l-5 5H8l-5-5V8zM9 9l6 6M15 9l-6 6",
    };
    view! {
        <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
            <path d=path></path>
        </svg>
    }
    .into_any()
}

/// The icon of a level; each has its own outline, so that colour is not needed.
pub fn level_icon(level: Level) -> AnyView {
    icon(match level {
        Level::Good => Icon::Good,
        Level::Idle => Icon::Idle,
        Level::Warning => Icon::Warning,
        Level::Bad => Icon::Bad,
    })
}

/// The class of a level, for its colour.
pub fn level_class(level: Level) -> &'static str {
    match level {
        Level::Good => "good",
        Level::Idle => "idle",
        Level::Warning => "warning",
        Level::Bad => "bad",
    }
}
