//! `Memory`: what a source remembers from one attempt to the next, such as a subscription that its server may still keep.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One thing of each type, in memory alone: gone when the source's settings change or the gateway stops. Cloning shares it.
#[derive(Clone, Default)]
pub struct Memory {
    own: Things,
    /// The same for all sources of a gateway.
    common: Things,
}

type Things = Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>;

// === impl Memory ===

impl Memory {
    /// For another source of the same gateway: nothing of its own, and the same in common.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            own: Things::default(),
            common: Arc::clone(&self.common),
        }
    }

    /// Keeps this instead of what was kept of its type before.
    pub fn keep<T: Any + Send>(&self, thing: T) {
        let _before = locked(&self.own).insert(TypeId::of::<T>(), Box::new(thing));
    }

    /// Takes out what was kept; `None` when there is nothing of this type.
    #[must_use]
    pub fn take<T: Any + Send>(&self) -> Option<T> {
        let kept = locked(&self.own).remove(&TypeId::of::<T>())?;
        kept.downcast().ok().map(|thing| *thing)
    }

    /// What all sources of the gateway have in common, such as a port at which they listen; made by the first who asks.
    ///
    /// # Panics
    /// Never: what is there under a type is of that type.
    #[must_use]
    pub fn common<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut common = locked(&self.common);
        let of_type = common
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(Arc::<T>::default()));
        let there = of_type.downcast_ref::<Arc<T>>();
        Arc::clone(there.expect("it was put there under its type"))
    }
}

fn locked<T>(things: &Mutex<T>) -> MutexGuard<'_, T> {
    things.lock().unwrap_or_else(PoisonError::into_inner)
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
        memory.keep(8_u32);
        memory.keep(9_u32);
        assert_eq!(memory.take::<&str>(), Some("seven"), "of each type");
        assert_eq!(memory.take::<u32>(), Some(9));
        assert_eq!(memory.take::<u64>(), None);
    }

    #[test]
    fn sources_share_what_is_common_and_nothing_else() {
        let press = Memory::default();
        let oven = press.beside();
        press.keep(7_u32);
        assert_eq!(oven.take::<u32>(), None);
        *press.common::<Mutex<u32>>().lock().unwrap() = 8;
        assert_eq!(*oven.common::<Mutex<u32>>().lock().unwrap(), 8);
        let elsewhere = Memory::default();
        assert_eq!(*elsewhere.common::<Mutex<u32>>().lock().unwrap(), 0);
    }
}
