//! `Watch`: a [`PullPoint`] carried out with a device.

use std::collections::VecDeque;

use tokio::time::{Instant, sleep};

use super::{Counters, Happening, Plan, PullPoint, Step};
use crate::{clock::now, device::Device, error::DeviceError};

/// Events of one device, for as long as it is kept; it may outlive the device's connection, and then tells only what changed.
pub struct Watch {
    machine: PullPoint,
    began: Instant,
    told: VecDeque<Happening>,
}

// === impl Watch ===

impl Watch {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            machine: PullPoint::new(plan),
            began: Instant::now(),
            // It holds what one answer brings, at most three.
            told: VecDeque::new(),
        }
    }

    /// The device's clock was measured.
    pub fn set_drift(&mut self, drift_millis: i64) {
        self.machine.set_drift(drift_millis);
    }

    /// What has to be added to our time to get the device's, by its last answer.
    #[must_use]
    pub fn drift_millis(&self) -> i64 {
        self.machine.drift_millis()
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.machine.counters()
    }

    /// The next that is worth telling. After [`Happening::Events`] nothing is pulled before [`Self::acknowledge`]; until then this only
    /// keeps the subscription alive, so that it can stand in a `select!` beside whatever makes the events safe. It may be dropped at any
    /// time; a pull that is dropped while it waits loses what the device was about to tell, and the states are read again.
    ///
    /// # Errors
    /// When the device refuses the sign-in, or has no events. What goes away by itself is waited out here and told as
    /// [`Happening::Down`].
    pub async fn next(&mut self, device: &dyn Device) -> Result<Happening, DeviceError> {
        loop {
            if let Some(happening) = self.told.pop_front() {
                return Ok(happening);
            }
            let happenings = self.step(device).await?;
            self.told.extend(happenings);
        }
    }

    /// What was told is safe.
    pub fn acknowledge(&mut self) {
        self.machine.acknowledge();
    }

    /// Ends the subscription at the device, which would otherwise keep it until its time is over.
    ///
    /// # Errors
    /// When the device does not answer, or knows it no longer.
    pub async fn close(&mut self, device: &dyn Device) -> Result<(), DeviceError> {
        match self.machine.end() {
            Some(subscription) => device.unsubscribe(&subscription).await,
            None => Ok(()),
        }
    }

    async fn step(&mut self, device: &dyn Device) -> Result<Vec<Happening>, DeviceError> {
        match self.machine.next(self.began.elapsed(), now()) {
            Step::Create(lifetime) => {
                let outcome = device.subscribe(lifetime).await;
                self.machine.created(outcome, self.began.elapsed(), now())
            }
            Step::Synchronize(subscription) => {
                let outcome = device.synchronize(&subscription).await;
                self.machine.synchronized(outcome, self.began.elapsed())
            }
            Step::Pull { from, wait, limit } => {
                let outcome = device.pull(&from, wait, limit).await;
                self.machine.pulled(outcome, self.began.elapsed(), now())
            }
            Step::Renew(subscription, lifetime) => {
                let outcome = device.renew(&subscription, lifetime).await;
                self.machine.renewed(outcome, self.began.elapsed(), now())
            }
            Step::Pause(span) | Step::AwaitAcknowledgement(span) => {
                sleep(span).await;
                Ok(Vec::new())
            }
        }
    }
}
