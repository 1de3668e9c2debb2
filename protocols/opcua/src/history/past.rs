//! `Past`: what is known of the points' series from before this session: from the session before, or from an earlier life
//! of the gateway.

use fieldgate_kit::SourceCtx;
use fieldgate_model::Timestamp;

use super::{History, Marks, Series};
use crate::{
    connection::Limits,
    last::Last,
    resume::{Remembered, earliest},
    select::Item,
    settings::{Fill, Settings},
};

/// The moment since which values may be missing, of which the earliest that is known to be stands there.
pub(crate) fn last_before(last: Option<Last>, missing: Option<Timestamp>) -> Option<Timestamp> {
    let just_before = |at: Timestamp| Timestamp::from_nanos(at.nanos().saturating_sub(1));
    earliest(last.map(|last| last.at), missing.map(just_before))
}

/// In the order of the items.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub series: Vec<Series>,
    /// The earliest value that was not accepted: what was accepted since then says nothing of what lies before.
    refused_since: Option<Timestamp>,
    /// Some of it is written down, so that a change has to be, too.
    pub is_written: bool,
}

// === impl Past ===

impl Past {
    pub(crate) async fn find(
        ctx: &SourceCtx,
        settings: &Settings,
        items: &[Item],
        mut remembered: Option<&mut Remembered>,
    ) -> Self {
        if let Some(remembered) = &mut remembered
            && remembered.is_sure().await
        {
            return Self {
                series: remembered.series_of(items),
                refused_since: None,
                is_written: remembered.is_written,
            };
        }
        let fill = settings.history.fill;
        let marks = match fill {
            Fill::Never => None,
            _ => Marks::recall(ctx, &settings.endpoint, fill).await,
        };
        let is_written = marks.is_some();
        let mut points = marks.map(|marks| marks.points).unwrap_or_default();
        let series = |item: &Item| points.remove(&item.point).unwrap_or_default();
        Self {
            series: items.iter().map(series).collect(),
            refused_since: remembered.and_then(|remembered| remembered.refused_since),
            is_written,
        }
    }

    pub(crate) fn last(&self) -> Vec<Option<Last>> {
        self.series.iter().map(|series| series.last).collect()
    }

    /// What is still missing; `None` when nothing is to be filled.
    pub(crate) fn history(&self, settings: &Settings, limits: &Limits) -> Option<History> {
        let points = self.series.len();
        let mut history = History::new(settings.history, &settings.endpoint, limits, points)?;
        for (point, series) in self.series.iter().enumerate() {
            history.restore(point, series.gaps.clone());
        }
        Some(history)
    }

    /// And what may be, since each point's last value, because the subscriptions are new ones.
    pub(crate) fn history_of_new_items(
        &self,
        settings: &Settings,
        limits: &Limits,
    ) -> Option<History> {
        let mut history = self.history(settings, limits)?;
        for (point, series) in self.series.iter().enumerate() {
            if let Some(after) = last_before(series.last, self.refused_since) {
                history.open(point, after);
            }
        }
        Some(history)
    }
}
