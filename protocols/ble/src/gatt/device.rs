//! One device for as long as the source runs: it waits until it is heard, for its turn, and for the right moment to try again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};

use super::{
    GattCtx, Route,
    ask::{Ask, explained},
    desk::Desk,
    pace::{Cause, Pace},
    plan::Plan,
    session::{Ended, Pairing, Session},
    status::Phase,
};
use crate::{Address, clock};

/// How often it is looked whether the device is heard again.
const HEARD: Duration = Duration::from_secs(1);
/// A connection that gave values and held so long is no failure.
const HELD: Duration = Duration::from_secs(10);
/// After somebody disconnected a configured device, it is left alone for a moment.
const LEFT_ALONE: Duration = Duration::from_secs(10);
/// Questions that wait for the connection.
const MOST_WAITING: usize = 16;
/// A device that nobody configured and nobody asks about is let go.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// One device.
pub(super) struct Driver<'a> {
    pub(super) desk: &'a Desk,
    pub(super) ctx: GattCtx<'a>,
    pub(super) address: Address,
    /// None for one that is only looked at.
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) asks: mpsc::Receiver<Ask>,
    /// When nobody answered: first it has to be heard again, so that the radio listens meanwhile.
    pub(super) missed: Option<Instant>,
    /// In the attempt before.
    pub(super) pairing: Pairing,
}

// === impl Driver ===

