//! What readings events become, without a server.

use fieldgate_model::{Class as Lane, Quality};

use super::{watch::SERVER, *};
use crate::connection::{BrowseName, EventType};

const AT: Timestamp = Timestamp::from_nanos(1_000_000_000);
const SEEN: Timestamp = Timestamp::from_nanos(2_000_000_000);

fn event_type(id: u32, parent: Option<u32>, name: &str) -> EventType {
    EventType {
        node: NodeId::numeric(0, id),
        parent: parent.map(|id| NodeId::numeric(0, id)),
        name: BrowseName {
            namespace: 0,
            name: name.to_owned(),
        },
    }
}

impl Events {
    /// All events of the Server object.
    pub(crate) fn of_server(source: &str) -> Self {
        let mut events = events(serde_json::json!({}));
        events.notifiers[0].device = DeviceId::new(source, "Server").unwrap();
        events
    }
}

fn events(rule: serde_json::Value) -> Events {
    let types = Types::new(vec![
        event_type(2041, None, "BaseEventType"),
        event_type(2915, Some(2041), "AlarmConditionType"),
        event_type(3035, Some(2041), "EventQueueOverflowEventType"),
    ]);
    let rule = serde_json::from_value(rule).unwrap();
    let filter = Filter::new(&rule, &types, &[]).unwrap();
    Events {
        notifiers: vec![Notifier {
            rule: 0,
            allow: vec![ActionKind::Acknowledge],
            node: SERVER,
            device: DeviceId::new("s", "Server").unwrap(),
            device_name: "Server".to_owned(),
            filter,
        }],
        types,
        namespaces: Vec::new(),
        known: HashSet::new(),
        conditions: Conditions::default(),
        words: String::new(),
    }
}

fn happened(of: u32, severity: u64, more: &[(&str, Value)]) -> Happened {
    let fields = events(serde_json::json!({}))
        .notifiers
        .remove(0)
        .filter
        .asked
        .fields;
    let text = |text: &str| Value::Text(text.to_owned());
    let known = [
        ("EventId", text("AAE=")),
        ("EventType", text(&format!("i={of}"))),
        ("SourceName", text("Press")),
        ("Severity", Value::UInt(severity)),
        ("Message", text("too hot")),
    ];
    let value = |name: &str| {
        let mut all = more.iter().chain(&known);
        let found = all.find(|(known, _)| *known == name);
        found.map_or(Value::Null, |(_, value)| value.clone())
    };
    Happened {
        handle: 0,
        at: Some(AT),
        fields: fields.iter().map(|field| value(&field.name)).collect(),
    }
}

fn field<'a>(reading: &'a Reading, name: &str) -> Option<&'a Value> {
    let Value::Struct(fields) = &reading.value else {
        panic!("{reading:?}");
    };
    let (_, value) = fields.iter().find(|(known, _)| known == name)?;
    Some(value)
}

#[test]
fn an_event_is_a_reading_of_the_critical_lane_at_the_point_of_its_type() {
    let mut events = events(serde_json::json!({}));
    let told = events.tell(vec![happened(2041, 300, &[])], SEEN);
    let [reading] = &told.readings[..] else {
        panic!("{:?}", told.readings);
    };
    assert_eq!(reading.point.to_string(), "s/Server/BaseEventType");
    assert_eq!(
        (reading.class, &reading.quality),
        (Lane::Event, &Quality::Good)
    );
    assert_eq!((reading.at, reading.seen), (AT, SEEN));
    for (name, value) in [
        ("EventId", Value::Text("AAE=".to_owned())),
        ("Severity", Value::UInt(300)),
        ("Message", Value::Text("too hot".to_owned())),
        ("EventType", Value::Text("BaseEventType".to_owned())),
        ("SourceName", Value::Text("Press".to_owned())),
    ] {
        assert_eq!(field(reading, name), Some(&value), "{name}");
    }
    assert_eq!(field(reading, "ActiveState"), None, "it is no condition");
    assert_eq!(told.points.len(), 1);
    assert_eq!(
        events
            .tell(vec![happened(2041, 300, &[])], SEEN)
            .points
            .len(),
        0
    );
}

