//! The HTTP contract: every type that crosses it, and the one table of endpoints.
//!
//! The gateway mounts [`endpoint::TABLE`], the console calls through the same rows, and the OpenAPI document is
//! written from them. Nothing here does I/O; it builds for `wasm32-unknown-unknown`.

pub mod alarm;
pub mod camera;
pub mod command;
pub mod config;
pub mod dead;
pub mod discovery;
pub mod endpoint;
pub mod explore;
pub mod live;
pub mod queue;
pub mod receipt;
pub mod review;
pub mod scanner;
pub mod selection;
pub mod state;
pub mod trouble;
pub mod trust;

/// Every request that changes something carries this header; a foreign page cannot send it (SECURITY: CSRF).
pub const GUARD_HEADER: &str = "x-fieldgate";
/// Its value.
pub const GUARD_VALUE: &str = "1";
