//! Metrics in Prometheus' text format 0.0.4: all names in one enum, base units, and labels that stay few.
//!
//! No metric has a label for a point: that is what readings are for.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Instant,
};

use fieldgate_api::state::Level;
use fieldgate_kit::Alarms;

use crate::{
    forward::{ForwardStats, catch_up},
    gateway::Gateway,
    histogram::{BOUNDS_S, Counted},
    lanes::LaneKind,
    replays,
    supervisor::UnitName,
    telemetry,
};

/// What the text is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident $text:literal;)*) => {
        /// Every metric there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $($(#[doc = $help])+ $name,)*
        }

        impl Metric {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name, without labels.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// `counter`, `gauge` or `histogram`.
            #[must_use]
            pub fn kind(self) -> &'static str {
                match self { $(Self::$name => stringify!($kind),)* }
            }

            /// What it tells.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => concat!($($help),+).trim_ascii(),)* }
            }
        }
    };
}

metrics! {
    /// Always 1; the version is a label.
    BuildInfo: gauge "fieldgate_build_info";
    /// 1 while the gateway runs.
    Up: gauge "fieldgate_up";
    /// The console's revision of the configuration that is in force.
    ConfigRevision: gauge "fieldgate_config_revision";
    /// 1 while the source is connected and delivers.
    SourceConnected: gauge "fieldgate_source_connected";
    /// Readings that the source delivered.
    SourceReadings: counter "fieldgate_source_readings_total";
    /// Readings among those that were read from the source's own history, after a gap.
    SourceBackfilled: counter "fieldgate_source_backfilled_total";
    /// Readings of the source that did not go on, by reason.
    SourceDropped: counter "fieldgate_source_dropped_total";
    /// Open alarms of the source: active, waiting to be acknowledged, waiting to be confirmed; one can be in several states.
    SourceAlarms: gauge "fieldgate_source_alarms";
    /// Readings that the route took.
    RouteIn: counter "fieldgate_route_in_total";
    /// Readings of the route that became durable.
    RouteOut: counter "fieldgate_route_out_total";
    /// Readings that the route's steps held back, by reason.
    RouteDropped: counter "fieldgate_route_dropped_total";
    /// Readings that wait for the destination in the lane.
    QueueDepth: gauge "fieldgate_queue_depth_readings";
    /// Age of the oldest reading that waits for the destination in the lane; 0 when none waits.
    QueueOldestAge: gauge "fieldgate_queue_oldest_age_seconds";
    /// Bytes that the lane takes on the disk.
    QueueBytes: gauge "fieldgate_queue_bytes";
    /// Bytes that the lane may take on the disk.
    QueueDiskLimit: gauge "fieldgate_queue_disk_limit_bytes";
    /// 1 while the disk does not take what the lane should write, else 0.
    QueueTrouble: gauge "fieldgate_queue_disk_trouble";
    /// Bytes of the lane that are only in memory, because the disk refuses them for now.
    QueueMemory: gauge "fieldgate_queue_in_memory_bytes";
    /// Refused readings that are kept.
    DeadLetters: gauge "fieldgate_dead_letters";
    /// Refused readings that are no longer kept: retried, purged, or displaced by newer ones.
    DeadLettersGone: counter "fieldgate_dead_letters_gone_total";
    /// Readings of running replays that are still to be delivered.
    ReplayPending: gauge "fieldgate_replay_pending_readings";
    /// Running replays.
    ReplaysRunning: gauge "fieldgate_replays_running";
    /// 1 while the destination is connected and takes readings.
    DestinationConnected: gauge "fieldgate_destination_connected";
    /// Readings that the destination acknowledged.
    DestinationAcked: counter "fieldgate_destination_acked_total";
    /// Readings that the destination refused for their own sake, by its code.
    DestinationRejected: counter "fieldgate_destination_rejected_total";
    /// How often the destination asked for less.
    DestinationThrottled: counter "fieldgate_destination_throttled_total";
    /// Readings that were sent to the destination again after a refusal.
    DestinationRetried: counter "fieldgate_destination_retried_readings_total";
    /// Readings that the destination acknowledged while nobody was there to receive them.
    DestinationUnheard: counter "fieldgate_destination_unheard_readings_total";
    /// Readings that were sent and are not yet acknowledged.
    DestinationInFlight: gauge "fieldgate_destination_in_flight_readings";
    /// From sending a batch to the destination to its acknowledgement.
    DestinationAckLatency: histogram "fieldgate_destination_ack_latency_seconds";
    /// Seconds until the destination has caught up with its queue at the present rates; +Inf while it does not catch up.
    DestinationCatchUp: gauge "fieldgate_destination_catch_up_seconds";
    /// When the destination last acknowledged something.
    DestinationLastAck: gauge "fieldgate_destination_last_ack_timestamp_seconds";
    /// Commands that came, repetitions included, by the way they came.
    CommandsReceived: counter "fieldgate_commands_received_total";
    /// Commands that ended, by outcome.
    CommandsEnded: counter "fieldgate_commands_ended_total";
    /// Commands that were not carried out, by reason; they are among those that ended, too.
    CommandsRefused: counter "fieldgate_commands_refused_total";
    /// Repeated commands, which were answered and not carried out again.
    CommandsRepeated: counter "fieldgate_commands_repeated_total";
    /// Answers to commands that the far side did not take.
    CommandAnswersLost: counter "fieldgate_command_answers_lost_total";
    /// Commands that the rule gave.
    RuleFired: counter "fieldgate_rule_fired_total";
    /// Commands of the rule that ended, by outcome.
    RuleEnded: counter "fieldgate_rule_ended_total";
    /// Readings that gave no command of the rule, by reason: it rested, its last command was under way, too many waited, or they could not be judged.
    RuleMissed: counter "fieldgate_rule_missed_total";
    /// Readings that became durable, since the queue was made.
    LedgerAccepted: counter "fieldgate_ledger_accepted_total";
    /// Readings that left the queue, by the way they left.
    LedgerExits: counter "fieldgate_ledger_exits_total";
    /// Readings that left the queue by its own decision, by reason; they are among the exits, too.
    LedgerEvicted: counter "fieldgate_ledger_evicted_total";
    /// Readings that are still to be delivered.
    LedgerPending: gauge "fieldgate_ledger_pending";
    /// Accepted less pending and all exits, over all routes: 0, or there is a defect.
    LedgerUnaccounted: gauge "fieldgate_ledger_unaccounted";
    /// Seconds of processor time, user and system.
    ProcessCpu: counter "process_cpu_seconds_total";
    /// Resident memory.
    ProcessMemory: gauge "process_resident_memory_bytes";
    /// When the process started.
    ProcessStart: gauge "process_start_time_seconds";
}

