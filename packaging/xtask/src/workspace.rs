//! The checkout, the build cache that clones share, and the way every verb calls other programs.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// The compilation target of the console.
pub const WASM: &str = "wasm32-unknown-unknown";

/// What `cargo` is told to build wherever the tests are concerned.
///
/// Always the same: another selection unifies the features of tokio and others differently, and compiles them again.
/// The console is left out because `gateway/build.rs` builds it, for wasm32 only.
pub const SELECTION: [&str; 4] = ["--workspace", "--exclude", "web-ui", "--locked"];

/// Where things are.
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// `${XDG_CACHE_HOME:-~/.cache}/fieldgate`, shared by all clones on this machine.
    pub cache: PathBuf,
    /// Cargo's target directory, absolute.
    pub target: PathBuf,
}

/// Runs a program to its end, with its output on ours; an error if it fails.
pub fn step(title: &str, command: &mut Command) -> Result<()> {
    eprintln!("── {title}");
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{title}: failed after {seconds:.1} s ({status})");
    }
    eprintln!("── {title}: {seconds:.1} s");
    Ok(())
}

/// Finds a program in `PATH`, or where Debian keeps servers, which is not in everybody's `PATH`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

// === impl Workspace ===

impl Workspace {
    /// Reads the environment; touches nothing.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").context("start it with `cargo xtask`")?;
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .context("packaging/xtask is not two folders below the checkout")?
            .to_path_buf();
        let cache = match env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => env::home_dir()
                .context("no home directory: set HOME or XDG_CACHE_HOME")?
                .join(".cache"),
        }
        .join("fieldgate");
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => std::path::absolute(folder)?,
            None => cache.join("target"),
        };
        Ok(Self {
            root,
            cache,
            target,
        })
    }

    /// A `cargo` that builds into the shared target directory.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        // `cargo run` set these for us. The build script of ring watches them, so that passing them on
        // would compile everything above it anew after each plain `cargo build`, and the reverse.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// Installs the wasm32 target where it is missing.
    ///
    /// `targets` in rust-toolchain.toml does it only where rustup may install by itself.
    pub fn ensure_wasm_target(&self) -> Result<()> {
        let printed = Command::new("rustc")
            .current_dir(&self.root)
            .args(["--print", "target-libdir", "--target", WASM])
            .output()
            .context("cannot start rustc: install Rust from https://rustup.rs")?;
        if Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir() {
            return Ok(());
        }
        step(
            &format!("install the compilation target {WASM} of the console"),
            Command::new("rustup")
                .current_dir(&self.root)
                .args(["target", "add", WASM]),
        )
    }

    /// Gives a built program a name of this checkout's own, under `target/xtask/VERB`; returns it.
    ///
    /// Clones share the target directory: the file in it is replaced when another one builds, even while our tests start
    /// it again and again. The link keeps the file that we built.
    pub fn keep(&self, verb: &str, profile: &str, program: &str) -> Result<PathBuf> {
        let built = self.target.join(profile).join(program);
        let folder = self.root.join("target/xtask").join(verb);
        fs::create_dir_all(&folder)?;
        let kept = folder.join(program);
        if kept.exists() {
            fs::remove_file(&kept)?;
        }
        // A copy serves where the cache is on another file system.
        if fs::hard_link(&built, &kept).is_err() {
            fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
        }
        Ok(kept)
    }

    /// A path as a person in the checkout would write it.
    pub fn shown<'a>(&self, path: &'a Path) -> impl std::fmt::Display + use<'a> {
        let shown: &OsStr = path.strip_prefix(&self.root).unwrap_or(path).as_os_str();
        shown.display()
    }
}
