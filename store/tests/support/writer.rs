//! A process under load, made to be killed or cut off: it appends from several tasks, reads with several consumers, and
//! marks down in a file what it was promised the moment that it was.
//!
//! ```text
//! named CONSUMER THROUGH           the consumer was registered and stands there
//! leaving CONSUMER                 it is about to be dropped
//! durable TASK FROM FIRST LAST     a ticket resolved: FIRST..=LAST are what the task counts from FROM on
//! acking CONSUMER THROUGH          this acknowledgement is about to be given
//! failed WHAT                      an append or a request was refused in words
//! ```

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use fieldgate_store::{
    EngineKind, Entry, Exit, Lane, LaneOptions, OnFull, PeekLimits, Record, RouteBit, RouteMask,
    Seq, Tally, Urgency,
};

use super::{entry, open_lane, options};

pub const CONSUMERS: [&str; 3] = ["a", "b", "c"];
const ENVIRONMENT: &str = "FIELDGATE_WRITER";
const HEAD_BYTES: usize = 16;
/// How long a task waits for what nobody waits for: while the disk refuses, that stands in memory for as long as it takes.
const RELAXED: Duration = Duration::from_secs(1);

/// What a writer does, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Appends; the consumers stand still.
    Appends,
    /// Generations are sealed all the time, and removed as soon as everybody has passed.
    Rolling,
    /// Small appends, many acknowledgements, consumers and routes that come and go.
    Cursors,
    /// The lane is full: the oldest generation goes.
    Evicting,
    /// All at once, for ever.
    Everything,
}

/// One run of the writer.
#[derive(Clone, Debug)]
pub struct Job {
    pub lane: PathBuf,
    pub marks: PathBuf,
    pub workload: Workload,
    /// Appends of each task; then the lane is closed.
    pub rounds: u64,
    /// Tells the tasks of several runs apart, and makes their choices.
    pub run: u64,
}

// === impl Workload, Job ===

impl Workload {
    pub const ALL: [Workload; 5] = [
        Workload::Appends,
        Workload::Rolling,
        Workload::Cursors,
        Workload::Evicting,
        Workload::Everything,
    ];

    pub fn options(self) -> LaneOptions {
        let rolling = LaneOptions {
            generation_bytes: 768 << 10,
            tail_bytes: 64 << 10,
            ..options(EngineKind::Sled)
        };
        let rolling = LaneOptions {
            window_waiting: Duration::ZERO,
            on_full: OnFull::RefuseNewest,
            ..rolling
        };
        match self {
            Workload::Rolling => rolling,
            // Once the lane is full, the laggard's oldest go within the life of one writer, and appends go on.
            Workload::Everything => LaneOptions {
                patience: Duration::from_millis(5),
                ..rolling
            },
            Workload::Appends | Workload::Cursors => LaneOptions {
                generation_bytes: 32 << 20,
                ..rolling
            },
            Workload::Evicting => LaneOptions {
                max_bytes: 6 << 20,
                on_full: OnFull::DropOldest,
                ..rolling
            },
        }
    }

    /// Tasks that append, the most records of one append, the longest body.
    fn sizes(self) -> (u64, u64, usize) {
        match self {
            Workload::Appends => (2, 40, 300),
            Workload::Rolling => (2, 60, 1500),
            Workload::Cursors => (1, 10, 100),
            Workload::Evicting => (1, 80, 2500),
            Workload::Everything => (4, 40, 900),
        }
    }

    /// Whether this consumer reads in this round.
    fn reads(self, consumer: usize, round: u64) -> bool {
        match self {
            Workload::Appends => false,
            Workload::Evicting => consumer == 0,
            Workload::Cursors => true,
            Workload::Rolling | Workload::Everything => {
                round.is_multiple_of(consumer as u64 * 2 + 1)
            }
        }
    }
}

impl Job {
    /// The child's part of [`Job::give`].
    fn taken() -> Option<Job> {
        let text = std::env::var(ENVIRONMENT).ok()?;
        let part: Vec<&str> = text.split('|').collect();
        let workload = Workload::ALL
            .into_iter()
            .find(|workload| format!("{workload:?}") == part[2])
            .unwrap();
        Some(Job {
            lane: part[0].into(),
            marks: part[1].into(),
            workload,
            rounds: part[3].parse().unwrap(),
            run: part[4].parse().unwrap(),
        })
    }