/// Everything, as of now. `revision` is that of the configuration in force.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "Prometheus computes in f64")]
pub fn render(gateway: &Gateway, revision: u64) -> String {
    let mut page = Page::default();
    page.add(
        Metric::BuildInfo,
        &[("version", env!("CARGO_PKG_VERSION"))],
        1,
    );
    page.add(Metric::Up, &[], 1);
    page.add(Metric::ConfigRevision, &[], revision);
    units(&mut page, gateway);
    routes(&mut page, gateway);
    queue(&mut page, gateway);
    commands(&mut page, gateway);
    rules(&mut page, gateway);
    ledger(&mut page, gateway);
    page.add(
        Metric::ProcessCpu,
        &[],
        telemetry::cpu_seconds().unwrap_or(0.0),
    );
    page.add(Metric::ProcessMemory, &[], telemetry::rss_bytes());
    let started = gateway.started.millis() as f64 / 1000.0;
    page.add(Metric::ProcessStart, &[], started);
    page.text()
}

fn units(page: &mut Page, gateway: &Gateway) {
    let connected = |name: UnitName| {
        let status = gateway.board.status(&name);
        u8::from(status.is_some_and(|status| status.level == Level::Good))
    };
    let waiting = waiting(gateway);
    gateway.running(|running| {
        let config = running.config.as_deref();
        for (id, state) in &running.sources {
            let mut known = config.iter().flat_map(|config| &config.sources);
            let kind = known.find(|source| source.id == *id);
            let kind = kind.map_or("gateway", |source| source.kind.as_str());
            let labels = [("source", &**id), ("protocol", kind)];
            page.add(
                Metric::SourceConnected,
                &labels,
                connected(UnitName::Source(id.clone())),
            );
            page.add(Metric::SourceReadings, &labels, state.readings.total());
            page.add(Metric::SourceBackfilled, &labels, state.backfilled.total());
            for (reason, count) in state.drops.snapshot() {
                let labels = [("source", &**id), ("reason", reason.as_str())];
                page.add(Metric::SourceDropped, &labels, count);
            }
            alarms(page, id, &state.alarms);
        }
        for (id, state) in &running.destinations {
            let name = UnitName::Destination(id.clone());
            let labels = [
                ("destination", &**id),
                ("protocol", state.config.kind.as_str()),
            ];
            page.add(Metric::DestinationConnected, &labels, connected(name));
            destination(page, id, &state.stats);
            let pending = waiting.get(&**id).copied().unwrap_or(0);
            let catch_up = catch_up(pending, state.stats.acked.rate(), running.accepted_rate(id));
            let seconds = catch_up.map_or("+Inf".to_owned(), |time| time.as_secs_f64().to_string());
            page.add(Metric::DestinationCatchUp, &labels[..1], seconds);
        }
    });
}

