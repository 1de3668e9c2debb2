//! Watches a camera's stream and prints what comes: `cargo run -p fieldgate-rtsp --example watch -- URL [SECONDS] [udp] [local] [basic] [pin=SHA256]`.

use std::{error::Error, time::Duration};

use fieldgate_rtsp::{Address, Basic, Item, Options, Reach, Transport, Trust, open};
use tokio::time::{Instant, timeout_at};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let address = Address::parse(&words.next().ok_or("give a URL")?)?;
    let mut options = Options::default();
    let mut seconds = 5;
    for word in words {
        match word.as_str() {
            "udp" => options.transport = Transport::Udp,
            "local" => options.reach = Reach::AlsoLocal,
            "basic" => options.basic = Basic::Anywhere,
            other => match other.strip_prefix("pin=") {
                Some(hex) => options.trust = Trust::Pinned(fingerprint(hex)?),
                None => seconds = other.parse()?,
            },
        }
    }
    let started = Instant::now();
    let mut stream = match open(&address, &options).await {
        Ok(stream) => stream,
        Err(error) => {
            println!(
                "{address}: {error} [{:?}, {}]",
                error.kind(),
                error.rung().as_str()
            );
            return Ok(());
        }
    };
    println!("{address}: agreed after {:?}", started.elapsed());
    let until = started + Duration::from_secs(seconds);
    let mut first = true;
    while let Ok(item) = timeout_at(until, stream.next()).await {
        match item {
            Ok(Item::Track(track)) => println!(
                "{} {}x{} {} entry {} B, config {} B, timescale {}",
                track.codec.title(),
                track.width,
                track.height,
                track.rfc6381,
                track.sample_entry.len(),
                track.config.len(),
                track.timescale
            ),
            Ok(Item::Frame(frame)) if first => {
                first = false;
                println!(
                    "first frame after {:?}, {} B, key {}",
                    started.elapsed(),
                    frame.data.len(),
                    frame.key
                );
            }
            Ok(Item::Frame(_)) => {}
            Err(error) => {
                println!(
                    "ended: {error} [{:?}, {}]",
                    error.kind(),
                    error.rung().as_str()
                );
                break;
            }
        }
    }
    for (codec, stats) in stream.stats() {
        println!("{}: {stats:#?}", codec.title());
    }
    let closing = Instant::now();
    stream.close().await;
    println!("closed after {:?}", closing.elapsed());
    Ok(())
}

fn fingerprint(hex: &str) -> Result<[u8; 32], Box<dyn Error>> {
    let bytes: Result<Vec<u8>, _> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16))
        .collect();
    Ok(bytes?
        .try_into()
        .map_err(|_| "a fingerprint has 64 digits")?)
}
