//! A camera's picture as it is now: played by Media Source Extensions where the browser can, else a picture a second; its age always shown.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use fieldgate_api::camera::{LiveHead, LivePart, PICTURE_PATH};
use fieldgate_ui_logic::place::encode;
use fieldgate_ui_logic::{playing, words};
use js_sys::{Array, Uint8Array};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, Event, HtmlVideoElement, MediaSource, SourceBuffer, Url};

use crate::live::{Live, is_hidden};

/// A picture is called old after this.
const OLD_MS: i64 = 3_000;
/// Parts that wait for the browser; beyond that it begins anew at the next key frame.
const WAITING: usize = 250;
/// As much of what was played is kept, in seconds.
const KEPT_S: f64 = 8.0;
/// How often a picture is fetched where the stream cannot be played.
const PICTURE_PERIOD: Duration = Duration::from_secs(1);

/// What is shown in the place of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    /// Nothing came yet.
    Waiting,
    Playing,
    /// Whole pictures, by their object URL.
    Pictures(String),
    /// A picture a second, and why.
    Fetched(String),
    None(String),
}

/// One browser's player of one stream.
struct Player {
    media: MediaSource,
    url: String,
    mime: String,
    buffer: Option<SourceBuffer>,
    waiting: VecDeque<Uint8Array>,
    /// Kept alive as long as the browser may call them.
    _opened: Closure<dyn FnMut(Event)>,
    updated: Option<Closure<dyn FnMut(Event)>>,
}

/// What one place on a page shows.
#[derive(Clone)]
struct View {
    shown: RwSignal<Shown>,
    /// When the newest picture was seen, by the gateway's clock.
    seen: RwSignal<Option<i64>>,
    video: NodeRef<html::Video>,
    player: Rc<RefCell<Option<Player>>>,
}

/// The picture of a camera; `was` is when the last one was seen before this page was opened.
pub fn live_picture(camera: &str, was: Option<i64>) -> AnyView {
    let live = Live::expect();
    let view = View {
        shown: RwSignal::new(Shown::Waiting),
        seen: RwSignal::new(was),
        video: NodeRef::new(),
        player: Rc::default(),
    };
    let ticket = {
        let view = view.clone();
        live.watch_camera(camera, Rc::new(move |head, bytes| view.take(head, bytes)))
    };
    let player = StoredValue::new_local(Rc::clone(&view.player));
    on_cleanup(move || {
        live.leave_camera(ticket);
        player.with_value(|player| drop(player.take()));
    });
    let (shown, seen) = (view.shown, view.seen);
    let tick = RwSignal::new(0_u32);
    if let Ok(handle) = set_interval_with_handle(
        move || {
            if !is_hidden() {
                tick.update(|tick| *tick = tick.wrapping_add(1));
            }
        },
        PICTURE_PERIOD,
    ) {
        on_cleanup(move || handle.clear());
    }
    let source = format!(
        "{}?at_most_ms=1000",
        PICTURE_PATH.replace("{id}", &encode(camera))
    );
    let still = move || match shown.get() {
        Shown::Pictures(url) => Some(url),
        Shown::Fetched(_) => Some(format!("{source}&tick={}", tick.get())),
        _ => None,
    };
    let age = move || {
        let seen = seen.get()?;
        let age = live.now.get() - seen;
        (age > OLD_MS).then(|| format!("Last picture {}", words::age(age)))
    };
    let hidden = move || shown.get() != Shown::Playing;
    let alternative = format!("What the camera {} sees now", words::plain(camera));
    let note = move || match shown.get() {
        Shown::Waiting => Some("Waiting for a picture…".to_owned()),
        Shown::Fetched(words) | Shown::None(words) => Some(words),
        _ => None,
    };
    view! {
        <div class="live-picture" data-test="live" data-shown=move || word(&shown.get())>
            <video node_ref=view.video prop:muted=true autoplay playsinline hidden=hidden aria-label=alternative.clone()></video>
            {move || still().map(|url| view! { <img src=url alt=alternative.clone() on:error=move |_| failed(shown) /> })}
            {move || note().map(|words| view! { <p class="live-note">{words::plain(&words)}</p> })}
            {move || age().map(|words| view! { <p class="live-old" role="status" data-test="old">{words}</p> })}
        </div>
    }
    .into_any()
}

/// A picture that was fetched is none: neither the browser nor the gateway can decode the stream.
fn failed(shown: RwSignal<Shown>) {
    if let Some(Shown::Fetched(_)) = shown.try_get_untracked() {
        let words = "Neither this browser nor this gateway decodes this stream (H.265): choose a profile of the camera with H.264. It is \
                     measured, recorded and clipped all the same.";
        shown.try_set(Shown::None(words.to_owned()));
    }
}

fn word(shown: &Shown) -> &'static str {
    match shown {
        Shown::Waiting => "waiting",
        Shown::Playing => "playing",
        Shown::Pictures(_) | Shown::Fetched(_) => "pictures",
        Shown::None(_) => "none",
    }
}

// === impl View ===

impl View {
    fn take(&self, head: &LiveHead, bytes: &[u8]) {
        if let Some(seen) = head.seen {
            self.seen.try_set(Some(seen.millis()));
        }
        match head.part {
            LivePart::Begin => self.begin(head.mime.as_deref().unwrap_or_default(), bytes),
            LivePart::Fragment => self.go_on(bytes),
            LivePart::Picture => self.picture(bytes),
            LivePart::None => {
                let words = head.words.clone().unwrap_or_default();
                self.show(Shown::None(words));
            }
        }
    }

