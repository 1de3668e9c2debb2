//! The open alarms of all sources, the gravest first.

use std::cmp::Reverse;

use fieldgate_api::{
    alarm::{AlarmQuery, AlarmView},
    endpoint::GetAlarms,
    state::Level,
};
use fieldgate_model::Alarm;

use super::{
    mount::{Call, Mounts},
    value::shown,
};
use crate::{gateway::Gateway, supervisor::UnitName};

/// Alarms of one answer, unless it is said otherwise, and at most.
const SOME: usize = 1000;
const MOST: usize = 10_000;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetAlarms, _, _>(|call: Call<GetAlarms>| async move {
        Ok(list(&call.shared.gateway, &call.body))
    });
}

fn list(gateway: &Gateway, query: &AlarmQuery) -> Vec<AlarmView> {
    let named =
        |wanted: &Option<String>, there: &str| wanted.as_ref().is_none_or(|wanted| wanted == there);
    let wanted = |alarm: &Alarm| {
        named(&query.source, alarm.point.source())
            && named(&query.device, alarm.point.device_path())
    };
    let mut open: Vec<Alarm> = gateway.running(|running| {
        let all = running.sources.values();
        all.flat_map(|source| source.alarms.open())
            .filter(wanted)
            .collect()
    });
    open.sort_by_cached_key(|alarm| {
        let quiet = (alarm.active == Some(false), alarm.acked == Some(true));
        (
            quiet,
            Reverse((alarm.severity, alarm.since)),
            alarm.point.to_string(),
        )
    });
    let limit = query.limit.map_or(SOME, |limit| limit as usize).min(MOST);
    let listed = open.into_iter().take(limit);
    listed.map(|alarm| view(gateway, alarm)).collect()
}

fn view(gateway: &Gateway, alarm: Alarm) -> AlarmView {
    let text = |text: &Option<String>| text.as_deref().map(shown);
    let name = UnitName::Source(alarm.point.source().into());
    let status = gateway.board.status(&name);
    AlarmView {
        target: alarm.point.to_string(),
        event: alarm.event,
        name: shown(&alarm.name),
        about: shown(&alarm.source),
        kind: shown(&alarm.kind),
        address: shown(&alarm.condition),
        branch: text(&alarm.branch),
        severity: alarm.severity,
        message: shown(&alarm.message),
        active: alarm.active,
        acked: alarm.acked,
        confirmed: alarm.confirmed,
        suppressed: alarm.suppressed,
        shelving: text(&alarm.shelving),
        quality: text(&alarm.quality),
        comment: text(&alarm.comment),
        user: text(&alarm.user),
        since: alarm.since,
        at: alarm.at,
        allow: alarm.allow,
        current: status.is_some_and(|status| status.level == Level::Good),
    }
}
