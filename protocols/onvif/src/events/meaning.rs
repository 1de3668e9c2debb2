//! Topics in words: which of a device's topics is motion, tampering, a line that was crossed, and whether it is on.

use super::{Items, Message};
use crate::{words::bounded, xml::boolean};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    Motion,
    Tamper,
    LineCrossing,
    /// Something is in a field, or stays in it.
    Intrusion,
    DigitalInput,
    Relay,
    /// A video input without a signal.
    SignalLoss,
    /// A person, a vehicle, an animal, a face.
    Object,
    /// A topic that is passed on as it is.
    Other,
}

/// A topic that is known, by its end: what stands before differs between devices of different years.
struct Topic {
    path: &'static [&'static str],
    id: &'static str,
    kind: EventKind,
    /// The item that says whether it is on; empty for what only happens.
    item: &'static str,
}

/// `*` stands for one segment. The first that fits counts.
const TOPICS: &[Topic] = &[
    topic(
        &["CellMotionDetector", "Motion"],
        "motion",
        EventKind::Motion,
        "IsMotion",
    ),
    topic(
        &["MotionRegionDetector", "Motion"],
        "motion_region",
        EventKind::Motion,
        "State",
    ),
    topic(
        &["VideoSource", "MotionAlarm"],
        "motion_alarm",
        EventKind::Motion,
        "State",
    ),
    topic(
        &["VideoAnalytics", "Motion"],
        "motion_analytics",
        EventKind::Motion,
        "State",
    ),
    topic(
        &["TamperDetector", "Tamper"],
        "tamper",
        EventKind::Tamper,
        "IsTamper",
    ),
    topic(
        &["VideoSource", "GlobalSceneChange", "*"],
        "scene_change",
        EventKind::Tamper,
        "State",
    ),
    topic(
        &["LineDetector", "Crossed"],
        "line_crossing",
        EventKind::LineCrossing,
        "",
    ),
    topic(
        &["FieldDetector", "ObjectsInside"],
        "intrusion",
        EventKind::Intrusion,
        "IsInside",
    ),
    topic(
        &["LoiteringDetector", "ObjectIsLoitering"],
        "loitering",
        EventKind::Intrusion,
        "State",
    ),
    topic(
        &["Trigger", "DigitalInput"],
        "digital_input",
        EventKind::DigitalInput,
        "LogicalState",
    ),
    topic(
        &["Trigger", "Relay"],
        "relay",
        EventKind::Relay,
        "LogicalState",
    ),
    topic(
        &["VideoSource", "SignalLoss"],
        "signal_loss",
        EventKind::SignalLoss,
        "State",
    ),
    topic(
        &["MyRuleDetector", "PeopleDetect"],
        "person",
        EventKind::Object,
        "State",
    ),
    topic(
        &["MyRuleDetector", "VehicleDetect"],
        "vehicle",
        EventKind::Object,
        "State",
    ),
    topic(
        &["MyRuleDetector", "DogCatDetect"],
        "animal",
        EventKind::Object,
        "State",
    ),
    topic(
        &["MyRuleDetector", "FaceDetect"],
        "face",
        EventKind::Object,
        "State",
    ),
];

/// Of an id, in characters.
const MAX_ID: usize = 200;

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub id: String,
    pub kind: EventKind,
    pub title: String,
    pub active: Option<bool>,
    /// The device names something that is on or off, so it has a state even where the device does not say that it is a property.
    pub has_state: bool,
}

pub(super) fn meaning(message: &Message) -> Meaning {
    let path: Vec<&str> = segments(&message.topic).collect();
    let known = TOPICS.iter().find(|topic| topic.fits(&path));
    let kind = known.map_or(EventKind::Other, |topic| topic.kind);
    let name = known.map_or_else(|| path.join("/"), |topic| topic.id.to_owned());
    let active = match known {
        Some(topic) if topic.item.is_empty() => None,
        Some(topic) => named_state(&message.data, topic.item).or_else(|| only_state(&message.data)),
        None => only_state(&message.data),
    };
    Meaning {
        id: with_sources(&name, &message.source),
        title: title(kind, &path, &message.source),
        has_state: kind != EventKind::Other && active.is_some(),
        kind,
        active,
    }
}

