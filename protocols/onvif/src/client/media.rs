//! The media services: profiles, streams, snapshots, encoders (ONVIF Media Service, and Media2 Service of Profile T).

use super::{Client, services::Service};
use crate::{
    device::Asked,
    error::{DeviceError, Next},
    media::{
        AudioEncoder, Bounds, EncoderChange, EncoderOptions, MediaService, Profile,
        PtzConfiguration, StreamTransport, VideoCodec, VideoEncoder,
    },
    reach::Told,
    words::bounded,
    xml::{Element, escape},
};

/// Profiles of one device that are read: a recorder with 64 channels has two or three for each.
const MAX_PROFILES: usize = 256;
/// Of each list of options.
const MAX_OPTIONS: usize = 64;
/// Of a token, in characters; the standard allows 64.
const MAX_TOKEN: usize = 256;

/// `GetProfilesResponse`, of either service. A profile without a token cannot be asked for, and is left out.
pub(super) fn read_profiles(response: &Element, service: MediaService) -> Vec<Profile> {
    let profiles = response.named("Profiles").take(MAX_PROFILES);
    profiles
        .filter_map(|profile| read_profile(profile, service))
        .collect()
}

fn read_profile(profile: &Element, service: MediaService) -> Option<Profile> {
    let token = token(profile)?;
    let (parts, source, video, audio, ptz) = match service {
        MediaService::Media1 => (
            Some(profile),
            "VideoSourceConfiguration",
            "VideoEncoderConfiguration",
            "AudioEncoderConfiguration",
            "PTZConfiguration",
        ),
        MediaService::Media2 => (
            profile.child("Configurations"),
            "VideoSource",
            "VideoEncoder",
            "AudioEncoder",
            "PTZ",
        ),
    };
    let part = |name: &str| parts.and_then(|parts| parts.child(name));
    Some(Profile {
        name: profile
            .word(&["Name"])
            .map_or_else(|| token.clone(), |name| bounded(name, MAX_TOKEN)),
        token,
        service,
        video_source: part(source)
            .and_then(|source| source.word(&["SourceToken"]))
            .map(|token| bounded(token, MAX_TOKEN)),
        video: part(video).and_then(read_encoder),
        audio: part(audio).and_then(read_audio),
        ptz: part(ptz).and_then(|ptz| {
            Some(PtzConfiguration {
                token: self::token(ptz)?,
                node: ptz
                    .word(&["NodeToken"])
                    .map(|node| bounded(node, MAX_TOKEN))
                    .unwrap_or_default(),
            })
        }),
    })
}

/// `tt:VideoEncoderConfiguration` and `tt:VideoEncoder2Configuration`: what differs between them is only where the group of pictures is.
pub(super) fn read_encoder(encoder: &Element) -> Option<VideoEncoder> {
    let codec = VideoCodec::read(encoder.word(&["Encoding"])?);
    let group = |name: &str| encoder.number(&[name, "GovLength"]);
    let gop = match codec {
        VideoCodec::H264 => group("H264"),
        VideoCodec::Mpeg4 => group("MPEG4"),
        _ => None,
    };
    Some(VideoEncoder {
        token: token(encoder)?,
        width: encoder.number(&["Resolution", "Width"]).unwrap_or_default(),
        height: encoder
            .number(&["Resolution", "Height"])
            .unwrap_or_default(),
        fps: encoder
            .real(&["RateControl", "FrameRateLimit"])
            .filter(|fps| *fps > 0.0),
        bitrate_kbps: encoder
            .number(&["RateControl", "BitrateLimit"])
            .filter(|limit| *limit > 0),
        gop: gop
            .or_else(|| encoder.attribute("GovLength")?.parse().ok())
            .filter(|gop| *gop > 0),
        quality: encoder.real(&["Quality"]),
        profile: encoder
            .word(&["H264", "H264Profile"])
            .or_else(|| encoder.attribute("Profile"))
            .map(|profile| bounded(profile, 40)),
        codec,
    })
}

