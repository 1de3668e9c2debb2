//! Media profiles: what streams a device has, which of them suits what, and how their encoders are set.

use std::cmp::Reverse;

/// Which service a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaService {
    /// Profile S: H.264, MPEG-4 and JPEG.
    Media1,
    /// Profile T: H.265 as well.
    Media2,
}

/// How the device is to send a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamTransport {
    /// RTP in the RTSP connection.
    #[default]
    Tcp,
    Udp,
}

/// How pictures are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoCodec {
    H264,
    H265,
    Jpeg,
    Mpeg4,
    /// As the device names it.
    Other(String),
}

/// A media profile: a stream that can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub token: String,
    pub name: String,
    pub service: MediaService,
    /// Of which lens, for imaging and events.
    pub video_source: Option<String>,
    pub video: Option<VideoEncoder>,
    pub audio: Option<AudioEncoder>,
    pub ptz: Option<PtzConfiguration>,
}

/// What an encoder is set to. A device that says nothing about a fact leaves it out.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoEncoder {
    pub token: String,
    pub codec: VideoCodec,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Frames a second, at most.
    pub fps: Option<f64>,
    /// kbit/s, at most.
    pub bitrate_kbps: Option<u32>,
    /// Frames from one key frame to the next.
    pub gop: Option<u32>,
    /// In the encoder's own range.
    pub quality: Option<f64>,
    /// For instance `Main` or `High`.
    pub profile: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioEncoder {
    pub token: String,
    /// As the device names it: `G711`, `AAC`, `PCMU`, `MP4A-LATM`.
    pub codec: String,
    /// kbit/s.
    pub bitrate_kbps: Option<u32>,
    /// kHz.
    pub sample_rate_khz: Option<u32>,
}

/// Which motors a profile moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PtzConfiguration {
    pub token: String,
    pub node: String,
}

/// A range from the first to the last, both allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub min: f64,
    pub max: f64,
}

/// What an encoder can be set to with one codec.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderOptions {
    pub codec: VideoCodec,
    /// Width and height, the largest first.
    pub resolutions: Vec<(u32, u32)>,
    pub fps: Option<Bounds>,
    /// The only ones that are allowed, where the device lists them.
    pub fps_values: Vec<f64>,
    pub bitrate_kbps: Option<Bounds>,
    pub gop: Option<Bounds>,
    pub quality: Option<Bounds>,
    pub profiles: Vec<String>,
}

/// What is to be different about an encoder; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncoderChange {
    pub codec: Option<VideoCodec>,
    pub resolution: Option<(u32, u32)>,
    pub fps: Option<f64>,
    pub bitrate_kbps: Option<u32>,
    pub gop: Option<u32>,
    pub quality: Option<f64>,
}

/// What a stream is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The best picture of its lens: clips and recording.
    Main,
    /// The smallest that still shows something: live view, motion, snapshots.
    Sub,
    /// Between them.
    Other,
}

/// A profile that can be streamed, with what it is good for.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub profile: Profile,
    pub role: Role,
    /// For a person: `H.264 1920×1080, 25 fps, 4096 kbit/s, key frame every 2 s`.
    pub title: String,
}

/// A picture with fewer pixels is a thumbnail.
const SMALLEST_SUB: u64 = 320 * 180;

/// The profiles with pictures, lens by lens as the device has them, the best of each lens first.
#[must_use]
pub fn candidates(profiles: &[Profile]) -> Vec<Candidate> {
    let mut lenses: Vec<Option<&str>> = Vec::new();
    for profile in profiles.iter().filter(|profile| profile.video.is_some()) {
        let lens = profile.video_source.as_deref();
        if !lenses.contains(&lens) {
            lenses.push(lens);
        }
    }
    lenses
        .into_iter()
        .flat_map(|lens| of_lens(profiles, lens))
        .collect()
}

fn of_lens(profiles: &[Profile], lens: Option<&str>) -> Vec<Candidate> {
    let mut streams: Vec<(&Profile, &VideoEncoder)> = profiles
        .iter()
        .filter(|profile| profile.video_source.as_deref() == lens)
        .filter_map(|profile| Some((profile, profile.video.as_ref()?)))
        .collect();
    streams.sort_by_key(|(_, video)| Reverse(rank(video)));
    let sub = streams
        .iter()
        .skip(1)
        .filter(|(_, video)| video.pixels() >= SMALLEST_SUB)
        .min_by_key(|(_, video)| (preference(&video.codec) == 0, video.pixels()))
        .map(|(profile, _)| profile.token.clone());
    streams
        .iter()
        .enumerate()
        .map(|(index, (profile, video))| Candidate {
            profile: (*profile).clone(),
            role: match index {
                0 => Role::Main,
                _ if sub.as_ref() == Some(&profile.token) => Role::Sub,
                _ => Role::Other,
            },
            title: video.title(),
        })
        .collect()
}

/// More pixels, then more frames, then the codec that more can show.
fn rank(video: &VideoEncoder) -> (bool, u64, u64, u8) {
    let playable = preference(&video.codec) > 0;
    // Frames in hundredths, so that they have an order.
    let fps = (video.fps.unwrap_or_default().clamp(0.0, 1_000.0) * 100.0) as u64;
    (playable, video.pixels(), fps, preference(&video.codec))
}

fn preference(codec: &VideoCodec) -> u8 {
    match codec {
        VideoCodec::H264 => 3,
        VideoCodec::H265 => 2,
        VideoCodec::Jpeg => 1,
        VideoCodec::Mpeg4 | VideoCodec::Other(_) => 0,
    }
}

// === impl VideoCodec ===

impl VideoCodec {
    pub(crate) fn read(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "H264" | "H.264" => Self::H264,
            "H265" | "H.265" | "HEVC" => Self::H265,
            "JPEG" | "MJPEG" => Self::Jpeg,
            "MPEG4" | "MPV4-ES" => Self::Mpeg4,
            _ => Self::Other(crate::words::bounded(name, 40)),
        }
    }

    /// As people write it.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Jpeg => "MJPEG",
            Self::Mpeg4 => "MPEG-4",
            Self::Other(name) => name,
        }
    }

    /// As the schema writes it; Media2 takes the names of IANA for some.
    pub(crate) fn schema(&self, service: MediaService) -> &str {
        match (self, service) {
            (Self::H264, _) => "H264",
            (Self::H265, _) => "H265",
            (Self::Jpeg, _) => "JPEG",
            (Self::Mpeg4, MediaService::Media1) => "MPEG4",
            (Self::Mpeg4, MediaService::Media2) => "MPV4-ES",
            (Self::Other(name), _) => name,
        }
    }
}

// === impl VideoEncoder ===

impl VideoEncoder {
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// For a person, on one line.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = format!("{} {}×{}", self.codec.title(), self.width, self.height);
        if let Some(fps) = self.fps {
            title.push_str(&format!(", {} fps", rounded(fps)));
        }
        if let Some(bitrate) = self.bitrate_kbps {
            title.push_str(&format!(", {bitrate} kbit/s"));
        }
        if let (Some(gop), Some(fps)) = (self.gop, self.fps.filter(|fps| *fps > 0.0)) {
            title.push_str(&format!(
                ", key frame every {} s",
                rounded(f64::from(gop) / fps)
            ));
        }
        title
    }
}

/// With one decimal where it says something.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
