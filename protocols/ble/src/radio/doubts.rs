//! `Doubts`: devices that seem to have lost their half of a bond, remembered for longer than a radio lasts. Pure.
//!
//! The link to such a device is made, and breaks when it is to be encrypted. BlueZ before 5.83 does not say why, and its answer
//! (`le-connection-abort-by-local`) is the same when a link breaks at that moment for another reason. Linux 6.1 may fall over it and take
//! BlueZ with it, again with each attempt, so that one such device makes all others deaf. So there are three signs, by how much they say:
//!
//! | sign | lost after |
//! |---|---|
//! | BlueZ says that authentication failed | 2 |
//! | BlueZ dies with the link, or just after it was given up | 2 |
//! | the link of a device that is heard well breaks so, and nothing else happens in between | 10, over at least ten minutes |
//!
//! A connection with the bond ends all doubts.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::Address;

/// Which device, on which adapter.
pub(super) type Place = (u16, Address);

/// See the module. Only devices that were connected or paired with a bond are in it.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<BTreeMap<Place, Doubt>>);

/// What the signs say of a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bond {
    /// Nothing: it is used.
    Good,
    Lost,
    /// It is a new one, made after the last one was lost.
    LostAgain,
}

/// How connecting a device with a bond ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialled {
    /// It is connected, and so its link is encrypted.
    Connected,
    /// It ended in the way of a lost bond, if there was a link.
    GivenUp,
    /// BlueZ died meanwhile; [`Doubts::died`] says so, too.
    Died,
    Failed,
}

#[derive(Debug, Default)]
struct Doubt {
    refusals: u32,
    deaths: u32,
    given_up: u32,
    /// When the first of these in a row was.
    since: Option<Instant>,
    /// How it was heard before it was dialled, in dBm.
    signal: Option<i16>,
    last: Option<Instant>,
    link: Link,
    /// When a bond was removed to make another one.
    renewed: Option<Instant>,
}

/// Where it is to blame when BlueZ dies.
#[derive(Debug, Clone, Copy, Default)]
enum Link {
    #[default]
    No,
    Dialling,
    /// It was made in this attempt.
    Made,
    /// It was made and is gone: it is to blame for a moment more.
    Over(Instant),
}

const REFUSALS: u32 = 2;
const DEATHS: u32 = 2;
const GIVEN_UP: u32 = 10;
const GIVEN_UP_FOR: Duration = Duration::from_secs(600);
/// Links of devices with a weaker signal, in dBm, break for many reasons.
const HEARD_WELL: i16 = -80;
/// A person may not want it to be paired anew: then it is tried now and then whether the signs deceived. Nor is a device paired more
/// often that loses each new bond.
const LAPSE: Duration = Duration::from_secs(6 * 3600);
/// BlueZ was seen to die a quarter of a second after the link was given up.
const MOMENT: Duration = Duration::from_millis(1500);

// === impl Doubts ===

impl Doubts {
    /// What is known of its bond. If nothing is wrong, it is being connected from now on, and nobody else on this adapter is.
    pub(super) fn dial(&self, place: Place, now: Instant) -> Bond {
        let mut all = self.lock();
        let doubt = all.entry(place).or_default();
        let bond = doubt.bond(now);
        if bond == Bond::Good {
            let others = all
                .iter_mut()
                .filter(|((adapter, _), _)| *adapter == place.0);
            for ((_, address), doubt) in others {
                doubt.link = match *address == place.1 {
                    true => Link::Dialling,
                    false => Link::No,
                };
            }
        }
        bond
    }

    /// There is a link.
    pub(super) fn linked(&self, place: Place) {
        if let Some(doubt) = self.lock().get_mut(&place)
            && matches!(doubt.link, Link::Dialling)
        {
            doubt.link = Link::Made;
        }
    }

    /// How it is heard, right before it is dialled.
    pub(super) fn heard(&self, place: Place, signal: Option<i16>) {
        if let Some(doubt) = self.lock().get_mut(&place) {
            doubt.signal = signal;
        }
    }

    /// BlueZ says that its link ended for another reason.
    pub(super) fn broke(&self, place: Place) {
        if let Some(doubt) = self.lock().get_mut(&place) {
            (doubt.given_up, doubt.since) = (0, None);
        }
    }

    /// BlueZ says that its link ended since authentication failed.
    pub(super) fn refused(&self, place: Place, now: Instant) {
        if let Some(doubt) = self.lock().get_mut(&place) {
            doubt.refusals += 1;
            doubt.last = Some(now);
        }
    }