fn read_audio(audio: &Element) -> Option<AudioEncoder> {
    Some(AudioEncoder {
        token: token(audio)?,
        codec: bounded(audio.word(&["Encoding"])?, 40),
        bitrate_kbps: audio.number(&["Bitrate"]),
        sample_rate_khz: audio.number(&["SampleRate"]),
    })
}

/// `GetVideoEncoderConfigurationOptionsResponse` of the first service: one list for each codec, the bit rates in an extension.
pub(super) fn read_options_1(response: &Element) -> Vec<EncoderOptions> {
    let Some(options) = response.child("Options") else {
        return Vec::new();
    };
    let quality = bounds(options.child("QualityRange"));
    let codecs = [
        ("H264", VideoCodec::H264),
        ("JPEG", VideoCodec::Jpeg),
        ("MPEG4", VideoCodec::Mpeg4),
    ];
    codecs
        .into_iter()
        .filter_map(|(name, codec)| {
            let of = options.child(name)?;
            Some(EncoderOptions {
                codec,
                resolutions: resolutions(of),
                fps: bounds(of.child("FrameRateRange")),
                fps_values: Vec::new(),
                bitrate_kbps: bounds(options.at(&["Extension", name, "BitrateRange"])),
                gop: bounds(of.child("GovLengthRange")),
                quality,
                profiles: of
                    .named("H264ProfilesSupported")
                    .take(MAX_OPTIONS)
                    .map(|profile| bounded(&profile.text, 40))
                    .collect(),
            })
        })
        .collect()
}

/// The same of Media2: an element for each codec, with lists in attributes.
pub(super) fn read_options_2(response: &Element) -> Vec<EncoderOptions> {
    response
        .named("Options")
        .take(MAX_OPTIONS)
        .filter_map(|of| {
            let mut fps_values: Vec<f64> = list(of, "FrameRatesSupported");
            fps_values.sort_by(f64::total_cmp);
            let gop: Vec<f64> = list(of, "GovLengthRange");
            Some(EncoderOptions {
                codec: VideoCodec::read(of.word(&["Encoding"])?),
                resolutions: resolutions(of),
                fps: fps_values
                    .first()
                    .zip(fps_values.last())
                    .and_then(|(first, last)| Bounds::new(*first, *last)),
                fps_values,
                bitrate_kbps: bounds(of.child("BitrateRange")),
                gop: gop
                    .first()
                    .zip(gop.last())
                    .and_then(|(first, last)| Bounds::new(*first, *last)),
                quality: bounds(of.child("QualityRange")),
                profiles: of
                    .attribute("ProfilesSupported")
                    .unwrap_or_default()
                    .split_ascii_whitespace()
                    .take(MAX_OPTIONS)
                    .map(|profile| bounded(profile, 40))
                    .collect(),
            })
        })
        .collect()
}

fn list(of: &Element, attribute: &str) -> Vec<f64> {
    let words = of
        .attribute(attribute)
        .unwrap_or_default()
        .split_ascii_whitespace();
    words
        .take(MAX_OPTIONS)
        .filter_map(|word| word.parse::<f64>().ok())
        .filter(|number| number.is_finite())
        .collect()
}

fn resolutions(of: &Element) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = of
        .named("ResolutionsAvailable")
        .take(MAX_OPTIONS)
        .filter_map(|size| Some((size.number(&["Width"])?, size.number(&["Height"])?)))
        .collect();
    all.sort_by_key(|(width, height)| std::cmp::Reverse(u64::from(*width) * u64::from(*height)));
    all
}

fn bounds(range: Option<&Element>) -> Option<Bounds> {
    let range = range?;
    Bounds::new(range.real(&["Min"])?, range.real(&["Max"])?)
}

fn token(of: &Element) -> Option<String> {
    let token = of.attribute("token").filter(|token| !token.is_empty())?;
    Some(bounded(token, MAX_TOKEN))
}

