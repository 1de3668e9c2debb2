//! The trait `Device`: everything that is asked of an ONVIF device, in types of ours; and who a device is.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::{
    clock::Clock,
    error::DeviceError,
    events::{Lifetime, Pulled, Reference, Subscribed, Times},
    imaging::{Imaging, ImagingChange},
    media::{EncoderChange, EncoderOptions, Profile, StreamTransport},
    ptz::{Movement, Preset, PtzRanges, PtzStatus},
    reach::Told,
};

/// An operation under way.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, DeviceError>>;

/// What can be asked of a device. Every operation ends in limited time; none is repeated by itself, but for another way to sign in.
pub trait Device: Send + Sync {
    /// Asks for the time, without signing in, and uses it for what is signed afterwards.
    fn clock(&self) -> Asked<'_, Clock>;
    /// What stays when the address changes: the endpoint reference of WS-Discovery. `NotSupported` by older devices, which tell it
    /// in discovery alone.
    fn endpoint_reference(&self) -> Asked<'_, String>;
    fn information(&self) -> Asked<'_, Information>;
    fn services(&self) -> Asked<'_, Services>;
    fn scopes(&self) -> Asked<'_, Scopes>;
    /// Restarts it; it says how long that takes, in its own words.
    fn reboot(&self) -> Asked<'_, String>;

    /// All media profiles, from Media2 where there is one.
    fn profiles(&self) -> Asked<'_, Vec<Profile>>;
    fn stream_uri<'a>(
        &'a self,
        profile: &'a Profile,
        transport: StreamTransport,
    ) -> Asked<'a, Told>;
    fn snapshot_uri<'a>(&'a self, profile: &'a Profile) -> Asked<'a, Told>;
    /// What the encoder of a profile could be set to.
    fn encoder_options<'a>(&'a self, profile: &'a Profile) -> Asked<'a, Vec<EncoderOptions>>;
    /// Changes the encoder of a profile; what is not named stays.
    fn set_encoder<'a>(&'a self, profile: &'a Profile, change: &'a EncoderChange) -> Asked<'a, ()>;

    /// In which spaces and ranges a profile moves.
    fn ptz_ranges<'a>(&'a self, profile: &'a Profile) -> Asked<'a, PtzRanges>;
    fn ptz_status<'a>(&'a self, profile: &'a str) -> Asked<'a, PtzStatus>;
    fn move_to<'a>(&'a self, profile: &'a str, to: &'a Movement) -> Asked<'a, ()>;
    fn move_by<'a>(&'a self, profile: &'a str, by: &'a Movement) -> Asked<'a, ()>;
    /// Moves until it is stopped, or for so long: the device's own timer, should we be gone by then.
    fn move_on<'a>(
        &'a self,
        profile: &'a str,
        velocity: &'a Movement,
        at_most: Duration,
    ) -> Asked<'a, ()>;
    fn stop<'a>(&'a self, profile: &'a str) -> Asked<'a, ()>;
    fn presets<'a>(&'a self, profile: &'a str) -> Asked<'a, Vec<Preset>>;
    fn go_to_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, ()>;
    /// Keeps the present position under a name; its token comes back.
    fn add_preset<'a>(&'a self, profile: &'a str, name: &'a str) -> Asked<'a, String>;
    /// Keeps the present position in a preset that there is.
    fn replace_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, String>;
    fn remove_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, ()>;
    fn go_home<'a>(&'a self, profile: &'a str) -> Asked<'a, ()>;
    fn set_home<'a>(&'a self, profile: &'a str) -> Asked<'a, ()>;

    /// What the imager of a video source is set to, and within which bounds.
    fn imaging<'a>(&'a self, video_source: &'a str) -> Asked<'a, Imaging>;
    fn set_imaging<'a>(
        &'a self,
        video_source: &'a str,
        changes: &'a [ImagingChange],
    ) -> Asked<'a, ()>;

    /// Creates a PullPoint subscription to everything.
    fn subscribe(&self, lifetime: Lifetime) -> Asked<'_, Subscribed>;
    /// Waits at the device for messages, at most so long and so many.
    fn pull<'a>(&'a self, from: &'a Reference, wait: Duration, limit: u32) -> Asked<'a, Pulled>;
    /// The new termination comes back.
    fn renew<'a>(&'a self, subscription: &'a Reference, lifetime: Lifetime) -> Asked<'a, Times>;
    fn unsubscribe<'a>(&'a self, subscription: &'a Reference) -> Asked<'a, ()>;
    /// Asks for the state of every property.
    fn synchronize<'a>(&'a self, subscription: &'a Reference) -> Asked<'a, ()>;
}

