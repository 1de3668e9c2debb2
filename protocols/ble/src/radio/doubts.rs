//! `Doubts`: devices that seem to have lost their half of a bond, remembered for longer than a radio lasts. Pure.
//!
//! BlueZ tells nobody: a link to such a device is made, its encryption fails, and this side gives it up at once, in words that could
//! mean anything. Linux 6.1 falls over that and takes BlueZ with it, again with each attempt, so that one such device makes all
//! others deaf. Both are signs; after two of them without a connection in between, the device is asked to be paired anew and is not
//! connected with that bond any more.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::Address;

/// Which device, on which adapter.
pub(super) type Place = (u16, Address);

/// See the module. Only devices with a bond are in it.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<BTreeMap<Place, Doubt>>);

#[derive(Debug)]
struct Doubt {
    signs: u32,
    last: Instant,
    blamed_for: Blamed,
}

/// Whether it is to blame when BlueZ dies.
#[derive(Debug, Clone, Copy)]
enum Blamed {
    /// It is being connected: if there is a link.
    Dialling,
    /// Its link was just given up: for a moment.
    GivenUp,
    No,
}

/// How connecting a device with a bond ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialled {
    /// It is connected, and so its link is encrypted.
    Connected,
    /// There was a link, and this side gave it up before it could be used.
    GivenUp,
    /// BlueZ died meanwhile; [`Doubts::died`] says so, too.
    Died,
    /// It says nothing of the bond.
    Failed,
}

/// One sign may be somebody else who disconnects it, or chance.
const ENOUGH: u32 = 2;
/// A person may not want it to be paired anew: then it is tried now and then whether the signs deceived.
const LAPSE: Duration = Duration::from_secs(6 * 3600);
/// BlueZ was seen to die a quarter of a second after the link was given up.
const MOMENT: Duration = Duration::from_secs(5);

// === impl Doubts ===

impl Doubts {
    /// Whether the signs say that its bond is lost. Otherwise it is being connected from now on.
    pub(super) fn dial(&self, place: Place, bonded: bool, now: Instant) -> bool {
        if !bonded {
            self.clear(place);
            return false;
        }
        let mut all = self.lock();
        let doubt = all.entry(place).or_insert(Doubt {
            signs: 0,
            last: now,
            blamed_for: Blamed::No,
        });
        if now.duration_since(doubt.last) > LAPSE {
            doubt.signs = 0;
        }
        let lost = doubt.signs >= ENOUGH;
        if !lost {
            doubt.blamed_for = Blamed::Dialling;
        }
        lost
    }

    /// Its bond is another one, or good.
    pub(super) fn clear(&self, place: Place) {
        self.lock().remove(&place);
    }

    /// How it ended.
    pub(super) fn dialled(&self, place: Place, how: Dialled, now: Instant) {
        if how == Dialled::Connected {
            return self.clear(place);
        }
        let mut all = self.lock();
        let Some(doubt) = all.get_mut(&place) else {
            return;
        };
        match how {
            Dialled::GivenUp => {
                doubt.sign(now);
                doubt.blamed_for = Blamed::GivenUp;
            }
            Dialled::Connected | Dialled::Died => {}
            Dialled::Failed => doubt.blamed_for = Blamed::No,
        }
    }

    /// BlueZ died. `linked`: whether there was a link to a device at that moment.
    pub(super) fn died(&self, now: Instant, linked: impl Fn(Place) -> bool) {
        for (place, doubt) in &mut *self.lock() {
            let blamed = match doubt.blamed_for {
                Blamed::Dialling => linked(*place),
                Blamed::GivenUp => now.duration_since(doubt.last) < MOMENT,
                Blamed::No => false,
            };
            if blamed {
                doubt.sign(now);
            }
            doubt.blamed_for = Blamed::No;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Doubt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Doubt ===

impl Doubt {
    fn sign(&mut self, now: Instant) {
        self.signs = self.signs.saturating_add(1);
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Place = (0, Address([0xC0, 0, 0, 0, 0, 1]));
    const OTHER: Place = (0, Address([0xC0, 0, 0, 0, 0, 2]));

    /// Dials it, and then that happens.
    fn dial(doubts: &Doubts, place: Place, how: Dialled, now: Instant) {
        assert!(!doubts.dial(place, true, now), "it is dialled");
        doubts.dialled(place, how, now);
    }

    #[test]
    fn two_links_given_up_are_a_lost_bond_and_one_is_not() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        dial(&doubts, ONE, Dialled::GivenUp, now);
        dial(&doubts, ONE, Dialled::Failed, now);
        dial(&doubts, ONE, Dialled::GivenUp, now);
        assert!(doubts.dial(ONE, true, now));
        assert!(!doubts.dial(OTHER, true, now), "nobody else is doubted");
        assert!(doubts.dial(ONE, true, now + LAPSE));
        assert!(!doubts.dial(ONE, true, now + LAPSE * 2), "it is tried");
    }

    #[test]
    fn a_connection_or_a_removed_bond_ends_all_doubts() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        for _ in 0..3 {
            dial(&doubts, ONE, Dialled::GivenUp, now);
            dial(&doubts, ONE, Dialled::Connected, now);
        }
        dial(&doubts, ONE, Dialled::GivenUp, now);
        dial(&doubts, ONE, Dialled::GivenUp, now);
        assert!(!doubts.dial(ONE, false, now));
        dial(&doubts, ONE, Dialled::GivenUp, now);
        dial(&doubts, ONE, Dialled::GivenUp, now);
        doubts.clear(ONE);
        dial(&doubts, ONE, Dialled::Failed, now);
    }

    #[test]
    fn whoever_is_being_encrypted_is_blamed_when_bluez_dies() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        // Its link was given up, and BlueZ dies of it: two signs at once.
        dial(&doubts, ONE, Dialled::GivenUp, now);
        doubts.died(now, |_| false);
        assert!(doubts.dial(ONE, true, now));

        // BlueZ dies with the link, before it says anything; another device is not there at all.
        let doubts = Doubts::default();
        for _ in 0..2 {
            dial(&doubts, ONE, Dialled::Died, now);
            dial(&doubts, OTHER, Dialled::Died, now);
            doubts.died(now, |place| place == ONE);
            doubts.died(now, |place| place == ONE);
        }
        assert!(doubts.dial(ONE, true, now));
        assert!(!doubts.dial(OTHER, true, now));

        // It dies later, of something else.
        let doubts = Doubts::default();
        dial(&doubts, ONE, Dialled::GivenUp, now);
        doubts.died(now + MOMENT, |_| true);
        assert!(!doubts.dial(ONE, true, now));
    }
}