    /// How connecting ended.
    pub(super) fn dialled(&self, place: Place, how: Dialled, now: Instant) {
        let mut all = self.lock();
        let Some(doubt) = all.get_mut(&place) else {
            return;
        };
        match (how, doubt.link) {
            (Dialled::Connected, _) => doubt.forgive(),
            (Dialled::Died, _) => return,
            (Dialled::GivenUp, Link::Made) if doubt.signal >= Some(HEARD_WELL) => {
                doubt.given_up += 1;
                doubt.since.get_or_insert(now);
                doubt.last = Some(now);
            }
            // It says nothing.
            (Dialled::GivenUp | Dialled::Failed, Link::Made) => {}
            (Dialled::GivenUp | Dialled::Failed, _) => (doubt.given_up, doubt.since) = (0, None),
        }
        doubt.link = match doubt.link {
            Link::Made => Link::Over(now),
            _ => Link::No,
        };
    }

    /// BlueZ died.
    pub(super) fn died(&self, now: Instant) {
        for doubt in self.lock().values_mut() {
            let blamed = match doubt.link {
                Link::Made => true,
                Link::Over(at) => now.duration_since(at) < MOMENT,
                Link::No | Link::Dialling => false,
            };
            if blamed {
                doubt.deaths += 1;
                doubt.last = Some(now);
            }
            doubt.link = Link::No;
        }
    }

    /// It has no bond, or another one.
    pub(super) fn clear(&self, place: Place) {
        if let Some(doubt) = self.lock().get_mut(&place) {
            doubt.forgive();
        }
    }

