//! `Disk`: a file system of a few megabytes for a gateway's state, that can be filled and freed.
//!
//! It is a tmpfs in a mount namespace of its own, which ends with the process that holds it. Where namespaces are not allowed,
//! a shim before libc says that the disk is full, as long as it is.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{place::Place, process::Process, shim::Shim};

/// A disk that a gateway is placed on.
#[derive(Debug)]
pub enum Disk {
    Mounted(Mounted),
    /// What stands in for it.
    Shim(Shim),
}

/// A tmpfs that only its holder, and who enters its namespace, sees at that place.
#[derive(Debug)]
pub struct Mounted {
    holder: Process,
    at: PathBuf,
    way: Way,
}

/// How a namespace is made and entered.
#[derive(Debug, Clone, Copy)]
struct Way {
    unshare: &'static [&'static str],
    enter: &'static [&'static str],
}

/// As root, or as anybody where user namespaces are allowed.
const WAYS: [Way; 2] = [
    Way {
        unshare: &["--mount"],
        enter: &["--mount"],
    },
    Way {
        unshare: &["--map-root-user", "--mount"],
        enter: &["--user", "--preserve-credentials", "--mount"],
    },
];

const ENOSPC: i32 = 28;
/// What a full disk does not let happen.
const GROWING: &str = "write pwrite fallocate mkdir ftruncate";
const FILLER: &str = "filler";

// === impl Disk ===

impl Disk {
    /// A disk at the folder `at`, which must exist, with these options of tmpfs(5), for instance `size=96m`.
    #[track_caller]
    #[must_use]
    pub fn at(at: &Path, options: &str) -> Self {
        match WAYS.into_iter().find(is_allowed) {
            Some(way) => Self::Mounted(Mounted::new(at, options, way)),
            None => Self::Shim(Shim::below(at).failing(GROWING, ENOSPC)),
        }
    }

    /// Where a gateway has this disk.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Mounted(mounted) => mounted.place(),
            Self::Shim(shim) => shim.place(),
        }
    }

    /// Takes all space there is. What the gateway frees afterwards is its own; so this may be called again.
    pub fn fill(&self) {
        match self {
            Self::Mounted(mounted) => mounted.fill(),
            Self::Shim(shim) => shim.on(),
        }
    }

    /// Takes every inode there is.
    pub fn fill_inodes(&self) {
        match self {
            Self::Mounted(mounted) => mounted.fill_inodes(),
            Self::Shim(shim) => shim.on(),
        }
    }

    /// Gives back what was taken.
    pub fn free(&self) {
        match self {
            Self::Mounted(mounted) => mounted.free(),
            Self::Shim(shim) => shim.off(),
        }
    }
}

// === impl Mounted ===

impl Mounted {
    #[track_caller]
    fn new(at: &Path, options: &str, way: Way) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(way.unshare)
            .args(["sh", "-c"])
            .arg("mount -t tmpfs -o \"$1\" none \"$0\" && echo mounted && exec cat")
            .arg(at)
            .arg(options);
        let mut holder = Process::start("the disk", &mut command);
        holder.line("its mount", 0, |line| (line == "mounted").then_some(()));
        Self {
            holder,
            at: at.to_owned(),
            way,
        }
    }

    fn place(&self) -> Place {
        let words = ["nsenter".into(), format!("--target={}", self.holder.id())];
        let words = words.into_iter().map(OsString::from);
        let enter = self.way.enter.iter().map(OsString::from);
        Place {
            before: words.chain(enter).collect(),
            ..Place::default()
        }
    }

    /// The folder for fillers, as the test sees it.
    fn fillers(&self) -> PathBuf {
        let seen = format!("/proc/{}/root{}", self.holder.id(), self.at.display());
        Path::new(&seen).join("fillers")
    }

    fn fill(&self) {
        let folder = self.fillers();
        // On a full disk it is there already.
        let _ = fs::create_dir(&folder);
        let open = File::options()
            .append(true)
            .create(true)
            .open(folder.join(FILLER));
        let mut file = match open {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::StorageFull => return,
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        let some = vec![0xf1; 1 << 20];
        let mut size = some.len();
        while size > 0 {
            if file.write_all(&some[..size]).is_err() {
                size /= 2;
            }
        }
    }

    fn fill_inodes(&self) {
        let folder = self.fillers();
        let _ = fs::create_dir(&folder);
        let mut nth = fs::read_dir(&folder).map_or(0, Iterator::count);
        while File::create_new(folder.join(format!("{FILLER}-{nth}"))).is_ok() {
            nth += 1;
        }
    }

    fn free(&self) {
        let folder = self.fillers();
        fs::remove_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
}

/// Tries it out: containers often forbid it.
fn is_allowed(way: &Way) -> bool {
    let mut command = Command::new("unshare");
    command
        .args(way.unshare)
        .args(["mount", "-t", "tmpfs", "none", "/mnt"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
