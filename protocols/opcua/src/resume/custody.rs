//! `Custody`: what the attempt before has left, in the hands of this one. One that ends before it reads anything gives it back,
//! so that the next one still knows the last values, the gaps, and the subscriptions that the server may keep.

use fieldgate_kit::Memory;

use super::Remembered;
use crate::events::conditions::Conditions;

/// Nothing is left of it once it was released.
pub(crate) struct Custody {
    memory: Memory,
    remembered: Option<Remembered>,
}

// === impl Custody ===

impl Custody {
    pub(crate) fn take(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            remembered: memory.take(),
        }
    }

    /// Where nothing was left, at least which conditions are open is for the next attempt to know: none so far.
    pub(crate) fn or_nothing(&mut self) -> &mut Remembered {
        let nothing = || Remembered::only(Conditions::default());
        self.remembered.get_or_insert_with(nothing)
    }

    pub(crate) fn get(&self) -> Option<&Remembered> {
        self.remembered.as_ref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut Remembered> {
        self.remembered.as_mut()
    }

    /// For an attempt that runs from here on, and leaves something of its own when it ends.
    pub(crate) fn release(mut self) -> Remembered {
        let nothing = || Remembered::only(Conditions::default());
        self.remembered.take().unwrap_or_else(nothing)
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        if let Some(mut remembered) = self.remembered.take() {
            remembered.is_taken_over = false;
            self.memory.keep(remembered);
        }
    }
}
