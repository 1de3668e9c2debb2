//! What the kernel says of the time.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The first 8 bytes of the boot id; 0 where the kernel gives none.
pub(super) fn boot_id() -> u64 {
    let text = fs::read_to_string(BOOT_ID).unwrap_or_default();
    let id = uuid::Uuid::try_parse(text.trim()).unwrap_or_default();
    id.as_u64_pair().0
}

/// `CLOCK_BOOTTIME`: it counts on while the machine sleeps, and nobody sets it.
pub(super) fn since_boot_ms() -> u64 {
    let since = clock_gettime(ClockId::Boottime);
    let ms = since.tv_sec * 1000 + since.tv_nsec / 1_000_000;
    u64::try_from(ms).unwrap_or_default()
}

/// The wall clock, right or wrong, in milliseconds since 1970.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
