//! The media process alone, for this crate's tests; and, by a word, what its limits have to stop.

use std::{env, fs::File, io, net::TcpListener, process::ExitCode};

use fieldgate_media::worker::{restrict, serve};

fn main() -> ExitCode {
    let outcome = match env::args().nth(1).as_deref() {
        Some("serve") => serve().map_err(|error| error.to_string()),
        Some(deed) => shut_in(deed).map_err(|error| error.to_string()),
        None => Err("say `serve`".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Limits itself, and then tries what it may not. It ends well only when it could.
fn shut_in(deed: &str) -> io::Result<()> {
    if deed == "nothing" {
        return restrict().map_err(io::Error::other);
    }
    restrict().map_err(io::Error::other)?;
    match deed {
        "open" => File::open("/dev/null").map(drop),
        "listen" => TcpListener::bind("127.0.0.1:0").map(drop),
        "spawn" => std::process::Command::new("/bin/true").status().map(drop),
        "thread" => std::thread::Builder::new().spawn(|| {}).map(drop),
        "remove" => std::fs::remove_file("/nowhere"),
        "memory" => {
            // More than its limit: the allocator says no, and the program ends itself.
            let bytes = vec![1u8; 600 * 1024 * 1024];
            Err(io::Error::other(format!("{} bytes", bytes.len())))
        }
        other => Err(io::Error::other(format!("what is {other}?"))),
    }
}
