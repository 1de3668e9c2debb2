//! Describes a stream to its viewers (RFC 8866, with the parameters of RFC 6184 clause 8, RFC 7798 clause 7 and RFC 3640 clause 4).

use std::{fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fieldgate_media::{Codec, Track};

use super::{
    nal,
    packets::{FIRST_TYPE, clock_rate},
    request::TRACK,
};

/// The tracks that can be passed on, in their order.
pub(super) fn passed_on(tracks: &[Arc<Track>]) -> Vec<Arc<Track>> {
    let known = |track: &&Arc<Track>| match track.codec {
        Codec::H264 => !nal::of_avcc(&track.config).is_empty(),
        Codec::H265 => !nal::of_hvcc(&track.config).is_empty(),
        Codec::Aac => !track.config.is_empty(),
        Codec::Mjpeg | Codec::OtherSound => false,
    };
    tracks.iter().filter(known).take(8).cloned().collect()
}

/// The description of these tracks.
pub(super) fn describe(tracks: &[Arc<Track>]) -> String {
    let mut sdp = String::from(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Fieldgate\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=range:npt=now-\r\na=control:*\r\n",
    );
    for (index, track) in tracks.iter().enumerate() {
        let kind = usize::from(FIRST_TYPE) + index;
        let media = match track.codec {
            Codec::Aac | Codec::OtherSound => "audio",
            _ => "video",
        };
        let (map, parameters) = match track.codec {
            Codec::H264 => (format!("H264/{}", clock_rate(track)), h264(track)),
            Codec::H265 => (format!("H265/{}", clock_rate(track)), h265(track)),
            _ => (
                format!(
                    "mpeg4-generic/{}/{}",
                    clock_rate(track),
                    track.channels.max(1)
                ),
                aac(track),
            ),
        };
        write!(
            sdp,
            "m={media} 0 RTP/AVP {kind}\r\na=rtpmap:{kind} {map}\r\na=fmtp:{kind} {parameters}\r\na=control:{TRACK}{index}\r\n"
        )
        .expect("a String takes everything");
    }
    sdp
}

fn h264(track: &Track) -> String {
    let sets: Vec<String> = nal::of_avcc(&track.config)
        .iter()
        .map(|set| STANDARD.encode(set))
        .collect();
    let profile: String = track
        .config
        .get(1..4)
        .unwrap_or_default()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={}",
        sets.join(",")
    )
}

fn h265(track: &Track) -> String {
    let mut parameters = Vec::new();
    for set in nal::of_hvcc(&track.config) {
        let name = match set.first().map(|header| (header >> 1) & 0x3F) {
            Some(32) => "sprop-vps",
            Some(33) => "sprop-sps",
            Some(34) => "sprop-pps",
            _ => continue,
        };
        parameters.push(format!("{name}={}", STANDARD.encode(set)));
    }
    parameters.join(";")
}

fn aac(track: &Track) -> String {
    let config: String = track
        .config
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={config}"
    )
}