/// What a device says it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Information {
    pub manufacturer: String,
    pub model: String,
    pub firmware: String,
    pub serial_number: String,
    pub hardware_id: String,
}

/// What a device can do, by the services that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Services {
    /// Profile S.
    pub media: bool,
    /// Profile T.
    pub media2: bool,
    pub ptz: bool,
    pub imaging: bool,
    pub events: bool,
    /// It told addresses on another host than its own; its own was used instead.
    pub told_elsewhere: bool,
}

/// What stands in its scopes (ONVIF Core Specification clause 7.3.2.2), decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    pub name: Option<String>,
    pub hardware: Option<String>,
    /// From the widest to the narrowest, joined with commas.
    pub location: Option<String>,
    /// `Streaming` is Profile S, `T`, `G`, and so on.
    pub profiles: Vec<String>,
    /// All, as they are.
    pub all: Vec<String>,
}

/// Scopes of a device that are kept.
const MAX_SCOPES: usize = 64;
/// Of one scope, in characters.
const MAX_SCOPE: usize = 256;

// === impl Scopes ===

impl Scopes {
    /// From scope URIs such as `onvif://www.onvif.org/name/Front%20door`.
    #[must_use]
    pub fn read<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        let mut location = Vec::new();
        for scope in scopes.into_iter().take(MAX_SCOPES) {
            let scope = crate::words::bounded(scope, MAX_SCOPE);
            if let Some((key, value)) = scope
                .strip_prefix("onvif://www.onvif.org/")
                .and_then(|rest| rest.split_once('/'))
            {
                let value = crate::words::shown(&percent_decoded(value).replace('/', ", "));
                match key.to_ascii_lowercase().as_str() {
                    "name" if !value.is_empty() => read.name = Some(value),
                    "hardware" if !value.is_empty() => read.hardware = Some(value),
                    "location" if !value.is_empty() => location.push(value),
                    "profile" => read.profiles.push(value),
                    _ => {}
                }
            }
            read.all.push(scope);
        }
        read.location = (!location.is_empty()).then(|| location.join(", "));
        read
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_tell_name_hardware_and_place() {
        let read = Scopes::read([
            "onvif://www.onvif.org/type/video_encoder",
            "onvif://www.onvif.org/name/Front%20door",
            "onvif://www.onvif.org/hardware/XY-100",
            "onvif://www.onvif.org/location/country/china",
            "onvif://www.onvif.org/location/city/Hall%202",
            "onvif://www.onvif.org/Profile/Streaming",
            "onvif://www.onvif.org/Profile/T",
            "http://somebody/else",
            "onvif://www.onvif.org/name/",
        ]);
        assert_eq!(read.name.as_deref(), Some("Front door"));
        assert_eq!(read.hardware.as_deref(), Some("XY-100"));
        assert_eq!(
            read.location.as_deref(),
            Some("country, china, city, Hall 2")
        );
        assert_eq!(read.profiles, ["Streaming", "T"]);
        assert_eq!(read.all.len(), 9);
    }

    #[test]
    fn percent_signs_that_mean_nothing_stay() {
        for (text, expected) in [
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%4", "%4"),
            ("%C3%A9", "é"),
            ("%ff", "\u{FFFD}"),
        ] {
            assert_eq!(percent_decoded(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_scope_is_read(scope in ".{0,300}") {
            let read = Scopes::read([scope.as_str(), &format!("onvif://www.onvif.org/name/{scope}")]);
            proptest::prop_assert!(read.all.iter().all(|one| one.chars().count() <= MAX_SCOPE + 1));
        }
    }
}
