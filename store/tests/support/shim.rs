//! Compiles the shim, once for each test program, and starts children of this very program under it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The shared library to preload.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/shim.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{}-{}.so",
            env!("CARGO_CRATE_NAME"),
            std::process::id()
        ));
        let status = Command::new("cc")
            .args([
                "-std=gnu11",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O1",
                "-shared",
                "-fPIC",
                "-o",
            ])
            .arg(&library)
            .arg(&source)
            .status();
        let status =
            status.expect("cannot start cc: install gcc (Debian: apt-get install gcc libc6-dev)");
        assert!(status.success(), "{} does not compile", source.display());
        library
    })
}

/// A child that runs the test `name` of this program.
pub fn child(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The same, with the shim before libc.
pub fn shimmed(name: &str, root: &Path) -> Command {
    let mut command = child(name);
    command
        .env("LD_PRELOAD", library())
        .env("FIELDGATE_SHIM_ROOT", root);
    command
}

/// Waits for the end of a child; one that takes longer than `limit` is killed, and that is an error.
pub fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status);
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("it hung for {} s", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Files that a test makes and reads often: in memory where the system has such a place.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
