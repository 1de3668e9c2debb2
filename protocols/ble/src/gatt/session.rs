//! `Session`: one attempt of one device, from its turn to the end of its connection.
//!
//! It is one straight line: pair if that was asked for, connect, subscribe, then read and listen in turns. One thing at a time is
//! asked of a device: BlueZ answers a second question only after the first, and one that hangs holds up all that follow, so that a
//! question without an answer ends the connection.

mod answer;
mod value;
mod work;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use self::{value::Watch, work::Work};
use super::{
    GattCtx, Route,
    ask::Ask,
    desk::{Desk, Turn},
    device::{IDLE, push},
    pace::Cause,
    plan::Plan,
    status::Phase,
    turns::LONG,
};
use crate::{
    Address, Pair,
    radio::{Asked, CharacteristicId, Connection, Notification, RadioError},
};

/// How long connecting and discovering may take: BlueZ goes on for 41 s, and hears a device whose advertisement was filtered only
/// after ten.
const CONNECT: Duration = Duration::from_secs(45);
/// How long a question to a connected device may take; the radio's own limit is ten seconds.
const ANSWER: Duration = Duration::from_secs(15);
const PAIR: Duration = Duration::from_secs(65);
/// A person or a command needs the connection so long after asking.
const NEEDED: Duration = Duration::from_secs(10);

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Others need the connection.
    Yielded,
    /// It was paired, and its connection was closed for that.
    Paired,
    /// Its values were read; the next ones are due after so long.
    Rests(Duration),
    /// Somebody wanted it closed, or nobody looks any more.
    Closed,
    /// It broke or was never made: why, in words.
    Lost(Cause, String),
}

/// Whether it was paired in this attempt. A second time would not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    NotYet,
    /// It was tried, or the attempt before ended with it.
    Tried,
    Done,
}

/// One attempt.
pub(super) struct Session<'a> {
    desk: &'a Desk,
    ctx: GattCtx<'a>,
    address: Address,
    plan: Option<&'a Plan>,
    route: Route,
    turn: Turn<'a>,
    pairing: Pairing,
    /// It was paired, and what was asked has to be asked by another connection.
    anew: bool,
    works: Vec<Work>,
    /// What people want to see notified.
    watched: BTreeSet<CharacteristicId>,
    watch: Watch,
    /// When somebody asked for something the last time.
    asked: Instant,
    /// Values came.
    gave: bool,
}

/// What happens next.
enum Next {
    Asked(Ask),
    Yield,
    Came(Result<Notification, RadioError>),
    Due(usize),
    Quiet,
    Idle,
}

// === impl Session ===

impl<'a> Session<'a> {
    pub(super) fn new(
        desk: &'a Desk,
        ctx: GattCtx<'a>,
        address: Address,
        plan: Option<&'a Plan>,
        route: Route,
        turn: Turn<'a>,
        pairing: Pairing,
    ) -> Self {
        Self {
            desk,
            ctx,
            address,
            plan,
            route,
            turn,
            pairing,
            anew: false,
            works: Vec::new(),
            watched: BTreeSet::new(),
            watch: Watch::new(),
            asked: Instant::now(),
            gave: false,
        }
    }

