//! mosquitto without persistence: the far side, as fast as it can be.

use std::{fs, net::TcpStream, path::Path, process::Command, time::Duration};

use anyhow::Result;

use super::{Process, free_port, wait_for};

/// Starts it, and returns its URL too.
pub fn start(folder: &Path) -> Result<(Process, String)> {
    let port = free_port()?;
    let file = folder.join("mosquitto.conf");
    fs::write(
        &file,
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
        ),
    )?;
    let program =
        std::env::var_os("FIELDGATE_MOSQUITTO").unwrap_or_else(|| "/usr/sbin/mosquitto".into());
    let broker = Process::start(Command::new(program).arg("-c").arg(&file))?;
    wait_for("the broker", Duration::from_secs(5), || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    })?;
    Ok((broker, format!("mqtt://127.0.0.1:{port}")))
}