fn alarms(page: &mut Page, source: &str, alarms: &Alarms) {
    let mut add = |state: &str, count: usize| {
        let labels = [("source", source), ("state", state)];
        page.add(Metric::SourceAlarms, &labels, count);
    };
    add("active", alarms.count(|alarm| alarm.active == Some(true)));
    add(
        "unacknowledged",
        alarms.count(|alarm| alarm.acked == Some(false)),
    );
    add(
        "unconfirmed",
        alarms.count(|alarm| alarm.confirmed == Some(false)),
    );
}

/// Readings before each destination, in all lanes.
fn waiting(gateway: &Gateway) -> BTreeMap<String, u64> {
    let mut waiting = BTreeMap::new();
    for kind in LaneKind::ALL {
        for consumer in gateway.lanes.get(kind).stats().consumers {
            *waiting.entry(consumer.name).or_default() += consumer.pending_records;
        }
    }
    waiting
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus computes in f64")]
fn destination(page: &mut Page, id: &str, stats: &ForwardStats) {
    let labels = [("destination", id)];
    page.add(Metric::DestinationAcked, &labels, stats.acked.total());
    page.add(Metric::DestinationInFlight, &labels, stats.in_flight());
    let throttled: u64 = stats.throttles().values().sum();
    page.add(Metric::DestinationThrottled, &labels, throttled);
    page.add(
        Metric::DestinationRetried,
        &labels,
        stats.attempts_repeated(),
    );
    page.add(Metric::DestinationUnheard, &labels, stats.acked_unheard());
    page.add_histogram(
        Metric::DestinationAckLatency,
        id,
        &stats.ack_latency.counted(),
    );
    if let Some(at) = stats.last_ack() {
        let seconds = at.millis() as f64 / 1000.0;
        page.add(Metric::DestinationLastAck, &labels, seconds);
    }
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    let rejected = stats.rejected();
    for (why, count) in &rejected {
        *codes.entry(code(why)).or_default() += count;
    }
    for (code, count) in codes {
        page.add(
            Metric::DestinationRejected,
            &[("destination", id), ("code", code)],
            count,
        );
    }
}

/// The code within a destination's words, `0x87` of `not authorized (0x87)`: words are too many for a label.
fn code(why: &str) -> &str {
    let Some(at) = why.find("0x") else {
        return "other";
    };
    let digits = why[at + 2..]
        .bytes()
        .take_while(u8::is_ascii_hexdigit)
        .count();
    match digits {
        1..=8 => &why[at..at + 2 + digits],
        _ => "other",
    }
}

fn routes(page: &mut Page, gateway: &Gateway) {
    gateway.running(|running| {
        for (id, state) in &running.routes {
            let labels = [("route", &**id)];
            page.add(Metric::RouteIn, &labels, state.counters.taken.total());
            page.add(Metric::RouteOut, &labels, state.counters.accepted.total());
            for (reason, count) in state.counters.drops.snapshot() {
                let labels = [("route", &**id), ("reason", reason.as_str())];
                page.add(Metric::RouteDropped, &labels, count);
            }
        }
    });
}

fn commands(page: &mut Page, gateway: &Gateway) {
    for (way, counts) in gateway.commands.tally.all() {
        let mut labels = [
            ("way", way.kind()),
            ("destination", way.destination()),
            ("", ""),
        ];
        page.add(Metric::CommandsReceived, &labels[..2], counts.received);
        page.add(Metric::CommandsRepeated, &labels[..2], counts.repeated);
        page.add(
            Metric::CommandAnswersLost,
            &labels[..2],
            counts.answers_lost,
        );
        for (outcome, count) in &counts.ended {
            labels[2] = ("outcome", outcome);
            page.add(Metric::CommandsEnded, &labels, count);
        }
        for (reason, count) in &counts.refused {
            labels[2] = ("reason", reason);
            page.add(Metric::CommandsRefused, &labels, count);
        }
    }
}

fn rules(page: &mut Page, gateway: &Gateway) {
    let now = Instant::now();
    gateway.running(|running| {
        for (id, score) in &running.rules {
            let told = score.told(now);
            page.add(Metric::RuleFired, &[("rule", &**id)], told.fired);
            for (outcome, count) in &told.outcomes {
                let labels = [("rule", &**id), ("outcome", *outcome)];
                page.add(Metric::RuleEnded, &labels, count);
            }
            for (reason, count) in &told.missed {
                let labels = [("rule", &**id), ("reason", reason.as_str())];
                page.add(Metric::RuleMissed, &labels, count);
            }
        }
    });
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus computes in f64")]
fn queue(page: &mut Page, gateway: &Gateway) {
    let now_ms = telemetry::now().millis();
    for kind in LaneKind::ALL {
        let stats = gateway.lanes.get(kind).stats();
        for consumer in &stats.consumers {
            let labels = [
                ("lane", kind.as_str()),
                ("destination", consumer.name.as_str()),
            ];
            page.add(Metric::QueueDepth, &labels, consumer.pending_records);
            let oldest = consumer
                .oldest_at
                .map(|at| at.wall_ms)
                .filter(|_| consumer.pending_records > 0);
            let age_ms = oldest.map_or(0, |at| (now_ms - at).max(0));
            page.add(Metric::QueueOldestAge, &labels, age_ms as f64 / 1000.0);
        }
        let labels = [("lane", kind.as_str())];
        let replays = gateway.lanes.get(kind).replays();
        let running = replays.iter().filter(|replay| replays::is_running(replay));
        let pending: i64 = running.clone().map(|replay| replay.pending).sum();
        page.add(Metric::ReplayPending, &labels, pending);
        page.add(Metric::ReplaysRunning, &labels, running.count());
        page.add(Metric::QueueBytes, &labels, stats.disk_bytes);
        page.add(Metric::QueueDiskLimit, &labels, stats.max_bytes);
        let trouble = u64::from(stats.trouble.is_some());
        page.add(Metric::QueueTrouble, &labels, trouble);
        page.add(Metric::QueueMemory, &labels, stats.ring_bytes);
    }
    let dead = gateway.lanes.dead.stats();
    page.add(Metric::QueueBytes, &[("lane", "dead")], dead.disk_bytes);
    page.add(Metric::QueueDiskLimit, &[("lane", "dead")], dead.max_bytes);
    let counts = gateway.lanes.dead.counts();
    page.add(Metric::DeadLetters, &[], counts.letters);
    for (how, count) in [
        ("retried", counts.retried),
        ("purged", counts.purged),
        ("displaced", counts.displaced),
    ] {
        page.add(Metric::DeadLettersGone, &[("how", how)], count);
    }
}

fn ledger(page: &mut Page, gateway: &Gateway) {
    let mut unaccounted = 0;
    for kind in LaneKind::ALL {
        for balance in gateway.lanes.get(kind).balance() {
            unaccounted += balance.unaccounted().abs();
            let route = balance
                .key
                .split_once('→')
                .map_or(&*balance.key, |(route, _)| route);
            let labels = |exit: &'static str| {
                [
                    ("lane", kind.as_str()),
                    ("route", route),
                    ("destination", balance.consumer.as_str()),
                    ("exit", exit),
                ]
            };
            page.add(Metric::LedgerAccepted, &labels("")[..3], balance.accepted);
            page.add(Metric::LedgerPending, &labels("")[..3], balance.pending);
            for (exit, count) in [
                ("acked", balance.acked),
                ("expired", balance.expired),
                ("evicted", balance.evicted),
                ("dead_lettered", balance.dead_lettered),
                ("lost_detected", balance.lost_detected),
            ] {
                page.add(Metric::LedgerExits, &labels(exit), count);
            }
            let by = balance.evicted_by;
            for (reason, count) in [
                ("full", by.full),
                ("thinned", by.thinned),
                ("purged", by.purged),
                ("removed", by.removed),
            ] {
                let mut labels = labels(reason);
                labels[3].0 = "reason";
                page.add(Metric::LedgerEvicted, &labels, count);
            }
        }
    }
    page.add(Metric::LedgerUnaccounted, &[], unaccounted);
}

/// The text under construction; a metric's lines must stand together.
#[derive(Default)]
struct Page(BTreeMap<usize, String>);

impl Page {
    fn add(&mut self, metric: Metric, labels: &[(&str, &str)], value: impl fmt::Display) {
        let lines = self.0.entry(metric as usize).or_default();
        lines.push_str(metric.name());
        for (index, (name, value)) in labels.iter().enumerate() {
            lines.push(if index == 0 { '{' } else { ',' });
            lines.push_str(name);
            lines.push_str("=\"");
            escape(value, lines);
            lines.push('"');
        }
        if !labels.is_empty() {
            lines.push('}');
        }
        writeln!(lines, " {value}").expect("memory takes every text");
    }

    /// A destination's histogram: its buckets, their sum and their count.
    fn add_histogram(&mut self, metric: Metric, destination: &str, counted: &Counted) {
        let lines = self.0.entry(metric as usize).or_default();
        let mut label = String::from("destination=\"");
        escape(destination, &mut label);
        label.push('"');
        let name = metric.name();
        let bounds = BOUNDS_S
            .iter()
            .map(f64::to_string)
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(counted.at_most.into_iter().chain([counted.count])) {
            lines.push_str(&format!(
                "{name}_bucket{{{label},le=\"{bound}\"}} {count}\n"
            ));
        }
        let Counted { sum_s, count, .. } = counted;
        lines.push_str(&format!(
            "{name}_sum{{{label}}} {sum_s}\n{name}_count{{{label}}} {count}\n"
        ));
    }

    fn text(self) -> String {
        let mut text = String::new();
        for (index, lines) in self.0 {
            let metric = Metric::ALL[index];
            let (name, help, kind) = (metric.name(), metric.help(), metric.kind());
            text.push_str(&format!(
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}"
            ));
        }
        text
    }
}

