//! The inbox against a simulated gateway, which the tests of the pump use too.

use std::sync::Mutex;

use fieldgate_kit::command::Door;
use fieldgate_model::Value;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};

use super::*;

/// A gateway whose answers the test writes. Unbounded channels: a test hands in a handful.
pub(crate) struct SimDoor {
    handed: mpsc::UnboundedSender<Handed>,
    told: mpsc::UnboundedSender<String>,
    lost: mpsc::UnboundedSender<Lost>,
    owed: Mutex<Vec<Owed>>,
}

/// The test's side of it.
pub(crate) struct SimDesk {
    handed: mpsc::UnboundedReceiver<Handed>,
    told: mpsc::UnboundedReceiver<String>,
    lost: mpsc::UnboundedReceiver<Lost>,
}

/// A command that was handed in.
pub(crate) struct Handed {
    pub request: Request,
    taken: oneshot::Sender<Taken>,
}

/// The answer to one, still to be given.
pub(crate) struct Pending(oneshot::Sender<Outcome>);

// === impl SimDoor ===

impl SimDoor {
    pub fn new(owed: Vec<Owed>) -> (Self, SimDesk) {
        let (handed, handed_in) = mpsc::unbounded_channel();
        let (told, were_told) = mpsc::unbounded_channel();
        let (lost, were_lost) = mpsc::unbounded_channel();
        let door = Self {
            handed,
            told,
            lost,
            owed: Mutex::new(owed),
        };
        let desk = SimDesk {
            handed: handed_in,
            told: were_told,
            lost: were_lost,
        };
        (door, desk)
    }
}

impl Door for SimDoor {
    fn take(&self, request: Request) -> BoxFuture<'static, Taken> {
        let (taken, answer) = oneshot::channel();
        let _ = self.handed.send(Handed { request, taken });
        async move { answer.await.expect("the test answers") }.boxed()
    }

    fn owed(&self) -> Vec<Owed> {
        std::mem::take(&mut self.owed.lock().unwrap())
    }

    fn told(&self, id: &str) {
        let _ = self.told.send(id.to_owned());
    }

    fn lost(&self, lost: Lost) {
        let _ = self.lost.send(lost);
    }
}

// === impl SimDesk ===

impl SimDesk {
    pub async fn handed(&mut self) -> Handed {
        self.handed.recv().await.unwrap()
    }

    pub async fn told(&mut self) -> String {
        self.told.recv().await.unwrap()
    }

    pub async fn lost(&mut self) -> Lost {
        self.lost.recv().await.unwrap()
    }

    pub fn nobody_was_told(&mut self) -> bool {
        self.told.try_recv().is_err()
    }
}

// === impl Handed ===

impl Handed {
    /// It is written down under this id.
    pub fn keep(self, id: &str) -> Pending {
        let (answer, receiver) = oneshot::channel();
        let _ = self.taken.send(Taken {
            id: Some(id.to_owned()),
            written: true,
            answer: async { receiver.await.expect("the test answers") }.boxed(),
        });
        Pending(answer)
    }
}

impl Handed {
    /// It is answered at once, and not written down.
    pub fn refuse(self, words: &str) {
        let _ = self
            .taken
            .send(Taken::answered(None, Outcome::refused(words)));
    }
}

// === impl Pending ===

impl Pending {
    /// Whoever waits for it has heard it when this returns: a test has one thread.
    pub async fn send(self, words: &str) {
        self.0.send(Outcome::done(words)).unwrap();
        tokio::task::yield_now().await;
    }
}

pub(crate) fn place() -> Place {
    Place {
        topic: "fieldgate/line-4/cmd".into(),
        answers: "fieldgate/line-4/cmd/answer".into(),
        responses: Vec::new(),
        own: place::Own {
            commands: "fieldgate/{gateway}/cmd".parse().unwrap(),
            status: "fieldgate/{gateway}/status".parse().unwrap(),
            readings: "fieldgate/{gateway}/{device}/{dataset}".parse().unwrap(),
        },
    }
}

