//! Sources: as configured and how they are; creating, changing, testing and removing them.

use std::sync::Arc;

use fieldgate_api::{
    config::Item,
    endpoint::{DeleteSource, GetSource, GetSources, PutSource, RetrySource, TestSource},
    state::SourceView,
};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    points::problem,
    trial,
    words::unit_status,
};
use crate::{config::Section, supervisor::UnitName};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts
        .mount::<GetSources, _, _>(|call: Call<GetSources>| async move { Ok(list(&call.shared)) });
    mounts.mount::<GetSource, _, _>(|call: Call<GetSource>| async move { one(&call) });
    mounts.mount::<PutSource, _, _>(|call: Call<PutSource>| call.put(Section::Source));
    mounts.mount::<DeleteSource, _, _>(|call: Call<DeleteSource>| call.remove(Section::Source));
    mounts.mount::<TestSource, _, _>(trial::source);
    mounts.mount::<RetrySource, _, _>(|call: Call<RetrySource>| async move { retry(&call) });
}

fn list(shared: &Shared) -> Vec<SourceView> {
    let items = &shared.desired.current().sources;
    items.iter().map(|item| view(shared, item)).collect()
}

fn one(call: &Call<GetSource>) -> Answer<GetSource> {
    let loaded = call.shared.desired.current();
    let item = loaded.item(Section::Source, &call.place);
    let item = item.ok_or_else(|| Failure::no_such("source", &call.place))?;
    Ok(view(&call.shared, item))
}

fn retry(call: &Call<RetrySource>) -> Answer<RetrySource> {
    let name = UnitName::Source(call.place.as_str().into());
    let rung = call.shared.gateway.board.retry_now(&name);
    rung.then_some(())
        .ok_or_else(|| Failure::no_such("running source", &call.place))
}

fn view(shared: &Shared, item: &Item) -> SourceView {
    let gateway = &shared.gateway;
    let id: Arc<str> = item.id.as_str().into();
    let (devices, rate, total) = gateway.running(|running| match running.sources.get(&id) {
        Some(state) => (
            state.devices.borrow().clone(),
            state.readings.rate(),
            state.readings.total(),
        ),
        None => (Vec::new(), 0.0, 0),
    });
    let points = || devices.iter().flat_map(|device| &device.points);
    let has_problem = |point: &&fieldgate_model::Point| {
        let last = gateway.live.find(&point.id).and_then(|live| live.last());
        problem(point, last.as_ref()).is_some()
    };
    SourceView {
        item: item.clone(),
        status: unit_status(
            item.draft.paused,
            gateway.board.status(&UnitName::Source(id)),
        ),
        devices: devices.len() as u64,
        points: points().count() as u64,
        points_with_problems: points().filter(has_problem).count() as u64,
        rate,
        readings_total: total,
    }
}
