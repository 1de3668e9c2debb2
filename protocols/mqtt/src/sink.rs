//! `Sink`: the tower service that turns a batch into MQTT messages and resolves when all of them are acknowledged.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fieldgate_kit::{
    AddressBook, Batch, Receipt, Refusal, Rejected, Sequenced, SinkError,
    format::{Message, STRUCTURED_CONTENT_TYPE},
    topic::TopicValues,
};
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::PollSender;
use tower::Service;

use crate::{
    pacer::MessageLimit,
    pump::{Call, Packet},
    settings::{Settings, Version},
    wire::Publication,
};

/// One link's way in. Ready while no more than a batch or two wait for the pump.
pub(crate) struct Sink {
    pub encoder: Encoder,
    pub calls: PollSender<Call>,
}

/// Batches to packets; pure.
pub(crate) struct Encoder {
    pub settings: Arc<Settings>,
    pub book: AddressBook,
    /// The largest packet that the broker takes.
    pub packet_bytes: usize,
    /// The longest message that the line takes in a reasonable time.
    pub message_limit: MessageLimit,
}

// === impl Sink ===

impl Service<Batch> for Sink {
    type Response = Receipt;
    type Error = SinkError;
    type Future = BoxFuture<'static, Result<Receipt, SinkError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.calls.poll_reserve(cx).map_err(|_| ended())
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let (packets, unfit) = self.encoder.packets(&batch);
        let (reply, receipt) = oneshot::channel();
        let sent = self.calls.send_item(Call {
            packets,
            unfit,
            reply,
        });
        Box::pin(async move {
            sent.map_err(|_| ended())?;
            receipt.await.map_err(|_| ended())?
        })
    }
}

fn ended() -> SinkError {
    SinkError::Unreachable("the link to the broker has ended".to_owned())
}

// === impl Encoder ===

impl Encoder {
    /// The messages of a batch in their order, and the readings that no message to this broker can hold.
    pub fn packets(&self, batch: &Batch) -> (Vec<Packet>, Vec<Rejected>) {
        let (mut packets, mut rejected) = (Vec::new(), Vec::new());
        self.encode(&batch.readings, &mut packets, &mut rejected);
        (packets, rejected)
    }

    fn encode(
        &self,
        readings: &[Sequenced],
        packets: &mut Vec<Packet>,
        rejected: &mut Vec<Rejected>,
    ) {
        let payload_bytes = self
            .settings
            .batch_bytes()
            .min(self.packet_bytes)
            .min(self.message_limit.bytes());
        let messages = self
            .settings
            .format
            .encode(&self.book, readings, payload_bytes);
        for message in messages {
            let packet = self.packet(message);
            if packet.publication.longest_packet() <= self.packet_bytes {
                packets.push(packet);
            } else if let [seq] = packet.seqs[..] {
                rejected.push(self.oversize(seq, &packet.publication));
            } else {
                self.halve(readings, &packet.seqs, packets, rejected);
            }
        }
    }

    /// A message too large for the broker becomes two of half its readings, and so on.
    fn halve(
        &self,
        readings: &[Sequenced],
        seqs: &[u64],
        packets: &mut Vec<Packet>,
        rejected: &mut Vec<Rejected>,
    ) {
        let (first, second) = seqs.split_at(seqs.len() / 2);
        for half in [first, second] {
            let part: Vec<Sequenced> = readings
                .iter()
                .filter(|sequenced| half.binary_search(&sequenced.seq).is_ok())
                .cloned()
                .collect();
            self.encode(&part, packets, rejected);
        }
    }

    fn oversize(&self, seq: u64, publication: &Publication) -> Rejected {
        Rejected {
            seq,
            why: format!(
                "the message of {} bytes is larger than the {} bytes that the broker takes",
                publication.payload.len(),
                self.packet_bytes
            ),
            refusal: Refusal::Final,
        }
    }

    fn packet(&self, message: Message) -> Packet {
        let topic = self.topic(&message);
        let structured = match self.settings.version {
            Version::V5 => None,
            Version::V311 => message.structured(),
        };
        let (payload, content_type, attributes) = match structured {
            Some(payload) => (payload, STRUCTURED_CONTENT_TYPE, Vec::new()),
            None => (message.payload, message.content_type, message.attributes),
        };
        Packet {
            publication: Publication {
                topic,
                retain: self.settings.retain,
                payload,
                content_type,
                correlation: None,
                attributes,
            },
            seqs: message.seqs,
        }
    }

    fn topic(&self, message: &Message) -> String {
        self.settings.topic.render(&TopicValues {
            gateway: &self.book.gateway,
            source: message.device.source(),
            device: message.device.device(),
            dataset: message.dataset,
            point: message.point.as_ref().map_or("", |point| point.point()),
            format: self.settings.format.as_str(),
        })
    }
}

