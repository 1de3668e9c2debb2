//! A small file system of its own for one child: mounted in a namespace that goes with it, filled and freed at will.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Files and directories that it can have.
const INODES: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    Tmpfs,
    /// On a loop device: for root only.
    Ext4,
}

/// What others on the disk leave nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Bytes,
    Inodes,
}

/// Takes whatever becomes free, until it is dropped; then everything is given back.
pub struct Filler {
    dir: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

// === impl FileSystem ===

impl FileSystem {
    /// Those that can be had here.
    pub fn all() -> Vec<FileSystem> {
        match is_root() {
            true => vec![FileSystem::Tmpfs, FileSystem::Ext4],
            false => vec![FileSystem::Tmpfs],
        }
    }

    /// A shell's line that mounts one of so many MiB at `$FIELDGATE_MOUNT`, and then becomes the child.
    fn script(self, mib: u32) -> String {
        let mount = match self {
            FileSystem::Tmpfs => {
                format!(
                    "mount -t tmpfs -o size={mib}m,nr_inodes={INODES} none \"$FIELDGATE_MOUNT\""
                )
            }
            FileSystem::Ext4 => format!(
                "truncate -s {mib}M \"$FIELDGATE_MOUNT.ext4\" && mkfs.ext4 -q -F -m 0 -N {INODES} \"$FIELDGATE_MOUNT.ext4\" \
                 && mount -o loop \"$FIELDGATE_MOUNT.ext4\" \"$FIELDGATE_MOUNT\""
            ),
        };
        format!("{mount} && exec \"$@\"")
    }

    /// A child that runs the test `name` of this program, with a file system of `mib` MiB at `mount`.
    pub fn child(self, name: &str, mib: u32, mount: &Path) -> Command {
        let mut words = namespace().into_iter();
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(["sh", "-c", &self.script(mib), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env("FIELDGATE_MOUNT", mount)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// The program that starts another in a mount namespace of its own, as the system lets us.
fn namespace() -> Vec<&'static str> {
    let ways: [&[&str]; 3] = [
        &["unshare", "--mount"],
        &["unshare", "--user", "--map-root-user", "--mount"],
        &["sudo", "-n", "--preserve-env", "unshare", "--mount"],
    ];
    let works = |way: &&&[&str]| {
        let mut tried = Command::new(way[0]);
        tried.args(&way[1..]).arg("true");
        tried.stdin(Stdio::null()).stderr(Stdio::null());
        tried.status().is_ok_and(|status| status.success())
    };
    let way = ways.iter().find(works);
    way.expect(
        "no mount namespace can be made: run the tests as root, or allow user namespaces \
         (sysctl kernel.apparmor_restrict_unprivileged_userns=0)",
    )
    .to_vec()
}

// === impl Filler ===

impl Filler {
    /// Takes no more; what it has it keeps.
    pub fn rest(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub fn start(disk: &Path, full: Full) -> Filler {
        let (dir, stop) = (disk.join("others"), Arc::new(AtomicBool::new(false)));
        fs::create_dir_all(&dir).unwrap();
        let (place, stopped) = (dir.clone(), stop.clone());
        let fill = move || {
            for number in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                match full {
                    Full::Bytes => fill(&place.join("bytes")),
                    Full::Inodes => {
                        while File::create(place.join(format!("{number}-{}", fastrand::u64(..))))
                            .is_ok()
                        {}
                    }
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Filler {
            dir,
            stop,
            thread: Some(std::thread::spawn(fill)),
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.rest();
        fs::remove_dir_all(&self.dir).unwrap();
    }
}

/// Writes until the disk refuses, to its last page.
fn fill(path: &Path) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let Ok(mut file) = file else { return };
    for bytes in [1 << 20, 64 << 10, 4 << 10] {
        while file.write_all(&vec![0xa5; bytes]).is_ok() {}
    }
}