impl Driver<'_> {
    /// Never ends for a configured device; for another one when nobody asked for a minute or it failed.
    pub(super) async fn run(mut self) -> Address {
        let mut pace = Pace::default();
        let mut waiting: VecDeque<Ask> = VecDeque::new();
        loop {
            if self.plan.is_none() && waiting.is_empty() && !self.somebody_asks(&mut waiting).await
            {
                break;
            }
            let Some(route) = self.heard(&mut waiting).await else {
                continue;
            };
            if self.only_radio(&route, &mut waiting).await {
                continue;
            }
            let began = Instant::now();
            let (ended, gave) = self.attempt(route, &mut waiting, pace.failures()).await;
            let missed = matches!(
                ended,
                Ended::Lost(Cause::Away | Cause::Busy | Cause::Radio, _)
            );
            self.missed = (missed && !gave).then(Instant::now);
            self.pairing = match ended {
                Ended::Paired => Pairing::Tried,
                _ => Pairing::NotYet,
            };
            match gave {
                true if began.elapsed() >= HELD => pace.worked(),
                true => pace.gave(),
                false => {}
            }
            self.pause(ended, &mut pace, &mut waiting).await;
        }
        self.desk.close(self.address);
        self.address
    }

    /// For one that is only looked at: the next question, within a minute.
    async fn somebody_asks(&mut self, waiting: &mut VecDeque<Ask>) -> bool {
        match tokio::time::timeout(IDLE, self.asks.recv()).await {
            Ok(Some(ask)) => {
                waiting.push_back(ask);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Waits until there is a way to it; who asks meanwhile is told at once. None for one that is only looked at, since nobody asks
    /// any more.
    async fn heard(&mut self, waiting: &mut VecDeque<Ask>) -> Option<Route> {
        const WHY: &str =
            "it is not heard right now; is it on, near, and not connected to something else?";
        loop {
            // Who asks does not wait for that.
            let since = self.missed.filter(|_| waiting.is_empty());
            if let Some(route) = self.ctx.routes.route(self.address, since) {
                return Some(route);
            }
            waiting.drain(..).for_each(|ask| ask.refuse(WHY));
            self.desk.tell(self.address, |status| {
                status.phase = Phase::Unheard;
                status.next = None;
                WHY.clone_into(&mut status.words);
            });
            // Nobody waits for one that is only looked at.
            self.plan.as_ref()?;
            tokio::select! {
                Some(ask) = self.asks.recv() => waiting.push_back(ask),
                () = tokio::time::sleep(HEARD) => {}
            }
        }
    }

    /// What needs no connection of ours is done at once; true when nothing is left to be done.
    async fn only_radio(&mut self, route: &Route, waiting: &mut VecDeque<Ask>) -> bool {
        let mut left = VecDeque::new();
        let mut did = false;
        for ask in waiting.drain(..) {
            match ask {
                Ask::Unpair(reply) => {
                    did = true;
                    let done = self.ctx.radio.forget(&route.adapter, route.address).await;
                    let words = || {
                        format!(
                            "{}: its bond is forgotten; it can be paired anew",
                            self.address
                        )
                    };
                    let done = done
                        .map(|()| words())
                        .map_err(|why| explained(self.address, &why));
                    let _ = reply.send(done);
                }
                Ask::Disconnect(reply) => {
                    did = true;
                    let _ = reply.send(Ok(()));
                }
                other => left.push_back(other),
            }
        }
        *waiting = left;
        did && waiting.is_empty()
    }

    /// Waits for a turn, and uses it.
    async fn attempt(
        &mut self,
        route: Route,
        waiting: &mut VecDeque<Ask>,
        failures: u32,
    ) -> (Ended, bool) {
        let desk = self.desk;
        let urgent = !waiting.is_empty();
        let mut turn = desk.queue(&route.adapter, self.address, urgent, failures);
        desk.tell(self.address, |status| {
            status.phase = Phase::Queued;
            status.next = None;
            status.adapter = Some(Arc::clone(&route.adapter));
            "others have the connections of the adapter; it is in the queue"
                .clone_into(&mut status.words);
        });
        loop {
            tokio::select! {
                () = turn.mine() => break,
                Some(ask) = self.asks.recv() => {
                    push(waiting, ask);
                    turn.hurry();
                }
            }
        }
        let session = Session::new(
            desk,
            self.ctx,
            self.address,
            self.plan.as_deref(),
            route,
            turn,
            self.pairing,
        );
        session.run(&mut self.asks, waiting).await
    }

    /// Tells how it ended, and waits until it is time for the next attempt.
    async fn pause(&mut self, ended: Ended, pace: &mut Pace, waiting: &mut VecDeque<Ask>) {
        let (wait, phase, words) = match ended {
            Ended::Yielded => (
                Duration::ZERO,
                Phase::Queued,
                "it gave its connection to others that wait".to_owned(),
            ),
            Ended::Paired => (
                Duration::ZERO,
                Phase::Queued,
                "it is paired; its connection was closed for that".to_owned(),
            ),
            Ended::Closed => (
                LEFT_ALONE,
                Phase::Resting,
                "disconnected, as it was asked for".to_owned(),
            ),
            Ended::Rests(until) => {
                pace.worked();
                let words = "its values were read; it is connected again for the next ones";
                (until, Phase::Resting, words.to_owned())
            }
            Ended::Lost(cause, words) => {
                self.desk
                    .tell(self.address, |status| status.cause = Some(words.clone()));
                waiting.drain(..).for_each(|ask| ask.refuse(&words));
                (pace.failed(cause, self.address), Phase::Pausing, words)
            }
        };
        self.desk.tell(self.address, |status| {
            status.phase = phase;
            status.words = words;
            status.failures = pace.failures();
            status.next = (!wait.is_zero()).then(|| after(wait));
        });
        if self.plan.is_some() && !wait.is_zero() && waiting.is_empty() {
            // Who asks does not wait for the pace.
            if let Ok(Some(ask)) = tokio::time::timeout(wait, self.asks.recv()).await {
                push(waiting, ask);
            }
        }
    }
}

/// Takes a question, unless too many wait or nobody needs it any more.
pub(super) fn push(waiting: &mut VecDeque<Ask>, ask: Ask) {
    waiting.retain(|ask| !ask.is_stale());
    if waiting.len() < MOST_WAITING {
        waiting.push_back(ask);
    } else {
        ask.refuse("too many questions wait for it already; ask again in a moment");
    }
}

fn after(wait: Duration) -> fieldgate_model::Timestamp {
    let nanos = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
    fieldgate_model::Timestamp::from_nanos(clock::now().nanos().saturating_add(nanos))
}
