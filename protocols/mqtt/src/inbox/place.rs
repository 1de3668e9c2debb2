//! `Place`: by which topics commands come and answers go; what a message says of itself. Pure.

use bytes::Bytes;
use fieldgate_kit::{
    AddressBook,
    command::{Objection, WhyNot},
    topic::TopicTemplate,
};
use serde_json::{Value as Json, json};

use crate::{
    filter::Filter,
    settings::Settings,
    wire::{Asked, MAX_PAYLOAD_BYTES, MAX_REPLY_BYTES},
};

/// The longest name of who asks, in characters.
const MAX_ASKER_CHARS: usize = 64;
/// User properties that say who asks: ours, and that of Azure IoT Operations' remote calls.
const ASKERS: [&str; 2] = ["from", "__srcId"];

/// The topics of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where commands are taken.
    pub topic: String,
    /// Where answers go that are wanted nowhere else.
    pub answers: String,
    /// Where they may be wanted; everywhere that is not the gateway's own, when there is nothing.
    pub responses: Vec<Filter>,
    pub own: Own,
}

/// Topics that are the gateway's own, and of gateways whose topics are called the same way: what nobody makes it publish to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    pub commands: TopicTemplate,
    pub status: TopicTemplate,
    pub readings: TopicTemplate,
}

/// Where one answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub topic: String,
    /// What the asker knows it by.
    pub correlation: Option<Bytes>,
}

// === impl Place ===

impl Place {
    /// None where commands are not taken.
    pub fn of(settings: &Settings, book: &AddressBook) -> Option<Self> {
        let commands = settings.commands.as_ref()?;
        Some(Self {
            topic: commands.topic(book),
            answers: commands.answers(book),
            responses: commands.responses.clone(),
            own: Own {
                commands: commands.topic.clone(),
                status: settings.status_topic.clone(),
                readings: settings.topic.clone(),
            },
        })
    }

    /// Where the answer to a message goes, and what speaks against the message.
    pub fn judge(&self, asked: &Asked) -> (Reply, Option<Objection>) {
        let wanted = asked.response_topic.as_deref();
        let no_topic = wanted.and_then(|topic| self.no_response_topic(topic));
        let topic = wanted.filter(|_| no_topic.is_none());
        let (bytes, of_reply) = (asked.payload_bytes, asked.correlation_bytes);
        let objection = if asked.retained {
            Some((
                WhyNot::Retained,
                "a retained message is no command: it is old by definition, and would come again; publish it without retain, and take away the one that is kept".to_owned(),
            ))
        } else if bytes > MAX_PAYLOAD_BYTES {
            Some((
                WhyNot::TooLarge,
                format!(
                    "the message has {bytes} bytes, and a command has no more than {MAX_PAYLOAD_BYTES}; send less"
                ),
            ))
        } else if let Some(why) = no_topic {
            Some((WhyNot::ReplyTo, why))
        } else if of_reply > MAX_REPLY_BYTES {
            Some((
                WhyNot::ReplyTo,
                format!(
                    "the correlation data has {of_reply} bytes, and no more than {MAX_REPLY_BYTES} are kept; send less"
                ),
            ))
        } else {
            None
        };
        let reply = Reply {
            topic: topic.unwrap_or(&self.answers).to_owned(),
            correlation: asked.correlation.clone(),
        };
        (
            reply,
            objection.map(|(why, words)| Objection { why, words }),
        )
    }

    /// Why a topic is no place for an answer: it comes from the asker, and the gateway may publish what the asker may not.
    fn no_response_topic(&self, topic: &str) -> Option<String> {
        let why = match topic {
            "" => "it is empty",
            _ if topic.len() > MAX_REPLY_BYTES => "it has more than 1024 bytes",
            _ if topic.contains(['+', '#']) => "it stands for many topics",
            _ if topic.chars().any(char::is_control) => "it has control characters",
            _ if topic.starts_with('$') => "it belongs to the broker",
            _ if self.own.commands.could_be(topic) => "answers would come back as commands",
            _ if self.own.status.could_be(topic) => "the gateway's status stands there",
            _ => return self.no_listed_topic(topic),
        };
        Some(no_answer_to(topic, why, "name another one"))
    }