/// The configuration with what is to be different; all else goes back as it came.
///
/// # Errors
/// Names what the device's configuration has no place for.
pub(super) fn changed(
    mut encoder: Element,
    change: &EncoderChange,
    service: MediaService,
) -> Result<Element, &'static str> {
    let mut set = |what: &'static str, path: &[&str], text: String| {
        if encoder.set(path, &text) {
            Ok(())
        } else {
            Err(what)
        }
    };
    if let Some(codec) = &change.codec {
        set("a codec", &["Encoding"], codec.schema(service).to_owned())?;
    }
    if let Some((width, height)) = change.resolution {
        set("a resolution", &["Resolution", "Width"], width.to_string())?;
        set(
            "a resolution",
            &["Resolution", "Height"],
            height.to_string(),
        )?;
    }
    if let Some(quality) = change.quality {
        set("a quality", &["Quality"], quality.to_string())?;
    }
    if let Some(fps) = change.fps {
        // Media2 takes fractions, the first service whole numbers alone.
        let fps = match service {
            MediaService::Media1 => fps.round(),
            MediaService::Media2 => fps,
        };
        set(
            "a frame rate",
            &["RateControl", "FrameRateLimit"],
            fps.to_string(),
        )?;
    }
    if let Some(limit) = change.bitrate_kbps {
        set(
            "a bit rate",
            &["RateControl", "BitrateLimit"],
            limit.to_string(),
        )?;
    }
    if let Some(gop) = change.gop {
        let gop = gop.to_string();
        match service {
            MediaService::Media1 => set(
                "a distance of key frames",
                &["H264", "GovLength"],
                gop.clone(),
            )
            .or_else(|_| set("a distance of key frames", &["MPEG4", "GovLength"], gop))?,
            MediaService::Media2 => encoder.set_attribute("GovLength", &gop),
        }
    }
    Ok(encoder)
}

fn names(service: MediaService) -> (Service, &'static str) {
    match service {
        MediaService::Media1 => (Service::Media, "trt"),
        MediaService::Media2 => (Service::Media2, "tr2"),
    }
}

// === impl Client ===

impl Client {
    pub(super) async fn ask_for_profiles(&self) -> Result<Vec<Profile>, DeviceError> {
        if self.addresses().await?.has(Service::Media2) {
            let body = "<tr2:GetProfiles><tr2:Type>All</tr2:Type></tr2:GetProfiles>".to_owned();
            match self.operation(Service::Media2, "GetProfiles", body).await {
                Ok(response) => return Ok(read_profiles(&response, MediaService::Media2)),
                // There are devices that announce Media2 and do not have it.
                Err(error) if error.next() == Next::Skip => {}
                Err(error) => return Err(error),
            }
        }
        let response = self
            .operation(
                Service::Media,
                "GetProfiles",
                "<trt:GetProfiles/>".to_owned(),
            )
            .await?;
        Ok(read_profiles(&response, MediaService::Media1))
    }

