//! `Troubles`: who has to wait after the media process died, decided without doing anything.
//!
//! A death is laid to the camera whose picture was being decoded. It alone waits, longer each time, and is given up for a while when
//! it does so again and again; the others get a new process at once. Only a process that does not start makes everybody wait.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// So many deaths in so much time, and a camera is given up.
const MANY: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// For how long; then one picture is tried again.
const GIVEN_UP: Duration = Duration::from_secs(300);
/// Cameras that are remembered. Those that were longest without a death are forgotten first.
const MOST_CAMERAS: usize = 256;

/// What is remembered of everybody.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    cameras: HashMap<String, Camera>,
    starting: Waiting,
}

#[derive(Debug, Default)]
struct Camera {
    deaths: VecDeque<Instant>,
    waiting: Waiting,
    given_up: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    until: Option<Instant>,
    last: Duration,
}

/// Why a job is not tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its camera's last picture ended the process.
    Waits(Duration),
    /// Its camera's pictures did so again and again.
    GivenUp(Duration),
    /// The process does not start.
    NoProcess(Duration),
}

// === impl Troubles ===

impl Troubles {
    /// Whether a camera's picture may be tried.
    pub(super) fn may_try(&self, camera: &str, now: Instant) -> Result<(), Refusal> {
        if let Some(wait) = self.starting.left(now) {
            return Err(Refusal::NoProcess(wait));
        }
        let Some(camera) = self.cameras.get(camera) else {
            return Ok(());
        };
        match camera.waiting.left(now) {
            Some(wait) if camera.given_up => Err(Refusal::GivenUp(wait)),
            Some(wait) => Err(Refusal::Waits(wait)),
            None => Ok(()),
        }
    }

    /// The process died over a camera's picture.
    pub(super) fn died(&mut self, camera: &str, now: Instant) {
        if !self.cameras.contains_key(camera) && self.cameras.len() >= MOST_CAMERAS {
            let quietest = self
                .cameras
                .iter()
                .min_by_key(|(_, camera)| camera.deaths.back().copied());
            if let Some(name) = quietest.map(|(name, _)| name.clone()) {
                self.cameras.remove(&name);
            }
        }
        let camera = self.cameras.entry(camera.to_owned()).or_default();
        camera.deaths.push_back(now);
        while camera
            .deaths
            .front()
            .is_some_and(|death| now.duration_since(*death) > WINDOW)
            || camera.deaths.len() > MANY
        {
            camera.deaths.pop_front();
        }
        // The one picture that is tried after giving up decides alone.
        if camera.given_up || camera.deaths.len() >= MANY {
            camera.given_up = true;
            camera.waiting.until = Some(now + GIVEN_UP);
        } else {
            camera.waiting.longer(now);
        }
    }

    /// A camera's picture went through, with a picture as the outcome or without.
    pub(super) fn went_well(&mut self, camera: &str) {
        if let Some(known) = self.cameras.get_mut(camera) {
            known.waiting = Waiting::default();
            // Deaths between which pictures go through still add up; a camera that came back has a new start.
            if std::mem::take(&mut known.given_up) {
                self.cameras.remove(camera);
            }
        }
    }

    pub(super) fn did_not_start(&mut self, now: Instant) {
        self.starting.longer(now);
    }

    pub(super) fn started(&mut self) {
        self.starting = Waiting::default();
    }
}

// === impl Waiting ===

impl Waiting {
    fn left(self, now: Instant) -> Option<Duration> {
        let left = self.until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }

    fn longer(&mut self, now: Instant) {
        self.last = (self.last * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        self.until = Some(now + self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: f64) -> Duration {
        Duration::from_secs_f64(number)
    }

    #[test]
    fn one_camera_waits_and_the_others_do_not() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        troubles.died("gate", start);
        assert_eq!(
            troubles.may_try("gate", start),
            Err(Refusal::Waits(seconds(0.5)))
        );
        assert_eq!(troubles.may_try("yard", start), Ok(()));
        let later = start + seconds(0.5);
        assert_eq!(troubles.may_try("gate", later), Ok(()));
        troubles.died("gate", later);
        assert_eq!(
            troubles.may_try("gate", later),
            Err(Refusal::Waits(seconds(1.0)))
        );
        troubles.went_well("gate");
        assert_eq!(troubles.may_try("gate", later), Ok(()));
    }

    #[test]
    fn five_deaths_in_a_minute_and_it_is_given_up_until_one_picture_goes_through() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        for death in 0..5 {
            troubles.died("gate", start + seconds(10.0) * death);
            if death < 4 {
                troubles.went_well("gate");
            }
        }
        let now = start + seconds(40.0);
        assert_eq!(
            troubles.may_try("gate", now),
            Err(Refusal::GivenUp(seconds(300.0)))
        );
        let later = now + seconds(300.0);
        assert_eq!(troubles.may_try("gate", later), Ok(()));
        troubles.died("gate", later);
        assert_eq!(
            troubles.may_try("gate", later),
            Err(Refusal::GivenUp(seconds(300.0)))
        );
        troubles.went_well("gate");
        troubles.died("gate", later);
        assert_eq!(
            troubles.may_try("gate", later),
            Err(Refusal::Waits(seconds(0.5)))
        );
    }

    #[test]
    fn deaths_that_are_far_apart_do_not_add_up() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        for death in 0..20 {
            let now = start + seconds(16.0) * death;
            troubles.died("gate", now);
            assert!(matches!(
                troubles.may_try("gate", now),
                Err(Refusal::Waits(wait)) if wait <= LONGEST_WAIT
            ));
        }
    }

    #[test]
    fn a_process_that_does_not_start_makes_everybody_wait() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        for _ in 0..10 {
            troubles.did_not_start(start);
        }
        assert_eq!(
            troubles.may_try("any", start),
            Err(Refusal::NoProcess(LONGEST_WAIT))
        );
        troubles.started();
        assert_eq!(troubles.may_try("any", start), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        for camera in 0..2 * MOST_CAMERAS {
            troubles.died(&camera.to_string(), start + seconds(camera as f64));
        }
        assert_eq!(troubles.cameras.len(), MOST_CAMERAS);
        assert!(troubles.cameras.contains_key("511"));
    }
}
