//! A scan: one TCP connection to each place of a range, so many at once and so many a second.

use std::{net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::{
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};

/// Connections that are tried at once.
pub const AT_ONCE: usize = 64;
/// Connections that are begun in a second: a switch or a firewall of a plant takes more for an attack.
pub const PER_SECOND: u32 = 100;
/// How long a place may take to answer; within a plant it takes some milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How long it takes to begin so many connections.
#[must_use]
pub fn pace(connections: u64) -> Duration {
    Duration::from_secs(connections / u64::from(PER_SECOND))
}

/// Each place with whether somebody listens there, as it becomes known.
pub fn scan(
    places: impl Iterator<Item = SocketAddr> + Send,
) -> impl Stream<Item = (SocketAddr, bool)> + Send {
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    // Whoever waited for free places must not catch up in a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let paced = stream::unfold((places, ticks), |(mut places, mut ticks)| async move {
        let place = places.next()?;
        ticks.tick().await;
        Some((place, (places, ticks)))
    });
    paced
        .map(|place| async move { (place, listens(place).await) })
        .buffer_unordered(AT_ONCE)
}

async fn listens(place: SocketAddr) -> bool {
    matches!(
        timeout(PATIENCE, TcpStream::connect(place)).await,
        Ok(Ok(_))
    )
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::Instant};

    use super::*;

    #[tokio::test]
    async fn who_listens_is_found_among_those_who_do_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = closed.local_addr().unwrap();
        drop(closed);
        let mut seen: Vec<_> = scan([here, nobody].into_iter()).collect().await;
        seen.sort_by_key(|(_, listens)| *listens);
        assert_eq!(seen, [(nobody, false), (here, true)]);
    }

    #[tokio::test]
    async fn connections_are_begun_no_faster_than_said() {
        let begun = Instant::now();
        let nobody = "127.0.0.1:1".parse().unwrap();
        let tried = scan(std::iter::repeat_n(nobody, 31)).count().await;
        assert_eq!(tried, 31);
        let least = Duration::from_secs(30) / PER_SECOND;
        assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
    }
}