#[test]
fn each_condition_has_its_own_point_with_its_state_in_plain_fields() {
    let mut events = events(serde_json::json!({}));
    let state = [
        ("ConditionName", Value::Text("Overheat".to_owned())),
        ("ActiveState", Value::Bool(true)),
        ("AckedState", Value::Bool(false)),
        ("ConditionId", Value::Text("ns=2;s=Overheat".to_owned())),
    ];
    let told = events.tell(vec![happened(2915, 800, &state)], SEEN);
    let reading = &told.readings[0];
    assert_eq!(reading.point.to_string(), "s/Server/Press.Overheat");
    for (name, value) in &state {
        assert_eq!(field(reading, name), Some(value), "{name}");
    }
    assert_eq!(
        told.points[0].2.data_type.as_deref(),
        Some("AlarmConditionType")
    );
}

#[test]
fn what_is_not_wanted_is_sorted_out_whatever_the_server_sends() {
    let mut events = events(serde_json::json!({
        "types": ["AlarmConditionType"], "where": { "min_severity": 500 },
    }));
    let sent = vec![
        happened(2041, 900, &[]),
        happened(2915, 499, &[]),
        happened(2915, 500, &[]),
    ];
    assert_eq!(events.tell(sent, SEEN).readings.len(), 1);
}

#[test]
fn the_servers_word_that_events_were_lost_is_counted_and_passed_on() {
    let mut events = events(serde_json::json!({ "where": { "min_severity": 500 } }));
    let told = events.tell(vec![happened(3035, 1, &[])], SEEN);
    assert_eq!((told.overflows, told.readings.len()), (1, 1));
}

#[test]
fn an_event_of_nobody_or_without_fields_does_no_harm() {
    let mut events = events(serde_json::json!({}));
    let nobody = Happened {
        handle: 7,
        ..happened(2041, 1, &[])
    };
    assert!(events.tell(vec![nobody], SEEN).readings.is_empty());
    let nothing = Happened {
        handle: 0,
        at: None,
        fields: Vec::new(),
    };
    let told = events.tell(vec![nothing], SEEN);
    assert_eq!(told.readings[0].point.to_string(), "s/Server/Event");
    assert_eq!(told.readings[0].at, SEEN);
}

/// A state of the condition `Press.Overheat`.
fn state(event: &str, active: bool, acked: bool) -> Happened {
    let text = |text: &str| Value::Text(text.to_owned());
    happened(
        2915,
        800,
        &[
            ("EventId", text(event)),
            ("ConditionName", text("Overheat")),
            ("ConditionId", text("ns=0;s=Overheat")),
            ("Retain", Value::Bool(active || !acked)),
            ("ActiveState", Value::Bool(active)),
            ("AckedState", Value::Bool(acked)),
            ("ActiveState/TransitionTime", text("2026-11-25T20:00:00Z")),
        ],
    )
}

fn messages(told: &Told) -> Vec<&Value> {
    let message = |reading| field(reading, "Message").unwrap();
    told.readings.iter().map(message).collect()
}

#[test]
fn a_condition_is_an_open_alarm_until_it_is_not_retained() {
    let mut events = events(serde_json::json!({}));
    let told = events.tell(vec![state("AAE=", true, false)], SEEN);
    let [Change::Open(alarm)] = &told.alarms[..] else {
        panic!("{:?}", told.alarms);
    };
    assert_eq!(alarm.point, told.readings[0].point);
    assert_eq!((&*alarm.event, &*alarm.condition), ("AAE=", "s=Overheat"));
    assert_eq!((alarm.active, alarm.acked), (Some(true), Some(false)));
    assert_eq!(alarm.allow, [ActionKind::Acknowledge]);
    assert_eq!(
        alarm.since,
        Timestamp::parse("2026-11-25T20:00:00Z").unwrap()
    );
    assert_eq!(alarm.at, AT);
    let told = events.tell(vec![state("AAI=", false, true)], SEEN);
    assert!(matches!(&told.alarms[..], [Change::Close(_)]));
    assert_eq!(told.readings.len(), 1);
}

