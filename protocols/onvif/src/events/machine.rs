//! `PullPoint`: the life of a subscription as a state machine, pure: create, pull, renew, and after a loss create again and read all
//! states anew.
//!
//! How long a subscription lives is only ever counted from the device's own two times, so its clock may be as wrong as it likes.

use std::time::Duration;

use fieldgate_model::Timestamp;

use super::{DeviceEvent, Lifetime, Pulled, Reference, Subscribed, Times, states::States};
use crate::{
    clock::shifted,
    error::{DeviceError, Next},
};

/// What is wished of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Of a subscription that is not renewed.
    pub lifetime: Duration,
    /// The device answers a pull at the latest after this.
    pub wait: Duration,
    /// Messages of one pull.
    pub limit: u32,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Create(Lifetime),
    Synchronize(Reference),
    Pull {
        from: Reference,
        wait: Duration,
        limit: u32,
    },
    Renew(Reference, Lifetime),
    /// Nothing, for so long.
    Pause(Duration),
    /// What was told has to be acknowledged before more is pulled; after so long there is something else to do.
    AwaitAcknowledgement(Duration),
}

/// What is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Events, at least one. The next pull waits until they are acknowledged.
    Events(Vec<DeviceEvent>),
    /// The device tells events now, for the first time or again.
    Up,
    /// It does not, and this is why; it is tried again.
    Down { why: String },
}

/// How it went so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub created: u64,
    pub renewed: u64,
    /// Subscriptions that ended before their time.
    pub lost: u64,
    pub pulls: u64,
    pub messages: u64,
    /// Messages that said what was known already.
    pub repeated: u64,
    /// Pulls that were given up on our side while they waited: what they would have brought is lost, states are read again.
    pub abandoned: u64,
}

/// A subscription's life. All times are since any one moment, by a clock that never goes back.
#[derive(Debug)]
pub struct PullPoint {
    plan: Plan,
    live: Option<Live>,
    states: States,
    counters: Counters,
    /// What has to be added to our time to get the device's.
    drift_millis: i64,
    unacknowledged: bool,
    told_up: Option<bool>,
    /// Not before, for anything that is sent.
    rest_until: Duration,
    failures: u32,
    /// The device wants an absolute time.
    absolute: bool,
    renews: bool,
    /// Subscriptions in a row that died before they should.
    early_deaths: u32,
    /// No longer is believed, since the device kept its subscriptions no longer.
    believed: Duration,
}

#[derive(Debug)]
struct Live {
    reference: Reference,
    born: Duration,
    /// When the device last told how long it lives from then on.
    told: Duration,
    lifetime: Duration,
    /// So much before its end it is replaced, where it cannot be renewed.
    margin: Duration,
    synchronized: bool,
    /// Pulls that were answered since the states were asked for.
    pulls: u32,
    /// States of an earlier subscription may be untold.
    settling: bool,
    pulling_since: Option<Duration>,
    not_before: Duration,
    /// Answers in a row that came at once and brought nothing.
    hasty: u32,
}

/// A device that tells a shorter life is asked no faster than this.
const SHORTEST_LIFE: Duration = Duration::from_secs(4);
/// Nor one whose subscriptions were lost again and again.
const DISTRUSTED_LIFE: Duration = Duration::from_secs(20);
/// Of a time in whole seconds, and the way of the answer.
const CUT_OFF_MILLIS: i64 = 1_500;
/// Longer lives are not believed, whatever was wished.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// An answer that comes faster than this, with nothing new in it, did not wait.
const HASTY: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_HASTY_PAUSE: Duration = Duration::from_secs(5);
/// Between any two pulls: a device with news at every pull is asked twenty times a second.
const BETWEEN_PULLS: Duration = Duration::from_millis(50);
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// After so long, and two answers, a device that tells its states has told them.
const SETTLED: Duration = Duration::from_secs(30);
/// Unanswered requests in a row, after which it is told.
const FAILURES_TO_TELL: u32 = 2;