    fn begin(&self, mime: &str, bytes: &[u8]) {
        drop(self.player.take());
        if !MediaSource::is_type_supported(mime) {
            return self.show(Shown::Fetched(format!(
                "This browser does not play {}; a picture a second is shown instead.",
                playing::codec(mime)
            )));
        }
        match Player::start(self, mime, bytes) {
            Ok(player) => {
                if let Some(video) = self.video.get_untracked() {
                    video.set_src(&player.url);
                }
                self.player.replace(Some(player));
                self.show(Shown::Playing);
            }
            Err(_) => self.show(Shown::Fetched(
                "This browser could not begin to play; a picture a second is shown instead."
                    .to_owned(),
            )),
        }
    }

    fn go_on(&self, bytes: &[u8]) {
        if let Some(player) = self.player.borrow_mut().as_mut() {
            if player.waiting.len() >= WAITING {
                player.waiting.clear();
            }
            player.waiting.push_back(Uint8Array::from(bytes));
        }
        self.pump();
    }

    fn picture(&self, bytes: &[u8]) {
        let parts = Array::of1(&Uint8Array::from(bytes));
        let options = BlobPropertyBag::new();
        options.set_type("image/jpeg");
        let made = Blob::new_with_u8_array_sequence_and_options(&parts, &options);
        let Ok(url) = made.and_then(|blob| Url::create_object_url_with_blob(&blob)) else {
            return;
        };
        if let Some(Shown::Pictures(before)) = self.shown.try_get_untracked() {
            // A URL that is not revoked holds its picture in memory.
            let _ = Url::revoke_object_url(&before);
        }
        self.show(Shown::Pictures(url));
    }

    fn show(&self, shown: Shown) {
        if self.shown.try_get_untracked().as_ref() != Some(&shown) {
            self.shown.try_set(shown);
        }
    }

    /// Hands the browser what waits, lets go of what was played, and stays near the newest picture.
    fn pump(&self) {
        let mut player = self.player.borrow_mut();
        let Some(player) = player.as_mut() else {
            return;
        };
        let Some(buffer) = player.buffer.clone().filter(|buffer| !buffer.updating()) else {
            return;
        };
        let video = self.video.get_untracked();
        if let Some(video) = &video {
            keep_up(video);
            if let Some(end) = outdated(&buffer, video) {
                // Refused only while it updates, which it does not.
                let _ = buffer.remove(0.0, end);
                return;
            }
        }
        if let Some(next) = player.waiting.pop_front()
            && buffer.append_buffer_with_array_buffer_view(&next).is_err()
        {
            // Full, or the stream is broken: what waits is let go, and the next beginning sets it right.
            player.waiting.clear();
        }
    }
}

// === impl Player ===

impl Player {
    fn start(view: &View, mime: &str, init: &[u8]) -> Result<Self, JsValue> {
        let media = MediaSource::new()?;
        let url = Url::create_object_url_with_source(&media)?;
        let opened = {
            let view = view.clone();
            Closure::new(move |_| view.opened())
        };
        media.set_onsourceopen(Some(opened.as_ref().unchecked_ref()));
        Ok(Self {
            media,
            url,
            mime: mime.to_owned(),
            buffer: None,
            waiting: VecDeque::from([Uint8Array::from(init)]),
            _opened: opened,
            updated: None,
        })
    }
}

impl View {
    fn opened(&self) {
        if let Some(player) = self.player.borrow_mut().as_mut()
            && player.buffer.is_none()
            && let Ok(buffer) = player.media.add_source_buffer(&player.mime)
        {
            let view = self.clone();
            let updated = Closure::new(move |_| view.pump());
            buffer.set_onupdateend(Some(updated.as_ref().unchecked_ref()));
            player.updated = Some(updated);
            player.buffer = Some(buffer);
        }
        self.pump();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.media.set_onsourceopen(None);
        if let Some(buffer) = &self.buffer {
            buffer.set_onupdateend(None);
        }
        // A URL that is unknown is no error.
        let _ = Url::revoke_object_url(&self.url);
    }
}

/// Plays a little faster, or jumps, when it is behind the newest picture.
fn keep_up(video: &HtmlVideoElement) {
    let buffered = video.buffered();
    let Some(last) = buffered.length().checked_sub(1) else {
        return;
    };
    let (Ok(start), Ok(end)) = (buffered.start(last), buffered.end(last)) else {
        return;
    };
    match playing::keep_up(video.current_time(), start, end) {
        playing::Pace::Jump(to) => video.set_current_time(to),
        playing::Pace::Rate(rate) if (video.playback_rate() - rate).abs() > f64::EPSILON => {
            video.set_playback_rate(rate);
        }
        playing::Pace::Rate(_) => {}
    }
    if video.paused()
        && !is_hidden()
        && let Ok(playing) = video.play()
    {
        // What a browser forbids before a click it tells by a promise; the next part asks again.
        spawn_local(async move { drop(JsFuture::from(playing).await) });
    }
}

/// Until when what was played can go; none while it is little.
fn outdated(buffer: &SourceBuffer, video: &HtmlVideoElement) -> Option<f64> {
    let start = buffer.buffered().ok()?.start(0).ok()?;
    let end = video.current_time() - KEPT_S;
    (end - start > KEPT_S).then_some(end)
}
