//! What a camera reports by itself: its ONVIF events become readings, and the next ones are asked for when these are durable.

use std::{future::pending, time::Duration};

use fieldgate_kit::{SourceError, camera::Happening as Told};
use fieldgate_model::{Timestamp, Value};
use fieldgate_onvif::{Cause, DeviceEvent, Happening, Plan, Watch, now};

use crate::{
    connect::{Onvif, device_error},
    points::When,
    source::Attempt,
};

/// How a subscription is kept: a minute's life, renewed by itself; the camera answers a pull after five seconds at the latest.
const PLAN: Plan = Plan {
    lifetime: Duration::from_secs(60),
    wait: Duration::from_secs(5),
    limit: 64,
};

/// Follows the events of a camera that has some.
///
/// # Errors
/// When it refuses who signs in.
pub(crate) async fn follow(attempt: &Attempt, onvif: Option<&Onvif>) -> Result<(), SourceError> {
    let Some(onvif) = onvif.filter(|onvif| onvif.services.events) else {
        return pending().await;
    };
    let mut watch = Watch::new(PLAN);
    watch.set_drift(onvif.drift_ms);
    loop {
        match watch.next(&onvif.client).await {
            Ok(Happening::Events(events)) => {
                let readings = events
                    .iter()
                    .map(|event| reading(attempt, event, now()))
                    .collect();
                let durable = attempt.ctx.readings.send_durable(readings).await?;
                // What is not durable is not acknowledged: the attempt ends, and the states are read anew.
                durable
                    .await
                    .map_err(|no| SourceError::Lost(no.to_string()))?;
                watch.acknowledge();
                for event in &events {
                    tell(attempt, event);
                }
            }
            Ok(Happening::Up) => note(attempt, "the camera reports its events"),
            Ok(Happening::Down { why }) => {
                note(
                    attempt,
                    &format!("the camera does not report its events: {why}"),
                );
            }
            Err(error) if error.is_denial() => return Err(device_error(&error)),
            Err(error) => {
                // A camera without events is a camera all the same.
                note(
                    attempt,
                    &format!("the camera's events are not followed: {error}"),
                );
                return pending().await;
            }
        }
    }
}

fn note(attempt: &Attempt, words: &str) {
    tracing::info!(source = %attempt.ctx.id, words);
    attempt.eye.state().happened(Told {
        at: now(),
        words: words.to_owned(),
        active: None,
    });
}

fn tell(attempt: &Attempt, event: &DeviceEvent) {
    attempt.eye.state().happened(Told {
        at: event.at,
        words: event.title.clone(),
        active: event.active,
    });
    // The state that is told at the start is no news.
    if event.active != Some(false) && event.cause != Cause::Forgotten {
        attempt.eye.trigger(&event.title, event.at);
    }
}

fn reading(attempt: &Attempt, event: &DeviceEvent, seen: Timestamp) -> fieldgate_model::Reading {
    let items = |items: &fieldgate_onvif::Items| {
        let pairs = items.iter();
        Value::Struct(
            pairs
                .map(|(name, value)| (name.clone(), Value::Text(value.clone())))
                .collect(),
        )
    };
    let fields = vec![
        ("topic".to_owned(), Value::Text(event.topic.clone())),
        ("what".to_owned(), Value::Text(event.id.clone())),
        ("source".to_owned(), items(&event.source)),
        ("data".to_owned(), items(&event.data)),
    ];
    let id = format!("{}-{}", event.id, event.at.millis());
    let points = &attempt.points;
    points.event(
        "event",
        id,
        &event.title,
        event.active,
        fields,
        When { at: event.at, seen },
    )
}
