//! The real programs that the system tests talk to: installed where they are missing, found, and named to the tests.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::{Workspace, program, step};

/// Debian package, the program that shows it is there, the variable that names the program to the tests.
const PROGRAMS: [(&str, &str, &str); 6] = [
    ("mosquitto", "mosquitto", "FIELDGATE_MOSQUITTO"),
    ("nginx", "nginx", "FIELDGATE_NGINX"),
    ("dbus-daemon", "dbus-daemon", "FIELDGATE_DBUS_DAEMON"),
    ("chromium", "chromium", "FIELDGATE_CHROMIUM"),
    ("chromium-driver", "chromedriver", "FIELDGATE_CHROMEDRIVER"),
    ("ffmpeg", "ffprobe", "FIELDGATE_FFPROBE"),
];

/// Debian packages of the camera, and what its Python has to find of each: a module, or an element of GStreamer.
const CAMERA: [(&str, &str); 7] = [
    ("python3-gi", "import gi"),
    (
        "gir1.2-gst-rtsp-server-1.0",
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer",
    ),
    ("gstreamer1.0-plugins-base", "videotestsrc"),
    ("gstreamer1.0-plugins-good", "rtph264pay"),
    ("gstreamer1.0-x", "timeoverlay"),
    ("gstreamer1.0-plugins-ugly", "x264enc"),
    ("gstreamer1.0-plugins-bad", "x265enc"),
];

/// GStreamer's TLS comes as a module of GLib, which is asked for its back end.
const CAMERA_TLS: (&str, &str) = (
    "glib-networking",
    "from gi.repository import Gio; assert Gio.TlsBackend.get_default().supports_tls()",
);
/// The packages that start a service when they are installed.
const SERVICES: [&str; 2] = ["mosquitto", "nginx"];

/// Installs what is missing; returns the variables to give to tests and benches.
pub fn install(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    let missing = missing_packages();
    if !missing.is_empty() {
        install_packages(&missing)?;
        let still = missing_packages();
        if !still.is_empty() {
            bail!("installed, yet not found: {}", still.join(" "));
        }
    }
    let venv = python_environment(workspace)?;
    let mut variables = vec![
        ("FIELDGATE_AXE_JS", axe_script(&venv)?),
        ("FIELDGATE_VENV", venv),
    ];
    for (_, name, variable) in PROGRAMS {
        let found = program(name).with_context(|| format!("{name} vanished"))?;
        variables.push((variable, found));
    }
    Ok(variables)
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(_, name, _)| program(name).is_none())
        .map(|(package, ..)| *package)
        .collect();
    // Debian's python3 comes without the module that fills a new environment.
    if !runs("import ensurepip, venv") {
        missing.push("python3-venv");
    }
    let camera = CAMERA.iter().chain([&CAMERA_TLS]);
    missing.extend(
        camera
            .filter(|(_, sign)| !runs(&script_for(sign)))
            .map(|(package, _)| *package),
    );
    missing
}

/// Whether the system's Python runs this to its end.
fn runs(script: &str) -> bool {
    let status = Command::new(python())
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A sign that is no script is an element of GStreamer.
fn script_for(sign: &str) -> String {
    if sign.contains("import ") {
        return sign.to_owned();
    }
    format!(
        "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; \
         Gst.init(None); assert Gst.ElementFactory.find('{sign}')"
    )
}

/// Debian's own Python first: `python3-venv` belongs to it, not to another that comes earlier in `PATH`.
fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() {
        "/usr/bin/python3"
    } else {
        "python3"
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let script = format!(
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let as_root: &[&str] = if is_root() {
        &["sh", "-c"]
    } else {
        &["sudo", "-n", "sh", "-c"]
    };
    let may = is_root() || succeeds(&["sudo", "-n", "true"]);
    if !may || program("apt-get").is_none() {
        bail!(
            "the tests need {}; install them with\n    sudo sh -c '{script}'",
            packages.join(", ")
        );
    }
    step(
        &format!("install the tests' peers: {}", packages.join(" ")),
        Command::new(as_root[0])
            .args(&as_root[1..])
            .arg(&script)
            .stdin(Stdio::null()),
    )?;
    for service in SERVICES {
        if packages.contains(&service) {
            stop(service, as_root);
        }
    }
    Ok(())
}

/// Stops the service that its package has just started, and keeps it from starting with the machine.
///
/// Nobody asked for a broker or a web server on this machine: the tests start their own, on free ports. Stopping it afterwards,
/// and only if we installed it, leaves nothing behind when we are interrupted; a `policy-rc.d` that forbids the start would.
/// In a container without an init system there is nothing to stop, hence no error.
fn stop(service: &str, as_root: &[&str]) {
    let stop = if Path::new("/run/systemd/system").exists() {
        format!("systemctl disable --now {service}.service")
    } else {
        format!("/etc/init.d/{service} stop")
    };
    if !succeeds(&[as_root, &[&stop]].concat()) {
        eprintln!("no {service} service to stop");
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn succeeds(command: &[&str]) -> bool {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The environment for `tests/peers/requirements.txt`, made on first use.
///
/// Its name holds a hash of the requirements and of the Python: changing either makes a new one. It is built aside and renamed when
/// complete, so that neither an interruption nor two clones at once leave half of one.
fn python_environment(workspace: &Workspace) -> Result<PathBuf> {
    let list = workspace.root.join("tests/peers/requirements.txt");
    let requirements = fs::read(&list).with_context(|| list.display().to_string())?;
    let version = Command::new(python()).arg("--version").output()?.stdout;
    let mut hasher = DefaultHasher::new();
    (&requirements, &version).hash(&mut hasher);
    let venv = workspace
        .cache
        .join(format!("venv-{:016x}", hasher.finish()));
    if venv.exists() {
        return Ok(venv);
    }
    fs::create_dir_all(&workspace.cache)?;
    let aside = venv.with_extension(format!("{}", std::process::id()));
    let built = build_environment(&aside, &list);
    // When another clone was faster, its environment is as good.
    if built.is_err() || (fs::rename(&aside, &venv).is_err() && venv.exists()) {
        fs::remove_dir_all(&aside)
            .unwrap_or_else(|error| eprintln!("cannot remove {}: {error}", aside.display()));
    }
    built.map(|()| venv)
}

fn build_environment(folder: &Path, list: &Path) -> Result<()> {
    step(
        "make the Python environment of the tests",
        Command::new(python())
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )?;
    // The list names every package at one version: --no-deps says so, and leaves out a browser driver that axe's package wants.
    step(
        "install the Python peers",
        Command::new(folder.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "--requirement"])
            .arg(list)
            .stdin(Stdio::null()),
    )
}

/// The accessibility checker, which a Python package carries: so nothing here needs npm.
fn axe_script(venv: &Path) -> Result<PathBuf> {
    for python in fs::read_dir(venv.join("lib"))? {
        let script = python?
            .path()
            .join("site-packages/axe_playwright_python/axe.min.js");
        if script.exists() {
            return Ok(script);
        }
    }
    bail!(
        "no axe.min.js in {}: delete that folder and run again",
        venv.display()
    )
}

/// The variables that a person set by hand win over what was found.
pub fn give(command: &mut Command, variables: &[(&'static str, PathBuf)]) {
    for (name, value) in variables {
        if env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
}