/// A label's value: backslash, quote and line feed are escaped, as the format says.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;

    #[test]
    fn names_follow_the_conventions() {
        for (index, metric) in Metric::ALL.iter().enumerate() {
            let name = metric.name();
            assert_eq!(*metric as usize, index);
            assert_eq!(
                name.ends_with("_total"),
                metric.kind() == "counter",
                "{name}"
            );
            assert!(name.starts_with("fieldgate_") || name.starts_with("process_"));
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
            assert!(!metric.help().is_empty() && !metric.help().contains('\n'));
        }
    }

    #[test]
    fn labels_are_escaped_and_lines_stand_together() {
        let mut page = Page::default();
        page.add(Metric::RouteIn, &[("route", "a\"b\\c\nd")], 1);
        page.add(Metric::Up, &[], 1);
        page.add(Metric::RouteIn, &[("route", "e")], 2.5);
        let text = page.text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "fieldgate_up 1",
                r#"fieldgate_route_in_total{route="a\"b\\c\nd"} 1"#,
                r#"fieldgate_route_in_total{route="e"} 2.5"#,
            ]
        );
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3));
        histogram.observe(Duration::from_secs(60));
        let mut page = Page::default();
        page.add_histogram(Metric::DestinationAckLatency, "a\"b", &histogram.counted());
        let text = page.text();
        for line in [
            "# TYPE fieldgate_destination_ack_latency_seconds histogram",
            r#"fieldgate_destination_ack_latency_seconds_bucket{destination="a\"b",le="0.0025"} 0"#,
            r#"fieldgate_destination_ack_latency_seconds_bucket{destination="a\"b",le="0.005"} 1"#,
            r#"fieldgate_destination_ack_latency_seconds_bucket{destination="a\"b",le="30"} 1"#,
            r#"fieldgate_destination_ack_latency_seconds_bucket{destination="a\"b",le="+Inf"} 2"#,
            r#"fieldgate_destination_ack_latency_seconds_sum{destination="a\"b"} 60.003"#,
            r#"fieldgate_destination_ack_latency_seconds_count{destination="a\"b"} 2"#,
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
    }

    #[test]
    fn words_become_few_codes() {
        for (why, expected) in [
            ("not authorized (0x87)", "0x87"),
            ("0x", "other"),
            ("payload too large", "other"),
            ("0x123456789abc", "other"),
        ] {
            assert_eq!(code(why), expected);
        }
    }
}