// === impl Publication ===

impl Publication {
    /// The most bytes that this takes on the wire, in either version: MQTT 5 §3.3, each length field at its longest.
    pub(crate) fn longest_packet(&self) -> usize {
        const FIXED_HEADER: usize = 5;
        const PACKET_ID: usize = 2;
        const PROPERTY_LENGTH: usize = 4;
        const PAYLOAD_FORMAT: usize = 2;
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| 5 + name.len() + value.len())
            .sum();
        let correlation = self.correlation.as_ref().map_or(0, |data| 3 + data.len());
        FIXED_HEADER
            + correlation
            + (2 + self.topic.len())
            + PACKET_ID
            + PROPERTY_LENGTH
            + PAYLOAD_FORMAT
            + (3 + self.content_type.len())
            + attributes
            + self.payload.len()
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_kit::Origin;
    use fieldgate_model::{PointId, Reading, TimeQuality, Timestamp, Value};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::pacer::Pacer;

    fn encoder(settings: Json, packet_bytes: usize) -> Encoder {
        Encoder {
            settings: Arc::new(serde_json::from_value(settings).unwrap()),
            book: AddressBook {
                gateway: "line-4".into(),
                gateway_id: "a1b2c3d4".into(),
                version: "0.1.0".into(),
                config_revision: 7,
            },
            packet_bytes,
            message_limit: Pacer::default().message_limit(),
        }
    }

    /// One reading for each length, of a text that long.
    fn batch(lengths: &[usize]) -> Batch {
        let reading = |(seq, length): (u64, &usize)| Sequenced {
            seq,
            time_quality: TimeQuality::default(),
            origin: Origin { lane: 'n', seq },
            reading: Reading::new(
                PointId::new("press", "Line", &format!("p{seq}")).unwrap(),
                Value::Text("x".repeat(*length)),
                Timestamp::default(),
            ),
        };
        Batch {
            lane: 'n',
            readings: (1..).zip(lengths).map(reading).collect(),
        }
    }

    #[test]
    fn a_message_fits_the_broker_and_what_cannot_is_refused_by_itself() {
        for version in ["5", "3.1.1"] {
            let encoder = encoder(json!({ "url": "mqtt://b", "version": version }), 1500);
            let (packets, rejected) =
                encoder.packets(&batch(&[200, 200, 5000, 200, 200, 200, 200]));
            let mut sent: Vec<u64> = packets
                .iter()
                .flat_map(|packet| packet.seqs.clone())
                .collect();
            assert!(sent.is_sorted() && packets.len() > 1, "{packets:?}");
            sent.retain(|seq| *seq != 3);
            assert_eq!(sent, [1, 2, 4, 5, 6, 7]);
            assert!(
                packets
                    .iter()
                    .all(|packet| packet.publication.longest_packet() <= 1500)
            );
            assert_eq!(rejected.len(), 1);
            assert_eq!(rejected[0].seq, 3);
            assert!(
                rejected[0].why.contains("larger than the 1500 bytes"),
                "{rejected:?}"
            );
        }
    }

    #[test]
    fn the_attributes_travel_as_the_version_can_carry_them() {
        let v5 = encoder(json!({ "url": "mqtt://b" }), usize::MAX);
        let publication = v5.packets(&batch(&[1])).0.remove(0).publication;
        assert_eq!(publication.content_type, "application/json");
        assert!(
            publication
                .attributes
                .contains(&("specversion", "1.0".to_owned()))
        );

        let v311 = encoder(json!({ "url": "mqtt://b", "version": "3.1.1" }), usize::MAX);
        let publication = v311.packets(&batch(&[1])).0.remove(0).publication;
        assert_eq!(publication.content_type, STRUCTURED_CONTENT_TYPE);
        let envelope: Json = serde_json::from_slice(&publication.payload).unwrap();
        assert_eq!(envelope["type"], "io.github.fieldgate.data");
    }

    #[test]
    fn each_reading_of_plain_json_has_its_points_topic() {
        let settings = json!({ "url": "mqtt://b", "format": "json", "topic": "{source}/{device}/{point}", "retain": true });
        let packets = encoder(settings, usize::MAX).packets(&batch(&[1, 1])).0;
        let topics: Vec<&str> = packets
            .iter()
            .map(|packet| &*packet.publication.topic)
            .collect();
        assert_eq!(topics, ["press/Line/p1", "press/Line/p2"]);
        assert!(packets.iter().all(|packet| packet.publication.retain));
    }
}
