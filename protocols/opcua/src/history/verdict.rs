//! `Verdict`: what a status of the server's means for what is missing (OPC UA Part 4, 7.39; Part 11, 6.3 and 6.4). Pure.
//!
//! A gap is given up only for a status that the same question would get again tomorrow. For any other one, known or not, it
//! waits: a historian can be away for hours while its server goes on, and servers say so in many words.

use crate::status::Status;

/// What becomes of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There are no values in it: it is no gap any more.
    Empty,
    /// It is given up; a later one of the same point may be had.
    Lost,
    /// It is given up, and the point is not asked for in this session again.
    Never,
    /// It is asked for again, with less at once.
    Less,
    /// It is asked for again.
    Later,
}

/// The server has no values of that span, and will not get some afterwards.
const EMPTY: [&str; 4] = [
    "BadNoData",
    "BadNoDataAvailable",
    "BadNoEntryExists",
    "BadBoundNotFound",
];
/// The node is not there. Once it is again, what it holds then has a history of its own.
const LOST: [&str; 2] = ["BadNodeIdUnknown", "BadNodeIdInvalid"];
/// The node keeps no history, or none for this user, however often it is asked for.
const NEVER: [&str; 8] = [
    // Part 11, 6.4.3: raw values are not kept of this node.
    "BadHistoryOperationUnsupported",
    "BadServiceUnsupported",
    "BadNotImplemented",
    "BadNotSupported",
    // Only a person changes rights; the next session asks anew.
    "BadUserAccessDenied",
    "BadNotReadable",
    // It is no variable, or has no value.
    "BadAttributeIdInvalid",
    "BadNodeClassInvalid",
];
/// The server has no history at all, whatever is asked for.
const NO_HISTORY: [&str; 4] = [
    "BadServiceUnsupported",
    "BadHistoryOperationUnsupported",
    "BadNotImplemented",
    "BadNotSupported",
];
/// It was asked for too much at once, as far as one can tell.
const LESS: [&str; 9] = [
    "BadTooManyOperations",
    "BadResponseTooLarge",
    "BadRequestTooLarge",
    "BadTcpMessageTooLarge",
    "BadEncodingLimitsExceeded",
    "BadDecodingError",
    "BadOutOfMemory",
    "BadNoContinuationPoints",
    "BadTimeout",
];

fn is_one(why: &Status, names: &[&str]) -> bool {
    names.iter().any(|name| why.is(name))
}

/// Of a node, instead of a page.
pub(super) fn of_node(why: &Status) -> Verdict {
    match why {
        why if is_one(why, &EMPTY) => Verdict::Empty,
        why if is_one(why, &LOST) => Verdict::Lost,
        why if is_one(why, &NEVER) => Verdict::Never,
        why => of_call(why),
    }
}

/// Of a call as a whole, whose nodes may have nothing to do with it: only that there is no such service is final.
pub(super) fn of_call(why: &Status) -> Verdict {
    match why {
        why if is_one(why, &NO_HISTORY) => Verdict::Never,
        why if is_one(why, &LESS) => Verdict::Less,
        _ => Verdict::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_so_is_final() {
        use Verdict::{Empty, Later, Less, Lost, Never};
        for (name, node, call) in [
            ("BadNoData", Empty, Later),
            ("BadBoundNotFound", Empty, Later),
            ("BadNodeIdUnknown", Lost, Later),
            ("BadUserAccessDenied", Never, Later),
            ("BadHistoryOperationUnsupported", Never, Never),
            ("BadServiceUnsupported", Never, Never),
            ("BadAttributeIdInvalid", Never, Later),
            ("BadTimeout", Less, Less),
            ("BadTooManyOperations", Less, Less),
            ("BadInternalError", Later, Later),
            ("BadServerTooBusy", Later, Later),
            ("BadContinuationPointInvalid", Later, Later),
            ("BadUnexpectedError", Later, Later),
            ("BadDataUnavailable", Later, Later),
            ("BadNoCommunication", Later, Later),
            ("BadSessionClosed", Later, Later),
            ("Bad", Later, Later),
        ] {
            let why = Status::named(name);
            assert_eq!((of_node(&why), of_call(&why)), (node, call), "{name}");
        }
        assert_eq!(of_node(&Status::unknown(0x80FF_0000)), Later);
    }
}
