//! What is said to the decoder's process and what it answers: a length of four bytes, a version byte, and postcard.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::Codec;

/// Changes with [`Job`] and [`Answer`]. Both ends are the same program, unless it was replaced while it ran.
pub const VERSION: u8 = 1;
/// Bytes of a job or an answer. A keyframe of 4K at the best quality has about 3 MB.
pub const MOST_JOB: usize = 8 * 1024 * 1024;

/// One picture to decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub codec: Codec,
    /// As in [`crate::Track::config`].
    pub config: Bytes,
    /// As in [`crate::Frame::data`], of a keyframe.
    pub frame: Bytes,
    pub want: Want,
}

/// What is to be made of it; both come from one decoding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    pub picture: Option<PictureWish>,
    /// Width and height of a thumbnail of brightness, for motion; the picture is squeezed into it. Each at most 512.
    pub luma: Option<(u16, u16)>,
}

/// A JPEG that fits into this size with its proportions kept. It is never made larger than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureWish {
    pub width: u16,
    pub height: u16,
    /// 1 to 100.
    pub quality: u8,
}

/// What came out of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// Of the camera's picture, in pixels.
    pub width: u32,
    pub height: u32,
    pub picture: Option<Picture>,
    pub luma: Option<Luma>,
}

/// A JPEG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    pub width: u16,
    pub height: u16,
    pub jpeg: Bytes,
}

/// Brightness, row by row, a byte a pixel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Luma {
    pub width: u16,
    pub height: u16,
    pub pixels: Bytes,
}

/// What the process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Once, when it has limited itself.
    Ready,
    Done(Decoded),
    /// Why there is no picture, in words for a person.
    Failed(String),
}

/// Why bytes are no job or no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JobError {
    #[error("the picture is larger than {} MiB", MOST_JOB / 1024 / 1024)]
    TooLarge,
    #[error(
        "the media process is of version {0} and the gateway of {VERSION}: the program was replaced while it ran, restart it"
    )]
    Version(u8),
    #[error("the media process and the gateway do not understand each other")]
    Garbled,
}

/// A job with its length before it.
///
/// # Errors
///
/// When it is too large.
pub fn write_job(job: &Job) -> Result<Vec<u8>, JobError> {
    write(job)
}

/// An answer with its length before it.
///
/// # Errors
///
/// When it is too large.
pub fn write_answer(answer: &Answer) -> Result<Vec<u8>, JobError> {
    write(answer)
}

/// A job as it is behind its length.
///
/// # Errors
///
/// When it is of another version, or none.
pub fn read_job(bytes: &[u8]) -> Result<Job, JobError> {
    read(bytes)
}

/// An answer as it is behind its length.
///
/// # Errors
///
/// When it is of another version, or none.
pub fn read_answer(bytes: &[u8]) -> Result<Answer, JobError> {
    read(bytes)
}

/// How many bytes follow a length.
///
/// # Errors
///
/// When they are more than anybody sends.
pub(super) fn length(header: [u8; 4]) -> Result<usize, JobError> {
    usize::try_from(u32::from_be_bytes(header))
        .ok()
        .filter(|length| *length <= MOST_JOB)
        .ok_or(JobError::TooLarge)
}

fn write<T: Serialize>(message: &T) -> Result<Vec<u8>, JobError> {
    let start = vec![0, 0, 0, 0, VERSION];
    let mut bytes = postcard::to_extend(message, start).map_err(|_| JobError::Garbled)?;
    let length = bytes.len() - 4;
    let said = u32::try_from(length)
        .ok()
        .filter(|_| length <= MOST_JOB)
        .ok_or(JobError::TooLarge)?;
    bytes[..4].copy_from_slice(&said.to_be_bytes());
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JobError> {
    if bytes.len() > MOST_JOB {
        return Err(JobError::TooLarge);
    }
    match bytes.split_first() {
        Some((&VERSION, message)) => match postcard::take_from_bytes(message) {
            Ok((message, [])) => Ok(message),
            _ => Err(JobError::Garbled),
        },
        Some((version, _)) => Err(JobError::Version(*version)),
        None => Err(JobError::Garbled),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job() -> Job {
        Job {
            codec: Codec::H264,
            config: Bytes::from_static(b"config"),
            frame: Bytes::from_static(b"frame"),
            want: Want {
                picture: Some(PictureWish {
                    width: 640,
                    height: 360,
                    quality: 80,
                }),
                luma: Some((64, 36)),
            },
        }
    }

    #[test]
    fn a_job_is_read_as_it_was_written() {
        let bytes = write_job(&job()).unwrap();
        let (header, body) = bytes.split_first_chunk().unwrap();
        assert_eq!(length(*header), Ok(body.len()));
        assert_eq!(read_job(body), Ok(job()));
    }

    #[test]
    fn what_is_too_large_or_of_another_version_is_told() {
        let large = Job {
            frame: vec![0; MOST_JOB].into(),
            ..job()
        };
        assert_eq!(write_job(&large), Err(JobError::TooLarge));
        assert_eq!(length([0xFF; 4]), Err(JobError::TooLarge));
        assert_eq!(
            read_job(&[VERSION + 1, 0]),
            Err(JobError::Version(VERSION + 1))
        );
        assert_eq!(read_job(&[]), Err(JobError::Garbled));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_job_or_not(mut bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read_job(&bytes);
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            if let Ok(job) = read_job(&bytes) {
                let again = write_job(&job).unwrap();
                prop_assert_eq!(read_job(&again[4..]), Ok(job));
            }
            let _ = read_answer(&bytes);
        }

        #[test]
        fn a_bent_job_is_no_panic(at in 0usize..64, value: u8, cut in 0usize..64) {
            let mut bytes = write_job(&job()).unwrap().split_off(4);
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = read_job(&bytes);
            let _ = read_job(&bytes[..cut.min(bytes.len())]);
        }
    }
}