const fn topic(
    path: &'static [&'static str],
    id: &'static str,
    kind: EventKind,
    item: &'static str,
) -> Topic {
    Topic {
        path,
        id,
        kind,
        item,
    }
}

/// Without prefixes: `tns1:Device/tnshik:Trigger` is `Device`, `Trigger`.
fn segments(topic: &str) -> impl Iterator<Item = &str> {
    topic
        .split('/')
        .map(|segment| {
            segment
                .rsplit_once(':')
                .map_or(segment, |(_, local)| local)
                .trim()
        })
        .filter(|segment| !segment.is_empty())
}

fn named_state(data: &Items, item: &str) -> Option<bool> {
    let found = data
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(item));
    found.and_then(|(_, value)| state(value))
}

/// The one item that is on or off, when there is one alone.
fn only_state(data: &Items) -> Option<bool> {
    let mut states = data.iter().filter_map(|(_, value)| state(value));
    let first = states.next()?;
    states.next().is_none().then_some(first)
}

fn state(value: &str) -> Option<bool> {
    let value = value.trim();
    boolean(value).or_else(|| match value.to_ascii_lowercase().as_str() {
        "active" | "on" => Some(true),
        "inactive" | "off" => Some(false),
        _ => None,
    })
}

fn with_sources(name: &str, source: &Items) -> String {
    let mut id = name.to_owned();
    for (_, value) in source {
        let value = value.trim();
        if !value.is_empty() {
            id.push('/');
            id.push_str(&value.replace('/', "_"));
        }
    }
    bounded(&id, MAX_ID)
}

fn title(kind: EventKind, path: &[&str], source: &Items) -> String {
    let name = match kind {
        EventKind::Other => path.join(" / "),
        kind => kind.title().to_owned(),
    };
    // A rule's own name says most; a token of a configuration says something only where it is alone.
    let place = source
        .iter()
        .find(|(name, _)| name == "Rule")
        .or_else(|| source.first())
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty());
    match place {
        Some(place) => bounded(&format!("{name} ({place})"), MAX_ID),
        None => bounded(&name, MAX_ID),
    }
}

// === impl Topic ===

impl Topic {
    fn fits(&self, path: &[&str]) -> bool {
        // Some devices append a segment of their own to a topic of the standard.
        path.windows(self.path.len()).any(|window| {
            window.iter().zip(self.path).all(|(segment, expected)| {
                *expected == "*" || segment.eq_ignore_ascii_case(expected)
            })
        })
    }
}

// === impl EventKind ===

