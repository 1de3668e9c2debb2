//! The media process: reads jobs, does them one after the other, and writes answers until its input ends.

use std::{
    io::{self, Read as _},
    panic::catch_unwind,
};

use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;

use super::{
    decode::decode,
    job::{Answer, Job, JobError, length, read_job, write_answer},
    limits::{LimitError, PROCESSOR_SECONDS, restrict},
};

/// Seconds of a processor after which it retires between two jobs, long before the kernel ends it within one.
const RETIRES: u64 = PROCESSOR_SECONDS - 20;

/// Why it ended before its input did.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error(transparent)]
    Limits(#[from] LimitError),
    #[error("the media process has lost the gateway")]
    Lost(#[from] io::Error),
    #[error(transparent)]
    Job(#[from] JobError),
}

/// Serves on standard input and output until the input ends. To be called first thing in a process, with no other thread in it.
///
/// # Errors
///
/// When it cannot limit itself, or what comes is no job.
pub fn serve() -> Result<(), ServeError> {
    // What the decoder and the clock ask of the system once, they may still ask.
    drop(openh264::decoder::Decoder::new());
    processor_seconds();
    restrict()?;
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    say(&mut output, &Answer::Ready)?;
    loop {
        let mut header = [0; 4];
        match input.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut bytes = vec![0; length(header)?];
        input.read_exact(&mut bytes)?;
        let job = read_job(&bytes)?;
        drop(bytes);
        let retires = processor_seconds() >= RETIRES;
        say(&mut output, &answer(&job))?;
        if retires {
            return Ok(());
        }
    }
}

/// That it has used.
fn processor_seconds() -> u64 {
    clock_gettime(ClockId::ProcessCPUTime).tv_sec.unsigned_abs()
}

fn answer(job: &Job) -> Answer {
    // What panics in a decoder is a picture that it cannot take. The job is not used again.
    match catch_unwind(|| decode(job)) {
        Ok(Ok(decoded)) => Answer::Done(decoded),
        Ok(Err(words)) => Answer::Failed(words),
        Err(_) => Answer::Failed("the decoder gave up on the picture".to_owned()),
    }
}

fn say(output: &mut impl io::Write, answer: &Answer) -> Result<(), ServeError> {
    let bytes = match write_answer(answer) {
        Ok(bytes) => bytes,
        Err(error) => write_answer(&Answer::Failed(error.to_string()))?,
    };
    output.write_all(&bytes)?;
    output.flush()?;
    Ok(())
}
