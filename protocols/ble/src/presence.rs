//! `Presence`: how near a device is, by the strength of its signal, and whether it came or went.
//!
//! Signal strength is a poor ruler: walls, people and the antenna's direction weigh as much as metres. So it is smoothed, and coming
//! and going have two thresholds.

use fieldgate_kit::scanner::Freshness;

/// How much one packet weighs against what was before.
const WEIGHT: f64 = 0.25;
/// dBm at one metre of a sender that does not tell, as many beacons have it.
const AT_ONE_METRE: f64 = -59.0;
/// How fast the signal falls off: 2 in free space, up to 4 between walls.
const FALL_OFF: f64 = 2.5;
/// What an isotropic antenna loses over the first metre at 2.4 GHz, in dB (free-space path loss).
const FIRST_METRE: f64 = 41.0;
/// Packets whose strength is kept for people.
const HISTORY: usize = 30;

/// When somebody is near and when gone, in dBm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub near: i16,
    pub far: i16,
}

/// How near a device is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Presence {
    smooth: Option<f64>,
    history: Vec<i16>,
    /// dBm at one metre, where the device tells.
    reference: Option<f64>,
    near: bool,
}

// === impl Presence ===

impl Presence {
    /// A packet came with this strength. Values that no receiver gives (127: unknown) are passed over.
    pub fn heard(&mut self, rssi: i16, limits: Limits) {
        if !(-127..=20).contains(&rssi) {
            return;
        }
        let now = f64::from(rssi);
        let smooth = self
            .smooth
            .map_or(now, |before| before + WEIGHT * (now - before));
        self.smooth = Some(smooth);
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(rssi);
        if smooth >= f64::from(limits.near) {
            self.near = true;
        } else if smooth < f64::from(limits.far) {
            self.near = false;
        }
    }

    /// The device tells how strongly it is received at one metre.
    pub fn reference(&mut self, dbm: f64) {
        if (-127.0..=20.0).contains(&dbm) {
            self.reference = Some(dbm);
        }
    }

    /// The device tells how strongly it sends.
    pub fn sends_with(&mut self, dbm: i16) {
        self.reference(f64::from(dbm) - FIRST_METRE);
    }

    /// Who is silent has gone.
    pub fn freshness(&mut self, freshness: Freshness) {
        if freshness == Freshness::Silent {
            self.near = false;
        }
    }

    #[must_use]
    pub fn is_near(&self) -> bool {
        self.near
    }

    /// dBm, smoothed.
    #[must_use]
    pub fn rssi(&self) -> Option<f64> {
        self.smooth
    }

    /// dBm of the last packets, the last one last.
    #[must_use]
    pub fn history(&self) -> &[i16] {
        &self.history
    }

    /// How far away it seems, in metres, by the log-distance model; a guess.
    #[must_use]
    pub fn distance_m(&self) -> Option<f64> {
        let lost = self.reference.unwrap_or(AT_ONE_METRE) - self.smooth?;
        let metres = 10_f64.powf(lost / (10.0 * FALL_OFF));
        Some((metres * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        near: -75,
        far: -85,
    };

    fn after(packets: &[i16]) -> Presence {
        let mut presence = Presence::default();
        for rssi in packets {
            presence.heard(*rssi, LIMITS);
        }
        presence
    }

    #[test]
    fn coming_and_going_have_two_thresholds() {
        assert!(!after(&[-80; 10]).is_near(), "never came near");
        assert!(after(&[-70; 10]).is_near());
        let between = [&[-70; 10][..], &[-80; 50]].concat();
        assert!(after(&between).is_near(), "still there");
        let gone = [&between[..], &[-90; 50]].concat();
        assert!(!after(&gone).is_near());
        let once = [&[-70; 10][..], &[-100; 1]].concat();
        assert!(after(&once).is_near(), "one weak packet is nothing");
    }

    #[test]
    fn who_is_silent_has_gone() {
        let mut presence = after(&[-60; 5]);
        presence.freshness(Freshness::Late);
        assert!(presence.is_near());
        presence.freshness(Freshness::Silent);
        assert!(!presence.is_near());
    }

    #[test]
    fn a_distance_is_guessed_by_what_is_lost_on_the_way() {
        assert_eq!(after(&[-59; 9]).distance_m(), Some(1.0));
        assert_eq!(after(&[-84; 99]).distance_m(), Some(10.0));
        let mut strong = after(&[-59; 9]);
        strong.sends_with(8);
        assert!(strong.distance_m().unwrap() > 1.0);
        assert_eq!(Presence::default().distance_m(), None);
    }

    #[test]
    fn what_no_receiver_gives_is_passed_over() {
        let presence = after(&[127, -200, -60]);
        assert_eq!(presence.history(), [-60]);
        assert_eq!(presence.rssi(), Some(-60.0));
        assert_eq!(after(&[-50; 99]).history().len(), HISTORY);
    }
}
