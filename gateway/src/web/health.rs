//! `/healthz` and `/readyz`: for who starts and watches the process.

use fieldgate_api::{
    endpoint::{GetHealth, GetReady},
    state::{Alive, Ready},
};

use super::{
    error::Failure,
    mount::{Answer, Call, Mounts},
};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetHealth, _, _>(alive);
    mounts.mount::<GetReady, _, _>(ready);
}

async fn alive(_: Call<GetHealth>) -> Answer<GetHealth> {
    Ok(Alive {
        status: "alive".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// The queue is open before this can be asked; the configuration is applied a moment later.
async fn ready(call: Call<GetReady>) -> Answer<GetReady> {
    if call
        .shared
        .gateway
        .running(|running| running.config.is_none())
    {
        return Err(Failure::Unavailable(
            "the configuration is being put to work; ask again in a second".into(),
        ));
    }
    Ok(Ready {
        ready: true,
        words: "the configuration is in force and the queue is open".into(),
    })
}
