//! Every operation, every fault and every way to sign in, over HTTP against the simulated device.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::time::{Duration, Instant};

use fieldgate_onvif::{
    Allowed, Cause, Client, Credentials, Device, DeviceError, EncoderChange, EventKind, Happening,
    ImagingChange, ImagingSetting, ImagingValue, MediaService, MoveState, Next, Place, Plan,
    Profile, PtzRanges, Reach, Role, Services, Settings, StreamTransport, VideoCodec, Watch, Wish,
    candidates,
    sim::{Fault, Signing, SimSettings, Simulator},
};
use tokio::time::{sleep, timeout};

/// Nothing takes longer, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(20);

async fn simulator(settings: SimSettings) -> Simulator {
    Simulator::start(settings).await.unwrap()
}

fn settings_for(simulator: &Simulator, password: &str) -> Settings {
    Settings {
        credentials: Some(Credentials {
            user: "admin".to_owned(),
            password: password.to_owned(),
        }),
        reach: Reach::ThisMachineToo,
        ..Settings::new(&simulator.url()).unwrap()
    }
}

fn client(simulator: &Simulator) -> Client {
    Client::new(settings_for(simulator, "secret")).unwrap()
}

/// Asks again until it is so; never more than the patience.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    timeout(PATIENCE, async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it becomes so in time");
}

async fn main_profile(client: &Client) -> Profile {
    client.profiles().await.unwrap().swap_remove(0)
}

#[tokio::test]
async fn a_device_says_who_it_is_and_what_it_can() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let information = client.information().await.unwrap();
    assert_eq!(
        (
            information.manufacturer.as_str(),
            information.model.as_str()
        ),
        ("Fieldgate", "Simulator")
    );
    assert_eq!(
        client.endpoint_reference().await.unwrap(),
        SimSettings::default().endpoint
    );
    assert_eq!(
        client.scopes().await.unwrap().name.as_deref(),
        Some("Simulated camera")
    );
    let services = client.services().await.unwrap();
    let all = Services {
        media: true,
        media2: true,
        ptz: true,
        imaging: true,
        events: true,
        told_elsewhere: false,
    };
    assert_eq!(services, all);
    // The time is asked for first, and without signing in.
    assert_eq!(simulator.asked("GetSystemDateAndTime"), 1);
    assert_eq!(client.reboot().await.unwrap(), "Rebooting in 30 seconds");
    assert_eq!(simulator.reboots(), 1);
}

