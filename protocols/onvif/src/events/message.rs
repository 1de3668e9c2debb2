//! What the event service answers, read within bounds (ONVIF Core Specification clause 9, WS-BaseNotification).

use super::{Items, Message, PropertyOperation, Pulled, Reference, Subscribed, Times};
use crate::{clock::read_date_time, words::bounded, xml::Element};

/// Messages of one answer that are read.
const MAX_MESSAGES: usize = 1_024;
/// Items of a message, each of source and data.
const MAX_ITEMS: usize = 32;
/// Of a name or a value, in characters.
const MAX_TEXT: usize = 512;
/// Reference parameters of a subscription: elements, and bytes of all together.
const MAX_PARAMETERS: usize = 8;
const MAX_PARAMETER_BYTES: usize = 4 << 10;

/// Reads the envelope around `CreatePullPointSubscriptionResponse`: the whole, since its prefixes may be declared anywhere above.
pub(crate) fn read_subscribed(envelope: &Element) -> Option<Subscribed> {
    let path = [
        "Body",
        "CreatePullPointSubscriptionResponse",
        "SubscriptionReference",
    ];
    let mut declared: Vec<(&str, &str)> = Vec::new();
    let mut here = envelope;
    declare(here, &mut declared);
    for name in path {
        here = here.child(name)?;
        declare(here, &mut declared);
    }
    let address = here.word(&["Address"])?;
    let mut parameters = Vec::new();
    if let Some(all) = here.child("ReferenceParameters") {
        declare(all, &mut declared);
        let mut left = MAX_PARAMETER_BYTES;
        for parameter in all.children.iter().take(MAX_PARAMETERS) {
            let mut text = String::new();
            parameter.write_with(&declared, &mut text);
            let Some(rest) = left.checked_sub(text.len()) else {
                break;
            };
            left = rest;
            parameters.push(text);
        }
    }
    let response = envelope.at(&path[..2])?;
    Some(Subscribed {
        reference: Reference {
            address: address.to_owned(),
            parameters,
        },
        times: read_times(response),
    })
}

/// `CurrentTime` and `TerminationTime` of an answer.
pub(crate) fn read_times(response: &Element) -> Times {
    let time = |name: &str| response.word(&[name]).and_then(read_date_time);
    Times {
        device_now: time("CurrentTime"),
        terminates: time("TerminationTime"),
    }
}

/// `PullMessagesResponse`.
pub(crate) fn read_pulled(response: &Element) -> Pulled {
    let messages = response.named("NotificationMessage").take(MAX_MESSAGES);
    Pulled {
        messages: messages.filter_map(message).collect(),
        times: read_times(response),
    }
}

/// A message without a topic says nothing to anybody.
fn message(notification: &Element) -> Option<Message> {
    let topic = notification.word(&["Topic"])?;
    let outer = notification.child("Message")?;
    let message = outer.child("Message").unwrap_or(outer);
    let operation = match message.attribute("PropertyOperation").unwrap_or_default() {
        "Initialized" => Some(PropertyOperation::Initialized),
        "Changed" => Some(PropertyOperation::Changed),
        "Deleted" => Some(PropertyOperation::Deleted),
        _ => None,
    };
    Some(Message {
        topic: bounded(topic, MAX_TEXT),
        operation,
        at: message.attribute("UtcTime").and_then(read_date_time),
        source: items(message.child("Source")),
        data: items(message.child("Data")),
    })
}

fn items(of: Option<&Element>) -> Items {
    let Some(of) = of else { return Items::new() };
    of.named("SimpleItem")
        .take(MAX_ITEMS)
        .filter_map(|item| {
            let name = bounded(item.attribute("Name")?, MAX_TEXT);
            let value = bounded(item.attribute("Value").unwrap_or_default(), MAX_TEXT);
            Some((name, value))
        })
        .collect()
}

/// An inner declaration counts before an outer one.
fn declare<'a>(element: &'a Element, declared: &mut Vec<(&'a str, &'a str)>) {
    for (prefix, namespace) in element.declarations() {
        declared.retain(|(known, _)| *known != prefix);
        declared.push((prefix, namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    #[test]
    fn a_subscription_keeps_what_has_to_be_repeated() {
        let answer = parse(
            br#"<s:Envelope xmlns:s="S" xmlns:dom0="http://outer"><s:Body xmlns:tev="E"><tev:CreatePullPointSubscriptionResponse>
            <tev:SubscriptionReference xmlns:dom0="http://www.axis.com/2009/event"><wsa:Address> http://10.0.0.1/event/1?a=b&amp;c </wsa:Address>
            <wsa:ReferenceParameters><dom0:SubscriptionId kind="x&lt;">7</dom0:SubscriptionId></wsa:ReferenceParameters></tev:SubscriptionReference>
            <wsnt:CurrentTime>2026-11-29T12:00:00Z</wsnt:CurrentTime><wsnt:TerminationTime>2026-11-29T12:05:00Z</wsnt:TerminationTime>
            </tev:CreatePullPointSubscriptionResponse></s:Body></s:Envelope>"#,
        )
        .unwrap();
        let read = read_subscribed(&answer).unwrap();
        assert_eq!(read.reference.address, "http://10.0.0.1/event/1?a=b&c");
        assert_eq!(
            read.reference.parameters,
            [
                r#"<dom0:SubscriptionId xmlns:s="S" xmlns:tev="E" xmlns:dom0="http://www.axis.com/2009/event" kind="x&lt;">7</dom0:SubscriptionId>"#
            ]
        );
        let (now, end) = (
            read.times.device_now.unwrap(),
            read.times.terminates.unwrap(),
        );
        assert_eq!(end.millis() - now.millis(), 300_000);
    }

    #[test]
    fn messages_are_read_in_order_and_those_without_a_topic_left_out() {
        let answer = parse(
            br#"<R><CurrentTime>x</CurrentTime><NotificationMessage><Topic Dialect="d">tns1:A/B</Topic><Message><tt:Message UtcTime="2026-11-29T12:00:00Z" PropertyOperation="Changed">
            <tt:Source><tt:SimpleItem Name="S" Value="1"/><tt:SimpleItem Value="no name"/></tt:Source><tt:Data><tt:SimpleItem Name="D"/></tt:Data></tt:Message></Message></NotificationMessage>
            <NotificationMessage><Message/></NotificationMessage><NotificationMessage><Topic>b</Topic><Message/></NotificationMessage></R>"#,
        )
        .unwrap();
        let read = read_pulled(&answer);
        assert_eq!(read.times, Times::default());
        assert_eq!(read.messages.len(), 2);
        assert_eq!(read.messages[0].operation, Some(PropertyOperation::Changed));
        assert_eq!(read.messages[0].source, [("S".to_owned(), "1".to_owned())]);
        assert_eq!(read.messages[0].data, [("D".to_owned(), String::new())]);
        assert_eq!(
            read.messages[1],
            Message {
                topic: "b".into(),
                ..Message::default()
            }
        );
    }
}
