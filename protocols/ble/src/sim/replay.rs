//! Packets of a capture, in the time between them as it was.

use std::time::Duration;

use futures::{Stream, stream};
use tokio::time::{Instant, sleep_until};

use crate::{
    clock::now,
    radio::{Heard, RadioEvent},
};

/// A longer pause in a capture is made this short: nobody waits for a night.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The packets one after the other, stamped anew; never ends, so that silence is silence.
pub(super) fn stream(packets: Vec<Heard>) -> impl Stream<Item = RadioEvent> + Send + 'static {
    let start = Instant::now();
    stream::unfold(
        (packets.into_iter(), start, None),
        async |(mut packets, due, last)| {
            let Some(mut heard) = packets.next() else {
                std::future::pending::<()>().await;
                return None;
            };
            let pause = last.map_or(0, |last: i64| heard.at.nanos().saturating_sub(last));
            let pause = Duration::from_nanos(u64::try_from(pause).unwrap_or_default());
            let due = due + pause.min(LONGEST_PAUSE);
            sleep_until(due).await;
            let last = Some(heard.at.nanos());
            heard.at = now();
            Some((RadioEvent::Heard(heard), (packets, due, last)))
        },
    )
}

#[cfg(test)]
mod tests {
    use fieldgate_model::Timestamp;
    use futures::StreamExt;

    use super::*;
    use crate::{Address, Advertisement};

    #[tokio::test(start_paused = true)]
    async fn packets_come_in_the_time_between_them() {
        let packet = |millis| Heard {
            adapter: "hci0".into(),
            at: Timestamp::from_millis(millis),
            advertisement: Advertisement::new(Address([0xC0; 6]), true),
        };
        let start = Instant::now();
        let all = vec![
            packet(5_000),
            packet(5_250),
            packet(5_100),
            packet(9_999_999),
        ];
        let mut stream = Box::pin(stream(all));
        let mut came = Vec::new();
        for _ in 0..4 {
            stream.next().await.unwrap();
            came.push(start.elapsed().as_millis());
        }
        assert_eq!(came, [0, 250, 250, 60_250], "a pause of hours is cut");
        let more = tokio::time::timeout(Duration::from_secs(99), stream.next());
        assert!(more.await.is_err(), "silence does not end");
    }
}
