//! `Ask`: what people and commands want of a device, on its way to the device's session, and the answers.

use fieldgate_kit::{
    ExploreError,
    scanner::{GattTree, GattValue},
};
use fieldgate_model::{Action, Answer, Timestamp};
use tokio::sync::oneshot;

use crate::{
    Address,
    radio::{CharacteristicId, RadioError},
};

/// Whom a question's answer goes to.
pub(super) type Reply<T> = oneshot::Sender<Result<T, ExploreError>>;

/// One question or command.
#[derive(Debug)]
pub(super) enum Ask {
    Services(Reply<GattTree>),
    Read(CharacteristicId, Reply<GattValue>),
    Notify(CharacteristicId, bool, Reply<()>),
    Disconnect(Reply<()>),
    Pair(Reply<String>),
    Unpair(Reply<String>),
    /// Of a rule of the device's plan; it is not begun after this moment.
    Command(usize, Action, Timestamp, oneshot::Sender<Answer>),
}

// === impl Ask ===

impl Ask {
    /// There is no answer, since the device cannot be talked to. Who asked may have gone, then nobody needs to know.
    pub(super) fn refuse(self, why: &str) {
        let gone = || ExploreError::Gone(why.to_owned());
        match self {
            Self::Services(reply) => drop(reply.send(Err(gone()))),
            Self::Read(_, reply) => drop(reply.send(Err(gone()))),
            Self::Notify(_, _, reply) => drop(reply.send(Err(gone()))),
            Self::Disconnect(reply) => drop(reply.send(Err(gone()))),
            Self::Pair(reply) | Self::Unpair(reply) => drop(reply.send(Err(gone()))),
            Self::Command(_, _, _, reply) => drop(reply.send(Answer::failed(format!(
                "the device cannot be reached, nothing was changed: {why}"
            )))),
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn is_stale(&self) -> bool {
        match self {
            Self::Services(reply) => reply.is_closed(),
            Self::Read(_, reply) => reply.is_closed(),
            Self::Notify(_, _, reply) | Self::Disconnect(reply) => reply.is_closed(),
            Self::Pair(reply) | Self::Unpair(reply) => reply.is_closed(),
            Self::Command(_, _, _, reply) => reply.is_closed(),
        }
    }
}

/// What a person is told of an error.
pub(super) fn explained(address: Address, error: &RadioError) -> ExploreError {
    match error {
        RadioError::Refused(_) | RadioError::Unpaired(_) | RadioError::NoPermission(_) => {
            ExploreError::Refused(format!("{address}: {error}"))
        }
        _ => ExploreError::Gone(format!("{address}: {error}")),
    }
}
