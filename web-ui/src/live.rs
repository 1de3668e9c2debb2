//! The one WebSocket of the tab: says what is looked at, and takes what comes.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use fieldgate_api::camera::{LiveHead, MAX_WATCHED, live_parts};
use fieldgate_api::endpoint::GetOverview;
use fieldgate_api::live::{MAX_POINTS, PATH, Update, Watch};
use fieldgate_api::state::{LiveValue, Overview};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, MessageEvent, VisibilityState, WebSocket};

use crate::client;

/// A lost connection is told after this; a restart of the gateway is mostly shorter.
const TOLD_AFTER_MS: i64 = 3_000;

/// The overview comes every second; a socket that is silent for so long leads nowhere.
const SILENT_MS: i64 = 6_000;

/// The pauses between attempts to connect grow from the first to the last.
const PAUSES_MS: [u64; 5] = [300, 1_000, 2_000, 4_000, 8_000];

/// What the gateway says without being asked.
#[derive(Clone, Copy)]
pub struct Live {
    pub overview: RwSignal<Option<Overview>>,
    /// The configuration's revision; 0 until it is known.
    pub revision: RwSignal<u64>,
    /// Changes when what is shown should be fetched again.
    pub refetch: RwSignal<u32>,
    /// Milliseconds since 1970 by the gateway's clock, once a second.
    pub now: RwSignal<i64>,
    /// Since when there is no connection, by this tab's clock.
    lost: RwSignal<Option<i64>>,
    /// The owner of the points' signals.
    owner: StoredValue<Owner>,
    state: StoredValue<State, LocalStorage>,
}

/// Takes what comes of a camera.
pub type Pictures = Rc<dyn Fn(&LiveHead, &[u8])>;

/// A place on a page that watches a camera.
struct Watching {
    ticket: u32,
    camera: String,
    pictures: Pictures,
}

#[derive(Default)]
struct State {
    socket: Option<WebSocket>,
    /// Kept alive as long as the socket may call them.
    handlers: Vec<Closure<dyn FnMut(MessageEvent)>>,
    watched: Vec<String>,
    values: HashMap<String, RwSignal<Option<LiveValue>>>,
    watching: Vec<Watching>,
    tickets: u32,
    attempts: usize,
    /// When the gateway was heard last, or was not expected to say anything.
    heard: i64,
    /// The gateway's clock less this tab's.
    offset_ms: i64,
}

impl Live {
    /// Connects, and stays connected.
    pub fn start() -> Self {
        let live = Self {
            overview: RwSignal::new(None),
            revision: RwSignal::new(0),
            refetch: RwSignal::new(0),
            now: RwSignal::new(clock()),
            lost: RwSignal::new(Some(clock())),
            owner: StoredValue::new(Owner::current().expect("the app is drawn within an owner")),
            state: StoredValue::new_local(State::default()),
        };
        provide_context(live);
        live.connect();
        live.ask_once();
        set_interval(move || live.tick(), Duration::from_secs(1));
        document_visibility(live);
        live
    }

    pub fn expect() -> Self {
        expect_context()
    }

    /// For how long the connection is lost, in milliseconds; none when all is well. Tracked.
    pub fn lost_for(self) -> Option<i64> {
        self.now.track();
        self.lost
            .get()
            .map(|since| clock() - since)
            .filter(|lost| *lost >= TOLD_AFTER_MS)
    }

    /// The signal of a point's value; it lives as long as the tab.
    pub fn value(self, point: &str) -> RwSignal<Option<LiveValue>> {
        let known = self
            .state
            .with_value(|state| state.values.get(point).copied());
        known.unwrap_or_else(|| {
            // Of no page: a page that ends must not take it along.
            let signal = self.owner.get_value().with(|| RwSignal::new(None));
            self.state.update_value(|state| {
                state.values.insert(point.to_owned(), signal);
            });
            signal
        })
    }

    /// Says which points are looked at.
    pub fn watch(self, points: Vec<String>) {
        let changed = self.state.try_update_value(|state| {
            let changed = state.watched != points;
            state.watched = points;
            changed
        });
        if changed == Some(true) {
            self.tell();
        }
    }

    /// Hands what comes of a camera to `pictures`, until it is left.
    pub fn watch_camera(self, camera: &str, pictures: Pictures) -> u32 {
        let ticket = self.state.try_update_value(|state| {
            state.tickets += 1;
            state.watching.push(Watching {
                ticket: state.tickets,
                camera: camera.to_owned(),
                pictures,
            });
            state.tickets
        });
        self.tell();
        ticket.unwrap_or_default()
    }

    /// The place that got this ticket watches no more.
    pub fn leave_camera(self, ticket: u32) {
        self.state
            .update_value(|state| state.watching.retain(|place| place.ticket != ticket));
        self.tell();
    }

    fn take_pictures(self, message: &[u8]) {
        let Some((head, bytes)) = live_parts(message) else {
            return;
        };
        // What is handed over may watch something else; so nothing is borrowed meanwhile.
        let places = self.state.with_value(|state| {
            let places = state.watching.iter();
            let of_it = places.filter(|place| place.camera == head.camera);
            of_it
                .map(|place| Rc::clone(&place.pictures))
                .collect::<Vec<_>>()
        });
        for pictures in places {
            pictures(&head, bytes);
        }
    }