// === impl Plan ===

impl Default for Plan {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            wait: Duration::from_secs(20),
            limit: 100,
        }
    }
}

// === impl PullPoint ===

impl PullPoint {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            live: None,
            states: States::default(),
            counters: Counters::default(),
            drift_millis: 0,
            unacknowledged: false,
            told_up: None,
            rest_until: Duration::ZERO,
            failures: 0,
            absolute: false,
            renews: true,
            early_deaths: 0,
            believed: LONGEST_LIFE,
        }
    }

    /// The device's clock was measured.
    pub fn set_drift(&mut self, drift_millis: i64) {
        self.drift_millis = drift_millis;
    }

    #[must_use]
    pub fn drift_millis(&self) -> i64 {
        self.drift_millis
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            repeated: self.states.repeated,
            ..self.counters
        }
    }

    /// The subscription to end, when there is one. It is forgotten here.
    pub fn end(&mut self) -> Option<Reference> {
        self.live.take().map(|live| live.reference)
    }

    /// What was told is safe: the next pull may follow.
    pub fn acknowledge(&mut self) {
        self.unacknowledged = false;
    }

    /// What to do at `now`, which is `wall` by our calendar.
    pub fn next(&mut self, now: Duration, wall: Timestamp) -> Step {
        if self.rest_until > now {
            return Step::Pause(self.rest_until - now);
        }
        self.note_abandoned();
        let renews = self.renews;
        if self
            .live
            .as_ref()
            .is_some_and(|live| now >= live.over_at(renews))
        {
            // Its time is over by the device's own word.
            self.live = None;
            self.early_deaths = 0;
        }
        let lifetime = self.lifetime(wall);
        let (unacknowledged, plan) = (self.unacknowledged, self.plan);
        let Some(live) = &mut self.live else {
            return Step::Create(lifetime);
        };
        if renews && now >= live.renew_at() {
            return Step::Renew(live.reference.clone(), lifetime);
        }
        let due = if renews {
            live.renew_at()
        } else {
            live.over_at(renews)
        };
        let left = due.saturating_sub(now);
        if unacknowledged {
            return Step::AwaitAcknowledgement(left);
        }
        if live.not_before > now {
            return Step::Pause((live.not_before - now).min(left));
        }
        if !live.synchronized {
            return Step::Synchronize(live.reference.clone());
        }
        live.pulling_since = Some(now);
        Step::Pull {
            from: live.reference.clone(),
            // It must be back when it is time to renew; whole seconds are what is sent.
            wait: plan.wait.min(left).max(Duration::from_secs(1)),
            limit: plan.limit,
        }
    }

    /// What came of [`Step::Create`].
    ///
    /// # Errors
    /// When it makes no sense to go on before something else changes.
    pub fn created(
        &mut self,
        outcome: Result<Subscribed, DeviceError>,
        now: Duration,
        wall: Timestamp,
    ) -> Result<Vec<Happening>, DeviceError> {
        let subscribed = match outcome {
            Ok(subscribed) => subscribed,
            Err(DeviceError::Refused { .. }) if !self.absolute => {
                self.absolute = true;
                return Ok(Vec::new());
            }
            Err(error @ DeviceError::NotSupported { .. }) => return Err(error),
            Err(error) => return self.failed(error, now),
        };
        self.counters.created += 1;
        let lifetime = self.told_lifetime(subscribed.times, wall);
        self.states.begin();
        self.live = Some(Live {
            reference: subscribed.reference,
            born: now,
            told: now,
            lifetime,
            margin: lifetime / 10,
            synchronized: false,
            pulls: 0,
            settling: self.counters.created > 1,
            pulling_since: None,
            not_before: now,
            hasty: 0,
        });
        Ok(Vec::new())
    }

    /// What came of [`Step::Synchronize`]. A device that cannot has told its states at the beginning, or never does.
    ///
    /// # Errors
    /// As [`Self::created`].
    pub fn synchronized(
        &mut self,
        outcome: Result<(), DeviceError>,
        now: Duration,
    ) -> Result<Vec<Happening>, DeviceError> {
        if let Err(error) = outcome
            && error.next() != Next::Skip
            // Those that do not have it answer with any fault.
            && !matches!(error, DeviceError::Busy { .. })
        {
            return self.failed(error, now);
        }
        if let Some(live) = &mut self.live {
            live.synchronized = true;
            live.pulls = 0;
        }
        Ok(self.tell(true, String::new()).into_iter().collect())
    }

    /// What came of [`Step::Renew`].
    ///
    /// # Errors
    /// As [`Self::created`].
    pub fn renewed(
        &mut self,
        outcome: Result<Times, DeviceError>,
        now: Duration,
        wall: Timestamp,
    ) -> Result<Vec<Happening>, DeviceError> {
        match outcome {
            Ok(times) => {
                self.counters.renewed += 1;
                self.failures = 0;
                self.early_deaths = 0;
                let lifetime = self.told_lifetime(times, wall);
                if let Some(live) = &mut self.live {
                    live.told = now;
                    live.lifetime = lifetime;
                }
                Ok(Vec::new())
            }
            // It lives on by being pulled, or is created anew when its time is over.
            Err(DeviceError::NotSupported { .. }) => {
                self.renews = false;
                Ok(Vec::new())
            }
            Err(DeviceError::Refused { .. }) if !self.absolute => {
                self.absolute = true;
                Ok(Vec::new())
            }
            Err(error) => self.lost_or_failed(error, now),
        }
    }

    /// What came of [`Step::Pull`].
    ///
    /// # Errors
    /// As [`Self::created`].
    pub fn pulled(
        &mut self,
        outcome: Result<Pulled, DeviceError>,
        now: Duration,
        wall: Timestamp,
    ) -> Result<Vec<Happening>, DeviceError> {
        let started = self
            .live
            .as_mut()
            .and_then(|live| live.pulling_since.take());
        let pulled = match outcome {
            Ok(pulled) => pulled,
            Err(error) => return self.lost_or_failed(error, now),
        };
        self.counters.pulls += 1;
        self.counters.messages += pulled.messages.len() as u64;
        self.failures = 0;
        self.note_times(pulled.times, now, wall);
        let drift = self.drift_millis;
        let mut events: Vec<DeviceEvent> = Vec::new();
        for message in pulled.messages {
            events.extend(self.states.take(message, drift, wall));
        }
        let took = now.saturating_sub(started.unwrap_or(now));
        events.extend(self.paced(took, events.is_empty(), now, wall));
        let mut happenings = Vec::new();
        happenings.extend(self.tell(true, String::new()));
        if !events.is_empty() {
            self.unacknowledged = true;
            happenings.push(Happening::Events(events));
        }
        Ok(happenings)
    }

    /// Keeps the pace after an answer, and forgets what a new subscription has not told.
    fn paced(
        &mut self,
        took: Duration,
        nothing_new: bool,
        now: Duration,
        wall: Timestamp,
    ) -> Vec<DeviceEvent> {
        let Some(live) = &mut self.live else {
            return Vec::new();
        };
        live.pulls = live.pulls.saturating_add(1);
        live.not_before = now
            + if nothing_new && took < HASTY {
                let pause = FIRST_PAUSE * 2_u32.pow(live.hasty.min(5));
                live.hasty += 1;
                pause.min(LONGEST_HASTY_PAUSE)
            } else {
                live.hasty = 0;
                BETWEEN_PULLS
            };
        let settled = live.pulls >= 2 && now.saturating_sub(live.born) >= SETTLED;
        if settled && std::mem::take(&mut live.settling) {
            return self.states.forget_untold(wall);
        }
        Vec::new()
    }

    fn note_times(&mut self, times: Times, now: Duration, wall: Timestamp) {
        let Some(device_now) = times.device_now else {
            return;
        };
        let drift_millis = device_now.nanos().saturating_sub(wall.nanos()) / 1_000_000;
        // Most devices tell whole seconds, cut off: of two that differ by less the larger is nearer to the truth.
        let behind = self.drift_millis.saturating_sub(drift_millis);
        if !(0..CUT_OFF_MILLIS).contains(&behind) {
            self.drift_millis = drift_millis;
        }
        if self.renews || times.terminates.is_none() {
            return;
        }
        // Where it lives by being pulled.
        let lifetime = self.told_lifetime(times, wall);
        if let Some(live) = &mut self.live {
            live.told = now;
            live.lifetime = lifetime;
        }
    }

    /// A pull that was begun, and of whose end nobody heard.
    fn note_abandoned(&mut self) {
        let abandoned = self.live.as_mut().is_some_and(|live| {
            let abandoned = live.pulling_since.take().is_some();
            live.synchronized &= !abandoned;
            abandoned
        });
        self.counters.abandoned += u64::from(abandoned);
    }

    fn lost_or_failed(
        &mut self,
        error: DeviceError,
        now: Duration,
    ) -> Result<Vec<Happening>, DeviceError> {
        if error.next() != Next::Skip {
            return self.failed(error, now);
        }
        // The device is there and does not know the subscription any more, or answers to it what nobody understands.
        self.counters.lost += 1;
        if let Some(live) = self.live.take() {
            let lived = now.saturating_sub(live.told);
            self.early_deaths += 1;
            // One death is a restart of the device; several in a row are its habit.
            if self.early_deaths >= 3 {
                self.believed = self.believed.min(lived).max(DISTRUSTED_LIFE);
            }
            if now.saturating_sub(live.born) < SETTLED {
                self.rest(now);
            }
        }
        let why = format!("the subscription was lost: {error}");
        Ok(self.tell(false, why).into_iter().collect())
    }

    fn failed(&mut self, error: DeviceError, now: Duration) -> Result<Vec<Happening>, DeviceError> {
        if error.next() == Next::Wait {
            return Err(error);
        }
        self.rest(now);
        if self.failures < FAILURES_TO_TELL {
            return Ok(Vec::new());
        }
        Ok(self.tell(false, error.to_string()).into_iter().collect())
    }

    fn rest(&mut self, now: Duration) {
        let rest = FIRST_REST * 2_u32.pow(self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        self.rest_until = now + rest.min(LONGEST_REST);
    }

    fn tell(&mut self, up: bool, why: String) -> Option<Happening> {
        if self.told_up == Some(up) {
            return None;
        }
        self.told_up = Some(up);
        Some(if up {
            Happening::Up
        } else {
            Happening::Down { why }
        })
    }

    fn lifetime(&self, wall: Timestamp) -> Lifetime {
        let wished = self.plan.lifetime;
        if self.absolute {
            let millis = i64::try_from(wished.as_millis()).unwrap_or(i64::MAX);
            Lifetime::Until(shifted(wall, self.drift_millis.saturating_add(millis)))
        } else {
            Lifetime::For(wished)
        }
    }

    /// How long it lives from now on, by the device's word where it makes sense.
    fn told_lifetime(&self, times: Times, wall: Timestamp) -> Duration {
        let from = times.device_now.unwrap_or(shifted(wall, self.drift_millis));
        let told = times
            .terminates
            .and_then(|end| u64::try_from(end.nanos().saturating_sub(from.nanos())).ok())
            .map(Duration::from_nanos)
            .filter(|told| !told.is_zero() && *told <= LONGEST_LIFE)
            .unwrap_or(self.plan.lifetime);
        told.min(self.believed).max(SHORTEST_LIFE)
    }
}

// === impl Live ===

impl Live {
    fn over_at(&self, renews: bool) -> Duration {
        let end = self.told + self.lifetime;
        if renews {
            end
        } else {
            // So that nothing happens unseen.
            end.saturating_sub(self.margin)
        }
    }

    fn renew_at(&self) -> Duration {
        self.told + self.lifetime / 2
    }
}

#[cfg(test)]
mod tests;
