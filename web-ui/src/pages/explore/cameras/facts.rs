//! What is known of a camera: how its stream arrives, what it offers, what it reported, its clips, what is kept of it.

use fieldgate_api::camera::{CameraView, ClipView, HappeningView, KeptView, StreamView, TrackView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use crate::fetched::Fetched;
use crate::widgets::copy::copy_text;
use crate::widgets::time::{ago, instant};

/// A clock that is wrong by less is not worth a word, in milliseconds.
const CLOCK_MS: i64 = 2_000;

pub fn sections(camera: Fetched<CameraView>) -> AnyView {
    let view = move || {
        camera.data.with(|view| {
            let view = view.as_ref()?;
            Some(view! {
                {stream(view)}
                {streams(&view.streams)}
                {happenings(&view.happenings)}
                {clips(&view.clips)}
                {view.kept.as_ref().map(kept)}
            })
        })
    };
    view.into_any()
}

fn row(name: &str, text: impl IntoView) -> AnyView {
    view! { <div><dt>{words::plain(name)}</dt><dd>{text}</dd></div> }.into_any()
}

fn stream(view: &CameraView) -> AnyView {
    let (pictures, sounds): (Vec<_>, Vec<_>) =
        view.tracks.iter().partition(|track| track.width > 0);
    let tracks: Vec<_> = pictures.into_iter().chain(sounds).map(track).collect();
    let facts: Vec<_> = view
        .facts
        .iter()
        .map(|fact| row(&fact.name, words::plain(&fact.text)))
        .collect();
    let clock = view
        .clock_ahead_ms
        .filter(|ahead| ahead.abs() >= CLOCK_MS)
        .map(|ahead| {
            let way = if ahead > 0 { "ahead" } else { "behind" };
            row(
                "Its clock",
                format!(
                    "{} {way}; its times are corrected",
                    words::span(ahead.abs())
                ),
            )
        });
    view! {
        <section aria-labelledby="stream-title">
            <h2 id="stream-title">"Stream"</h2>
            <dl class="facts card" data-test="stream">
                {tracks}
                {view.last_frame.map(|at| row("Last picture", ago(at)))}
                {(!view.address.is_empty()).then(|| row("Address", copy_text(&view.address, "the address without user and password", "address")))}
                {facts}
                {clock}
                {row("Watching", words::counted(view.viewers.into(), "viewer"))}
                {view.passed_on.as_deref().map(|url| row("Passed on", copy_text(&here(url), "the address on this gateway", "passed-on")))}
            </dl>
        </section>
    }
    .into_any()
}

/// With the name by which this browser reaches the gateway.
fn here(url: &str) -> String {
    let host = window().location().hostname().unwrap_or_default();
    url.replace("<this gateway>", &host)
}

fn track(track: &TrackView) -> AnyView {
    let size = (track.width > 0).then(|| format!("{} × {}", track.width, track.height));
    let fps = (track.fps > 0.0).then(|| format!("{} frames/s", words::short(track.fps)));
    let bits = (track.bits_per_s > 0.0).then(|| format!("{:.2} Mbit/s", track.bits_per_s / 1e6));
    let keys = track
        .key_every_s
        .map(|seconds| format!("a key frame every {} s", words::short(seconds)));
    let lost = (track.lost > 0).then(|| format!("{} lost", words::counted(track.lost, "packet")));
    let jitter = track
        .jitter_ms
        .filter(|jitter| *jitter >= 1.0)
        .map(|jitter| format!("jitter {} ms", words::short(jitter)));
    let facts = [size, fps, bits, keys, jitter, lost];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    row(&track.codec, facts)
}

fn streams(streams: &[StreamView]) -> Option<AnyView> {
    let line = |stream: &StreamView| {
        let used = stream.used.then(|| view! { <strong>"used here"</strong> });
        view! { <li><span>{words::plain(&stream.name)}" "<span class="faint">{words::plain(&stream.words)}</span></span>{used}</li> }
    };
    (streams.len() > 1).then(|| {
        view! {
            <section aria-labelledby="streams-title">
                <h2 id="streams-title">"Streams that it offers"</h2>
                <ul class="lines card" data-test="streams">{streams.iter().map(line).collect_view()}</ul>
                <p class="help">"Another one is chosen by "<strong>"profile"</strong>" in the settings."</p>
            </section>
        }
        .into_any()
    })
}

fn happenings(happenings: &[HappeningView]) -> Option<AnyView> {
    let line = |what: &HappeningView| {
        let state = match what.active {
            Some(true) => "goes on",
            Some(false) => "is over",
            None => "",
        };
        view! { <li><span>{words::plain(&what.words)}" "<span class="faint">{state}</span></span><span class="faint">{instant(what.at)}</span></li> }
    };
    (!happenings.is_empty()).then(|| {
        view! {
            <section aria-labelledby="happenings-title">
                <h2 id="happenings-title">"What it reported"</h2>
                <ul class="lines card" data-test="happenings">{happenings.iter().map(line).collect_view()}</ul>
            </section>
        }
        .into_any()
    })
}

fn clips(clips: &[ClipView]) -> Option<AnyView> {
    let line = |clip: &ClipView| {
        let state = match clip.queued {
            true => "in the queue",
            false => "being taken",
        };
        let facts = format!(
            "{} s · {} · {state}",
            words::short(clip.seconds),
            words::bytes(clip.bytes)
        );
        view! { <li><span>{words::plain(&clip.why)}" "<span class="faint">{facts}</span></span><span class="faint">{instant(clip.at)}</span></li> }
    };
    (!clips.is_empty()).then(|| {
        view! {
            <section aria-labelledby="clips-title">
                <h2 id="clips-title">"Clips"</h2>
                <ul class="lines card" data-test="clips">{clips.iter().map(line).collect_view()}</ul>
            </section>
        }
        .into_any()
    })
}

fn kept(kept: &KeptView) -> AnyView {
    view! {
        <section aria-labelledby="kept-title">
            <h2 id="kept-title">"Recorded on this gateway"</h2>
            <dl class="facts card" data-test="kept">
                {row("Takes", format!("{} of at most {}", words::bytes(kept.bytes), words::bytes(kept.most_bytes)))}
                {kept.since.map(|since| row("Since", instant(since)))}
                {row("Folder", copy_text(&kept.folder, "the folder", "folder"))}
            </dl>
        </section>
    }
    .into_any()
}
