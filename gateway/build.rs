//! Builds the browser console for wasm32 and embeds it, compressed, as the table `$OUT_DIR/assets.rs`.
//!
//! So a plain `cargo build` gives the whole product. The table is `pub static ASSETS: &[Asset]`, sorted by path; the file
//! that includes it defines the type:
//!
//! ```ignore
//! pub struct Asset {
//!     pub path: &'static str,         // as in the URL: "/index.html", "/boot.js", "/app.css", "/ui/web_ui.js", …
//!     pub content_type: &'static str,
//!     pub etag: &'static str,         // weak, quotes included, so that it holds for all three codings
//!     pub identity: &'static [u8],
//!     pub gzip: &'static [u8],        // empty where compression does not pay
//!     pub brotli: &'static [u8],      // the same
//!     pub immutable: bool,            // the file's name carries a hash of its content
//! }
//! include!(concat!(env!("OUT_DIR"), "/assets.rs"));
//! ```
//!
//! | variable | effect |
//! |---|---|
//! | `FIELDGATE_UI=skip` | embeds one page that says the console was left out; for lints and quick jobs |
//! | `FIELDGATE_UI=DIR` | embeds the files below DIR, an absolute path: a console built elsewhere |
//! | `FIELDGATE_UI_PROFILE` | cargo profile of the console; `wasm-release` in release builds, else `wasm-dev` |

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use wasm_bindgen_cli_support::Bindgen;

type Outcome<T> = Result<T, Box<dyn Error>>;

const WASM: &str = "wasm32-unknown-unknown";

const STUB: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Fieldgate</title>\n\
    <h1>The console was left out of this build</h1>\n\
    <p>It was built with FIELDGATE_UI=skip. Build again without it. The API is at <a href=\"/api/v1/openapi.json\">/api/v1</a>.\n";

/// One file of the console, at the path of its URL.
struct File {
    path: String,
    bytes: Vec<u8>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=FIELDGATE_UI");
    println!("cargo::rerun-if-env-changed=FIELDGATE_UI_PROFILE");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut files = match std::env::var("FIELDGATE_UI").as_deref() {
        Ok("skip") => vec![File {
            path: "/index.html".into(),
            bytes: STUB.into(),
        }],
        Ok(directory) if !directory.is_empty() => prebuilt(Path::new(directory))?,
        _ => console(&out).map_err(|error| {
            format!("no console: {error}; FIELDGATE_UI=skip builds the gateway without it")
        })?,
    };
    files.sort_by(|a, b| a.path.cmp(&b.path));
    embed(&files, &out)
}

fn prebuilt(directory: &Path) -> Outcome<Vec<File>> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut files = Vec::new();
    collect(directory, "", &mut files)?;
    if !files.iter().any(|file| file.path == "/index.html") {
        return Err(format!("FIELDGATE_UI={}: no index.html in it", directory.display()).into());
    }
    Ok(files)
}

