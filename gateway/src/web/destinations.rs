//! Destinations: as configured and how they are; creating, changing, testing and removing them.

use std::{collections::BTreeMap, sync::Arc};

use fieldgate_api::{
    config::Item,
    endpoint::{
        DeleteDestination, GetDestination, GetDestinations, PutDestination, RetryDestination,
        TestDestination,
    },
    state::{DestinationCommands, DestinationView, Ledger},
};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    queue, trial,
    value::shown,
    words::unit_status,
};
use crate::{
    commands::Way,
    config::Section,
    ledger::{dead_letters, ledger},
    supervisor::UnitName,
};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetDestinations, _, _>(|call: Call<GetDestinations>| async move {
        Ok(list(&call.shared))
    });
    mounts.mount::<GetDestination, _, _>(|call: Call<GetDestination>| async move { one(&call) });
    mounts
        .mount::<PutDestination, _, _>(|call: Call<PutDestination>| call.put(Section::Destination));
    mounts.mount::<DeleteDestination, _, _>(|call: Call<DeleteDestination>| {
        call.remove(Section::Destination)
    });
    mounts.mount::<TestDestination, _, _>(trial::destination);
    mounts.mount::<RetryDestination, _, _>(
        |call: Call<RetryDestination>| async move { retry(&call) },
    );
}

fn list(shared: &Shared) -> Vec<DestinationView> {
    let ledger = ledger(&shared.gateway);
    let items = &shared.desired.current().destinations;
    items
        .iter()
        .map(|item| view(shared, item, &ledger))
        .collect()
}

fn one(call: &Call<GetDestination>) -> Answer<GetDestination> {
    let loaded = call.shared.desired.current();
    let item = loaded.item(Section::Destination, &call.place);
    let item = item.ok_or_else(|| Failure::no_such("destination", &call.place))?;
    Ok(view(&call.shared, item, &ledger(&call.shared.gateway)))
}

fn retry(call: &Call<RetryDestination>) -> Answer<RetryDestination> {
    let name = UnitName::Destination(call.place.as_str().into());
    let rung = call.shared.gateway.board.retry_now(&name);
    rung.then_some(())
        .ok_or_else(|| Failure::no_such("running destination", &call.place))
}

fn view(shared: &Shared, item: &Item, ledger: &Ledger) -> DestinationView {
    let gateway = &shared.gateway;
    let id: Arc<str> = item.id.as_str().into();
    let stats = gateway.running(|running| {
        let state = running.destinations.get(&id);
        state.map(|state| Arc::clone(&state.stats))
    });
    let stats = stats.unwrap_or_default();
    DestinationView {
        item: item.clone(),
        status: unit_status(
            item.draft.paused,
            gateway.board.status(&UnitName::Destination(id)),
        ),
        acked_total: stats.acked.total(),
        rate: stats.acked.rate(),
        pending: queue::waiting(&queue::consumers(gateway), &item.id).pending,
        in_flight: stats.in_flight(),
        last_ack: stats.last_ack(),
        ack_ms: stats.ack_ms(),
        delay_ms_p50: stats.delay_ms(0.5),
        delay_ms_p99: stats.delay_ms(0.99),
        dead_letters: dead_letters(ledger, &item.id),
        rejected: stats.rejected(),
        throttled: stats.throttles(),
        tried_again: stats.attempts_repeated(),
        unheard: stats.acked_unheard(),
        commands: commands(shared, item),
    }
}

fn commands(shared: &Shared, item: &Item) -> Option<DestinationCommands> {
    let gateway = &shared.gateway;
    let kind = gateway.registry.destination(&item.draft.kind)?;
    let address = kind.commands(item.draft.settings.clone(), &gateway.book())?;
    let counts = gateway
        .commands
        .tally
        .of(&Way::Destination(item.id.clone()));
    let by_word = |counts: BTreeMap<&'static str, u64>| {
        let owned = counts
            .into_iter()
            .map(|(word, count)| (word.to_owned(), count));
        owned.collect()
    };
    Some(DestinationCommands {
        address: shown(&address),
        received: counts.received,
        ended: by_word(counts.ended),
        refused: by_word(counts.refused),
        repeated: counts.repeated,
        answers_lost: counts.answers_lost,
    })
}
