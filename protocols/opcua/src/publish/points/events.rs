//! Events besides the items: their readings, and the conditions that are open.

use fieldgate_model::{DropReason, Reading};

use super::{Points, now};
use crate::{
    connection::Happened,
    events::{Change as AlarmChange, Events},
    status::Status,
};

impl Points<'_> {
    /// With events besides the items.
    pub(crate) fn with_events(self, events: Option<Events>) -> Self {
        Self { events, ..self }
    }

    /// The events besides the items.
    pub(in crate::publish) fn events(&self) -> Option<&Events> {
        self.events.as_ref()
    }

    /// What the next attempt has to know of events.
    pub(in crate::publish) fn leave_events(&mut self) -> Option<Events> {
        self.events.take()
    }

    /// The server is about to be asked for the open conditions; false when no events are watched.
    pub(in crate::publish) fn ask_for_conditions(&mut self) -> bool {
        if let Some(events) = &mut self.events {
            events.refresh(now());
        }
        self.events.is_some()
    }

    /// It does not tell them.
    pub(in crate::publish) fn refuse_refresh(&mut self, why: &Status) {
        if let Some(events) = &mut self.events {
            events.refuse_refresh();
        }
        self.announcer.no_refresh(why);
        self.tell();
    }

    /// It tells them, whatever it did before.
    pub(in crate::publish) fn take_refresh(&mut self) {
        if self.announcer.refreshes() {
            self.tell();
        }
    }

    /// Alarms may have changed while nobody listened.
    pub(in crate::publish) fn require_refresh(&mut self) {
        self.refresh_required = true;
    }

    /// Whether they are to be asked for again.
    pub(in crate::publish) fn take_refresh_required(&mut self) -> bool {
        std::mem::take(&mut self.refresh_required)
    }

    /// Events as readings.
    pub(crate) fn happened(&mut self, happened: Vec<Happened>) -> Vec<Reading> {
        let Some(events) = &mut self.events else {
            return Vec::new();
        };
        let told = events.tell(happened, now());
        self.refresh_required |= told.refresh;
        for change in told.alarms {
            match change {
                AlarmChange::Open(alarm) => self.ctx.alarms.put(alarm),
                AlarmChange::Close(alarm) => self.ctx.alarms.close(&alarm),
            }
        }
        for (device, name, point) in &told.points {
            self.announcer.add(device, name, point);
        }
        self.announcer.lost_events(told.overflows);
        if !told.points.is_empty() || told.overflows > 0 {
            self.tell();
        }
        self.count(DropReason::SourceOverflow, told.overflows);
        told.readings
    }

    /// Messages of the events' subscription went missing: alarms may have come or gone in them.
    pub(in crate::publish) fn lost_events(&mut self) {
        if let Some(events) = &mut self.events {
            events.refuse_refresh();
            self.refresh_required = true;
        }
    }
}
