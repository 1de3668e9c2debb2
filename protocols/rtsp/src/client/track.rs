//! Which of a camera's tracks are taken, and what they are in the words of ISO/IEC 14496.

use bytes::Bytes;
use fieldgate_media::{Codec, Track};
use retina::{
    client::Stream,
    codec::{ParametersRef, VideoParameters},
};

use crate::{
    error::StreamError,
    mask::tame,
    options::{PIXELS, SIDE, Sound},
};

/// A track that is taken.
pub(super) struct Choice {
    /// retina's number of it.
    pub(super) stream: usize,
    pub(super) codec: Codec,
    pub(super) clock_rate: u32,
}

/// The first picture track that is spoken, and the first sound that is, AAC before others.
pub(super) fn choose(streams: &[Stream], sound: Sound) -> Result<Vec<Choice>, StreamError> {
    let pictures = || {
        streams
            .iter()
            .enumerate()
            .filter(|(_, stream)| stream.media() == "video")
    };
    let picture = pictures().find_map(|(number, stream)| {
        Some(choice(
            number,
            stream,
            picture_codec(stream.encoding_name())?,
        ))
    });
    let Some(picture) = picture else {
        let names = |streams: &mut dyn Iterator<Item = &Stream>| {
            let names: Vec<_> = streams
                .map(|stream| tame(stream.encoding_name(), 24))
                .collect();
            names.join(", ")
        };
        return Err(if pictures().next().is_some() {
            StreamError::CodecUnknown {
                offers: names(&mut pictures().map(|(_, stream)| stream)),
            }
        } else {
            StreamError::NoPicture {
                offers: names(&mut streams.iter()),
            }
        });
    };
    let mut choices = vec![picture];
    if sound == Sound::Take {
        choices.extend(choose_sound(streams));
    }
    Ok(choices)
}

/// What cannot be depacketized has no parameters, and would end the whole stream if it were set up.
fn choose_sound(streams: &[Stream]) -> Option<Choice> {
    let sounds = || {
        streams.iter().enumerate().filter(|(_, stream)| {
            stream.media() == "audio"
                && matches!(stream.parameters(), Some(ParametersRef::Audio(_)))
        })
    };
    let aac = sounds().find(|(_, stream)| stream.encoding_name() == "mpeg4-generic");
    match aac {
        Some((number, stream)) => Some(choice(number, stream, Codec::Aac)),
        None => {
            let (number, stream) = sounds().next()?;
            Some(choice(number, stream, Codec::OtherSound))
        }
    }
}

fn choice(number: usize, stream: &Stream, codec: Codec) -> Choice {
    Choice {
        stream: number,
        codec,
        clock_rate: stream.clock_rate_hz(),
    }
}

fn picture_codec(encoding: &str) -> Option<Codec> {
    match encoding {
        "h264" => Some(Codec::H264),
        "h265" => Some(Codec::H265),
        "jpeg" => Some(Codec::Mjpeg),
        _ => None,
    }
}

/// A track by the parameters that hold now; `None` while there are none.
///
/// # Errors
/// When a picture is claimed to be larger than any camera's.
pub(super) fn track(choice: &Choice, stream: &Stream) -> Result<Option<Track>, StreamError> {
    let timescale = choice.clock_rate.max(1);
    match stream.parameters() {
        Some(ParametersRef::Video(video)) => picture(choice, video, timescale).map(Some),
        Some(ParametersRef::Audio(audio)) => Ok(Some(Track {
            codec: choice.codec,
            rfc6381: audio.rfc6381_codec().unwrap_or_default().to_owned(),
            width: 0,
            height: 0,
            timescale,
            channels: audio.channels().get(),
            // What no MP4 holds has none.
            sample_entry: audio.mp4_sample_entry().build().unwrap_or_default().into(),
            config: Bytes::copy_from_slice(audio.extra_data()),
        })),
        Some(ParametersRef::Message(_)) | None => Ok(None),
    }
}

fn picture(choice: &Choice, video: &VideoParameters, timescale: u32) -> Result<Track, StreamError> {
    let (width, height) = video.pixel_dimensions();
    let (coded_width, coded_height) = video.coded_pixel_dimensions();
    let pixels = u64::from(coded_width) * u64::from(coded_height);
    if coded_width.max(coded_height) > SIDE || pixels > PIXELS {
        return Err(StreamError::TooLarge {
            width: coded_width,
            height: coded_height,
        });
    }
    let mut entry = video.mp4_sample_entry();
    if let Some((across, down)) = video.pixel_aspect_ratio()
        && let (Ok(across), Ok(down)) = (u16::try_from(across), u16::try_from(down))
        && across != down
    {
        entry = entry.with_aspect_ratio((across, down));
    }
    let jpeg = choice.codec == Codec::Mjpeg;
    Ok(Track {
        codec: choice.codec,
        rfc6381: if jpeg {
            String::new()
        } else {
            video.rfc6381_codec().to_owned()
        },
        width,
        height,
        timescale,
        channels: 0,
        sample_entry: entry.build().unwrap_or_default().into(),
        config: Bytes::copy_from_slice(video.extra_data()),
    })
}
