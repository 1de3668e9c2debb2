//! `Trial`: a key that somebody tries on the next packets of a device, and how many it opened.

use std::time::Duration;

use fieldgate_kit::scanner::KeyTrial;
use tokio::time::Instant;

use crate::{Advertisement, Decoded, Key, Memory, Profile};

/// So many packets show whether a key fits. It is not kept for longer than that takes.
const ENOUGH: u32 = 16;
const LONGEST: Duration = Duration::from_secs(600);

/// A key that is tried.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// None: it was tried.
    key: Option<Key>,
    until: Instant,
    memory: Memory,
    tried: u32,
    opened: u32,
}

// === impl Trial ===

impl Trial {
    pub(crate) fn new(key: Key, now: Instant) -> Self {
        Self {
            key: Some(key),
            until: now + LONGEST,
            memory: Memory::default(),
            tried: 0,
            opened: 0,
        }
    }

    pub(super) fn packet(&mut self, profile: &Profile, advertisement: &Advertisement) {
        let Some(key) = &self.key else {
            return;
        };
        match profile.decode(advertisement, Some(key), &mut self.memory) {
            Decoded::Fields { sealed: true, .. } => {
                self.tried += 1;
                self.opened += 1;
            }
            Decoded::WrongKey => self.tried += 1,
            _ => {}
        }
        if self.tried >= ENOUGH {
            self.end();
        }
    }

    /// Forgets the key; what came of it stays to be read.
    pub(super) fn end(&mut self) {
        self.key = None;
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if now >= self.until {
            self.end();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.key.is_none()
    }

    pub(crate) fn state(&self) -> KeyTrial {
        let words = match self.tried {
            0 => "waiting for the next packet…".to_owned(),
            tried => format!("{} of {tried} packets decrypted", self.opened),
        };
        KeyTrial {
            tried: self.tried,
            opened: self.opened,
            words,
        }
    }
}