    /// Its bond is removed to make another one.
    pub(super) fn renew(&self, place: Place, now: Instant) {
        self.clear(place);
        self.lock().entry(place).or_default().renewed = Some(now);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Doubt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Doubt ===

impl Doubt {
    /// All but that its bond was made anew not long ago.
    fn forgive(&mut self) {
        *self = Self {
            renewed: self.renewed,
            ..Self::default()
        };
    }

    fn bond(&mut self, now: Instant) -> Bond {
        let is_old = |at: Option<Instant>| at.is_some_and(|at| now.duration_since(at) > LAPSE);
        if is_old(self.renewed) {
            self.renewed = None;
        }
        if is_old(self.last) {
            self.forgive();
        }
        let lasted = self
            .since
            .is_some_and(|since| now.duration_since(since) >= GIVEN_UP_FOR);
        let lost = self.refusals >= REFUSALS
            || self.deaths >= DEATHS
            || (self.given_up >= GIVEN_UP && lasted);
        match (lost, self.renewed) {
            (false, _) => Bond::Good,
            (true, None) => Bond::Lost,
            (true, Some(_)) => Bond::LostAgain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Place = (0, Address([0xC0, 0, 0, 0, 0, 1]));
    const OTHER: Place = (0, Address([0xC0, 0, 0, 0, 0, 2]));

    /// Doubts, and a clock.
    struct Air {
        doubts: Doubts,
        now: Instant,
        began: Instant,
        /// How devices are heard.
        signal: Option<i16>,
    }

    impl Air {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                doubts: Doubts::default(),
                now,
                began: now,
                signal: Some(HEARD_WELL),
            }
        }

        fn after(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn bond(&self, place: Place) -> Bond {
            self.doubts.dial(place, self.now)
        }

        /// It is dialled, there is a link, and then that happens.
        fn dial(&mut self, place: Place, how: Dialled) {
            assert_eq!(self.bond(place), Bond::Good);
            self.doubts.heard(place, self.signal);
            self.doubts.linked(place);
            self.doubts.dialled(place, how, self.now);
        }

        /// BlueZ dies with its link.
        fn dies_with(&mut self, place: Place) {
            self.dial(place, Dialled::Died);
            self.doubts.died(self.now);
        }
    }

    #[test]
    fn links_that_are_given_up_again_and_again_are_a_lost_bond() {
        let mut air = Air::new();
        for number in 0..GIVEN_UP {
            air.after(60).dial(ONE, Dialled::GivenUp);
            // What says nothing does not begin it anew.
            if number % 3 == 1 {
                air.signal = None;
                air.dial(ONE, Dialled::GivenUp);
                air.signal = Some(-60);
                air.dial(ONE, Dialled::Failed);
            }
        }
        assert_eq!(air.bond(ONE), Bond::Good, "not for ten minutes yet");
        air.after(60);
        assert_eq!(air.bond(ONE), Bond::Lost);
        assert_eq!(air.bond(OTHER), Bond::Good, "nobody else is doubted");
        air.after(LAPSE.as_secs() - 60);
        assert_eq!(air.bond(ONE), Bond::Lost);
        air.after(1);
        assert_eq!(air.bond(ONE), Bond::Good, "it is tried");
    }

    #[test]
    fn a_bad_minute_or_a_weak_signal_is_none() {
        let mut air = Air::new();
        for _ in 0..10 * GIVEN_UP {
            air.after(5).dial(ONE, Dialled::GivenUp);
            if air.now.duration_since(air.began) >= GIVEN_UP_FOR / 2 {
                break;
            }
        }
        for signal in [Some(HEARD_WELL - 1), None] {
            let mut air = Air::new();
            air.signal = signal;
            for _ in 0..10 * GIVEN_UP {
                air.after(60).dial(ONE, Dialled::GivenUp);
            }
        }
    }

    #[test]
    fn whatever_else_happens_in_between_begins_it_anew() {
        let mut air = Air::new();
        for number in 0..10 * GIVEN_UP {
            air.after(60).dial(ONE, Dialled::GivenUp);
            if number % (GIVEN_UP - 1) != 0 {
                continue;
            }
            // BlueZ says why the link broke, or nobody answers, so that there is none.
            match number % 2 {
                0 => air.doubts.broke(ONE),
                _ => {
                    assert_eq!(air.bond(ONE), Bond::Good);
                    air.doubts.dialled(ONE, Dialled::GivenUp, air.now);
                }
            }
        }
    }

    #[test]
    fn a_connection_or_another_bond_ends_all_doubts() {
        let mut air = Air::new();
        for _ in 0..3 * DEATHS {
            air.dies_with(ONE);
            air.dial(ONE, Dialled::Connected);
        }
        for _ in 0..3 {
            air.dies_with(ONE);
            air.dies_with(ONE);
            assert_eq!(air.bond(ONE), Bond::Lost);
            air.doubts.clear(ONE);
        }
        assert_eq!(air.bond(ONE), Bond::Good);
    }

    #[test]
    fn what_bluez_says_counts_at_once() {
        let mut air = Air::new();
        for _ in 0..REFUSALS {
            air.dial(ONE, Dialled::GivenUp);
            air.doubts.refused(ONE, air.now);
        }
        assert_eq!(air.bond(ONE), Bond::Lost);
    }

    #[test]
    fn whoever_has_the_link_is_blamed_when_bluez_dies() {
        // With the link, or just after it was given up.
        let mut air = Air::new();
        air.dies_with(ONE);
        air.doubts.died(air.now);
        air.dial(ONE, Dialled::GivenUp);
        air.doubts.died(air.now);
        assert_eq!(air.bond(ONE), Bond::Lost);

        // One that is not there is not to blame, nor one that was dialled before, nor one of long ago.
        let mut air = Air::new();
        for _ in 0..3 * DEATHS {
            assert_eq!(air.bond(ONE), Bond::Good);
            air.doubts.died(air.now);
            air.dial(ONE, Dialled::Failed);
            assert_eq!(air.bond(OTHER), Bond::Good);
            air.doubts.died(air.now);
            air.dial(ONE, Dialled::Failed);
            air.after(2);
            air.doubts.died(air.now);
        }
    }

    #[test]
    fn a_device_that_loses_each_bond_is_not_paired_without_end() {
        let mut air = Air::new();
        air.dies_with(ONE);
        air.dies_with(ONE);
        assert_eq!(air.bond(ONE), Bond::Lost);
        air.doubts.renew(ONE, air.now);
        air.dies_with(ONE);
        air.dies_with(ONE);
        assert_eq!(air.bond(ONE), Bond::LostAgain);
        // Also when the new one was good for a while.
        air.doubts.renew(ONE, air.now);
        air.dial(ONE, Dialled::Connected);
        air.after(3600);
        air.dies_with(ONE);
        air.dies_with(ONE);
        assert_eq!(air.bond(ONE), Bond::LostAgain);
        air.after(LAPSE.as_secs() + 1);
        air.dies_with(ONE);
        air.dies_with(ONE);
        assert_eq!(air.bond(ONE), Bond::Lost, "that was long ago");
    }
}