    fn connect(self) {
        let location = window().location();
        let secure = location
            .protocol()
            .is_ok_and(|protocol| protocol == "https:");
        let scheme = if secure { "wss" } else { "ws" };
        let url = format!("{scheme}://{}{PATH}", location.host().unwrap_or_default());
        let Ok(socket) = WebSocket::new(&url) else {
            return self.try_later();
        };
        let opened = Closure::new(move |_| self.opened());
        let message = Closure::new(move |event: MessageEvent| {
            self.state.update_value(|state| state.heard = clock());
            let data = event.data();
            if let Some(text) = data.as_string() {
                self.take(&text);
            } else if let Ok(bytes) = data.dyn_into::<js_sys::ArrayBuffer>() {
                self.take_pictures(&js_sys::Uint8Array::new(&bytes).to_vec());
            }
        });
        let closed = Closure::new(move |_| self.closed());
        socket.set_binary_type(BinaryType::Arraybuffer);
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        self.state.update_value(|state| {
            state.socket = Some(socket);
            state.handlers = vec![opened, message, closed];
        });
    }

    fn opened(self) {
        let attempts = self.state.try_update_value(|state| {
            state.heard = clock();
            std::mem::take(&mut state.attempts)
        });
        self.lost.set(None);
        self.tell();
        if attempts.unwrap_or(0) > 0 {
            self.refetch();
        }
    }

    fn closed(self) {
        if self.lost.get_untracked().is_none() {
            self.lost.set(Some(clock()));
        }
        self.try_later();
    }

    fn try_later(self) {
        let attempts = self.state.try_update_value(|state| {
            state.socket = None;
            state.attempts += 1;
            state.attempts
        });
        let pause = PAUSES_MS[(attempts.unwrap_or(1) - 1).min(PAUSES_MS.len() - 1)];
        // Tabs that lost the same gateway do not come back in the same moment.
        let jittered = (pause as f64 * (0.5 + js_sys::Math::random())) as u64;
        set_timeout(move || self.connect(), Duration::from_millis(jittered));
    }

    fn tell(self) {
        let visible = !is_hidden();
        self.state.with_value(|state| {
            let Some(socket) = state
                .socket
                .as_ref()
                .filter(|s| s.ready_state() == WebSocket::OPEN)
            else {
                return;
            };
            let points = state.watched.iter().take(MAX_POINTS).cloned().collect();
            let mut cameras: Vec<String> = Vec::new();
            for place in &state.watching {
                if !cameras.contains(&place.camera) && cameras.len() < MAX_WATCHED {
                    cameras.push(place.camera.clone());
                }
            }
            let watch = if visible {
                Watch {
                    overview: true,
                    points,
                    cameras,
                }
            } else {
                Watch::default()
            };
            if let Ok(text) = serde_json::to_string(&watch) {
                // A socket that closes meanwhile says so by its own event.
                let _ = socket.send_with_str(&text);
            }
        });
    }

    fn take(self, text: &str) {
        match serde_json::from_str(text) {
            Ok(Update::Overview(overview)) => self.take_overview(*overview),
            Ok(Update::Values(values)) => {
                for value in values {
                    self.value(&value.point).set(Some(value));
                }
            }
            Ok(Update::Revision(revision)) => self.take_revision(revision),
            // Only a gateway of another version says what we do not know, or refuses what we say.
            Ok(Update::Refused(_)) | Err(_) => self.refetch(),
        }
    }

    fn take_overview(self, overview: Overview) {
        let now = overview.now.millis();
        self.state
            .update_value(|state| state.offset_ms = now - clock());
        self.take_revision(overview.revision);
        self.overview.set(Some(overview));
        self.now.set(now);
    }

    fn take_revision(self, revision: u64) {
        let former = self.revision.get_untracked();
        if former != revision {
            self.revision.set(revision);
            // The first one tells nothing new.
            if former != 0 || self.overview.with_untracked(Option::is_some) {
                self.refetch();
            }
        }
    }

    fn refetch(self) {
        *self.refetch.write() += 1;
    }

    /// The first overview does not wait for the WebSocket.
    fn ask_once(self) {
        spawn_local(async move {
            if let Ok(overview) = client::call::<GetOverview>(&[]).await
                && self.overview.with_untracked(Option::is_none)
            {
                self.take_overview(overview);
            }
        });
    }

    fn tick(self) {
        if is_hidden() {
            self.state.update_value(|state| state.heard = clock());
        } else {
            self.drop_a_silent_socket();
            let offset = self.state.with_value(|state| state.offset_ms);
            self.now.set(clock() + offset);
        }
    }

    fn drop_a_silent_socket(self) {
        let silent = self.state.with_value(|state| {
            let silent = clock() - state.heard > SILENT_MS;
            state
                .socket
                .clone()
                .filter(|socket| silent && socket.ready_state() == WebSocket::OPEN)
        });
        if let Some(socket) = silent {
            let heard = self.state.with_value(|state| state.heard);
            self.lost.set(Some(heard));
            // Closing an open socket is never refused; its end comes as an event.
            let _ = socket.close();
        }
    }
}

/// Whether the tab is out of sight.
pub fn is_hidden() -> bool {
    document().visibility_state() == VisibilityState::Hidden
}

fn document_visibility(live: Live) {
    window_event_listener(ev::visibilitychange, move |_| live.tell());
}

fn clock() -> i64 {
    js_sys::Date::now() as i64
}
