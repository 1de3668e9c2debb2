//! What earlier versions wrote, read as what this version means: one file for each version that is not written any more.
//!
//! Nothing is rewritten for its own sake: an old generation is read as it is until it has been delivered and goes, and the
//! documents are in the new version after the first save, which opening a lane makes.

pub(crate) mod v1;
