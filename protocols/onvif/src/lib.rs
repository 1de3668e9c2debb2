//! ONVIF devices behind a trait of our own: who they are, what they stream, how they move, what they report.
//!
//! [`Client`] is a [`Device`] over the network; [`Watch`] follows its events; [`search`] and [`Listener`] find devices. What can be
//! decided without asking anybody is pure: [`candidates`], [`PtzRanges`], [`Imaging`], [`PullPoint`], [`Announcement`]. A device
//! tells addresses; none is followed that does not lead to the device itself ([`Told`]).

mod client;
mod clock;
mod device;
mod discovery;
mod error;
mod events;
mod imaging;
mod media;
mod ptz;
mod reach;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod soap;
mod words;
mod xml;

pub use client::{Client, Settings};
pub use clock::{Clock, now, read_date_time};
pub use device::{Asked, Device, Information, Scopes, Services};
pub use discovery::{
    Announcement, Findings, Found, Listener, Networks, Overheard, PORT, Said, Search, SearchError,
    Where, search,
};
pub use error::{DeviceError, Next};
pub use events::{
    Cause, Counters, DeviceEvent, EventKind, Happening, Items, Lifetime, Message, Plan,
    PropertyOperation, PullPoint, Pulled, Reference, Step, Subscribed, Times, Watch,
};
pub use imaging::{Allowed, Imaging, ImagingChange, ImagingRow, ImagingSetting, ImagingValue};
pub use media::{
    AudioEncoder, Bounds, Candidate, EncoderChange, EncoderOptions, MediaService, Profile,
    PtzConfiguration, Role, StreamTransport, VideoCodec, VideoEncoder, candidates,
};
pub use ptz::{
    Line, MoveState, Movement, Plane, Preset, PtzRanges, PtzStatus, Vector1, Vector2, Wish,
    WishError,
};
pub use reach::{Place, Reach, Told, masked, place};
pub use soap::Credentials;

/// Any bytes as the answer to every question, and as every message of discovery; for the fuzz targets.
#[doc(hidden)]
pub fn read_anything(bytes: &[u8]) {
    client::read_anything(bytes);
}
