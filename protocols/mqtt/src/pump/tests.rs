//! The pump against a simulated client that acknowledges as badly as a broker can.

use std::future::pending;

use fieldgate_kit::{AddressBook, Intake, Refusal, Throttle};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    inbox::tests::{SimDoor, asked, place},
    wire::Answer,
};

type Script = mpsc::UnboundedSender<Result<Happening, SinkError>>;

/// A client whose happenings the test writes. Unbounded channels: a test sends a handful.
struct SimWire {
    published: mpsc::UnboundedSender<Publication>,
    acknowledged: mpsc::UnboundedSender<u16>,
    script: mpsc::UnboundedReceiver<Result<Happening, SinkError>>,
}

impl Wire for SimWire {
    fn publish(&mut self, publication: Publication) -> Result<(), SinkError> {
        self.published.send(publication).expect("the test listens");
        Ok(())
    }

    fn acknowledge(&mut self, packet_id: u16) -> Result<(), SinkError> {
        self.acknowledged.send(packet_id).expect("the test listens");
        Ok(())
    }

    fn disconnect(&mut self) {}

    async fn next(&mut self) -> Result<Happening, SinkError> {
        match self.script.recv().await {
            Some(happening) => happening,
            None => pending().await,
        }
    }
}

struct Rig {
    published: mpsc::UnboundedReceiver<Publication>,
    acknowledged: mpsc::UnboundedReceiver<u16>,
    script: Script,
    calls: mpsc::Sender<Call>,
    close: CancellationToken,
    driver: JoinHandle<Result<(), SinkError>>,
}

type Reply = oneshot::Receiver<Result<Receipt, SinkError>>;

impl Rig {
    /// A running pump whose birth message is sent and acknowledged.
    async fn start(window: usize) -> Self {
        Self::with(window, Inbox::new(Intake::default(), None, usize::MAX)).await
    }

    async fn with(window: usize, inbox: Inbox) -> Self {
        let (published, publications) = mpsc::unbounded_channel();
        let (acknowledged, acknowledgements) = mpsc::unbounded_channel();
        let (script, happenings) = mpsc::unbounded_channel();
        let (calls, receiver) = mpsc::channel(4);
        let close = CancellationToken::new();
        let book = AddressBook {
            gateway: "line-4".into(),
            gateway_id: "a1b2c3d4".into(),
            version: "0.1.0".into(),
            config_revision: 1,
        };
        let pump = Pump {
            wire: SimWire {
                published,
                acknowledged,
                script: happenings,
            },
            calls: receiver,
            close: close.clone(),
            window,
            pacer: Pacer::default(),
            timeout: Duration::from_secs(30),
            status: Status::new("status".into(), &book, std::time::SystemTime::UNIX_EPOCH),
            desk: Desk::default(),
            inbox,
            acks_waiting: 0,
        };
        let driver = tokio::spawn(pump.run());
        let mut rig = Self {
            published: publications,
            acknowledged: acknowledgements,
            script,
            calls,
            close,
            driver,
        };
        assert_eq!(rig.next_topic().await, "status");
        rig.tell([Happening::Sent(1), accepted(1)]);
        rig
    }

    fn tell(&self, happenings: impl IntoIterator<Item = Happening>) {
        for happening in happenings {
            self.script.send(Ok(happening)).unwrap();
        }
    }

    async fn next_topic(&mut self) -> String {
        self.published.recv().await.unwrap().topic
    }

    /// A batch whose messages were all published.
    async fn published(&mut self, messages: &[&[u64]]) -> Reply {
        let reply = self.call(messages).await;
        for seqs in messages {
            assert_eq!(self.next_topic().await, format!("m{}", seqs[0]));
        }
        reply
    }

    /// A batch of one message for each list of sequence numbers.
    async fn call(&self, messages: &[&[u64]]) -> Reply {
        let (reply, receipt) = oneshot::channel();
        let packets = messages.iter().map(|seqs| packet(seqs)).collect();
        let call = Call {
            packets,
            unfit: Vec::new(),
            reply,
        };
        self.calls.send(call).await.unwrap();
        receipt
    }
}

fn packet(seqs: &[u64]) -> Packet {
    Packet {
        publication: Publication {
            topic: format!("m{}", seqs[0]),
            retain: false,
            payload: "{}".into(),
            content_type: "application/json",
            correlation: None,
            attributes: Vec::new(),
        },
        seqs: seqs.to_vec(),
    }
}

fn accepted(pkid: u16) -> Happening {
    Happening::Answered(pkid, Answer::Accepted)
}

