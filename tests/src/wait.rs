//! The one way to wait: for a condition, looked at again and again, for a bounded time.

use std::{
    fmt::Display,
    thread,
    time::{Duration, Instant},
};

/// Enough for anything that takes well under a second on an idle machine, also on a busy one.
pub const SOON: Duration = Duration::from_secs(30);

/// Between two looks.
const PACE: Duration = Duration::from_millis(20);

/// Looks until there is a value; then returns it.
///
/// # Panics
/// After `limit`, saying what was waited for, and what was there instead: the `Err` of the last look.
#[track_caller]
pub fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) if started.elapsed() > limit => {
                panic!("waited {limit:?} for {what}, but {instead}")
            }
            Err(_) => pace(),
        }
    }
}

/// As [`until`], for a plain condition.
#[track_caller]
pub fn until_true(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    until(what, limit, || {
        condition().then_some(()).ok_or("it did not come")
    });
}

/// The pause between two looks, or two attempts.
pub(crate) fn pace() {
    thread::sleep(PACE);
}
