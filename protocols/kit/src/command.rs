//! The path of commands: a destination or a person hands one to the gateway, the gateway to a source, and the answer goes back.
//!
//! ```text
//! destination ──Request──▶ Intake ─▶ gateway (permission, time to live, audit) ──Order──▶ Orders ─▶ source
//!              ◀── Answer ───────────────────────────────────────────────────── ◀── Answer ──┘
//! ```
//!
//! A source opens its [`Commands`] once it can carry them out, and says what it allows, or why it cannot say that yet; when its
//! attempt ends they are closed, and whoever asks is told so at once. Nothing waits in a queue for a source that is away.

use std::sync::Arc;

use fieldgate_model::{Answer, Command, Offer, PointId};
use tokio::sync::{mpsc, oneshot, watch};

mod intake;
mod json;
mod why_not;

pub use intake::{Door, Intake, Lost, Objection, Owed, Request, Taken};
pub use json::{
    ANSWER_SCHEMA, COMMAND_SCHEMA, Draft, DraftError, Parts, action_of_json, answer_json,
    draft_of_json, value_of_json,
};
pub use why_not::WhyNot;

/// Commands that wait for a source; one more is refused.
const WAITING: usize = 16;

/// Where a source opens its desk for commands. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Commands(watch::Sender<Option<Desk>>);

/// An open desk as the gateway sees it, or one that was closed when its source went away.
#[derive(Debug, Clone)]
pub struct Desk {
    /// What is allowed; nothing else is.
    pub offers: Arc<[Offer]>,
    /// Why it is not known what is allowed, in words; nothing is, meanwhile.
    pub unknown: Option<Arc<str>>,
    orders: mpsc::Sender<Order>,
}

/// A source's commands, one after the other, as long as it keeps this.
#[derive(Debug)]
pub struct Orders {
    desk: Commands,
    orders: mpsc::Receiver<Order>,
}

/// A command for a source that may carry it out, and who waits for the answer.
#[derive(Debug)]
pub struct Order {
    pub command: Command,
    reply: oneshot::Sender<Answer>,
}

/// Why a desk took no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// The source is away.
    Closed,
    /// Too many wait already.
    Full,
}

// === impl Commands ===

impl Commands {
    /// A desk that nobody opened yet, and the gateway's side of it.
    #[must_use]
    pub fn channel() -> (Self, watch::Receiver<Option<Desk>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    /// Takes commands for these targets until the result is dropped.
    #[must_use]
    pub fn open(&self, offers: Vec<Offer>) -> Orders {
        self.open_desk(offers, None)
    }

    /// Takes commands before it is known what is allowed, for the reason that is given.
    #[must_use]
    pub fn open_unknown(&self, why: &str) -> Orders {
        self.open_desk(Vec::new(), Some(why.into()))
    }

    fn open_desk(&self, offers: Vec<Offer>, unknown: Option<Arc<str>>) -> Orders {
        let (orders, receiver) = mpsc::channel(WAITING);
        self.0.send_replace(Some(Desk {
            offers: offers.into(),
            unknown,
            orders,
        }));
        Orders {
            desk: self.clone(),
            orders: receiver,
        }
    }
}

impl Default for Commands {
    fn default() -> Self {
        Self::channel().0
    }
}

// === impl Desk ===

impl Desk {
    /// What is allowed with this target.
    #[must_use]
    pub fn offer(&self, target: &PointId) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.target == *target)
    }

    /// The source is there to carry out commands.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.orders.is_closed()
    }

    /// Hands a command over; what it returns resolves with the answer, or with an error when the source went away.
    ///
    /// # Errors
    /// When the source is away or has too many to do.
    pub fn order(&self, command: Command) -> Result<oneshot::Receiver<Answer>, NotTaken> {
        let (reply, answer) = oneshot::channel();
        match self.orders.try_send(Order { command, reply }) {
            Ok(()) => Ok(answer),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Closed),
            Err(mpsc::error::TrySendError::Full(_)) => Err(NotTaken::Full),
        }
    }
}