fn unreachable<T: std::fmt::Debug>(result: Result<T, SinkError>, words: &str) {
    match result {
        Err(SinkError::Unreachable(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?} is not `Unreachable`"),
    }
}

#[tokio::test]
async fn acknowledgements_out_of_order_reach_their_calls() {
    let mut rig = Rig::start(8).await;
    let first = rig.call(&[&[1], &[2]]).await;
    let second = rig.call(&[&[3]]).await;
    for topic in ["m1", "m2", "m3"] {
        assert_eq!(rig.next_topic().await, topic);
    }
    rig.tell([
        Happening::Sent(2),
        Happening::Sent(3),
        Happening::Sent(4),
        accepted(4),
        accepted(3),
    ]);
    assert_eq!(second.await.unwrap(), Ok(Receipt::default()));
    rig.tell([accepted(2)]);
    assert_eq!(first.await.unwrap(), Ok(Receipt::default()));
}

#[tokio::test]
async fn a_refused_message_names_exactly_its_readings() {
    for (answer, refusal) in [
        (Answer::Refused("no".into()), Refusal::MayPass),
        (Answer::RefusedPayload("no".into()), Refusal::OneOfThese),
    ] {
        let mut rig = Rig::start(8).await;
        let reply = rig.published(&[&[1, 3], &[2, 4]]).await;
        let refused = Happening::Answered(3, answer);
        rig.tell([Happening::Sent(2), Happening::Sent(3), refused, accepted(2)]);
        let rejected = [2, 4].map(|seq| Rejected {
            seq,
            why: "no".into(),
            refusal,
        });
        assert_eq!(
            reply.await.unwrap(),
            Ok(Receipt {
                rejected: rejected.into(),
                ..Receipt::default()
            })
        );
    }
}

#[tokio::test]
async fn an_acknowledgement_of_nothing_ends_the_link() {
    for twice in [true, false] {
        let mut rig = Rig::start(8).await;
        let done = rig.published(&[&[1]]).await;
        rig.tell([Happening::Sent(2), accepted(2)]);
        assert_eq!(done.await.unwrap(), Ok(Receipt::default()));
        let open = rig.published(&[&[2]]).await;
        rig.tell([accepted(if twice { 2 } else { 77 })]);
        unreachable(rig.driver.await.unwrap(), "is not under way");
        unreachable(open.await.unwrap(), "is not under way");
    }
}

#[tokio::test]
async fn a_packet_id_in_use_ends_the_link() {
    let mut rig = Rig::start(8).await;
    let reply = rig.published(&[&[1], &[2]]).await;
    rig.tell([Happening::Sent(2), Happening::Sent(2)]);
    unreachable(reply.await.unwrap(), "packet id 2 was used again");
}

#[tokio::test]
async fn what_a_broken_connection_leaves_open_is_unreachable() {
    let mut rig = Rig::start(1).await;
    let sent = rig.call(&[&[1]]).await;
    let waiting = rig.call(&[&[2]]).await;
    assert_eq!(rig.next_topic().await, "m1");
    rig.tell([Happening::Sent(2)]);
    rig.script
        .send(Err(SinkError::Unreachable("broken".into())))
        .unwrap();
    unreachable(rig.driver.await.unwrap(), "broken");
    unreachable(sent.await.unwrap(), "broken");
    // Taken by the pump or still in its channel: in no case acknowledged.
    unreachable(
        waiting
            .await
            .unwrap_or(Err(SinkError::Unreachable("broken".into()))),
        "broken",
    );
}

#[tokio::test]
async fn a_quota_postpones_what_it_hits_and_leaves_the_link_alone() {
    let mut rig = Rig::start(8).await;
    let reply = rig.published(&[&[1, 2], &[3]]).await;
    rig.tell([
        Happening::Sent(2),
        Happening::Sent(3),
        Happening::Answered(2, Answer::Postponed("quota".into())),
        Happening::Answered(3, Answer::Unheard),
    ]);
    let receipt = Receipt {
        postponed: vec![1, 2],
        throttled: Some(Throttle {
            retry_after: None,
            why: "quota".into(),
        }),
        unheard: 1,
        ..Receipt::default()
    };
    assert_eq!(reply.await.unwrap(), Ok(receipt));
    let next = rig.published(&[&[4]]).await;
    rig.tell([Happening::Sent(2), accepted(2)]);
    assert_eq!(next.await.unwrap(), Ok(Receipt::default()));
}

#[tokio::test]
async fn a_broker_that_cannot_go_on_ends_the_link() {
    let mut rig = Rig::start(8).await;
    let reply = rig.published(&[&[1]]).await;
    let error = SinkError::Unreachable("unspecified error".into());
    rig.tell([
        Happening::Sent(2),
        Happening::Answered(2, Answer::NotNow(error.clone())),
    ]);
    assert_eq!(rig.driver.await.unwrap(), Err(error.clone()));
    assert_eq!(reply.await.unwrap(), Err(error));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_link() {
    let mut rig = Rig::start(8).await;
    let reply = rig.published(&[&[1]]).await;
    rig.tell([Happening::Sent(2)]);
    let began = Instant::now();
    unreachable(reply.await.unwrap(), "not acknowledged a message for 30 s");
    assert!(
        began.elapsed() >= Duration::from_secs(30) && began.elapsed() < Duration::from_secs(33)
    );
}

#[tokio::test]
async fn no_more_than_the_window_is_under_way() {
    let mut rig = Rig::start(2).await;
    let reply = rig.call(&[&[1], &[2], &[3]]).await;
    assert_eq!(rig.next_topic().await, "m1");
    assert_eq!(rig.next_topic().await, "m2");
    rig.tell([Happening::Sent(2), Happening::Sent(3), Happening::Other]);
    tokio::task::yield_now().await;
    assert!(rig.published.try_recv().is_err());
    rig.tell([accepted(2)]);
    assert_eq!(rig.next_topic().await, "m3");
    rig.tell([Happening::Sent(4), accepted(3), accepted(4)]);
    assert_eq!(reply.await.unwrap(), Ok(Receipt::default()));
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way_and_says_good_bye() {
    let mut rig = Rig::start(8).await;
    let reply = rig.call(&[&[1]]).await;
    assert_eq!(rig.next_topic().await, "m1");
    rig.close.cancel();
    let goodbye = rig.published.recv().await.unwrap();
    assert_eq!((goodbye.topic.as_str(), goodbye.retain), ("status", true));
    rig.tell([
        Happening::Sent(2),
        Happening::Sent(3),
        accepted(2),
        accepted(3),
        Happening::Disconnected,
    ]);
    assert_eq!(reply.await.unwrap(), Ok(Receipt::default()));
    assert_eq!(rig.driver.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn closing_takes_a_second_at_most() {
    let mut rig = Rig::start(8).await;
    let reply = rig.published(&[&[1]]).await;
    rig.tell([Happening::Sent(2)]);
    tokio::task::yield_now().await;
    let began = Instant::now();
    rig.close.cancel();
    assert_eq!(rig.driver.await.unwrap(), Ok(()));
    assert!(began.elapsed() <= Duration::from_millis(1100));
    unreachable(
        reply.await.unwrap(),
        "closed before the broker acknowledged",
    );
}

#[tokio::test]
async fn a_command_is_acknowledged_when_it_is_written_down_and_answered_before_the_readings() {
    let (door, mut desk) = SimDoor::new(Vec::new());
    let inbox = Inbox::new(Intake::new(door), Some(place()), usize::MAX);
    let mut rig = Rig::with(1, inbox).await;
    // The window is full, and a batch waits.
    let first = rig.call(&[&[1]]).await;
    assert_eq!(rig.next_topic().await, "m1");
    let second = rig.call(&[&[2]]).await;
    rig.tell([Happening::Sent(2), Happening::Asked(Box::new(asked(77)))]);
    let handed = desk.handed().await;
    assert!(rig.acknowledged.try_recv().is_err());
    let answer = handed.keep("7");
    assert_eq!(rig.acknowledged.recv().await, Some(77));
    answer.send("80.5 was written").await;
    rig.tell([Happening::AckSent, accepted(2)]);
    assert_eq!(rig.next_topic().await, "hmi/answers");
    rig.tell([Happening::Sent(3), accepted(3)]);
    assert_eq!(rig.next_topic().await, "m2");
    assert_eq!(desk.told().await, "7");
    rig.tell([Happening::Sent(4), accepted(4)]);
    assert_eq!(first.await.unwrap(), Ok(Receipt::default()));
    assert_eq!(second.await.unwrap(), Ok(Receipt::default()));
}

#[tokio::test]
async fn an_answer_that_the_broker_refuses_is_lost_and_one_that_breaks_off_is_owed() {
    let (door, mut desk) = SimDoor::new(Vec::new());
    let inbox = Inbox::new(Intake::new(door), Some(place()), usize::MAX);
    let mut rig = Rig::with(8, inbox).await;
    for (id, packet_id) in [("7", 2), ("8", 3)] {
        rig.tell([Happening::Asked(Box::new(asked(packet_id)))]);
        desk.handed().await.keep(id).send("done").await;
        assert_eq!(rig.next_topic().await, "hmi/answers");
    }
    rig.tell([
        Happening::Sent(2),
        Happening::Sent(3),
        Happening::Answered(2, Answer::Refused("not authorized".into())),
    ]);
    assert_eq!(desk.lost().await, fieldgate_kit::command::Lost::Answer);
    assert_eq!(desk.told().await, "7");
    rig.script
        .send(Err(SinkError::Unreachable("broken".into())))
        .unwrap();
    unreachable(rig.driver.await.unwrap(), "broken");
    assert!(desk.nobody_was_told());
}

#[tokio::test]
async fn an_empty_batch_is_done() {
    let rig = Rig::start(8).await;
    assert_eq!(rig.call(&[]).await.await.unwrap(), Ok(Receipt::default()));
}
