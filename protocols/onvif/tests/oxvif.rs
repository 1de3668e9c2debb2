//! Tests against devices and clients of oxvif.
