//! The camera source: one camera with all that it can do, joined from its stream and its ONVIF services.
