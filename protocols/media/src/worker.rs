//! Decoding in a process of its own, because the bytes are a camera's and the decoder is C++.
//!
//! `serve` is that process: it forbids itself all but reading jobs and writing answers, and then does so. [`Decoder`] is the
//! gateway's end: it starts the process when there is something to do, and whatever happens to it costs one picture.
//!
//! ```text
//! camera ─ keyframe ─► Decoder ──job──► stdin │ process: limits, seccomp │ stdout ──answer──► JPEG, luma
//! ```

mod client;
mod colour;
mod decode;
mod job;
mod limits;
mod scale;
mod serve;
mod trouble;

pub use self::{
    client::{DecodeError, Decoder, DecoderFacts},
    decode::{MOST_PIXELS, decode},
    job::{
        Answer, Decoded, Job, JobError, Luma, MOST_JOB, Picture, PictureWish, VERSION, Want,
        read_answer, read_job, write_answer, write_job,
    },
    limits::{LimitError, restrict},
    serve::{ServeError, serve},
};
