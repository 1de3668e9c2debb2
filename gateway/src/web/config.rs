//! The configuration: what is in force, its revisions, and every change of it. All of it may touch the disk, so it blocks elsewhere.

use std::sync::Arc;

use fieldgate_api::{
    config::{Draft, Saved},
    endpoint::{Endpoint, GetConfig, GetRevision, GetRevisions, RevertTo},
};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
};
use crate::config::{ChangeError, Desired, Section};

/// Who made a change, until there are accounts.
pub const WHO: &str = "console";

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetConfig, _, _>(view);
    mounts.mount::<GetRevisions, _, _>(revisions);
    mounts.mount::<GetRevision, _, _>(revision);
    mounts.mount::<RevertTo, _, _>(revert);
}

// === impl Call and Shared ===

impl<E: Endpoint<Request = Draft, Response = Saved>> Call<E> {
    /// Adds or changes an item.
    pub async fn put(self, section: Section) -> Result<Saved, Failure> {
        let (id, draft, base) = (self.place, self.body, self.base);
        let change = move |desired: &Desired| desired.put(section, &id, &draft, base, WHO);
        self.shared.block(change).await.map(|(_, saved)| saved)
    }
}

impl<E: Endpoint<Request = (), Response = Saved>> Call<E> {
    /// Removes an item.
    pub async fn remove(self, section: Section) -> Result<Saved, Failure> {
        let (id, base) = (self.place, self.base);
        let change = move |desired: &Desired| desired.remove(section, &id, base, WHO);
        self.shared.block(change).await.map(|(_, saved)| saved)
    }
}

impl Shared {
    /// Works on the desired state where waiting for the disk is allowed.
    pub async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desired) -> Result<T, ChangeError> + Send + 'static,
    ) -> Result<T, Failure> {
        let desired = Arc::clone(&self.desired);
        let done = actix_web::web::block(move || work(&desired)).await;
        done.map_err(|error| Failure::Internal(format!("the change broke off: {error}")))?
            .map_err(Failure::from)
    }
}

async fn view(call: Call<GetConfig>) -> Answer<GetConfig> {
    call.shared.block(|desired| Ok(desired.view())).await
}

async fn revisions(call: Call<GetRevisions>) -> Answer<GetRevisions> {
    call.shared.block(Desired::revisions).await
}

async fn revision(call: Call<GetRevision>) -> Answer<GetRevision> {
    let number = number(&call.place)?;
    call.shared
        .block(move |desired| desired.revision(number))
        .await
}

async fn revert(call: Call<RevertTo>) -> Answer<RevertTo> {
    let (number, base) = (number(&call.place)?, call.base);
    let change = move |desired: &Desired| desired.revert(number, base, WHO);
    call.shared.block(change).await.map(|(_, saved)| saved)
}

fn number(place: &str) -> Result<u64, Failure> {
    let number = place.parse();
    number.map_err(|_| Failure::no_such("revision", place))
}