    /// The whole attempt, and whether values came. Questions that still wait when it ends stay in `waiting`.
    pub(super) async fn run(
        mut self,
        asks: &mut mpsc::Receiver<Ask>,
        waiting: &mut VecDeque<Ask>,
    ) -> (Ended, bool) {
        let connected = self.connect(waiting).await;
        if self.pairing == Pairing::Done {
            self.answer_pairs(waiting);
        }
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return (self.lost("it cannot be connected", &error), false),
        };
        self.turn.connected();
        let ended = match self.prepare(&mut *connection).await {
            Ok(()) => self.serve(&mut *connection, asks, waiting).await,
            Err(ended) => ended,
        };
        if ended == Ended::Paired {
            while let Ok(ask) = asks.try_recv() {
                push(waiting, ask);
            }
            self.answer_pairs(waiting);
        }
        // Whatever it says: it is dropped then, which closes it as well.
        let _ = limited(ANSWER, "closing", connection.close()).await;
        (ended, self.gave)
    }

    async fn connect(
        &mut self,
        waiting: &VecDeque<Ask>,
    ) -> Result<Box<dyn Connection>, RadioError> {
        if self.pair_policy() == Pair::Yes && !self.is_bonded().await? {
            self.pair().await?;
        }
        // Who asks for it is somebody who is there.
        let asked = waiting
            .iter()
            .any(|ask| matches!(ask, Ask::Pair(_)) && !ask.is_stale());
        let why = match self.dial().await {
            Err(RadioError::Unpaired(why)) if asked || self.may_pair() => why,
            // It loses each bond, so that it is not paired by itself.
            Err(RadioError::Refused(why)) if asked => why,
            done => return done,
        };
        self.pair_anew(why).await?;
        self.dial().await
    }

    async fn dial(&self) -> Result<Box<dyn Connection>, RadioError> {
        self.phase(Phase::Connecting, "it is being connected");
        let Route { adapter, address } = &self.route;
        let connecting = self.ctx.radio.connect(adapter, *address, CONNECT);
        limited(CONNECT + Duration::from_secs(5), "connecting", connecting).await
    }

    /// Finds what is to be read, and subscribes before anything is read, so that no change is missed between the two.
    async fn prepare(&mut self, connection: &mut dyn Connection) -> Result<(), Ended> {
        let Some(plan) = self.plan else {
            self.phase(Phase::Connected, "connected, for somebody who looks around");
            return Ok(());
        };
        let (works, mut problems) = work::works(plan, &connection.services());
        self.works = works;
        for index in 0..self.works.len() {
            let Some(of) = self.works[index].subscribes() else {
                continue;
            };
            match self.asking(connection, of, Question::Subscribe).await {
                Ok(_) => {}
                Err(RadioError::Refused(why)) => {
                    problems.push(format!(
                        "characteristic {} cannot notify: {why}",
                        work::name(of)
                    ));
                    self.works[index].poll_instead();
                }
                Err(error) => {
                    return Err(self.lost("it cannot be subscribed to", &error));
                }
            }
        }
        self.works.retain(Work::is_of_use);
        if self.works.is_empty() && !plan.rules.is_empty() {
            let words = format!(
                "none of its characteristics can be read: {}",
                problems.join("; ")
            );
            return Err(Ended::Lost(Cause::Refused, words));
        }
        let count = self.works.len();
        let words = match count {
            1 => "connected, 1 characteristic is read".to_owned(),
            _ => format!("connected, {count} characteristics are read"),
        };
        self.desk
            .tell(self.address, |status| status.problems = problems);
        self.phase(Phase::Connected, &words);
        Ok(())
    }

    /// Reads and listens until the connection ends.
    async fn serve(
        &mut self,
        connection: &mut dyn Connection,
        asks: &mut mpsc::Receiver<Ask>,
        waiting: &mut VecDeque<Ask>,
    ) -> Ended {
        self.watch.begin(&self.works);
        loop {
            let next = match waiting.pop_front() {
                Some(ask) => Next::Asked(ask),
                None => self.next(connection, asks).await,
            };
            let done = match next {
                Next::Asked(ask) => self.answer(connection, ask, waiting).await,
                Next::Yield => Err(Ended::Yielded),
                Next::Came(Ok(notification)) => self.came(notification).await,
                Next::Came(Err(error)) => Err(self.lost("its connection was lost", &error)),
                Next::Due(index) => self.poll(connection, index).await,
                Next::Quiet => self.quiet(connection).await,
                Next::Idle => Err(Ended::Closed),
            };
            if let Err(ended) = done {
                return ended;
            }
            if let Some(rests) = self.rests() {
                return Ended::Rests(rests);
            }
        }
    }

    async fn next(
        &mut self,
        connection: &mut dyn Connection,
        asks: &mut mpsc::Receiver<Ask>,
    ) -> Next {
        let due = self.works.iter().enumerate();
        let due = due
            .filter_map(|(index, work)| Some((work.due()?, index)))
            .min();
        let idle = self.plan.is_none().then(|| self.asked + IDLE);
        let quiet = self.watch.deadline();
        tokio::select! {
            biased;
            Some(ask) = asks.recv() => Next::Asked(ask),
            () = self.turn.over() => Next::Yield,
            came = connection.notified() => Next::Came(came),
            index = at(due.map(|(when, index)| (when, Next::Due(index)))) => index,
            quiet = at(quiet.map(|when| (when, Next::Quiet))) => quiet,
            idle = at(idle.map(|when| (when, Next::Idle))) => idle,
        }
    }

    /// All values are there, and it need not stay connected: how long until the next ones.
    fn rests(&self) -> Option<Duration> {
        let plan = self.plan.filter(|plan| plan.release)?;
        let needed = self.asked + NEEDED > Instant::now() && self.watch.was_asked();
        let done = self.works.iter().all(Work::is_satisfied) || self.watch.age() >= LONG;
        let every = plan.rules.iter().map(|rule| rule.every).min()?;
        (done && !needed).then(|| every.saturating_sub(self.watch.age()))
    }

    /// Asks a connected device; pairs when it wants that first and the settings allow it, and asks again. Where `anew` is set
    /// afterwards, the error is none: the attempt ends, and the next one asks.
    async fn asking(
        &mut self,
        connection: &dyn Connection,
        of: CharacteristicId,
        question: Question,
    ) -> Result<Vec<u8>, RadioError> {
        match question.ask(connection, of).await {
            Err(RadioError::Unpaired(why)) if self.may_pair() => {
                self.pair_connected(connection, why).await?;
                question.ask(connection, of).await
            }
            done => done,
        }
    }

    fn pair_policy(&self) -> Pair {
        // Who looks around is asked before anything is paired.
        self.plan.map_or(Pair::No, |plan| plan.pair)
    }

    fn may_pair(&self) -> bool {
        self.pairing == Pairing::NotYet && self.pair_policy() != Pair::No
    }

    async fn is_bonded(&self) -> Result<bool, RadioError> {
        let bonds = self.ctx.radio.bonds(&self.route.adapter);
        let bonds = limited(ANSWER, "asking for bonds", bonds).await?;
        // The system knows a device whose address changes by its identity once it is bonded.
        Ok([self.route.address, self.address]
            .iter()
            .any(|who| bonds.contains(who)))
    }

    /// A device with a bond that wants to be paired has lost its own half: the bond is of no use any more, and goes.
    async fn pair_anew(&mut self, why: String) -> Result<(), RadioError> {
        if self.is_bonded().await? {
            let words = format!(
                "its bond seems to be no longer good; it is removed, and the device is paired anew ({why})"
            );
            tracing::warn!(address = %self.address, "{words}");
            self.desk
                .tell(self.address, |status| status.cause = Some(words));
        }
        self.pair().await
    }

    /// Pairs a device that is connected, which may close its connection.
    async fn pair_connected(
        &mut self,
        connection: &dyn Connection,
        why: String,
    ) -> Result<(), RadioError> {
        self.pair_anew(why).await?;
        if !self.is_alive(connection).await? {
            self.anew = true;
            return Err(RadioError::Broken(
                "its connection was closed for the pairing".to_owned(),
            ));
        }
        self.phase(Phase::Connected, "connected and paired");
        Ok(())
    }

    async fn is_alive(&self, connection: &dyn Connection) -> Result<bool, RadioError> {
        limited(ANSWER, "asking for the link", connection.alive()).await
    }

    async fn pair(&mut self) -> Result<(), RadioError> {
        self.pairing = Pairing::Tried;
        self.phase(
            Phase::Pairing,
            "it is being paired; what it wants to know is asked under Bluetooth",
        );
        let pairing = self.ctx.radio.pair(&self.route.adapter, self.route.address);
        limited(PAIR, "pairing", pairing).await?;
        self.pairing = Pairing::Done;
        Ok(())
    }

    fn phase(&self, phase: Phase, words: &str) {
        self.desk.tell(self.address, |status| {
            status.phase = phase;
            status.next = None;
            words.clone_into(&mut status.words);
        });
    }

    fn lost(&self, what: &str, error: &RadioError) -> Ended {
        if self.anew {
            return Ended::Paired;
        }
        let cause = Cause::of(error);
        let remedy = match cause {
            Cause::Unpaired if self.pair_policy() == Pair::No => {
                "; it wants to be paired: pair it under Bluetooth, or set `pair` to `if_needed`"
            }
            _ => "",
        };
        Ended::Lost(cause, format!("{what}: {error}{remedy}"))
    }
}