pub(crate) fn asked(packet_id: u16) -> Asked {
    Asked {
        lasts: Some(Duration::from_secs(9)),
        asker: Some("hmi-3".into()),
        ..Asked::with_payload(packet_id, false, b"{}")
            .replies_to(Some("hmi/answers".into()), Some(b"c"))
    }
}

fn inbox(owed: Vec<Owed>, packet_bytes: usize) -> (Inbox, SimDesk) {
    let (door, desk) = SimDoor::new(owed);
    (
        Inbox::new(Intake::new(door), Some(place()), packet_bytes),
        desk,
    )
}

async fn step(inbox: &mut Inbox) {
    let step = inbox.next().await;
    inbox.take(step).unwrap();
}

fn owed(id: &str, reply: Json) -> Owed {
    Owed {
        id: id.into(),
        reply,
        answer: async { Outcome::failed("the gateway was stopped") }.boxed(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_handed_in_with_all_that_it_says_of_itself() {
    let (mut inbox, mut desk) = inbox(Vec::new(), usize::MAX);
    inbox.put(asked(5), Instant::now()).unwrap();
    tokio::time::advance(Duration::from_secs(2)).await;
    inbox.hand_in(Instant::now());
    let handed = desk.handed().await;
    let request = &handed.request;
    assert_eq!(request.through, "topic fieldgate/line-4/cmd");
    assert_eq!(request.asker.as_deref(), Some("hmi-3"));
    assert_eq!(
        (request.waited, request.lasts),
        (Duration::from_secs(2), Some(Duration::from_secs(9)))
    );
    assert_eq!(
        request.reply,
        json!({ "topic": "hmi/answers", "correlation": "63" })
    );
    assert_eq!(inbox.next_ack(), None);
    let answer = handed.keep("7");
    step(&mut inbox).await;
    assert_eq!((inbox.next_ack(), inbox.next_ack()), (Some(5), None));
    answer.send("80.5 was written").await;
    step(&mut inbox).await;
    let ready = inbox.next_answer().unwrap();
    assert_eq!(ready.written.as_deref(), Some("7"));
    let sent: Json = serde_json::from_slice(&ready.publication.payload).unwrap();
    assert_eq!(
        sent,
        json!({ "id": "7", "outcome": "done", "words": "80.5 was written" })
    );
    assert_eq!(ready.publication.topic, "hmi/answers");
    assert_eq!(ready.publication.correlation, Some("c".into()));
    assert!(!ready.publication.retain);
}

#[tokio::test]
async fn what_an_earlier_link_did_not_deliver_is_delivered_by_this_one() {
    let reply = json!({ "topic": "hmi/answers", "correlation": "63" });
    let (mut inbox, mut desk) = inbox(vec![owed("7", reply), owed("8", json!(3))], usize::MAX);
    inbox.hand_in(Instant::now());
    // One that nobody can read any more is not tried for ever.
    assert_eq!(desk.told().await, "8");
    assert_eq!(desk.lost().await, Lost::Answer);
    step(&mut inbox).await;
    let ready = inbox.next_answer().unwrap();
    assert_eq!(ready.publication.correlation, Some("c".into()));
    inbox.delivered(ready.written.clone(), Answer::Postponed("quota".into()));
    assert!(desk.nobody_was_told());
    inbox.delivered(ready.written, Answer::Unheard);
    assert_eq!(desk.told().await, "7");
}

#[tokio::test]
async fn a_flood_is_bounded_and_counted_and_one_without_limits_ends_the_link() {
    let (mut inbox, mut desk) = inbox(Vec::new(), usize::MAX);
    let now = Instant::now();
    let mut too_many = 0;
    let ended = loop {
        let put = inbox.put(asked(9), now);
        inbox.hand_in(now);
        match put {
            Ok(()) => too_many += 1,
            Err(error) => break error,
        }
    };
    assert!(ended.to_string().contains("more commands ahead"), "{ended}");
    assert_eq!(too_many, UNDER_WAY + WAITING + ACKS);
    assert_eq!(inbox.under_way.len(), UNDER_WAY);
    assert_eq!(desk.lost().await, Lost::Command);
    // Without an acknowledgement to give there is nothing to keep.
    for _ in 0..2 * ACKS {
        let _ = inbox.next_ack();
        inbox.put(asked(0), now).unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_as_large_as_the_broker_takes() {
    let reply = Reply {
        topic: "a".into(),
        correlation: None,
    };
    let answer = Outcome::done("read").value(Value::Text("x".repeat(5000)));
    let short = publication(&reply, Some("7"), answer.clone(), 1000);
    assert!(short.longest_packet() <= 1000);
    let text = String::from_utf8_lossy(&short.payload).into_owned();
    assert!(
        text.contains("its values are left out") && text.contains("\"done\""),
        "{text}"
    );
    let whole = publication(&reply, Some("7"), answer, 10_000);
    assert!(whole.payload.len() > 5000);

    let (mut inbox, mut desk) = inbox(vec![owed("7", json!({ "topic": "a" }))], 20);
    inbox.hand_in(Instant::now());
    step(&mut inbox).await;
    assert_eq!(inbox.next_answer(), None);
    assert_eq!(desk.lost().await, Lost::Answer);
    assert_eq!(desk.told().await, "7");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_kept_while_it_waits() {
    let (mut inbox, mut desk) = inbox(Vec::new(), usize::MAX);
    let large = Asked::with_payload(5, false, &vec![b'x'; 1 << 20]);
    inbox.put(large.clone(), Instant::now()).unwrap();
    assert!(inbox.waiting[0].0.payload.is_empty());
    inbox.hand_in(Instant::now());
    // So that the gateway counts it by its reason, and the asker is answered.
    let request = desk.handed().await.request;
    assert!(request.body.is_empty());
    assert_eq!(request.objection.unwrap().why, WhyNot::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn what_the_end_of_a_link_leaves_behind_is_counted() {
    let (mut inbox, mut desk) = inbox(Vec::new(), usize::MAX);
    for packet_id in 0..3 {
        inbox.put(asked(packet_id), Instant::now()).unwrap();
    }
    inbox.hand_in(Instant::now());
    // One is owed; one was refused, and its answer is on the line; one is being written down.
    let answer = desk.handed().await.keep("7");
    desk.handed().await.refuse("no");
    let third = desk.handed().await;
    for _ in 0..3 {
        step(&mut inbox).await;
    }
    assert_eq!(inbox.next_answer().unwrap().written, None);
    // Two more came too late to be looked at.
    for packet_id in 3..5 {
        inbox.put(asked(packet_id), Instant::now()).unwrap();
    }
    let written = async {
        tokio::task::yield_now().await;
        third.keep("8")
    };
    let ((), _third) = tokio::join!(inbox.settle(), written);
    drop((inbox, answer));
    let mut lost = Vec::new();
    while let Ok(one) = desk.lost.try_recv() {
        lost.push(one);
    }
    let expected = [Lost::CommandOfLink, Lost::CommandOfLink, Lost::Answer];
    assert_eq!(lost, expected);
}

#[tokio::test]
async fn where_no_commands_are_taken_nothing_happens() {
    let (door, mut desk) = SimDoor::new(vec![owed("7", json!({ "topic": "a" }))]);
    let mut inbox = Inbox::new(Intake::new(door), None, usize::MAX);
    inbox.put(asked(5), Instant::now()).unwrap();
    inbox.hand_in(Instant::now());
    assert!(inbox.under_way.is_empty() && inbox.next_ack().is_none());
    assert!(desk.handed.try_recv().is_err());
}
