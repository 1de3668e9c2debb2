//! The [`Device`] that the operations of the client make up.

use std::time::Duration;

use super::Client;
use crate::{
    clock::Clock,
    device::{Asked, Device, Information, Scopes, Services},
    events::{Lifetime, Pulled, Reference, Subscribed, Times},
    imaging::{Imaging, ImagingChange},
    media::{EncoderChange, EncoderOptions, Profile, StreamTransport},
    ptz::{Movement, Preset, PtzRanges, PtzStatus},
    reach::Told,
};

impl Device for Client {
    fn clock(&self) -> Asked<'_, Clock> {
        Box::pin(self.ask_the_time())
    }

    fn endpoint_reference(&self) -> Asked<'_, String> {
        Box::pin(self.ask_for_endpoint_reference())
    }

    fn information(&self) -> Asked<'_, Information> {
        Box::pin(self.ask_for_information())
    }

    fn services(&self) -> Asked<'_, Services> {
        Box::pin(self.ask_for_services())
    }

    fn scopes(&self) -> Asked<'_, Scopes> {
        Box::pin(self.ask_for_scopes())
    }

    fn reboot(&self) -> Asked<'_, String> {
        Box::pin(self.restart())
    }

    fn profiles(&self) -> Asked<'_, Vec<Profile>> {
        Box::pin(self.ask_for_profiles())
    }

    fn stream_uri<'a>(
        &'a self,
        profile: &'a Profile,
        transport: StreamTransport,
    ) -> Asked<'a, Told> {
        self.ask_for_stream(profile, transport)
    }

    fn snapshot_uri<'a>(&'a self, profile: &'a Profile) -> Asked<'a, Told> {
        self.ask_for_snapshot(profile)
    }

    fn encoder_options<'a>(&'a self, profile: &'a Profile) -> Asked<'a, Vec<EncoderOptions>> {
        Box::pin(self.ask_for_options(profile))
    }

    fn set_encoder<'a>(&'a self, profile: &'a Profile, change: &'a EncoderChange) -> Asked<'a, ()> {
        Box::pin(self.change_encoder(profile, change))
    }

    fn ptz_ranges<'a>(&'a self, profile: &'a Profile) -> Asked<'a, PtzRanges> {
        Box::pin(self.ask_for_ranges(profile))
    }

    fn ptz_status<'a>(&'a self, profile: &'a str) -> Asked<'a, PtzStatus> {
        Box::pin(self.ask_for_status(profile))
    }

    fn move_to<'a>(&'a self, profile: &'a str, to: &'a Movement) -> Asked<'a, ()> {
        Box::pin(self.move_once("AbsoluteMove", "Position", profile, to))
    }

    fn move_by<'a>(&'a self, profile: &'a str, by: &'a Movement) -> Asked<'a, ()> {
        Box::pin(self.move_once("RelativeMove", "Translation", profile, by))
    }

    fn move_on<'a>(
        &'a self,
        profile: &'a str,
        velocity: &'a Movement,
        at_most: Duration,
    ) -> Asked<'a, ()> {
        Box::pin(self.move_until(profile, velocity, at_most))
    }

    fn stop<'a>(&'a self, profile: &'a str) -> Asked<'a, ()> {
        Box::pin(self.stop_moving(profile))
    }

    fn presets<'a>(&'a self, profile: &'a str) -> Asked<'a, Vec<Preset>> {
        Box::pin(self.ask_for_presets(profile))
    }

    fn go_to_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, ()> {
        Box::pin(self.with_preset("GotoPreset", profile, preset))
    }

    fn add_preset<'a>(&'a self, profile: &'a str, name: &'a str) -> Asked<'a, String> {
        Box::pin(self.keep_preset(profile, "PresetName", name))
    }

    fn replace_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, String> {
        Box::pin(self.keep_preset(profile, "PresetToken", preset))
    }

    fn remove_preset<'a>(&'a self, profile: &'a str, preset: &'a str) -> Asked<'a, ()> {
        Box::pin(self.with_preset("RemovePreset", profile, preset))
    }

    fn go_home<'a>(&'a self, profile: &'a str) -> Asked<'a, ()> {
        Box::pin(async {
            self.of_profile("GotoHomePosition", profile, "")
                .await
                .map(|_| ())
        })
    }

    fn set_home<'a>(&'a self, profile: &'a str) -> Asked<'a, ()> {
        Box::pin(async {
            self.of_profile("SetHomePosition", profile, "")
                .await
                .map(|_| ())
        })
    }

    fn imaging<'a>(&'a self, video_source: &'a str) -> Asked<'a, Imaging> {
        Box::pin(self.ask_for_imaging(video_source))
    }

    fn set_imaging<'a>(
        &'a self,
        video_source: &'a str,
        changes: &'a [ImagingChange],
    ) -> Asked<'a, ()> {
        Box::pin(self.change_imaging(video_source, changes))
    }

    fn subscribe(&self, lifetime: Lifetime) -> Asked<'_, Subscribed> {
        Box::pin(self.create_pull_point(lifetime))
    }

    fn pull<'a>(&'a self, from: &'a Reference, wait: Duration, limit: u32) -> Asked<'a, Pulled> {
        Box::pin(self.pull_messages(from, wait, limit))
    }

    fn renew<'a>(&'a self, subscription: &'a Reference, lifetime: Lifetime) -> Asked<'a, Times> {
        Box::pin(self.prolong(subscription, lifetime))
    }

    fn unsubscribe<'a>(&'a self, subscription: &'a Reference) -> Asked<'a, ()> {
        Box::pin(self.end_subscription(subscription))
    }

    fn synchronize<'a>(&'a self, subscription: &'a Reference) -> Asked<'a, ()> {
        Box::pin(self.ask_for_states(subscription))
    }
}
