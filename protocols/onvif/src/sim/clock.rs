//! The simulated device's clock, as wrong as it is set.

use fieldgate_model::Timestamp;
use time::OffsetDateTime;

use crate::clock::{now, shifted};

pub(super) struct SimClock {
    drift_seconds: i64,
}

// === impl SimClock ===

impl SimClock {
    pub(super) fn new(drift_seconds: i64) -> Self {
        Self { drift_seconds }
    }

    pub(super) fn set_drift(&mut self, seconds: i64) {
        self.drift_seconds = seconds;
    }

    pub(super) fn now(&self) -> Timestamp {
        shifted(now(), self.drift_seconds.saturating_mul(1_000))
    }

    /// `tds:GetSystemDateAndTimeResponse`.
    pub(super) fn answer(&self) -> String {
        let at = OffsetDateTime::from_unix_timestamp_nanos(self.now().nanos().into())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (hour, minute, second) = at.to_hms();
        let parts = format!(
            "<tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute><tt:Second>{second}</tt:Second></tt:Time>\
             <tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date>",
            at.year(),
            u8::from(at.month()),
            at.day()
        );
        format!(
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>\
             <tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone>\
             <tt:UTCDateTime>{parts}</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )
    }
}
