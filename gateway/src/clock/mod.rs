//! The gateway's clock: what a record is stamped with.

mod kernel;

use std::sync::Arc;

use fieldgate_store::Stamp;

/// Tells the time. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The first 8 bytes of the kernel's boot id.
    boot: Arc<u64>,
}

// === impl Clock ===

impl Default for Clock {
    fn default() -> Self {
        Self {
            boot: Arc::new(kernel::boot_id()),
        }
    }
}

impl Clock {
    /// What a record is stamped with that is accepted now.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp {
            boot: *self.boot,
            since_boot_ms: kernel::since_boot_ms(),
            wall_ms: kernel::wall_ms(),
        }
    }
}
