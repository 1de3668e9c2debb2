//! A purge: the queue of one destination is emptied, counted, once a person has typed whose it is.

use fieldgate_api::{
    endpoint::PurgeQueue,
    queue::{Purge, Purged},
};

use super::{
    error::Failure,
    mount::{Answer, Call, Mounts},
    words::count,
};
use crate::lanes::LaneKind;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<PurgeQueue, _, _>(purge);
}

async fn purge(call: Call<PurgeQueue>) -> Answer<PurgeQueue> {
    let Purge {
        destination,
        confirm,
    } = &call.body;
    let lanes = &call.shared.gateway.lanes;
    let known = |lane: LaneKind| lanes.get(lane).consumers().contains(destination);
    if !LaneKind::ALL.into_iter().any(known) {
        return Err(Failure::no_such("destination with a queue", destination));
    }
    if confirm != destination {
        return Err(Failure::Malformed(
            "readings are thrown away for good; say so by the destination's id in `confirm`".into(),
        ));
    }
    let mut readings = 0;
    for lane in LaneKind::ALL.into_iter().filter(|lane| known(*lane)) {
        let purged = lanes.get(lane).purge(destination).await;
        readings += purged.map_err(|error| {
            Failure::Unavailable(format!(
                "the {} lane was not emptied: {error}",
                lane.as_str()
            ))
        })?;
    }
    Ok(Purged {
        readings,
        words: format!("threw away {}", count(readings, "reading")),
    })
}