#[tokio::test]
async fn a_clock_twenty_minutes_off_signs_in_at_the_first_try() {
    for minutes in [-20, 20, 60 * 24 * 365] {
        let simulator = simulator(SimSettings {
            drift_seconds: minutes * 60,
            signing: Signing::Token,
            ..SimSettings::default()
        })
        .await;
        let client = client(&simulator);
        let clock = client.clock().await.unwrap();
        assert!(
            (clock.drift_millis / 1_000 - minutes * 60).abs() <= 2,
            "{clock:?}"
        );
        client.information().await.unwrap();
        assert_eq!(simulator.asked("GetDeviceInformation"), 1);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_while_we_are_connected_is_read_again() {
    let simulator = simulator(SimSettings {
        signing: Signing::Token,
        ..SimSettings::default()
    })
    .await;
    let client = client(&simulator);
    client.information().await.unwrap();
    simulator.set_drift(-7_200);
    client.information().await.unwrap();
    assert_eq!(simulator.asked("GetSystemDateAndTime"), 2);
}

#[tokio::test]
async fn every_way_to_sign_in_is_found_and_kept() {
    for (signing, tries) in [
        (Signing::Token, 1),
        (Signing::Either, 1),
        (Signing::Digest, 2),
        (Signing::Both, 3),
    ] {
        let simulator = simulator(SimSettings {
            signing,
            ..SimSettings::default()
        })
        .await;
        let client = client(&simulator);
        client.information().await.unwrap();
        assert_eq!(
            simulator.asked("GetDeviceInformation"),
            tries,
            "{signing:?}"
        );
        client.information().await.unwrap();
        assert_eq!(
            simulator.asked("GetDeviceInformation"),
            tries + 1,
            "{signing:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_after_few_tries_and_appears_nowhere() {
    for signing in [
        Signing::Token,
        Signing::Either,
        Signing::Digest,
        Signing::Both,
    ] {
        let simulator = simulator(SimSettings {
            signing,
            ..SimSettings::default()
        })
        .await;
        let client = Client::new(settings_for(&simulator, "CANARY")).unwrap();
        let error = client.information().await.unwrap_err();
        assert!(
            matches!(error, DeviceError::Denied { .. }) && error.is_denial(),
            "{error}"
        );
        assert!(
            error.to_string().contains("wrong user or password"),
            "{error}"
        );
        assert!(!format!("{error:?} {error}").contains("CANARY"));
        assert!(simulator.asked("GetDeviceInformation") <= 3, "{signing:?}");
        // As soon as it is corrected it is let in.
        simulator.set_password("CANARY");
        client.information().await.unwrap();
    }
}

#[tokio::test]
async fn a_device_that_lets_everybody_in_is_asked_without_a_password() {
    let simulator = simulator(SimSettings {
        user: None,
        ..SimSettings::default()
    })
    .await;
    let settings = Settings {
        credentials: None,
        ..settings_for(&simulator, "")
    };
    let client = Client::new(settings).unwrap();
    assert_eq!(client.profiles().await.unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_password_it_is_said_that_one_is_wanted() {
    for signing in [Signing::Token, Signing::Digest] {
        let simulator = simulator(SimSettings {
            signing,
            ..SimSettings::default()
        })
        .await;
        let settings = Settings {
            credentials: None,
            ..settings_for(&simulator, "")
        };
        let error = Client::new(settings)
            .unwrap()
            .information()
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("it wants a user and a password"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn faults_are_errors_by_what_is_done_next() {
    let simulator = simulator(SimSettings::default()).await;
    let client = Client::new(Settings {
        timeout: Duration::from_millis(700),
        ..settings_for(&simulator, "secret")
    })
    .unwrap();
    client.information().await.unwrap();
    let check = async |fault: Fault, next: Next, words: &str| {
        simulator.fail("GetDeviceInformation", fault.clone(), 9);
        let began = Instant::now();
        let error = client.information().await.unwrap_err();
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        assert_eq!(error.next(), next, "{fault:?}: {error}");
        assert!(began.elapsed() < PATIENCE, "{fault:?}");
        simulator.heal();
    };
    check(Fault::Hang, Next::Retry, "no answer within").await;
    check(Fault::Close, Next::Retry, "broke off").await;
    check(Fault::Unavailable, Next::Retry, "503").await;
    check(Fault::Garbage, Next::Skip, "cannot be read").await;
    check(Fault::BillionLaughs, Next::Skip, "document type").await;
    check(Fault::Deep, Next::Skip, "deeper than 32").await;
    check(Fault::Huge, Next::Wait, "longer than 1 MiB").await;
    check(Fault::WebPage, Next::Wait, "web page").await;
    check(
        Fault::Redirect("http://127.0.0.1:1/".to_owned()),
        Next::Wait,
        "another address",
    )
    .await;
    check(
        Fault::Denied("User is locked".to_owned()),
        Next::Wait,
        "locked",
    )
    .await;
    check(
        Fault::Denied("Wrong time".to_owned()),
        Next::Wait,
        "refuses the sign-in",
    )
    .await;
    check(
        Fault::NotSupported,
        Next::Skip,
        "does not support GetDeviceInformation",
    )
    .await;
    check(Fault::Refused, Next::Skip, "does not like that").await;
    client.information().await.unwrap();
}

#[tokio::test]
async fn a_refusal_because_of_the_time_names_the_difference() {
    let simulator = simulator(SimSettings {
        drift_seconds: 1_200,
        ..SimSettings::default()
    })
    .await;
    simulator.fail(
        "GetDeviceInformation",
        Fault::Denied("The clock is off".to_owned()),
        9,
    );
    let error = client(&simulator).information().await.unwrap_err();
    assert!(
        matches!(
            error,
            DeviceError::ClockOff {
                drift_seconds: 1_198..=1_202,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_there_and_forbidden_addresses_are_told_apart() {
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut settings = Settings::new(&free.to_string()).unwrap();
    assert_eq!(settings.address.path(), "/onvif/device_service");
    let error = Client::new(settings.clone())
        .unwrap()
        .clock()
        .await
        .unwrap_err();
    assert!(matches!(error, DeviceError::Misconfigured(_)), "{error}");
    settings.reach = Reach::ThisMachineToo;
    let error = Client::new(settings).unwrap().clock().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{free} does not answer: nothing listens on that port")
    );
}

#[test]
fn an_address_with_a_password_in_it_is_refused_without_repeating_it() {
    for address in [
        "http://u:CANARY@192.168.1.20/",
        "CANARY://x",
        "http://CANARY:x",
        "",
    ] {
        let error = Settings::new(address).unwrap_err();
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
    let mut settings = Settings::new("192.168.1.20:8000").unwrap();
    settings.credentials = Some(Credentials {
        user: "u".to_owned(),
        password: "CANARY".to_owned(),
    });
    assert!(!format!("{settings:?}").contains("CANARY"));
}

#[tokio::test]
async fn profiles_streams_and_snapshots_come_from_either_media_service() {
    for media2 in [false, true] {
        let simulator = simulator(SimSettings {
            media2,
            stream_uris: [
                "rtsp://u:CANARY@127.0.0.1:8554/main".to_owned(),
                "rtsp://10.1.2.3/sub".to_owned(),
            ],
            ..SimSettings::default()
        })
        .await;
        let client = client(&simulator);
        let profiles = client.profiles().await.unwrap();
        let service = if media2 {
            MediaService::Media2
        } else {
            MediaService::Media1
        };
        assert!(profiles.iter().all(|profile| profile.service == service));
        let candidates = candidates(&profiles);
        assert_eq!(
            (candidates[0].role, candidates[1].role),
            (Role::Main, Role::Sub)
        );
        assert_eq!(
            candidates[0].title,
            "H.264 1920×1080, 25 fps, 4096 kbit/s, key frame every 2 s"
        );
        for transport in [StreamTransport::Tcp, StreamTransport::Udp] {
            let main = client.stream_uri(&profiles[0], transport).await.unwrap();
            assert_eq!(
                (main.uri.as_str(), main.place),
                ("rtsp://127.0.0.1:8554/main", Place::Device)
            );
        }
        let sub = client
            .stream_uri(&profiles[1], StreamTransport::Tcp)
            .await
            .unwrap();
        assert_eq!(
            sub.place,
            Place::Elsewhere {
                host: "10.1.2.3".to_owned()
            }
        );
        assert_eq!(sub.at_device, "rtsp://127.0.0.1/sub");
        let snapshot = client.snapshot_uri(&profiles[0]).await.unwrap();
        assert_eq!(snapshot.uri, SimSettings::default().snapshot_uri);
    }
}

#[tokio::test]
async fn encoders_are_set_by_either_media_service() {
    for media2 in [false, true] {
        let simulator = simulator(SimSettings {
            media2,
            ..SimSettings::default()
        })
        .await;
        let client = client(&simulator);
        let profile = main_profile(&client).await;
        let options = client.encoder_options(&profile).await.unwrap();
        let h264 = options
            .iter()
            .find(|options| options.codec == VideoCodec::H264)
            .unwrap();
        assert_eq!(h264.resolutions, [(1920, 1080), (1280, 720), (640, 360)]);
        assert!(h264.bitrate_kbps.unwrap().contains(8_192.0) && h264.gop.unwrap().contains(250.0));
        let change = EncoderChange {
            resolution: Some((1280, 720)),
            fps: Some(12.0),
            bitrate_kbps: Some(900),
            gop: Some(24),
            quality: Some(3.0),
            codec: media2.then_some(VideoCodec::H265),
        };
        client.set_encoder(&profile, &change).await.unwrap();
        let video = main_profile(&client).await.video.unwrap();
        assert_eq!(
            (
                video.width,
                video.height,
                video.fps,
                video.bitrate_kbps,
                video.gop
            ),
            (1280, 720, Some(12.0), Some(900), Some(24))
        );
        assert_eq!(
            video.codec,
            if media2 {
                VideoCodec::H265
            } else {
                VideoCodec::H264
            }
        );
        let wrong = EncoderChange {
            resolution: Some((7, 7)),
            ..EncoderChange::default()
        };
        let error = client.set_encoder(&profile, &wrong).await.unwrap_err();
        assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
    }
}

async fn ranges(client: &Client) -> PtzRanges {
    let profile = main_profile(client).await;
    client.ptz_ranges(&profile).await.unwrap()
}

fn wish(pan: f64, tilt: f64) -> Wish {
    Wish {
        pan_tilt: Some((pan, tilt)),
        ..Wish::default()
    }
}

#[tokio::test]
async fn movement_by_place_step_and_velocity() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let ranges = ranges(&client).await;
    assert!(ranges.home && ranges.max_presets == Some(8));
    let at = |pan: f64, tilt: f64, zoom: f64| {
        let simulator = &simulator;
        async move {
            until(|| async {
                let (x, y, z) = simulator.position();
                (x - pan).abs() < 1e-6 && (y - tilt).abs() < 1e-6 && (z - zoom).abs() < 1e-6
            })
            .await;
        }
    };
    // The tilt of this device ends at 0.5, which is 1 for people.
    let place = Wish {
        zoom: Some(1.0),
        ..wish(1.0, 1.0)
    };
    client
        .move_to("main", &ranges.to_place(&place).unwrap())
        .await
        .unwrap();
    at(1.0, 0.5, 1.0).await;
    let status = client.ptz_status("main").await.unwrap();
    assert_eq!(
        (status.pan_tilt_state, status.zoom_state),
        (MoveState::Idle, MoveState::Idle)
    );
    let back = ranges.place_of(status.pan_tilt.as_ref(), status.zoom.as_ref());
    assert_eq!((back.pan_tilt, back.zoom), (Some((1.0, 1.0)), Some(1.0)));
    client
        .move_by("main", &ranges.by_step(&wish(-0.5, 0.0)).unwrap())
        .await
        .unwrap();
    at(0.5, 0.5, 1.0).await;
    // Zoom alone: pan and tilt stay.
    let zoom = Wish {
        zoom: Some(0.0),
        ..Wish::default()
    };
    client
        .move_to("main", &ranges.to_place(&zoom).unwrap())
        .await
        .unwrap();
    at(0.5, 0.5, 0.0).await;
    let velocity = ranges.with_velocity(&wish(-0.2, 0.0)).unwrap();
    client
        .move_on("main", &velocity, Duration::from_secs(30))
        .await
        .unwrap();
    until(|| async {
        client.ptz_status("main").await.unwrap().pan_tilt_state == MoveState::Moving
    })
    .await;
    until(|| async { simulator.position().0 < 0.45 }).await;
    client.stop("main").await.unwrap();
    let stopped = simulator.position();
    assert_eq!(
        client.ptz_status("main").await.unwrap().pan_tilt_state,
        MoveState::Idle
    );
    assert_eq!(simulator.position(), stopped);
    let error = client.stop("nobody").await.unwrap_err();
    assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_continuous_movement_ends_by_itself() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let velocity = ranges(&client)
        .await
        .with_velocity(&wish(0.1, 0.0))
        .unwrap();
    client
        .move_on("main", &velocity, Duration::from_secs(1))
        .await
        .unwrap();
    until(|| async { client.ptz_status("main").await.unwrap().pan_tilt_state == MoveState::Idle })
        .await;
    let (pan, ..) = simulator.position();
    assert!((pan - 0.1).abs() < 0.01, "{pan}");
}

#[tokio::test]
async fn presets_and_home_are_kept_by_the_device() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let ranges = ranges(&client).await;
    let go = async |pan: f64| {
        client
            .move_to("main", &ranges.to_place(&wish(pan, -1.0)).unwrap())
            .await
            .unwrap();
        until(|| async { simulator.position().0 == pan }).await;
    };
    go(0.25).await;
    let door = client.add_preset("main", "Door & <gate>").await.unwrap();
    go(-0.25).await;
    client.set_home("main").await.unwrap();
    let presets = client.presets("main").await.unwrap();
    assert_eq!(presets.len(), 1);
    assert_eq!(
        (presets[0].token.as_str(), presets[0].name.as_str()),
        (door.as_str(), "Door & <gate>")
    );
    client.go_to_preset("main", &door).await.unwrap();
    until(|| async { simulator.position().0 == 0.25 }).await;
    client.go_home("main").await.unwrap();
    until(|| async { simulator.position().0 == -0.25 }).await;
    assert_eq!(client.replace_preset("main", &door).await.unwrap(), door);
    assert_eq!(
        client.presets("main").await.unwrap()[0]
            .pan_tilt
            .as_ref()
            .map(|at| at.x),
        Some(-0.25)
    );
    client.remove_preset("main", &door).await.unwrap();
    assert!(client.presets("main").await.unwrap().is_empty());
    let error = client.go_to_preset("main", &door).await.unwrap_err();
    assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_device_without_motors_says_so() {
    let simulator = simulator(SimSettings {
        ptz: false,
        ..SimSettings::default()
    })
    .await;
    let client = client(&simulator);
    let profile = main_profile(&client).await;
    for error in [
        client.ptz_ranges(&profile).await.unwrap_err(),
        client.stop("main").await.unwrap_err(),
    ] {
        assert!(matches!(error, DeviceError::NotSupported { .. }), "{error}");
    }
}

#[tokio::test]
async fn imaging_is_told_with_its_bounds_and_set() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let imaging = client.imaging("VS_1").await.unwrap();
    let brightness = imaging.row(ImagingSetting::Brightness).unwrap();
    assert_eq!(brightness.value, Some(ImagingValue::Number(50.0)));
    assert!(
        matches!(brightness.allowed, Allowed::Between(bounds) if bounds.contains(100.0) && !bounds.contains(101.0))
    );
    let change = |setting, value| ImagingChange { setting, value };
    let changes = [
        change(ImagingSetting::Brightness, ImagingValue::Number(12.5)),
        change(
            ImagingSetting::WideDynamicRange,
            ImagingValue::Word("ON".to_owned()),
        ),
    ];
    for change in &changes {
        imaging.check(change).unwrap();
    }
    client.set_imaging("VS_1", &changes).await.unwrap();
    let imaging = client.imaging("VS_1").await.unwrap();
    assert_eq!(
        imaging.row(ImagingSetting::Brightness).unwrap().value,
        Some(ImagingValue::Number(12.5))
    );
    assert_eq!(
        imaging.row(ImagingSetting::Contrast).unwrap().value,
        Some(ImagingValue::Number(50.0))
    );
    assert_eq!(
        imaging
            .row(ImagingSetting::WideDynamicRangeLevel)
            .unwrap()
            .value,
        Some(ImagingValue::Number(10.0))
    );
    // Without options the values are there all the same.
    simulator.fail("GetOptions", Fault::NotSupported, 1);
    let bare = client.imaging("VS_1").await.unwrap();
    assert_eq!(
        bare.row(ImagingSetting::Brightness).unwrap().allowed,
        Allowed::Unknown
    );
    let wrong = [change(
        ImagingSetting::Brightness,
        ImagingValue::Number(1e9),
    )];
    assert!(client.set_imaging("VS_1", &wrong).await.is_err());
}

#[tokio::test]
async fn services_on_another_host_are_asked_on_the_devices_own() {
    let simulator = simulator(SimSettings {
        believed_host: Some("10.9.8.7:8000".to_owned()),
        ..SimSettings::default()
    })
    .await;
    let client = client(&simulator);
    assert!(client.services().await.unwrap().told_elsewhere);
    assert_eq!(client.profiles().await.unwrap().len(), 2);
    let mut watch = Watch::new(Plan::default());
    assert_eq!(
        timeout(PATIENCE, watch.next(&client)).await.unwrap(),
        Ok(Happening::Up)
    );
}

#[tokio::test]
async fn an_older_device_tells_its_capabilities() {
    let simulator = simulator(SimSettings {
        media2: false,
        ..SimSettings::default()
    })
    .await;
    simulator.fail("GetServices", Fault::NotSupported, 1);
    simulator.fail("GetEndpointReference", Fault::NotSupported, 1);
    let client = client(&simulator);
    let services = client.services().await.unwrap();
    assert!(
        services.media && services.ptz && services.events && services.imaging && !services.media2
    );
    assert!(matches!(
        client.endpoint_reference().await,
        Err(DeviceError::NotSupported { .. })
    ));
}

async fn next(watch: &mut Watch, client: &Client) -> Happening {
    let happening = timeout(PATIENCE, watch.next(client))
        .await
        .expect("something happens in time")
        .unwrap();
    watch.acknowledge();
    happening
}

async fn next_event(watch: &mut Watch, client: &Client) -> (EventKind, Option<bool>, Cause) {
    loop {
        if let Happening::Events(events) = next(watch, client).await {
            assert_eq!(events.len(), 1, "{events:?}");
            return (events[0].kind, events[0].active, events[0].cause);
        }
    }
}

#[tokio::test]
async fn events_come_and_states_are_read_again_after_a_loss() {
    for by_parameter in [false, true] {
        let simulator = simulator(SimSettings {
            by_parameter,
            drift_seconds: 1_200,
            ..SimSettings::default()
        })
        .await;
        let client = client(&simulator);
        simulator.set_motion(false);
        let mut watch = Watch::new(Plan::default());
        assert_eq!(next(&mut watch, &client).await, Happening::Up);
        assert_eq!(
            next_event(&mut watch, &client).await,
            (EventKind::Motion, Some(false), Cause::State)
        );
        simulator.set_motion(true);
        assert_eq!(
            next_event(&mut watch, &client).await,
            (EventKind::Motion, Some(true), Cause::State)
        );
        // The device restarts, and the motion ends while nobody listens.
        simulator.forget_subscriptions();
        simulator.set_motion(false);
        let down = next(&mut watch, &client).await;
        assert!(
            matches!(&down, Happening::Down { why } if why.contains("subscription was lost")),
            "{down:?}"
        );
        assert_eq!(next(&mut watch, &client).await, Happening::Up);
        assert_eq!(
            next_event(&mut watch, &client).await,
            (EventKind::Motion, Some(false), Cause::State)
        );
        simulator.happen(
            "tns1:RuleEngine/LineDetector/Crossed",
            &[("Rule", "Gate")],
            &[("ObjectId", "1")],
        );
        assert_eq!(
            next_event(&mut watch, &client).await,
            (EventKind::LineCrossing, None, Cause::Moment)
        );
        assert!((watch.drift_millis() / 1_000 - 1_200).abs() <= 2);
        assert_eq!(simulator.subscriptions(), 1);
        watch.close(&client).await.unwrap();
        assert_eq!(simulator.subscriptions(), 0);
    }
}

#[tokio::test]
async fn a_short_subscription_is_renewed_while_nothing_is_acknowledged() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    simulator.set_motion(true);
    let mut watch = Watch::new(Plan {
        lifetime: Duration::from_secs(4),
        ..Plan::default()
    });
    while !matches!(
        timeout(PATIENCE, watch.next(&client)).await.unwrap(),
        Ok(Happening::Events(_))
    ) {}
    let pulls = simulator.asked("PullMessages");
    simulator.set_motion(false);
    // Nothing is told before the acknowledgement, and the subscription is renewed twice meanwhile.
    tokio::select! {
        early = watch.next(&client) => panic!("{early:?}"),
        () = until(|| async { simulator.asked("Renew") >= 2 }) => {}
    }
    assert_eq!(simulator.asked("PullMessages"), pulls);
    watch.acknowledge();
    assert_eq!(
        next_event(&mut watch, &client).await,
        (EventKind::Motion, Some(false), Cause::State)
    );
    assert_eq!(simulator.asked("CreatePullPointSubscription"), 1);
}

#[tokio::test]
async fn a_password_that_is_changed_ends_the_watch_with_the_reason() {
    let simulator = simulator(SimSettings::default()).await;
    let client = client(&simulator);
    let mut watch = Watch::new(Plan::default());
    assert_eq!(next(&mut watch, &client).await, Happening::Up);
    simulator.set_password("another");
    simulator.set_motion(true);
    let error = loop {
        match timeout(PATIENCE, watch.next(&client)).await.unwrap() {
            Ok(_) => watch.acknowledge(),
            Err(error) => break error,
        }
    };
    assert!(error.is_denial(), "{error}");
    // The same watch goes on with another client, and tells only what is new.
    let client = Client::new(settings_for(&simulator, "another")).unwrap();
    assert_eq!(
        next_event(&mut watch, &client).await,
        (EventKind::Motion, Some(true), Cause::State)
    );
}
