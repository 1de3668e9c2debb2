//! A server that lies (fault F47): what it sends costs a reading or a session with its cause in words, never memory, a
//! neighbour or the process; and the source comes back afterwards.

#![expect(
    clippy::unwrap_used,
    reason = "the exception for tests does not cover their helpers"
)]

#[allow(dead_code, reason = "other tests tell other lies")]
mod tamper;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fieldgate_kit::{
    Commands, Delivery, Devices, DropCounters, Exploring, Health, Readings, Secrets, SourceCtx,
    SourceError, SourceKind,
};
use fieldgate_model::{Quality, Reading};
use fieldgate_opcua::{
    OpcUa,
    sim::{self, Sim},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use self::tamper::{Answer, Evil, Kind, Tamper};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a hostile server may make us allocate.
const MAX_GROWTH_BYTES: u64 = 64 << 20;

type Lie = Box<dyn Fn(&Answer) -> Evil + Send>;

struct Rig {
    readings: mpsc::Receiver<Delivery>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SourceError>>,
}

impl Rig {
    fn run(folder: &TempDir, server: &Tamper) -> Self {
        let (sender, readings) = Readings::channel(4, DropCounters::default());
        let shutdown = CancellationToken::new();
        let ctx = SourceCtx {
            id: "press".into(),
            readings: sender,
            devices: Devices::channel().0,
            health: Health::channel().0,
            commands: Commands::default(),
            alarms: Default::default(),
            exploring: Exploring::default(),
            scanning: fieldgate_kit::Scanning::default(),
            showing: fieldgate_kit::Showing::default(),
            reviews: fieldgate_kit::Reviews::default(),
            shutdown: shutdown.clone(),
            secrets: Secrets::new(folder.path().into(), folder.path().into()),
            state_dir: folder.path().join("state"),
            memory: fieldgate_kit::Memory::default(),
            accepted: fieldgate_kit::Accepted::default(),
            latest: fieldgate_kit::Latest::default(),
        };
        let settings = json!({
            "endpoint": format!("opc.tcp://127.0.0.1:{}", server.port),
            "security": { "policy": "None" },
            "select": ["Objects/Demo/**"],
            "publishing_ms": 100,
        });
        let running =
            tokio::spawn(async move { SourceKind::of::<OpcUa>().run(settings, ctx).await });
        Self {
            readings,
            shutdown,
            running,
        }
    }

    /// A reading that fits; panics when the source ends before.
    async fn find(&mut self, fits: impl Fn(&Reading) -> bool) -> Reading {
        let search = async {
            while let Some(Delivery { readings, durable }) = self.readings.recv().await {
                if let Some(durable) = durable {
                    durable.send(Ok(())).unwrap();
                }
                if let Some(reading) = readings.into_iter().find(|reading| fits(reading)) {
                    return reading;
                }
            }
            panic!("the source ended: {:?}", (&mut self.running).await);
        };
        timeout(PATIENCE, search).await.expect("in time")
    }

    /// Why it ended; readings are taken meanwhile.
    async fn cause(mut self) -> String {
        let end = async {
            loop {
                tokio::select! {
                    ended = &mut self.running => return ended.unwrap(),
                    Some(Delivery { durable, .. }) = self.readings.recv() => {
                        if let Some(durable) = durable {
                            durable.send(Ok(())).unwrap();
                        }
                    }
                }
            }
        };
        match timeout(PATIENCE, end).await.expect("an end in time") {
            Err(SourceError::Lost(why)) => why,
            other => panic!("expected a loss, got {other:?}"),
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let ended = timeout(PATIENCE, self.running).await;
        assert_eq!(ended.expect("an end in time").unwrap(), Ok(()));
    }
}

async fn server(folder: &TempDir) -> Sim {
    sim::start(sim::Options::new(folder.path().join("server")))
        .await
        .unwrap()
}

fn good(reading: &Reading) -> bool {
    reading.quality == Quality::Good
}

fn too_much(reading: &Reading) -> bool {
    let why = reading.quality.why();
    why.is_some_and(|why| why.starts_with("BadEncodingLimitsExceeded: the value is too large"))
}

/// The most memory that this process had, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap();
    kilobytes << 10
}

/// DataValues that nobody should have to read.
fn monsters() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |level: &[u8], levels: usize, end: &[u8]| {
        [&[0x01][..], &level.repeat(levels), end].concat()
    };
    let text = |length: i32, bytes: usize| {
        let mut value = vec![0x01, 0x0C];
        value.extend(length.to_le_bytes());
        value.resize(value.len() + bytes, b'x');
        value
    };
    vec![
        ("variants in variants", deep(&[0x18], 10_000, &[0x01, 0x01])),
        (
            "values in values",
            deep(&[0x17, 0x01], 10_000, &[0x01, 0x01]),
        ),
        (
            "diagnostics in diagnostics",
            [&[0x01, 0x19][..], &[0x40; 100_000], &[0x00]].concat(),
        ),
        ("an array of 2^31", vec![0x01, 0x86, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("a text of 2 MiB", text(2 << 20, 2 << 20)),
        ("a text of 2 GiB that is not there", text(i32::MAX, 0)),
        (
            "a structure of 2 GiB that is not there",
            vec![0x01, 0x16, 0x00, 0x01, 0x01, 0xFF, 0xFF, 0xFF, 0x7F],
        ),
        (
            "an array whose dimensions lie",
            vec![
                0x01, 0xC1, 2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                0xFF,
            ],
        ),
    ]
}

#[tokio::test]
async fn f47_a_value_that_is_too_much_is_a_bad_reading_of_its_point_and_the_session_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let before = peak_bytes();
    for (name, value) in monsters() {
        let mut due = true;
        let tamper = Tamper::start(&server.endpoint, move |answer: &Answer| {
            if answer.kind != Kind::Publish || !due {
                return None;
            }
            let evil = answer.with_values(&[(1, &value)], 0)?;
            due = false;
            Some(Evil::Body(evil))
        })
        .await;
        let mut rig = Rig::run(&folder, &tamper);
        let bad = rig.find(too_much).await;
        let same = |reading: &Reading| reading.point == bad.point;
        rig.find(|reading| good(reading) && !same(reading)).await;
        assert_eq!(tamper.connections(), 2, "{name}: endpoints and one session");
        rig.stop().await;
    }
    let growth = peak_bytes() - before;
    assert!(growth < MAX_GROWTH_BYTES, "{growth} bytes");
    server.stop().await;
}

#[tokio::test]
async fn f47_a_text_of_100_megabytes_is_a_bad_reading_and_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let length = 100_000_000;
    let mut messages = 0;
    let tamper = Tamper::start(&server.endpoint, move |answer: &Answer| {
        if answer.kind != Kind::Publish {
            return None;
        }
        let mut value = vec![0x01, 0x0C];
        value.extend(i32::try_from(length).unwrap().to_le_bytes());
        let evil = answer.with_values(&[(1, &[0x01, 0x01, 0x01]), (2, &value)], length)?;
        messages += 1;
        (messages == 2).then_some(Evil::Long(evil, length))
    })
    .await;
    let mut rig = Rig::run(&folder, &tamper);
    rig.find(good).await;
    let before = peak_bytes();
    rig.find(too_much).await;
    rig.find(good).await;
    let growth = peak_bytes() - before;
    assert!(growth < MAX_GROWTH_BYTES, "{growth} bytes");
    assert_eq!(tamper.connections(), 2, "endpoints and one session");
    rig.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn f47_an_answer_that_cannot_be_read_ends_the_session_with_its_cause_and_the_next_one_works()
{
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let deep = |answer: &Answer| answer.with_deep_diagnostics(2_000_000);
    let lies: [(&str, Kind, Lie, &str); 6] = [
        (
            "a message with diagnostics without end",
            Kind::Publish,
            Box::new(move |answer| Evil::Body(deep(answer))),
            "BadDecodingError: a message could not be read",
        ),
        (
            "values with diagnostics without end",
            Kind::Read,
            Box::new(move |answer| Evil::Body(deep(answer))),
            "BadDecodingError: a message could not be read",
        ),
        (
            "a chunk of 4 GiB",
            Kind::Publish,
            Box::new(|_| Evil::Frame(b"MSGF\xff\xff\xff\xff\0\0\0\0".to_vec())),
            "BadTcpMessageTooLarge: a message is larger than agreed",
        ),
        (
            "noise",
            Kind::Publish,
            Box::new(|_| Evil::Frame(vec![0x55; 4_096])),
            "",
        ),
        (
            "fewer results than asked for",
            Kind::Read,
            Box::new(|answer| Evil::Body(answer.with_no_results())),
            "BadUnknownResponse",
        ),
        (
            "an answer of another kind",
            Kind::Browse,
            Box::new(|answer| Evil::Body(answer.as_another())),
            "BadUnknownResponse",
        ),
    ];
    for (name, kind, lie, cause) in lies {
        // Every such answer: the first one may be of something that can be done without.
        let lying = Arc::new(AtomicBool::new(true));
        let due = Arc::clone(&lying);
        let tamper = Tamper::start(&server.endpoint, move |answer: &Answer| {
            let now = answer.kind == kind && due.load(Ordering::SeqCst);
            now.then(|| lie(answer))
        })
        .await;
        let why = Rig::run(&folder, &tamper).cause().await;
        lying.store(false, Ordering::SeqCst);
        assert!(why.contains(cause), "{name}: {why}");
        let mut again = Rig::run(&folder, &tamper);
        again.find(good).await;
        again.stop().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn f47_a_list_of_children_without_end_and_a_circle_of_nodes_end_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let before = peak_bytes();
    for (endless, cause) in [
        (
            true,
            "the children of Objects could not be read to their end",
        ),
        (
            false,
            "is selected; compare `select` with its address space",
        ),
    ] {
        let lies = Arc::new(AtomicBool::new(true));
        let lying = lies.clone();
        let tamper = Tamper::start(&server.endpoint, move |answer: &Answer| {
            let browse = matches!(answer.kind, Kind::Browse | Kind::BrowseNext);
            let now = browse && lying.load(Ordering::SeqCst);
            now.then(|| Evil::Body(answer.with_itself_as_child(endless)))
        })
        .await;
        let why = Rig::run(&folder, &tamper).cause().await;
        assert!(why.contains(cause), "{why}");
        lies.store(false, Ordering::SeqCst);
        let mut again = Rig::run(&folder, &tamper);
        again.find(good).await;
        again.stop().await;
    }
    let growth = peak_bytes() - before;
    assert!(growth < MAX_GROWTH_BYTES, "{growth} bytes");
    server.stop().await;
}
