//! Where the real programs are: `cargo xtask test` says so in variables; else where Debian and cargo put them.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The gateway: `FIELDGATE_BIN`, or beside the test that runs.
#[must_use]
pub fn gateway() -> PathBuf {
    let beside = env::current_exe().ok().and_then(|test| {
        test.ancestors()
            .skip(1)
            .take(2)
            .map(|folder| folder.join("fieldgate"))
            .find(|file| file.is_file())
    });
    find("FIELDGATE_BIN", beside.as_deref())
}

/// The MQTT broker.
#[must_use]
pub fn mosquitto() -> PathBuf {
    find(
        "FIELDGATE_MOSQUITTO",
        Some(Path::new("/usr/sbin/mosquitto")),
    )
}

/// What makes mosquitto's password files; its package brings it.
#[must_use]
pub fn mosquitto_passwd() -> PathBuf {
    let beside = mosquitto().with_file_name("mosquitto_passwd");
    if beside.is_file() {
        beside
    } else {
        "/usr/bin/mosquitto_passwd".into()
    }
}

/// The web server.
#[must_use]
pub fn nginx() -> PathBuf {
    find("FIELDGATE_NGINX", Some(Path::new("/usr/sbin/nginx")))
}

/// A Python that has asyncua.
#[must_use]
pub fn python() -> PathBuf {
    find("FIELDGATE_VENV", None).join("bin/python")
}

/// The system's own Python, which has the bindings of GStreamer.
#[must_use]
pub fn system_python() -> PathBuf {
    find("FIELDGATE_PYTHON3", Some(Path::new("/usr/bin/python3")))
}

/// What judges clips and streams.
#[must_use]
pub fn ffprobe() -> PathBuf {
    find("FIELDGATE_FFPROBE", Some(Path::new("/usr/bin/ffprobe")))
}

/// The message bus.
#[must_use]
pub fn dbus_daemon() -> PathBuf {
    find(
        "FIELDGATE_DBUS_DAEMON",
        Some(Path::new("/usr/bin/dbus-daemon")),
    )
}

/// The browser.
#[must_use]
pub fn chromium() -> PathBuf {
    find("FIELDGATE_CHROMIUM", Some(Path::new("/usr/bin/chromium")))
}

/// What drives the browser.
#[must_use]
pub fn chromedriver() -> PathBuf {
    find(
        "FIELDGATE_CHROMEDRIVER",
        Some(Path::new("/usr/bin/chromedriver")),
    )
}

/// The accessibility checker's script.
#[must_use]
pub fn axe() -> PathBuf {
    find("FIELDGATE_AXE_JS", None)
}

/// The checkout.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the checkout")
}

fn find(variable: &str, usual: Option<&Path>) -> PathBuf {
    let found = env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| usual.map(Path::to_owned));
    match found {
        Some(path) if path.exists() => path,
        other => panic!(
            "{variable} is not set, or leads nowhere ({other:?}); run `cargo xtask test`, which installs what the tests need"
        ),
    }
}
