//! What cameras do wrong, with GStreamer's RTSP server: each ends with its own cause in words, and a new attempt finds the camera again.

use fieldgate_rtsp::{Item, Kind, Rung, Stream, StreamError, open};
use fieldgate_tests::{
    port,
    rtsp_server::{Options, RtspServer},
};

use crate::rtsp::{address, frames, local, run, watch};

/// What a stream ends with.
async fn end(stream: &mut Stream) -> StreamError {
    loop {
        if let Err(error) = stream.next().await {
            return error;
        }
    }
}

#[test]
fn who_is_let_in() {
    let mut camera = RtspServer::start(Options {
        user: Some(("admin", "first")),
        ..Options::default()
    });
    let url = camera.url();
    let attempt =
        |password: &str| run(open(&address(&url, Some(("admin", password))), &local())).err();
    assert_eq!(attempt("CANARY"), Some(StreamError::WrongPassword));
    assert_eq!(
        run(open(&address(&url, None), &local())).err(),
        Some(StreamError::NoCredentials)
    );
    assert_eq!(attempt("first"), None);
    camera.change_password("second");
    assert_eq!(attempt("first"), Some(StreamError::WrongPassword));
    assert_eq!(attempt("second"), None);
    assert_eq!(StreamError::WrongPassword.kind(), Kind::Refused);
}

#[test]
fn a_password_as_readable_text_is_sent_only_where_allowed() {
    let user = Some(("admin", "first"));
    let camera = RtspServer::start(Options {
        user,
        basic: true,
        ..Options::default()
    });
    let address = address(&camera.url(), user);
    assert_eq!(
        run(open(&address, &local())).err(),
        Some(StreamError::BasicOnly)
    );
    let allowed = fieldgate_rtsp::Options {
        basic: fieldgate_rtsp::Basic::Anywhere,
        ..local()
    };
    run(watch(&address, &allowed, 5));
}

#[test]
fn what_is_not_there() {
    let mut camera = RtspServer::start(Options::default());
    let missing = run(open(&address(&camera.url_of("nothing"), None), &local()))
        .err()
        .unwrap();
    assert_eq!(missing, StreamError::NoSuchStream { status: 404 });
    assert_eq!(missing.kind(), Kind::Misconfigured);
    let url = camera.url();
    camera.kill();
    let gone = run(open(&address(&url, None), &local())).err().unwrap();
    assert_eq!(
        (gone.rung(), gone.kind()),
        (Rung::Connection, Kind::Lost),
        "{gone}"
    );
    let nobody = format!("rtsp://127.0.0.1:{}/live", port::free());
    let nobody = run(open(&address(&nobody, None), &local())).err().unwrap();
    assert!(
        matches!(nobody, StreamError::ConnectionRefused { .. }),
        "{nobody}"
    );
}

#[test]
fn a_camera_that_sends_nothing_any_more_is_noticed_and_found_again() {
    let mut camera = RtspServer::start(Options::default());
    let address = address(&camera.url(), None);
    run(async {
        let mut stream = open(&address, &local()).await.unwrap();
        frames(&mut stream, 10).await;
        camera.freeze();
        let error = end(&mut stream).await;
        assert!(matches!(error, StreamError::Stalled(_)), "{error}");
        assert_eq!(error.kind(), Kind::Lost);
        stream.close().await;
    });
    camera.resume();
    run(watch(&address, &local(), 10));
    // As does one whose program hangs: it answers nothing either, so leaving it has to end, too.
    run(async {
        let mut stream = open(&address, &local()).await.unwrap();
        frames(&mut stream, 10).await;
        camera.hang();
        assert!(matches!(end(&mut stream).await, StreamError::Stalled(_)));
        stream.close().await;
    });
    camera.unhang();
    run(watch(&address, &local(), 10));
}

#[test]
fn a_camera_that_dies_or_hangs_up_is_noticed_at_once_and_found_again() {
    let mut camera = RtspServer::start(Options::default());
    let address = address(&camera.url(), None);
    run(async {
        let mut stream = open(&address, &local()).await.unwrap();
        frames(&mut stream, 10).await;
        camera.kill();
        let error = end(&mut stream).await;
        assert!(matches!(error, StreamError::Ended(_)), "{error}");
    });
    camera.restart();
    run(async {
        let mut stream = open(&address, &local()).await.unwrap();
        frames(&mut stream, 10).await;
        camera.send_away();
        let error = end(&mut stream).await;
        assert!(matches!(error, StreamError::Ended(_)), "{error}");
    });
    run(watch(&address, &local(), 10));
}

#[test]
fn f51_pictures_that_change_their_size_are_told_before_they_come() {
    let mut camera = RtspServer::start(Options::default());
    let address = address(&camera.url(), None);
    run(async {
        let mut stream = open(&address, &local()).await.unwrap();
        let before = frames(&mut stream, 10).await;
        camera.resize(320, 240);
        let after = loop {
            match stream.next().await.unwrap() {
                Item::Track(track) => break track,
                Item::Frame(frame) => assert_eq!(frame.track, before[0].track),
            }
        };
        assert_eq!((after.width, after.height), (320, 240));
        assert_ne!(after.config, before[0].track.config);
        let next = frames(&mut stream, 5).await;
        assert!(next[0].key && next.iter().all(|frame| frame.track == after));
        assert!(before[9].pts < next[0].pts);
        stream.close().await;
    });
}
