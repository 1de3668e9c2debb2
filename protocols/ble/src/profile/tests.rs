//! What every bundled profile keeps to, and what an engine of profiles must bear.

use super::*;

mod any;
mod bundled_ones;
mod engine;