    /// Where readings have no beginning of their own, nobody can tell their topics from others: then a list decides alone.
    fn no_listed_topic(&self, topic: &str) -> Option<String> {
        let listed = self.responses.iter().any(|filter| filter.takes(topic));
        let readings = &self.own.readings;
        let may_be_told_apart = self.responses.is_empty() || readings.has_own_beginning();
        if may_be_told_apart && readings.could_be(topic) {
            let remedy = "name another one, or have it listed in `responses` of the destination's `commands` where readings have no beginning of their own";
            return Some(no_answer_to(topic, "readings go there", remedy));
        }
        if listed || self.responses.is_empty() {
            return None;
        }
        let remedy = "name one that is, or have it added there";
        let why = "it is not among `responses` of the destination's `commands`";
        Some(no_answer_to(topic, why, remedy))
    }
}

fn no_answer_to(topic: &str, why: &str, remedy: &str) -> String {
    let shown: String = topic.chars().take(100).collect();
    format!(
        "no answer can go to the response topic `{}`: {why}; {remedy}",
        shown.escape_debug()
    )
}

// === impl Reply ===

impl Reply {
    /// As it is kept with the command.
    pub fn to_json(&self) -> Json {
        match &self.correlation {
            None => json!({ "topic": self.topic }),
            Some(data) => json!({ "topic": self.topic, "correlation": hex(data) }),
        }
    }

    /// None when it was kept by a version that wrote it otherwise.
    pub fn of_json(json: &Json) -> Option<Self> {
        Some(Self {
            topic: json["topic"].as_str()?.to_owned(),
            correlation: match &json["correlation"] {
                Json::String(text) => Some(of_hex(text)?.into()),
                _ => None,
            },
        })
    }
}

