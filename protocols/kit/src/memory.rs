//! `Memory`: what a source remembers from one attempt to the next, such as a subscription that its server may still keep.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// One thing of any type, in memory alone: gone when the source's settings change or the gateway stops. Cloning shares it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

// === impl Memory ===

impl Memory {
    /// Keeps this instead of what was kept before.
    pub fn keep<T: Any + Send>(&self, thing: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(thing));
    }

    /// Takes out what was kept; `None` when there is nothing, or nothing of this type.
    #[must_use]
    pub fn take<T: Any + Send>(&self) -> Option<T> {
        let kept = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        kept.downcast().ok().map(|thing| *thing)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_once_for_every_clone() {
        let memory = Memory::default();
        memory.clone().keep(7_u32);
        assert_eq!(memory.take::<u32>(), Some(7));
        assert_eq!(memory.take::<u32>(), None);
        memory.keep("seven");
        assert_eq!(memory.take::<u32>(), None, "another type");
    }
}
