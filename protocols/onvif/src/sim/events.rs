//! The simulated device's events: properties, subscriptions with their queues, and pulls that wait.

use std::collections::{BTreeMap, VecDeque};

use fieldgate_model::Timestamp;
use tokio::time::{Duration, Instant, timeout_at};

use super::{
    SimDevice,
    answer::{Given, No},
};
use crate::{
    clock::{read_date_time, shifted, write_date_time},
    xml::{Element, escape},
};

/// All subscriptions, and the states that a new one is told.
#[derive(Default)]
pub(super) struct Bell {
    subscriptions: BTreeMap<u32, Subscription>,
    next: u32,
    /// By topic and source, as they stand in a message.
    states: BTreeMap<(String, String), (String, Timestamp)>,
}

struct Subscription {
    ends: Timestamp,
    waiting: VecDeque<String>,
}

/// Subscriptions at once, as small devices have it.
const MAX_SUBSCRIPTIONS: usize = 8;
/// Messages that wait for one; older ones are dropped.
const MAX_WAITING: usize = 256;
const LONGEST_SECONDS: i64 = 3_600;

/// `CreatePullPointSubscription`.
pub(super) fn create(device: &SimDevice, operation: &Element) -> Given {
    if operation.local() != "CreatePullPointSubscription" {
        return Err(No::not_supported());
    }
    let mut state = device.lock();
    let at = state.clock.now();
    let seconds = lifetime(
        operation
            .word(&["InitialTerminationTime"])
            .unwrap_or("PT60S"),
        at,
    )?;
    let number = state.events.add(at, seconds)?;
    let times = times(at, seconds);
    drop(state);
    let (address, parameters) = if device.settings.by_parameter {
        let id = format!(
            "<wsa5:ReferenceParameters><sim:SubscriptionId xmlns:sim=\"http://fieldgate.example/sim\">{number}</sim:SubscriptionId></wsa5:ReferenceParameters>"
        );
        (device.service_url("subscription"), id)
    } else {
        (
            device.service_url(&format!("subscription/{number}")),
            String::new(),
        )
    };
    Ok(format!(
        "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa5:Address>{address}</wsa5:Address>{parameters}</tev:SubscriptionReference>\
         {times}</tev:CreatePullPointSubscriptionResponse>"
    ))
}

/// What is asked of a subscription.
pub(super) async fn of_subscription(
    device: &SimDevice,
    path: &str,
    root: &Element,
    operation: &Element,
) -> Given {
    let number = match path.strip_prefix("/onvif/subscription/") {
        Some(number) => number.parse().ok(),
        None => root
            .at(&["Header"])
            .and_then(|header| header.number(&["SubscriptionId"])),
    };
    let number = number.unwrap_or(u32::MAX);
    match operation.local() {
        "PullMessages" => pull(device, number, operation).await,
        "Renew" => {
            let mut state = device.lock();
            let at = state.clock.now();
            let seconds = lifetime(operation.word(&["TerminationTime"]).unwrap_or_default(), at)?;
            state.events.of(number, at)?.ends = shifted(at, seconds * 1_000);
            let body = format!(
                "<wsnt:TerminationTime>{}</wsnt:TerminationTime><wsnt:CurrentTime>{}</wsnt:CurrentTime>",
                write_date_time(shifted(at, seconds * 1_000)),
                write_date_time(at)
            );
            Ok(format!("<wsnt:RenewResponse>{body}</wsnt:RenewResponse>"))
        }
        "Unsubscribe" => {
            let mut state = device.lock();
            let at = state.clock.now();
            state.events.of(number, at)?;
            state.events.subscriptions.remove(&number);
            drop(state);
            device.bell.notify_waiters();
            Ok("<wsnt:UnsubscribeResponse/>".to_owned())
        }
        "SetSynchronizationPoint" => {
            let mut state = device.lock();
            let at = state.clock.now();
            state.events.of(number, at)?;
            state.events.tell_states(number);
            drop(state);
            device.bell.notify_waiters();
            Ok("<tev:SetSynchronizationPointResponse/>".to_owned())
        }
        _ => Err(No::not_supported()),
    }
}

async fn pull(device: &SimDevice, number: u32, operation: &Element) -> Given {
    let seconds = operation
        .word(&["Timeout"])
        .and_then(seconds)
        .unwrap_or(10)
        .clamp(0, 60);
    let limit = operation
        .number(&["MessageLimit"])
        .unwrap_or(1)
        .clamp(1, 1_000);
    let end = Instant::now() + Duration::from_secs(seconds.unsigned_abs());
    loop {
        // Before anybody looks: what rings after that is not missed.
        let rung = device.bell.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        {
            let mut state = device.lock();
            let at = state.clock.now();
            let subscription = state.events.of(number, at)?;
            let ends = subscription.ends;
            if !subscription.waiting.is_empty() || Instant::now() >= end {
                let count = subscription.waiting.len().min(limit);
                let messages: String = subscription.waiting.drain(..count).collect();
                return Ok(format!(
                    "<tev:PullMessagesResponse><tev:CurrentTime>{}</tev:CurrentTime><tev:TerminationTime>{}</tev:TerminationTime>{messages}</tev:PullMessagesResponse>",
                    write_date_time(at),
                    write_date_time(ends)
                ));
            }
        }
        let _rung_or_late = timeout_at(end, rung).await;
    }
}

