//! Tests against the simulated device.