    /// Hands the job to a child that runs [`the_writer`].
    pub fn give(&self, child: &mut Command) {
        let Job {
            lane,
            marks,
            workload,
            rounds,
            run,
        } = self;
        let text = format!(
            "{}|{}|{workload:?}|{rounds}|{run}",
            lane.display(),
            marks.display()
        );
        child
            .env(ENVIRONMENT, text)
            .env("FIELDGATE_SHIM_MARKS", &self.marks);
    }
}

// === the child ===

/// What each test program has as a test of its own, so that it can be started as a child; without a job it does nothing.
pub async fn the_writer() {
    let Some(job) = Job::taken() else {
        return;
    };
    let mut marks = Marks::open(&job.marks);
    let lane = match open_lane(&job.lane, job.workload.options()) {
        Ok((lane, _)) => lane,
        Err(error) => return marks.say(&format!("failed {error}")),
    };
    let mut readers = Vec::new();
    for name in CONSUMERS {
        match Reader::register(&lane, name, &mut marks) {
            Ok(reader) => readers.push(reader),
            Err(error) => marks.say(&format!("failed {error}")),
        }
    }
    let (tasks, ..) = job.workload.sizes();
    let running: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(appends(lane.clone(), job.clone(), task)))
        .collect();
    let reading = reads(&lane, &job, &mut readers, running);
    reading.await;
    if let Err(error) = lane.close().await {
        marks.say(&format!("failed {error}"));
    }
}

async fn appends(lane: Lane, job: Job, task: u64) {
    let mut marks = Marks::open(&job.marks);
    let mut random = fastrand::Rng::with_seed(job.run << 8 | task);
    let (_, most, longest) = job.workload.sizes();
    let (id, mut counter) = (job.run << 8 | task, 0);
    let Some(bits) = bits(&lane) else { return };
    for _ in 0..job.rounds {
        let count = random.u64(1..=most);
        let entries: Vec<Entry> = (counter..counter + count)
            .map(|at| made(id, at, length(&mut random, longest), &bits))
            .collect();
        let urgency = if random.u8(..) < 200 {
            Urgency::Waiting
        } else {
            Urgency::Relaxed
        };
        let Ok(ticket) = lane.append(entries, urgency).await else {
            return;
        };
        let answer = match urgency {
            Urgency::Waiting | Urgency::Patient => Ok(ticket.await),
            Urgency::Relaxed => tokio::time::timeout(RELAXED, ticket).await,
        };
        let Ok(answer) = answer else {
            marks.say("failed to become durable in time: it stands in memory");
            counter += count;
            continue;
        };
        match answer {
            Ok(given) => marks.say(&format!(
                "durable {id} {counter} {} {}",
                given.first, given.last
            )),
            Err(error) => marks.say(&format!("failed {error}")),
        }
        counter += count;
    }
}

/// Now and then a body that has a file of its own.
fn length(random: &mut fastrand::Rng, longest: usize) -> usize {
    if random.u16(..500) == 0 {
        random.usize(65_000..80_000)
    } else {
        random.usize(HEAD_BYTES..=longest)
    }
}

pub fn bits(lane: &Lane) -> Option<[RouteBit; 3]> {
    let own = |name: &str| lane.routes_of(name).first().map(|(_, bit, _)| *bit);
    Some([own("a")?, own("b")?, own("c")?])
}

/// The record that a task appends as its `counter`-th: it tells itself where it belongs.
pub fn made(task: u64, counter: u64, len: usize, bits: &[RouteBit; 3]) -> Entry {
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&task.to_le_bytes());
    bytes.extend_from_slice(&counter.to_le_bytes());
    fill(&mut bytes, task ^ counter << 20, len);
    entry(routes(counter, bits), Bytes::from(bytes))
}

/// Everything belongs to `a` and `c`, a third of it to `b`.
pub fn routes(counter: u64, bits: &[RouteBit; 3]) -> RouteMask {
    let own = |at: usize| at != 1 || counter.is_multiple_of(3);
    (0..3).filter(|at| own(*at)).map(|at| bits[at]).collect()
}

