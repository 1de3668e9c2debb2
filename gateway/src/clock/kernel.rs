//! What the kernel says of the time. The only file that knows rtime-clock.

use std::{
    fmt::Debug,
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use fieldgate_store::Stamp;
use rtime_clock::adjtime::{Timex, adjtimex};
use rustix::time::{ClockId, clock_gettime};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// systemd-timesyncd makes it when it has synchronised the clock; asked where the kernel does not answer.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
/// adjtimex(2): "the system clock is not synchronized to a reliable server".
const TIME_ERROR: i32 = 5;

/// Where the time comes from.
pub trait TimeSource: Debug + Send + Sync {
    /// What a record is stamped with now.
    fn stamp(&self) -> Stamp;
    /// Something keeps the wall clock right.
    fn synchronised(&self) -> bool;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct Kernel {
    boot: u64,
}

// === impl Kernel ===

impl Default for Kernel {
    fn default() -> Self {
        let text = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let id = uuid::Uuid::try_parse(text.trim()).unwrap_or_default();
        Self {
            boot: id.as_u64_pair().0,
        }
    }
}

impl TimeSource for Kernel {
    fn stamp(&self) -> Stamp {
        Stamp {
            boot: self.boot,
            since_boot_ms: since_boot_ms(),
            wall_ms: wall_ms(),
        }
    }

    fn synchronised(&self) -> bool {
        match adjtimex(&mut Timex::new()) {
            Ok(state) => state != TIME_ERROR,
            Err(_) => Path::new(TIMESYNCD).exists(),
        }
    }
}

/// `CLOCK_BOOTTIME`: it counts on while the machine sleeps, and nobody sets it.
fn since_boot_ms() -> u64 {
    let since = clock_gettime(ClockId::Boottime);
    let ms = since.tv_sec * 1000 + since.tv_nsec / 1_000_000;
    u64::try_from(ms).unwrap_or_default()
}

fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers() {
        let kernel = Kernel::default();
        let (first, second) = (kernel.stamp(), kernel.stamp());
        assert!(first.boot != 0 && first.boot == Kernel::default().boot);
        assert!(first.since_boot_ms > 0 && second.since_boot_ms >= first.since_boot_ms);
        let _either = kernel.synchronised();
    }
}
