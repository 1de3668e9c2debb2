//! `Shim`: libraries that stand before libc in the gateway's process: one that makes the disk fail, one that sets the clock.
//!
//! The faults are there only while [`Shim::on`] says so, so that a gateway can start well and end well.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::{gateway::folder, peers, place::Place};

/// A fault of the disk that can be switched on and off.
#[derive(Debug)]
pub struct Shim {
    folder: TempDir,
    variables: Vec<(&'static str, OsString)>,
}

/// The machine's wall clock, as the gateway sees it. It is not synchronised, and goes wrong by nothing, until it is set.
#[derive(Debug)]
pub struct WallClock(TempDir);

/// As many calls as anybody makes.
const FOR_EVER: u64 = 1 << 40;

// === impl Shim ===

impl Shim {
    /// Of what lies below `root`: it must exist, or be made by the gateway.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        let folder = folder();
        let file = |name: &str| folder.path().join(name).into_os_string();
        let variables = vec![
            ("FIELDGATE_SHIM_ROOT", root.as_os_str().to_owned()),
            ("FIELDGATE_SHIM_WHILE", file("on")),
            ("FIELDGATE_SHIM_HIT", file("hit")),
        ];
        Self { folder, variables }
    }

    fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// These calls fail with this error of errno(3), as `store/tests/shim/shim.c` names them; an empty text is all of them.
    #[must_use]
    pub fn failing(self, calls: &str, error: i32) -> Self {
        self.failing_times(calls, error, FOR_EVER)
    }

    /// As [`Self::failing`], so many calls.
    #[must_use]
    pub fn failing_times(self, calls: &str, error: i32, times: u64) -> Self {
        let shim = self.with("FIELDGATE_SHIM_FAIL", format!("1 {error} {times}"));
        match calls {
            "" => shim,
            calls => shim.with("FIELDGATE_SHIM_ONLY", calls),
        }
    }

    /// Each sync takes so much longer.
    #[must_use]
    pub fn slow_ms(self, more: u32) -> Self {
        self.with("FIELDGATE_SHIM_SLOW_MS", more.to_string())
    }

    /// Files with this in their path cannot be read.
    #[must_use]
    pub fn unreadable(self, part: &str) -> Self {
        self.with("FIELDGATE_SHIM_BAD_READ", part)
    }

    /// Writes down every change of a file; `store/tests/support/oplog.rs` reads it.
    #[must_use]
    pub fn logging(self) -> Self {
        let log = self.log();
        self.with("FIELDGATE_SHIM_LOG", log)
    }

    /// What [`Self::logging`] writes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Where a gateway has this fault.
    #[must_use]
    pub fn place(&self) -> Place {
        let variables = self.variables.iter();
        variables.fold(preloaded(disk()), |place, (name, value)| {
            place.with(name, value)
        })
    }

    /// The disk is faulty from now on.
    ///
    /// # Panics
    /// When no file can be made.
    pub fn on(&self) {
        fs::write(self.folder.path().join("on"), "").expect("a file in our folder");
    }

    /// The disk is well from now on.
    ///
    /// # Panics
    /// When it was well.
    pub fn off(&self) {
        fs::remove_file(self.folder.path().join("on")).expect("the fault was on");
    }

    /// The calls that failed, each with its path.
    #[must_use]
    pub fn hits(&self) -> Vec<String> {
        // Nothing failed as long as there is no file.
        let hits = fs::read_to_string(self.folder.path().join("hit")).unwrap_or_default();
        hits.lines().map(str::to_owned).collect()
    }
}

// === impl WallClock ===

impl WallClock {
    /// A clock that stands so many seconds before the right time.
    ///
    /// # Panics
    /// When no file can be made.
    #[must_use]
    pub fn behind(seconds: i64) -> Self {
        let clock = Self(folder());
        clock.set(-seconds, Synchronised::No);
        clock
    }

    /// Where a gateway has this clock.
    #[must_use]
    pub fn place(&self) -> Place {
        preloaded(clock()).with("FIELDGATE_CLOCK", self.file())
    }

    /// The clock is right from now on, and the kernel says so.
    pub fn synchronise(&self) {
        self.set(0, Synchronised::Yes);
    }

    /// In one step, so that nobody reads half of it.
    fn set(&self, seconds: i64, synchronised: Synchronised) {
        let synchronised = u8::from(synchronised == Synchronised::Yes);
        let fresh = self.0.path().join("fresh");
        fs::write(&fresh, format!("{seconds} {synchronised}\n")).expect("a file in our folder");
        fs::rename(&fresh, self.file()).expect("a file in our folder");
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("clock")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synchronised {
    Yes,
    No,
}

fn preloaded(library: &Path) -> Place {
    Place::default().with("LD_PRELOAD", library)
}

fn disk() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| compile("store/tests/shim/shim.c"))
}

fn clock() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| compile("tests/peers/clock.c"))
}

/// Compiles a library beside the test that runs, in a file of this process.
fn compile(source: &str) -> PathBuf {
    let source = peers::root().join(source);
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let beside = std::env::current_exe().expect("a test has a program");
    let library = beside.with_file_name(format!("{name}-{}.so", std::process::id()));
    let status = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"])
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    let status =
        status.expect("cannot start cc: install gcc (Debian: apt-get install gcc libc6-dev)");
    assert!(status.success(), "{} does not compile", source.display());
    library
}
