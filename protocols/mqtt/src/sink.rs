//! `Sink`: the tower service that turns a batch into MQTT messages and resolves when all of them are acknowledged.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use fieldgate_kit::{
    AddressBook, Batch, Receipt, Rejected, Sequenced, SinkError,
    format::{Message, STRUCTURED_CONTENT_TYPE},
    topic::TopicValues,
};
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::PollSender;
use tower::Service;

use crate::{
    pump::{Call, Packet},
    settings::{Settings, Version},
    wire::Publication,
};

/// One link's way in. Ready while fewer than `in_flight` batches wait for the pump.
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
        let (packets, rejected) = self.encoder.packets(&batch);
        let (reply, receipt) = oneshot::channel();
        let sent = self.calls.send_item(Call {
            packets,
            rejected,
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
        self.encode(batch.lane, &batch.readings, &mut packets, &mut rejected);
        (packets, rejected)
    }

    fn encode(
        &self,
        lane: char,
        readings: &[Sequenced],
        packets: &mut Vec<Packet>,
        rejected: &mut Vec<Rejected>,
    ) {
        let payload_bytes = self.settings.batch_bytes().min(self.packet_bytes);
        let messages = self
            .settings
            .format
            .encode(&self.book, lane, readings, payload_bytes);
        for message in messages {
            let packet = self.packet(message);
            if packet.publication.longest_packet() <= self.packet_bytes {
                packets.push(packet);
            } else if let [seq] = packet.seqs[..] {
                rejected.push(self.oversize(seq, &packet.publication));
            } else {
                self.halve(lane, readings, &packet.seqs, packets, rejected);
            }
        }
    }

    /// A message too large for the broker becomes two of half its readings, and so on.
    fn halve(
        &self,
        lane: char,
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
            self.encode(lane, &part, packets, rejected);
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
    fn longest_packet(&self) -> usize {
        const FIXED_HEADER: usize = 5;
        const PACKET_ID: usize = 2;
        const PROPERTY_LENGTH: usize = 4;
        const PAYLOAD_FORMAT: usize = 2;
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| 5 + name.len() + value.len())
            .sum();
        FIXED_HEADER
            + (2 + self.topic.len())
            + PACKET_ID
            + PROPERTY_LENGTH
            + PAYLOAD_FORMAT
            + (3 + self.content_type.len())
            + attributes
            + self.payload.len()
    }
}