fn times(at: Timestamp, seconds: i64) -> String {
    format!(
        "<wsnt:CurrentTime>{}</wsnt:CurrentTime><wsnt:TerminationTime>{}</wsnt:TerminationTime>",
        write_date_time(at),
        write_date_time(shifted(at, seconds * 1_000))
    )
}

/// A duration, or a time by the device's clock.
fn lifetime(text: &str, at: Timestamp) -> Result<i64, No> {
    let wished = seconds(text)
        .or_else(|| Some((read_date_time(text)?.nanos() - at.nanos()) / 1_000_000_000));
    wished
        .filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds))
        .ok_or_else(|| {
            No::invalid(
                "UnacceptableTerminationTime",
                "The termination time is not acceptable",
            )
        })
}

/// `PT60S` and `PT5M`.
fn seconds(text: &str) -> Option<i64> {
    let text = text.strip_prefix("PT")?;
    match text.strip_suffix('M') {
        Some(minutes) => minutes
            .parse::<i64>()
            .ok()
            .map(|minutes| minutes.saturating_mul(60)),
        None => text
            .strip_suffix('S')?
            .parse::<f64>()
            .ok()
            .map(|seconds| seconds as i64),
    }
}

// === impl Bell ===

impl Bell {
    pub(super) fn count(&self) -> usize {
        self.subscriptions.len()
    }

    pub(super) fn forget(&mut self) {
        self.subscriptions.clear();
    }

    pub(super) fn set(
        &mut self,
        topic: &str,
        source: &[(&str, &str)],
        data: (&str, &str),
        at: Timestamp,
    ) {
        let (source, data) = (items("Source", source), items("Data", &[data]));
        let message = message(topic, "Changed", &source, &data, at);
        self.states.insert((topic.to_owned(), source), (data, at));
        self.tell(&message);
    }

    pub(super) fn happen(
        &mut self,
        topic: &str,
        source: &[(&str, &str)],
        data: &[(&str, &str)],
        at: Timestamp,
    ) {
        let message = message(
            topic,
            "",
            &items("Source", source),
            &items("Data", data),
            at,
        );
        self.tell(&message);
    }

    fn tell(&mut self, message: &str) {
        for subscription in self.subscriptions.values_mut() {
            subscription.put(message.to_owned());
        }
    }

    fn add(&mut self, at: Timestamp, seconds: i64) -> Result<u32, No> {
        self.subscriptions
            .retain(|_, subscription| subscription.ends > at);
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(No::invalid(
                "MaxPullPoints",
                "There are too many subscriptions",
            ));
        }
        let number = self.next;
        self.next += 1;
        let subscription = Subscription {
            ends: shifted(at, seconds * 1_000),
            waiting: VecDeque::new(),
        };
        self.subscriptions.insert(number, subscription);
        self.tell_states(number);
        Ok(number)
    }

    /// All properties, as initialized.
    fn tell_states(&mut self, number: u32) {
        let Some(subscription) = self.subscriptions.get_mut(&number) else {
            return;
        };
        for ((topic, source), (data, at)) in &self.states {
            subscription.put(message(topic, "Initialized", source, data, *at));
        }
    }

    fn of(&mut self, number: u32, at: Timestamp) -> Result<&mut Subscription, No> {
        self.subscriptions
            .retain(|_, subscription| subscription.ends > at);
        let found = self.subscriptions.get_mut(&number);
        found.ok_or_else(|| No::invalid("InvalidSubscription", "The subscription does not exist"))
    }
}

impl Subscription {
    fn put(&mut self, message: String) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
    }
}

fn items(element: &str, items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(name, value)| {
            format!(
                "<tt:SimpleItem Name=\"{}\" Value=\"{}\"/>",
                escape(name),
                escape(value)
            )
        })
        .collect();
    format!("<tt:{element}>{items}</tt:{element}>")
}

fn message(topic: &str, operation: &str, source: &str, data: &str, at: Timestamp) -> String {
    let operation = if operation.is_empty() {
        String::new()
    } else {
        format!(" PropertyOperation=\"{operation}\"")
    };
    format!(
        "<wsnt:NotificationMessage><wsnt:Topic Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">{}</wsnt:Topic>\
         <wsnt:Message><tt:Message UtcTime=\"{at}\"{operation}>{source}{data}</tt:Message></wsnt:Message></wsnt:NotificationMessage>",
        escape(topic)
    )
}