/// Task and counter of a record, if its bytes are what was appended.
pub fn told(record: &Record) -> Option<(u64, u64)> {
    let bytes = record.body.bytes().ok()?;
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (task, counter) = (number(0)?, number(8)?);
    let mut wanted = bytes[..HEAD_BYTES].to_vec();
    fill(&mut wanted, task ^ counter << 20, bytes.len());
    (*bytes == wanted).then_some((task, counter))
}

/// Lengthens `bytes` to `len` with bytes that do not compress, eight at a time: much of a harness's time is spent here.
fn fill(bytes: &mut Vec<u8>, seed: u64, len: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.u64(..).to_le_bytes());
    }
    bytes.truncate(len);
}

// === consumers ===

struct Reader {
    name: &'static str,
    bit: RouteBit,
    through: Seq,
}

impl Reader {
    fn register(lane: &Lane, name: &'static str, marks: &mut Marks) -> Result<Reader, String> {
        let through = lane
            .consumer(name)
            .map_err(|error| error.to_string())?
            .through;
        marks.say(&format!("named {name} {through}"));
        let bit = lane
            .route_bit(&route_key(name), name)
            .map_err(|error| error.to_string())?;
        Ok(Reader { name, bit, through })
    }

    async fn read(&mut self, lane: &Lane, marks: &mut Marks, random: &mut fastrand::Rng) {
        let limits = PeekLimits {
            records: random.usize(1..400),
            bytes: 1 << 20,
        };
        let page = match lane.peek(self.through, self.bit.into(), limits).await {
            Ok(page) => page,
            Err(error) => return marks.say(&format!("failed {error}")),
        };
        if page.scanned_through == self.through {
            return;
        }
        let mut tally = Tally::new();
        for record in &page.records {
            assert!(
                told(record).is_some(),
                "record {} is not what was appended",
                record.seq
            );
            let exit = [
                Exit::Acked,
                Exit::Acked,
                Exit::Acked,
                Exit::Expired,
                Exit::DeadLettered,
            ][random.usize(..5)];
            tally.add_record(self.bit.into(), exit);
        }
        self.through = page.scanned_through;
        marks.say(&format!("acking {} {}", self.name, self.through));
        lane.ack(self.name, self.through, tally);
    }
}

pub fn route_key(consumer: &str) -> String {
    format!("r→{consumer}")
}

/// Reads until the tasks have ended.
async fn reads(
    lane: &Lane,
    job: &Job,
    readers: &mut [Reader],
    running: Vec<tokio::task::JoinHandle<()>>,
) {
    let mut marks = Marks::open(&job.marks);
    let mut random = fastrand::Rng::with_seed(job.run);
    let mut durable = lane.durable();
    for round in 0.. {
        if running.iter().all(|task| task.is_finished()) {
            break;
        }
        for (at, reader) in readers.iter_mut().enumerate() {
            if job.workload.reads(at, round) {
                reader.read(lane, &mut marks, &mut random).await;
            }
        }
        if matches!(job.workload, Workload::Cursors | Workload::Everything) && round % 8 == 7 {
            come_and_go(lane, round, &mut marks);
        }
        // Until something new is durable; a while at most, since the tasks may have ended.
        drop(tokio::time::timeout(Duration::from_millis(20), durable.changed()).await);
    }
    for task in running {
        task.await.unwrap();
    }
}

/// A guest registers, and the one before it leaves.
fn come_and_go(lane: &Lane, round: u64, marks: &mut Marks) {
    let name = format!("guest-{round}");
    match lane.consumer(&name) {
        Ok(cursor) => marks.say(&format!("named {name} {}", cursor.through)),
        Err(error) => return marks.say(&format!("failed {error}")),
    }
    if let Err(error) = lane.route_bit(&route_key(&name), &name) {
        marks.say(&format!("failed {error}"));
    }
    for guest in lane
        .consumers()
        .iter()
        .filter(|other| other.starts_with("guest-") && **other != name)
    {
        marks.say(&format!("leaving {guest}"));
        lane.drop_consumer(guest);
    }
}

struct Marks(File);

impl Marks {
    fn open(path: &Path) -> Marks {
        Marks(
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap(),
        )
    }

    /// One line in one write, so that a kill leaves it whole or away.
    fn say(&mut self, line: &str) {
        self.0
            .write_all(format!("{}\n", line.replace('\n', " ")).as_bytes())
            .unwrap();
    }
}