// === impl Orders ===

impl Orders {
    /// From now on this is allowed, and nothing else. The desk stays open, and what waits there is not lost.
    pub fn offer(&self, offers: Vec<Offer>) {
        self.desk.0.send_modify(|desk| {
            if let Some(desk) = desk {
                (desk.offers, desk.unknown) = (offers.into(), None);
            }
        });
    }

    /// It is not known what is allowed, for this reason: so nothing is.
    pub fn cannot_tell(&self, why: &str) {
        self.desk.0.send_modify(|desk| {
            if let Some(desk) = desk {
                (desk.offers, desk.unknown) = (Arc::from([]), Some(why.into()));
            }
        });
    }

    /// The next command that somebody still waits for: others were told that they failed. Never, when the gateway is stopping.
    pub async fn next(&mut self) -> Order {
        loop {
            match self.orders.recv().await {
                Some(order) if order.reply.is_closed() => {}
                Some(order) => return order,
                None => std::future::pending().await,
            }
        }
    }
}

// === impl Order ===

impl Order {
    /// Resolves when nobody waits for the answer any more: whoever asked was told that it failed.
    pub async fn abandoned(&mut self) {
        self.reply.closed().await;
    }

    /// Whoever asked may have gone; then nobody needs the answer.
    pub fn answer(self, answer: Answer) {
        let _ = self.reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_model::{Action, Outcome, Timestamp};

    use super::*;

    fn command() -> Command {
        Command {
            id: "1".into(),
            target: "press/Line/SetPoint".parse().unwrap(),
            action: Action::Read,
            issued: Timestamp::default(),
            expires: Timestamp::default(),
        }
    }

    #[tokio::test]
    async fn a_command_reaches_its_source_and_the_answer_comes_back() {
        let (commands, gateway) = Commands::channel();
        assert!(gateway.borrow().is_none());
        let mut orders = commands.open(Vec::new());
        let desk = gateway.borrow().clone().unwrap();
        let answer = desk.order(command()).unwrap();
        let order = orders.next().await;
        assert_eq!(order.command, command());
        order.answer(Answer::done("read"));
        assert_eq!(answer.await.unwrap().outcome, Outcome::Done);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_carried_out() {
        let (commands, gateway) = Commands::channel();
        let mut orders = commands.open(Vec::new());
        let desk = gateway.borrow().clone().unwrap();
        drop(desk.order(command()).unwrap());
        let second = Command {
            id: "2".into(),
            ..command()
        };
        let _answer = desk.order(second.clone()).unwrap();
        assert_eq!(orders.next().await.command, second);
    }

    #[tokio::test]
    async fn what_is_allowed_changes_while_the_desk_stays_open() {
        let (commands, gateway) = Commands::channel();
        let mut orders = commands.open_unknown("it is looked up");
        let desk = gateway.borrow().clone().unwrap();
        assert_eq!(desk.unknown.as_deref(), Some("it is looked up"));
        let waiting = desk.order(command()).unwrap();
        orders.offer(Vec::new());
        let desk = gateway.borrow().clone().unwrap();
        assert!(desk.is_open() && desk.unknown.is_none());
        orders.next().await.answer(Answer::done("read"));
        assert_eq!(waiting.await.unwrap().outcome, Outcome::Done);
    }

    #[tokio::test]
    async fn a_desk_is_bounded_and_closed_when_its_source_goes() {
        let (commands, gateway) = Commands::channel();
        let orders = commands.open(Vec::new());
        let desk = gateway.borrow().clone().unwrap();
        let waiting: Vec<_> = (0..WAITING).map(|_| desk.order(command())).collect();
        assert!(waiting.iter().all(Result::is_ok));
        assert_eq!(desk.order(command()).unwrap_err(), NotTaken::Full);
        assert!(desk.is_open());
        drop(orders);
        assert!(!desk.is_open());
        assert_eq!(desk.order(command()).unwrap_err(), NotTaken::Closed);
        assert!(waiting.into_iter().next().unwrap().unwrap().await.is_err());
    }
}
