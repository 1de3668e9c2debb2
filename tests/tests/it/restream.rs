//! A camera passed on: GStreamer's stream goes through the gateway's restream to ffprobe, which nobody here wrote either.

use std::{
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use fieldgate_media::Track;
use fieldgate_rtsp::{
    Credentials, Item, open,
    restream::{Absent, Departure, Fed, Restream, Shelf},
};
use fieldgate_tests::{
    peers,
    rtsp_server::{Options, RtspServer},
};
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, ready},
    stream::{self, BoxStream},
};
use serde_json::Value as Json;
use tokio::sync::{broadcast, oneshot};

use crate::rtsp::{address, local, run};

/// One camera, called `yard`, for everybody.
struct Yard {
    tracks: Vec<Arc<Track>>,
    frames: broadcast::Sender<Fed>,
}

impl Shelf for Yard {
    fn tracks<'a>(
        &'a self,
        path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<Track>>, Absent>> {
        let tracks = (path == "yard").then(|| self.tracks.clone());
        ready(tracks.ok_or(Absent::NoSuchStream)).boxed()
    }

    fn frames<'a>(
        &'a self,
        _path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Fed>, Absent>> {
        let fed = stream::unfold(self.frames.subscribe(), |mut frames| async move {
            let fed = match frames.recv().await {
                Ok(fed) => fed,
                Err(broadcast::error::RecvError::Lagged(missed)) => Fed::Missed(missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((fed, frames))
        });
        ready(Ok(fed.boxed())).boxed()
    }
}

#[test]
fn ffprobe_sees_what_the_camera_sends() {
    for codec in ["h264", "h265"] {
        let camera = RtspServer::start(Options {
            codec,
            sound: Some("aac"),
            ..Options::default()
        });
        run(async {
            let (stop, stopped) = oneshot::channel::<()>();
            let mut stream = open(&address(&camera.url(), None), &local()).await.unwrap();
            let mut tracks = Vec::new();
            while tracks.len() < 2 {
                if let Item::Track(track) = stream.next().await.unwrap() {
                    tracks.push(track);
                }
            }
            let (frames, _) = broadcast::channel(256);
            let yard = Yard {
                tracks,
                frames: frames.clone(),
            };
            let users = vec![Credentials {
                user: "viewer".to_owned(),
                password: "secret".to_owned(),
            }];
            let restream = Restream::bind("127.0.0.1:0".parse().unwrap(), Arc::new(yard), users)
                .await
                .unwrap();
            let (port, counters) = (restream.address().unwrap().port(), restream.counters());
            let probed = async {
                let wrong = probe(&format!("rtsp://viewer:wrong@127.0.0.1:{port}/yard")).await;
                assert!(!wrong.status.success());
                let seen = probe(&format!("rtsp://viewer:secret@127.0.0.1:{port}/yard")).await;
                let told = String::from_utf8_lossy(&seen.stderr).into_owned();
                assert!(seen.status.success(), "{told}");
                let _ = stop.send(());
                serde_json::from_slice::<Json>(&seen.stdout).unwrap()
            };
            let passed_on = async {
                loop {
                    if let Item::Frame(frame) = stream.next().await.unwrap() {
                        // Nobody may be watching.
                        let _ = frames.send(Fed::Frame(frame));
                    }
                }
            };
            let served = restream.run(async {
                let _ = stopped.await;
            });
            let seen = tokio::select! {
                () = passed_on => unreachable!(),
                (seen, ()) = futures::future::join(probed, served) => seen,
            };
            let streams = seen["streams"].as_array().unwrap();
            let name = if codec == "h264" { "h264" } else { "hevc" };
            let picture = streams
                .iter()
                .find(|stream| stream["codec_name"] == name)
                .unwrap();
            assert_eq!(
                (&picture["width"], &picture["height"]),
                (&Json::from(640), &Json::from(360)),
                "{picture}"
            );
            let frames: u32 = picture["nb_read_frames"].as_str().unwrap().parse().unwrap();
            assert!(frames > 20, "{picture}");
            let sound = streams
                .iter()
                .find(|stream| stream["codec_name"] == "aac")
                .unwrap();
            assert_eq!(sound["sample_rate"], "48000", "{sound}");
            assert_eq!(counters.departures(Departure::Slow), 0);
            assert_eq!(counters.departures(Departure::Malformed), 0);
            stream.close().await;
        });
    }
}

/// What ffprobe says of two seconds, with every picture decoded.
async fn probe(url: &str) -> Output {
    let mut command = Command::new(peers::ffprobe());
    command
        .args([
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-read_intervals",
            "%+2",
        ])
        .args(["-count_frames", "-show_streams", "-of", "json", url]);
    let probing = tokio::task::spawn_blocking(move || command.output().unwrap());
    tokio::time::timeout(Duration::from_secs(20), probing)
        .await
        .unwrap()
        .unwrap()
}
