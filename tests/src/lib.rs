//! The rig of the system tests: the gateway as a process, and real peers on loopback that nobody here wrote.
//!
//! Everything starts on a free port and dies when it is dropped. Nothing sleeps: [`wait::until`] is the one place that
//! waits for a condition, and it says what it waited for. A peer that is missing is an error with the line that
//! installs it, never a skip. The rig panics, at the line of the test that called it: there is nobody to handle an error.

pub mod alarm_server;
pub mod api;
pub mod asker;
pub mod backlog;
pub mod bluez;
pub mod broker;
pub mod browser;
pub mod certificates;
pub mod discovery_peers;
pub mod disk;
pub mod flood;
pub mod gateway;
pub mod landed;
pub mod line;
pub mod link;
pub mod nginx;
pub mod opcua_server;
pub mod peers;
pub mod place;
pub mod port;
pub mod process;
pub mod proxy;
pub mod received;
pub mod relay;
pub mod review;
pub mod rtsp_server;
pub mod scripted_broker;
pub mod shim;
pub mod subscriber;
pub mod telemetry;
pub mod usage;
pub mod wait;
