//! `HopLadder` and `TestButton`: the way to the far side, rung by rung, each timed.

use std::time::Duration;

use fieldgate_api::config::TestReport;
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::icon::{Icon, icon};

/// The rungs of a test.
pub fn hop_ladder(report: &TestReport) -> AnyView {
    let rungs: Vec<AnyView> = report
        .rungs
        .iter()
        .map(|rung| {
            view! {
                <li class=if rung.ok { "good" } else { "bad" }>
                    {icon(if rung.ok { Icon::Good } else { Icon::Bad })}
                    <div>
                        <strong>{words::capital(&rung.name)}</strong>
                        <span class="unseen">{if rung.ok { " works: " } else { " fails: " }}</span>
                        <span class="rung-words">{words::plain(&rung.words)}</span>
                    </div>
                    <span class="took">{words::took(rung.took_ms as f64)}</span>
                </li>
            }
            .into_any()
        })
        .collect();
    let verdict = if report.ok {
        "The test passed. Nothing was saved."
    } else {
        "The test failed. Nothing was saved."
    };
    view! {
        <div class="ladder" data-test="rungs" data-ok=report.ok.to_string()>
            <p class="verdict-line"><strong>{verdict}</strong></p>
            <ol>{rungs}</ol>
        </div>
    }
    .into_any()
}

/// Starts a test, and says how long it runs already.
pub fn test_button(running: RwSignal<bool>, start: impl Fn() + 'static) -> AnyView {
    let seconds = RwSignal::new(0);
    let timer = set_interval_with_handle(
        move || {
            let next = if running.get_untracked() {
                seconds.get_untracked() + 1
            } else {
                0
            };
            if next != seconds.get_untracked() {
                seconds.set(next);
            }
        },
        Duration::from_secs(1),
    );
    on_cleanup(move || {
        if let Ok(timer) = timer {
            timer.clear();
        }
    });
    let click = move |_| {
        if !running.get_untracked() {
            seconds.set(0);
            start();
        }
    };
    let label = move || match (running.get(), seconds.get()) {
        (false, _) => "Test".to_owned(),
        (true, 0) => "Testing…".to_owned(),
        (true, seconds) => format!("Testing… {seconds} s"),
    };
    view! {
        <button type="button" data-test="test" aria-disabled=move || running.get().then_some("true") on:click=click>{label}</button>
    }
    .into_any()
}
