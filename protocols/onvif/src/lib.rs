//! ONVIF devices behind a trait of our own: who they are, what they stream, how they move, what they report.