    pub(super) fn ask_for_stream<'a>(
        &'a self,
        profile: &'a Profile,
        transport: StreamTransport,
    ) -> Asked<'a, Told> {
        let token = escape(&profile.token);
        let body = match profile.service {
            MediaService::Media1 => {
                let transport = match transport {
                    StreamTransport::Tcp => "RTSP",
                    StreamTransport::Udp => "UDP",
                };
                format!(
                    "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>{transport}</tt:Protocol>\
                     </tt:Transport></trt:StreamSetup><trt:ProfileToken>{token}</trt:ProfileToken></trt:GetStreamUri>"
                )
            }
            MediaService::Media2 => {
                let transport = match transport {
                    StreamTransport::Tcp => "RTSP",
                    StreamTransport::Udp => "RtspUnicast",
                };
                format!(
                    "<tr2:GetStreamUri><tr2:Protocol>{transport}</tr2:Protocol><tr2:ProfileToken>{token}</tr2:ProfileToken></tr2:GetStreamUri>"
                )
            }
        };
        Box::pin(self.ask_for_uri(
            profile,
            "GetStreamUri",
            body,
            &["rtsp", "rtsps", "http", "https"],
        ))
    }

    pub(super) fn ask_for_snapshot<'a>(&'a self, profile: &'a Profile) -> Asked<'a, Told> {
        let (_, prefix) = names(profile.service);
        let token = escape(&profile.token);
        let body = format!(
            "<{prefix}:GetSnapshotUri><{prefix}:ProfileToken>{token}</{prefix}:ProfileToken></{prefix}:GetSnapshotUri>"
        );
        Box::pin(self.ask_for_uri(profile, "GetSnapshotUri", body, &["http", "https"]))
    }

    async fn ask_for_uri(
        &self,
        profile: &Profile,
        name: &str,
        body: String,
        schemes: &[&str],
    ) -> Result<Told, DeviceError> {
        let (service, _) = names(profile.service);
        let response = self.operation(service, name, body).await?;
        let told = match profile.service {
            MediaService::Media1 => response.word(&["MediaUri", "Uri"]),
            MediaService::Media2 => response.word(&["Uri"]),
        };
        let told = told.ok_or_else(|| self.garbage(name, "there is no address in it"))?;
        Told::read(told, &self.settings.address, schemes).ok_or_else(|| {
            self.garbage(
                name,
                &format!("its address is none of {}", schemes.join(", ")),
            )
        })
    }

    pub(super) async fn ask_for_options(
        &self,
        profile: &Profile,
    ) -> Result<Vec<EncoderOptions>, DeviceError> {
        let encoder = self.encoder_of(profile)?;
        let (service, prefix) = names(profile.service);
        let name = "GetVideoEncoderConfigurationOptions";
        let (configuration, profile_token) = (escape(&encoder.token), escape(&profile.token));
        let body = format!(
            "<{prefix}:{name}><{prefix}:ConfigurationToken>{configuration}</{prefix}:ConfigurationToken>\
             <{prefix}:ProfileToken>{profile_token}</{prefix}:ProfileToken></{prefix}:{name}>"
        );
        let response = self.operation(service, name, body).await?;
        Ok(match profile.service {
            MediaService::Media1 => read_options_1(&response),
            MediaService::Media2 => read_options_2(&response),
        })
    }

    pub(super) async fn change_encoder(
        &self,
        profile: &Profile,
        change: &EncoderChange,
    ) -> Result<(), DeviceError> {
        let encoder = self.encoder_of(profile)?;
        let (service, prefix) = names(profile.service);
        let token = escape(&encoder.token);
        let name = match profile.service {
            MediaService::Media1 => "GetVideoEncoderConfiguration",
            MediaService::Media2 => "GetVideoEncoderConfigurations",
        };
        let body = format!(
            "<{prefix}:{name}><{prefix}:ConfigurationToken>{token}</{prefix}:ConfigurationToken></{prefix}:{name}>"
        );
        let response = self.operation(service, name, body).await?;
        let found = response.children.into_iter().find(|child| {
            matches!(child.local(), "Configuration" | "Configurations")
                && child.attribute("token") == Some(&encoder.token)
        });
        let found = found.ok_or_else(|| {
            self.garbage(name, "the configuration that was asked for is not in it")
        })?;
        let changed = changed(found, change, profile.service)
            .map_err(|what| self.not_supported(&format!("{what} for this encoder")))?;
        let name = "SetVideoEncoderConfiguration";
        let mut body = format!("<{prefix}:{name}>");
        changed.write_as(&format!("{prefix}:Configuration"), "tt", &mut body);
        if profile.service == MediaService::Media1 {
            // It has to survive a restart of the device.
            body.push_str("<trt:ForcePersistence>true</trt:ForcePersistence>");
        }
        body.push_str(&format!("</{prefix}:{name}>"));
        self.operation(service, name, body).await.map(|_| ())
    }

    fn encoder_of<'a>(&self, profile: &'a Profile) -> Result<&'a VideoEncoder, DeviceError> {
        let encoder = profile.video.as_ref();
        encoder.ok_or_else(|| {
            self.not_supported("settings of an encoder, since the profile has none,")
        })
    }
}

#[cfg(test)]
mod tests;
