//! The gateway between real peers: one module a promise.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod adoption;
mod alarms;
mod ble_oracle;
mod bluetooth;
mod bluetooth_faults;
mod bluetooth_flow;
mod bluetooth_page;
mod browse;
mod browser;
mod camera;
mod camera_onvif;
mod camera_page;
mod causes;
mod commands;
mod commands_page;
mod config;
mod discovery;
mod discovery_page;
mod drain;
mod examples;
mod explore_page;
mod faults;
mod file;
mod flow;
mod history;
mod https;
mod mqtt_commands;
mod opcua_matrix;
mod opcua_security;
mod opcua_small;
mod opcua_values;
mod primitives;
mod profiles;
mod queue_page;
mod restream;
mod reverse;
mod review;
mod rtsp;
mod rtsp_faults;
mod rules;
mod thin;
mod tls;
mod trust;
mod verbs;

use fieldgate_tests::line;