/// Builds `web-ui` and gathers what its page loads.
fn console(out: &Path) -> Outcome<Vec<File>> {
    let gateway = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = gateway.parent().ok_or("gateway has no parent folder")?;
    // The console's sources, and the two things that decide how they are built. A folder is watched with all below it.
    for watched in ["web-ui", "protocols/model", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let wasm = compile(root, out)?;
    let bound = out.join("ui");
    // A file that an earlier build left here would be embedded too.
    if bound.exists() {
        fs::remove_dir_all(&bound)?;
    }
    Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .out_name("web_ui")
        .typescript(false)
        .remove_name_section(release())
        .remove_producers_section(release())
        .generate(&bound)
        .map_err(|error| format!("wasm-bindgen on {}: {error:#}", wasm.display()))?;

    let page = root.join("web-ui");
    let mut files = vec![
        File::read("/index.html", &page.join("index.html"))?,
        File::read("/boot.js", &page.join("boot.js"))?,
        File {
            path: "/app.css".into(),
            bytes: style_sheet(&page.join("style"))?,
        },
    ];
    if page.join("icons").is_dir() {
        collect(&page.join("icons"), "/icons", &mut files)?;
    }
    collect(&bound, "/ui", &mut files)?;
    Ok(files)
}

/// Runs the nested cargo; returns the path of `web-ui.wasm`.
///
/// It has its own target directory: in the outer one it would wait for ever for the lock that the outer cargo holds.
fn compile(root: &Path, out: &Path) -> Outcome<PathBuf> {
    require_target()?;
    let profile = match std::env::var("FIELDGATE_UI_PROFILE") {
        Ok(profile) if !profile.is_empty() => profile,
        _ if release() => "wasm-release".into(),
        _ => "wasm-dev".into(),
    };
    let target_dir = target_dir(out).join("web-ui-wasm");
    let mut cargo = Command::new(variable("CARGO")?);
    for (name, _) in std::env::vars_os() {
        if !survives(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        // leptos erases the types of components: less of the console is generated once for each of them.
        .env("RUSTFLAGS", "--cfg=erase_components")
        .args([
            "build",
            "--locked",
            "--package",
            "web-ui",
            "--bin",
            "web-ui",
        ])
        .args(["--target", WASM, "--profile", &profile, "--target-dir"])
        .arg(&target_dir)
        .current_dir(root)
        .status()?;
    if !status.success() {
        return Err("web-ui did not compile, see above".into());
    }
    Ok(target_dir.join(WASM).join(profile).join("web-ui.wasm"))
}

fn require_target() -> Outcome<()> {
    let printed = Command::new(variable("RUSTC")?)
        .args(["--print", "target-libdir", "--target", WASM])
        .output()?;
    let library = PathBuf::from(String::from_utf8(printed.stdout)?.trim());
    if library.is_dir() {
        return Ok(());
    }
    Err(format!("the compilation target {WASM} is missing: run `rustup target add {WASM}`, or `cargo xtask run`, which does it").into())
}

/// Whether the nested cargo may see a variable.
///
/// It must not see what the outer cargo set for this script, nor flags and wrappers meant for the host's compiler: they
/// would break the wasm build or recompile all of it each time. It keeps the job server, so that both share the cores.
fn survives(name: &str) -> bool {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_TERM_",
        "CARGO_INCREMENTAL",
        "CARGO_BUILD_JOBS",
    ];
    const DROPPED: [&str; 6] = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "CLIPPY_", "DEP_"];
    const OURS: [&str; 7] = [
        "OUT_DIR",
        "TARGET",
        "HOST",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
    ];
    let starts_with = |prefix: &&str| name.starts_with(*prefix);
    KEPT.iter().any(starts_with) || !(DROPPED.iter().any(starts_with) || OURS.contains(&name))
}

/// The outer target directory: cargo marks its root with CACHEDIR.TAG.
fn target_dir(out: &Path) -> &Path {
    out.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .unwrap_or(out)
}

/// All of `style/*.css` as one sheet, in the order of their names: the cascade follows it.
fn style_sheet(folder: &Path) -> Outcome<Vec<u8>> {
    let mut sheets = Vec::new();
    collect(folder, "", &mut sheets)?;
    sheets.retain(|sheet| sheet.path.ends_with(".css"));
    sheets.sort_by(|a, b| a.path.cmp(&b.path));
    let bytes: Vec<_> = sheets.into_iter().map(|sheet| sheet.bytes).collect();
    Ok(bytes.join(&b'\n'))
}

/// Reads every file below a folder; its path is the prefix and the path below the folder.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Outcome<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, files)?;
        } else {
            files.push(File::read(&path, &entry.path())?);
        }
    }
    Ok(())
}

/// Writes each file in its three codings, and the table that includes them.
fn embed(files: &[File], out: &Path) -> Outcome<()> {
    let folder = out.join("assets");
    fs::create_dir_all(&folder)?;
    let mut table = String::from(
        "/// The files of the console, sorted by path.\npub static ASSETS: &[Asset] = &[\n",
    );
    for (number, file) in files.iter().enumerate() {
        fs::write(folder.join(format!("{number}.raw")), &file.bytes)?;
        fs::write(
            folder.join(format!("{number}.gz")),
            file.if_smaller(gzip(&file.bytes)?),
        )?;
        fs::write(
            folder.join(format!("{number}.br")),
            file.if_smaller(brotli(&file.bytes)?),
        )?;
        let include = |kind: &str| {
            format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/assets/{number}.{kind}\"))")
        };
        writeln!(
            table,
            "    Asset {{ path: {:?}, content_type: {:?}, etag: {:?}, identity: {}, gzip: {}, brotli: {}, immutable: {} }},",
            file.path,
            file.content_type(),
            file.etag(),
            include("raw"),
            include("gz"),
            include("br"),
            file.is_named_by_hash(),
        )?;
    }
    table.push_str("];\n");
    Ok(fs::write(out.join("assets.rs"), table)?)
}

fn gzip(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

fn brotli(bytes: &[u8]) -> Outcome<Vec<u8>> {
    // 11 is the best and slow; 5 is what a rebuild after each edit can afford.
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: if release() { 11 } else { 5 },
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn release() -> bool {
    std::env::var_os("PROFILE").is_some_and(|profile| profile == "release")
}

fn variable(name: &str) -> Outcome<OsString> {
    std::env::var_os(name)
        .ok_or_else(|| format!("{name} is not set: cargo sets it for build scripts").into())
}

// === impl File ===

impl File {
    fn read(path: &str, from: &Path) -> Outcome<Self> {
        let bytes = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
        Ok(Self {
            path: path.into(),
            bytes,
        })
    }

    /// The compressed bytes, or nothing if they save less than a tenth: pictures are compressed already.
    fn if_smaller(&self, compressed: Vec<u8>) -> Vec<u8> {
        if compressed.len() < self.bytes.len() / 10 * 9 {
            compressed
        } else {
            Vec::new()
        }
    }

    /// Weak, because the three codings of a file share it (RFC 9110, 8.8.3.3).
    fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        format!("W/\"{:016x}\"", hasher.finish())
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json") => "application/json",
            Some("webmanifest") => "application/manifest+json",
            Some("wasm") => "application/wasm",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("ico") => "image/x-icon",
            Some("woff2") => "font/woff2",
            Some("txt") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }

    /// Whether the name holds a dash and 16 hexadecimal digits, as bundlers write it; our own names do not.
    fn is_named_by_hash(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split(['-', '_', '.'])
            .skip(1)
            .any(|part| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}