#[test]
fn around_a_refresh_only_what_changed_is_told() {
    let mut events = events(serde_json::json!({}));
    events.tell(vec![state("AAE=", true, false)], SEEN);
    events.refresh(SEEN);
    let same = vec![
        happened(2787, 1, &[]),
        state("AAE=", true, false),
        happened(2788, 1, &[]),
    ];
    let told = events.tell(same, SEEN);
    assert_eq!(told.readings, [], "it is known");
    assert!(matches!(&told.alarms[..], [Change::Open(_)]));
    events.refresh(SEEN);
    let changed = vec![
        happened(2787, 1, &[]),
        state("AAM=", true, true),
        happened(2788, 1, &[]),
    ];
    assert_eq!(events.tell(changed, SEEN).readings.len(), 1);
    events.refresh(SEEN);
    let none = vec![happened(2787, 1, &[]), happened(2788, 1, &[])];
    let told = events.tell(none, SEEN);
    assert_eq!(
        messages(&told),
        [&Value::Text(
            "no longer told by the server: too hot".to_owned()
        )]
    );
    let closing = &told.readings[0];
    assert_eq!(closing.point.to_string(), "s/Server/Press.Overheat");
    for (name, value) in [
        ("EventId", Value::Text("AAM=-closed".to_owned())),
        ("Retain", Value::Bool(false)),
        ("ActiveState", Value::Bool(false)),
        ("ClosedBy", Value::Text("gateway".to_owned())),
    ] {
        assert_eq!(field(closing, name), Some(&value), "{name}");
    }
}

#[test]
fn a_refresh_of_which_events_were_lost_closes_nothing() {
    let mut events = events(serde_json::json!({}));
    events.tell(vec![state("AAE=", true, false)], SEEN);
    events.refresh(SEEN);
    let told = events.tell(vec![happened(3035, 1, &[]), happened(2788, 1, &[])], SEEN);
    assert_eq!(told.overflows, 1);
    assert!(
        told.alarms
            .iter()
            .all(|change| !matches!(change, Change::Close(_)))
    );
}

#[test]
fn the_end_of_an_alarm_is_told_also_when_it_is_not_as_severe_any_more() {
    let mut events = events(serde_json::json!({ "where": { "min_severity": 500 } }));
    events.tell(vec![state("AAE=", true, false)], SEEN);
    let mut over = state("AAI=", false, true);
    over.fields[SEVERITY] = Value::UInt(1);
    assert_eq!(events.tell(vec![over.clone()], SEEN).readings.len(), 1);
    assert_eq!(events.tell(vec![over], SEEN).readings.len(), 0);
}

#[test]
fn a_server_can_ask_for_a_refresh() {
    let mut events = events(serde_json::json!({ "types": ["AlarmConditionType"] }));
    let told = events.tell(vec![happened(2789, 1, &[])], SEEN);
    assert!(told.refresh && told.readings.is_empty());
}

#[test]
fn what_a_condition_is_stays_known_for_another_session() {
    let mut first = events(serde_json::json!({}));
    first.tell(vec![state("AAE=", true, false)], SEEN);
    let mut second = events(serde_json::json!({}));
    second.conditions = first.conditions().clone();
    second.refresh(SEEN);
    let told = second.tell(
        vec![
            happened(2787, 1, &[]),
            state("AAE=", true, false),
            happened(2788, 1, &[]),
        ],
        SEEN,
    );
    assert_eq!(told.readings, []);
}

/// Types that nobody was told of can be made up, one for each event.
#[test]
fn points_of_events_are_bounded_whatever_their_types_are_called() {
    let mut events = events(serde_json::json!({}));
    let mut points = 0;
    for of in 0..3 * MAX_POINTS_AND_TYPES {
        let of = u32::try_from(of).unwrap();
        let told = events.tell(vec![happened(1_000_000 + of, 300, &[])], SEEN);
        assert_eq!(told.readings.len(), 1);
        points += told.points.len();
    }
    // One for each notifier is for all the others.
    assert_eq!(points, MAX_POINTS_AND_TYPES + 1);
    let long = Value::Text(format!("ns=2;s={}", "x".repeat(500_000)));
    let told = events.tell(vec![happened(1, 300, &[("EventType", long)])], SEEN);
    assert_eq!(told.readings[0].point.to_string(), "s/Server/Event");
}
