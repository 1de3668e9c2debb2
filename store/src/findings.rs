//! What a check of a lane finds: what is wrong, where, what it costs, and what to do.

use std::{path::PathBuf, time::Duration};

use crate::{
    types::{RouteBalance, Seq},
    walk::Scan,
};

/// So many findings are kept one by one; the rest is counted.
const FINDINGS: usize = 200;

/// What a whole lane looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub generations: Vec<CheckedGeneration>,
    /// The ledger, with `pending` counted from the records that can be read.
    pub routes: Vec<RouteBalance>,
    /// Empty when all is well.
    pub findings: Vec<Finding>,
    /// Findings beyond the first 200.
    pub more_findings: u64,
    /// Records that were accepted, are still to be there, and cannot be read.
    pub lost_records: u64,
    pub took: Duration,
}

/// One generation as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedGeneration {
    pub name: String,
    pub first: u64,
    pub last: u64,
    pub records: u64,
    /// Records whose body is in a file of its own.
    pub spooled: u64,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: PathBuf,
    pub what: String,
    /// How many records it costs; 0 when nothing is lost.
    pub lost: u64,
    pub advice: &'static str,
}

pub(crate) mod advice {
    pub const COUNTED: &str = "nothing to do for the rest: it is readable, and what is lost is counted when the queue is read; copy the directory away if \
         you want to have it looked at, and check the disk";
    pub const RESTART: &str =
        "restart the gateway: what is lost is then counted for each route, and the rest goes on";
    pub const REBUILT: &str =
        "nothing to do: the next start writes it anew; check the disk if it happens again";
    pub const LEFT_OVER: &str = "nothing to do: the next start removes it";
    pub const LETTER: &str =
        "nothing to do: when its turn comes it lies with the dead letters, and the others go on";
    pub const LOOK: &str =
        "look at it, or have it looked at, then delete it; the gateway does not need it";
    pub const DISK: &str = "check the disk and the permissions, then check again";
}

// === impl CheckReport ===

impl CheckReport {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn find(&mut self, place: PathBuf, what: String, lost: u64, advice: &'static str) {
        self.lost_records += lost;
        if self.findings.len() == FINDINGS {
            self.more_findings += 1;
            return;
        }
        self.findings.push(Finding {
            place,
            what,
            lost,
            advice,
        });
    }

    /// Takes what was read of a generation that ought to hold `expected` records, the last of them `last`.
    pub(crate) fn generation(
        &mut self,
        place: PathBuf,
        scan: &Scan,
        expected: u64,
        last: Seq,
        spooled: u64,
    ) {
        let (found, missing) = (&scan.info, expected.saturating_sub(scan.info.records));
        self.generations.push(CheckedGeneration {
            name: crate::manifest::dir_name(found.id),
            first: found.first,
            last: found.last,
            records: found.records,
            spooled,
        });
        let mut places = scan.places.clone();
        if missing > 0 && found.last < last.0 {
            places.push(format!(
                "records {} to {last} are missing at the end",
                found.last + 1
            ));
        }
        if missing > 0 {
            let what = format!(
                "{missing} of {expected} records cannot be read: {}",
                places.join("; ")
            );
            self.find(place, what, missing, advice::COUNTED);
        }
    }
}
