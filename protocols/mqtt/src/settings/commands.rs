//! `CommandSettings`: whether others may tell devices something through the broker, and by which topics.

use fieldgate_kit::{
    AddressBook, Problem,
    topic::{Placeholder, TopicTemplate, TopicValues},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::filter::Filter;

/// Where commands come from and answers go. What they may do is set at each source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CommandSettings {
    /// The topic where commands are taken. Who may publish there can do what the sources allow: restrict it on the broker.
    /// Placeholder: `{gateway}`.
    pub topic: TopicTemplate,
    /// The topic of answers to commands that name no response topic of their own, as all with MQTT 3.1.1. Placeholder: `{gateway}`.
    pub answers: TopicTemplate,
    /// Where answers may be wanted, as topic filters, for instance `hmi/#`: who asks names the response topic, and the gateway
    /// may publish what the asker may not. Left out: everywhere, but not where readings, commands or the status of this
    /// gateway, or of one whose topics are called the same way, go.
    pub responses: Vec<Filter>,
}

// === impl CommandSettings ===

impl CommandSettings {
    /// All that the types cannot tell.
    pub(super) fn problems(&self, status: &TopicTemplate) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, topic) in [("topic", &self.topic), ("answers", &self.answers)] {
            if topic.placeholders().any(|p| p != Placeholder::Gateway) {
                problems.push(Problem::new(
                    ["commands", key],
                    "commands are the gateway's, so only `{gateway}` has a value in their topics; which device is meant stands in the message",
                    "use no other placeholder there",
                ));
            }
            if topic.as_str() == status.as_str() {
                problems.push(Problem::new(
                    ["commands", key],
                    "the gateway's status has this topic",
                    "use one of its own",
                ));
            }
        }
        if self.topic.as_str() == self.answers.as_str() {
            problems.push(Problem::new(
                ["commands", "answers"],
                "answers would come back as commands",
                "use another topic than that of the commands",
            ));
        }
        problems
    }

    pub(crate) fn topic(&self, book: &AddressBook) -> String {
        rendered(&self.topic, book)
    }

    pub(crate) fn answers(&self, book: &AddressBook) -> String {
        rendered(&self.answers, book)
    }
}

impl Default for CommandSettings {
    fn default() -> Self {
        let topic = |text: &str| text.parse().expect("the default topics are templates");
        Self {
            topic: topic("fieldgate/{gateway}/cmd"),
            answers: topic("fieldgate/{gateway}/cmd/answer"),
            responses: Vec::new(),
        }
    }
}

fn rendered(topic: &TopicTemplate, book: &AddressBook) -> String {
    topic.render(&TopicValues {
        gateway: &book.gateway,
        ..TopicValues::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn a_topic_is_the_gateways_and_no_other_one() {
        let status = "fieldgate/{gateway}/status".parse().unwrap();
        let problems = |settings: Json| {
            let settings: CommandSettings = serde_json::from_value(settings).unwrap();
            let problems = settings.problems(&status);
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(problems(json!({})).is_empty());
        for (settings, expected) in [
            (
                json!({ "topic": "a/{device}" }),
                "commands.topic: commands are the gateway's",
            ),
            (
                json!({ "answers": "a/{point}" }),
                "commands.answers: commands are the gateway's",
            ),
            (
                json!({ "topic": "fieldgate/{gateway}/status" }),
                "commands.topic: the gateway's status",
            ),
            (
                json!({ "topic": "a", "answers": "a" }),
                "commands.answers: answers would come back",
            ),
        ] {
            let problems = problems(settings);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(expected), "{problems:?}");
        }
    }
}