/// Who asks, as the message says; short, and without anything that would break a line.
pub(crate) fn asker(attributes: &[(String, String)]) -> Option<String> {
    let named = ASKERS
        .iter()
        .find_map(|name| attributes.iter().find(|(known, _)| known == name));
    let (_, name) = named?;
    let clean = name.chars().filter(|c| !c.is_control());
    let clean: String = clean.take(MAX_ASKER_CHARS).collect();
    (!clean.trim().is_empty()).then(|| clean.trim().to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            topic: "fieldgate/line-4/cmd".into(),
            answers: "fieldgate/line-4/cmd/answer".into(),
            responses: Vec::new(),
            own: own("fieldgate/{gateway}/{device}/{dataset}"),
        }
    }

    fn own(readings: &str) -> Own {
        Own {
            commands: "fieldgate/{gateway}/cmd".parse().unwrap(),
            status: "fieldgate/{gateway}/status".parse().unwrap(),
            readings: readings.parse().unwrap(),
        }
    }

    fn asked(response_topic: Option<&str>) -> Asked {
        Asked::with_payload(1, false, b"{}").replies_to(response_topic.map(str::to_owned), None)
    }

    #[test]
    fn an_answer_goes_where_it_is_wanted_or_to_the_topic_of_answers() {
        for (wanted, topic) in [
            (None, "fieldgate/line-4/cmd/answer"),
            (Some("hmi-3/answers"), "hmi-3/answers"),
        ] {
            let (reply, objection) = place().judge(&asked(wanted));
            assert_eq!((reply.topic.as_str(), objection), (topic, None));
            assert_eq!(Reply::of_json(&reply.to_json()), Some(reply));
        }
        let none = Reply {
            topic: "a".into(),
            correlation: None,
        };
        assert_eq!(Reply::of_json(&none.to_json()), Some(none));
        for broken in [
            json!({}),
            json!({ "topic": "a", "correlation": "0" }),
            json!({ "topic": "a", "correlation": "0g" }),
        ] {
            assert_eq!(Reply::of_json(&broken), None);
        }
    }

    #[test]
    fn a_response_topic_is_the_askers_word_and_nothing_more() {
        let long = "x".repeat(MAX_REPLY_BYTES + 1);
        for (topic, words) in [
            ("", "it is empty"),
            (&long, "more than 1024 bytes"),
            ("a/#", "stands for many topics"),
            ("a/+/b", "stands for many topics"),
            ("a\0", "control characters"),
            ("$SYS/broker", "belongs to the broker"),
            ("fieldgate/line-4/cmd", "come back as commands"),
            ("fieldgate/line-4/status", "status stands there"),
            ("fieldgate/line-5/cmd", "come back as commands"),
            ("fieldgate/line-4/press/Line/data", "readings go there"),
            ("fieldgate/line-5/press/events", "readings go there"),
        ] {
            let (reply, objection) = place().judge(&asked(Some(topic)));
            let objection = objection.unwrap();
            assert_eq!(reply.topic, "fieldgate/line-4/cmd/answer");
            assert_eq!(objection.why, WhyNot::ReplyTo);
            assert!(objection.words.contains(words), "{}", objection.words);
        }
    }

    #[test]
    fn what_is_retained_or_has_too_much_to_remember_is_no_command() {
        let retained = Asked {
            retained: true,
            ..asked(Some("a"))
        };
        let (reply, objection) = place().judge(&retained);
        assert_eq!(reply.topic, "a");
        assert_eq!(objection.unwrap().why, WhyNot::Retained);
        let much = vec![0; MAX_REPLY_BYTES + 1];
        let large = asked(None).replies_to(Some("a".into()), Some(&much));
        assert_eq!(large.correlation, None, "it is not even kept");
        let objection = place().judge(&large).1.unwrap();
        assert!(
            objection.words.contains("1025 bytes"),
            "{}",
            objection.words
        );
    }

    #[test]
    fn a_message_that_is_too_large_is_not_kept_and_its_asker_is_told() {
        let large = Asked::with_payload(7, false, &vec![b'x'; 1 << 20]);
        let large = large.replies_to(Some("a".into()), Some(b"c"));
        assert!(large.payload.is_empty());
        let (reply, objection) = place().judge(&large);
        assert_eq!(
            (reply.topic.as_str(), reply.correlation),
            ("a", Some("c".into()))
        );
        let objection = objection.unwrap();
        assert_eq!(objection.why, WhyNot::TooLarge);
        assert!(
            objection.words.contains("1048576 bytes") && objection.words.contains("65536"),
            "{}",
            objection.words
        );
        let fits = Asked::with_payload(7, false, &[b'x'; MAX_PAYLOAD_BYTES]);
        assert_eq!(fits.payload.len(), MAX_PAYLOAD_BYTES);
        assert_eq!(place().judge(&fits).1, None);
    }

    #[test]
    fn a_list_of_response_topics_allows_those_and_no_others() {
        let place = |responses: &[&str], readings: &str| Place {
            responses: responses.iter().map(|text| text.parse().unwrap()).collect(),
            own: own(readings),
            ..place()
        };
        let usual = "fieldgate/{gateway}/{device}/{dataset}";
        let bare = "{source}/{device}/{point}";
        for (responses, readings, topic, expected) in [
            (&["hmi/#"][..], usual, "hmi/3/answers", None),
            (
                &["hmi/#"],
                usual,
                "mes/answers",
                Some("not among `responses`"),
            ),
            (
                &["#"],
                usual,
                "fieldgate/line-4/a/data",
                Some("readings go there"),
            ),
            (
                &["#"],
                usual,
                "fieldgate/line-4/cmd",
                Some("come back as commands"),
            ),
            (&["#"], usual, "$SYS/a", Some("belongs to the broker")),
            (&[], bare, "hmi/3/answers", Some("readings go there")),
            (&["hmi/#"], bare, "hmi/3/answers", None),
            (&["hmi/#"], bare, "a/b/c", Some("not among `responses`")),
        ] {
            let (reply, objection) = place(responses, readings).judge(&asked(Some(topic)));
            let words = objection.map(|objection| objection.words);
            match (expected, &words) {
                (None, None) => assert_eq!(reply.topic, topic),
                (Some(part), Some(words)) => assert!(words.contains(part), "{words}"),
                _ => panic!("{topic}: {words:?}"),
            }
        }
    }

    #[test]
    fn who_asks_is_shown_as_it_is_said_and_no_longer() {
        let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(asker(&[]), None);
        assert_eq!(asker(&[property("from", "\n ")]), None);
        assert_eq!(
            asker(&[property("__srcId", "b"), property("from", " hmi\n-3 ")]).as_deref(),
            Some("hmi-3")
        );
        let long = property("__srcId", &"x".repeat(500));
        assert_eq!(asker(&[long]).map(|name| name.len()), Some(MAX_ASKER_CHARS));
    }
}
