//! Any bytes as what the media process reads, and as what it answers. What is a job is written and read again as the same.
#![no_main]

use fieldgate_media::worker::{VERSION, read_answer, read_job, write_answer, write_job};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut message = vec![VERSION];
    message.extend_from_slice(data);
    let _ = (read_job(data), read_answer(data));
    if let Ok(job) = read_job(&message) {
        let written = write_job(&job).expect("it is no larger than it came");
        assert_eq!(read_job(&written[4..]), Ok(job));
    }
    if let Ok(answer) = read_answer(&message) {
        let written = write_answer(&answer).expect("it is no larger than it came");
        assert_eq!(read_answer(&written[4..]), Ok(answer));
    }
});