impl EventKind {
    /// As it is called in an address or a rule of ours.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Motion => "motion",
            Self::Tamper => "tamper",
            Self::LineCrossing => "line_crossing",
            Self::Intrusion => "intrusion",
            Self::DigitalInput => "digital_input",
            Self::Relay => "relay",
            Self::SignalLoss => "signal_loss",
            Self::Object => "object",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Motion => "Motion",
            Self::Tamper => "Tampering",
            Self::LineCrossing => "Line crossed",
            Self::Intrusion => "Intrusion",
            Self::DigitalInput => "Digital input",
            Self::Relay => "Relay",
            Self::SignalLoss => "No video signal",
            Self::Object => "Object",
            Self::Other => "Event",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(pairs: &[(&str, &str)]) -> Items {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn check(
        topic: &str,
        source: &[(&str, &str)],
        data: &[(&str, &str)],
        id: &str,
        kind: EventKind,
        active: Option<bool>,
    ) {
        let message = Message {
            topic: topic.to_owned(),
            source: items(source),
            data: items(data),
            ..Message::default()
        };
        let read = meaning(&message);
        assert_eq!(
            (read.id.as_str(), read.kind, read.active),
            (id, kind, active),
            "{topic}"
        );
    }

    #[test]
    fn topics_of_the_standard_are_known() {
        use EventKind as K;
        let rule = [
            ("VideoSourceConfigurationToken", "VSC"),
            ("VideoAnalyticsConfigurationToken", "VAC"),
            ("Rule", "R"),
        ];
        check(
            "tns1:RuleEngine/CellMotionDetector/Motion",
            &rule,
            &[("IsMotion", "true")],
            "motion/VSC/VAC/R",
            K::Motion,
            Some(true),
        );
        check(
            "tns1:VideoSource/MotionAlarm",
            &[("Source", "0")],
            &[("State", "false")],
            "motion_alarm/0",
            K::Motion,
            Some(false),
        );
        check(
            "tns1:RuleEngine/TamperDetector/Tamper",
            &rule[..1],
            &[("IsTamper", "1")],
            "tamper/VSC",
            K::Tamper,
            Some(true),
        );
        check(
            "tns1:VideoSource/GlobalSceneChange/ImagingService",
            &[("Source", "0")],
            &[("State", "True")],
            "scene_change/0",
            K::Tamper,
            Some(true),
        );
        check(
            "tns1:RuleEngine/LineDetector/Crossed",
            &rule[2..],
            &[("ObjectId", "1")],
            "line_crossing/R",
            K::LineCrossing,
            None,
        );
        check(
            "tns1:RuleEngine/FieldDetector/ObjectsInside",
            &rule[2..],
            &[("ObjectId", "1"), ("IsInside", "true")],
            "intrusion/R",
            K::Intrusion,
            Some(true),
        );
        check(
            "tns1:Device/Trigger/DigitalInput",
            &[("InputToken", "a/b")],
            &[("LogicalState", "false")],
            "digital_input/a_b",
            K::DigitalInput,
            Some(false),
        );
        check(
            "tns1:Device/Trigger/tnshik:AlarmIn",
            &[("AlarmInToken", "1")],
            &[("State", "true")],
            "Device/Trigger/AlarmIn/1",
            K::Other,
            Some(true),
        );
        check(
            "tns1:Device/Trigger/Relay",
            &[("RelayToken", "1")],
            &[("LogicalState", "active")],
            "relay/1",
            K::Relay,
            Some(true),
        );
        check(
            "tns1:VideoSource/SignalLoss",
            &[],
            &[("State", "false")],
            "signal_loss",
            K::SignalLoss,
            Some(false),
        );
        check(
            "tns1:RuleEngine/MyRuleDetector/PeopleDetect",
            &[("Source", "0")],
            &[("State", "true")],
            "person/0",
            K::Object,
            Some(true),
        );
        check(
            "tns1:Monitoring/ProcessorUsage",
            &[("Token", "cpu")],
            &[("Value", "35")],
            "Monitoring/ProcessorUsage/cpu",
            K::Other,
            None,
        );
        check(
            "tns1:UserAlarm/IVA/X",
            &[],
            &[("A", "true"), ("B", "false")],
            "UserAlarm/IVA/X",
            K::Other,
            None,
        );
        check("", &[], &[], "", K::Other, None);
    }

    #[test]
    fn titles_name_the_rule() {
        let message = Message {
            topic: "tns1:RuleEngine/LineDetector/Crossed".into(),
            source: items(&[("VideoSourceConfigurationToken", "VSC"), ("Rule", "Gate")]),
            ..Message::default()
        };
        assert_eq!(meaning(&message).title, "Line crossed (Gate)");
    }

    proptest::proptest! {
        #[test]
        fn any_message_has_a_bounded_meaning(topic in ".{0,400}", value in ".{0,300}") {
            let message = Message { topic, source: vec![("Source".into(), value.clone())], data: vec![("State".into(), value)], ..Message::default() };
            let read = meaning(&message);
            proptest::prop_assert!(read.id.chars().count() <= MAX_ID + 1 && read.title.chars().count() <= MAX_ID + 1);
        }
    }
}