/// What is asked of a characteristic.
#[derive(Debug, Clone, Copy)]
enum Question {
    Read,
    Subscribe,
    Unsubscribe,
}

impl Question {
    async fn ask(
        self,
        connection: &dyn Connection,
        of: CharacteristicId,
    ) -> Result<Vec<u8>, RadioError> {
        let nothing = |done: Result<(), RadioError>| done.map(|()| Vec::new());
        match self {
            Self::Read => limited(ANSWER, "reading", connection.read(of)).await,
            Self::Subscribe => {
                nothing(limited(ANSWER, "subscribing", connection.subscribe(of)).await)
            }
            Self::Unsubscribe => {
                nothing(limited(ANSWER, "unsubscribing", connection.unsubscribe(of)).await)
            }
        }
    }
}

/// Nothing takes longer than it may.
async fn limited<T>(limit: Duration, what: &str, asked: Asked<'_, T>) -> Result<T, RadioError> {
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Err(RadioError::Busy(format!(
                "{what} had no answer within {seconds} s"
            )))
        })
}

/// At its moment; never, when there is none.
async fn at(when: Option<(Instant, Next)>) -> Next {
    match when {
        Some((when, next)) => {
            tokio::time::sleep_until(when).await;
            next
        }
        None => std::future::pending().await,
    }
}
