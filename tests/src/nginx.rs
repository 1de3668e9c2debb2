//! `Nginx`: a web server that takes files by PUT, on a free port, with its own folder and configuration.

use std::{
    fmt::Write as _,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    certificates::Pair,
    gateway::folder,
    peers, port,
    process::Process,
    wait::{SOON, until_true},
};

/// A running nginx. What is PUT below `/up/` lies in [`Nginx::root`].
///
/// | location | what it does |
/// |---|---|
/// | `/up/` | takes files of any size |
/// | `/small/` | takes files of 2 KiB at most, and answers 413 to others |
/// | `/locked/` | takes files of the user `line-4` with the password `right` |
/// | `/status/NNN` | answers with that status; 429 and 503 with `Retry-After: 1` |
/// | `/away/` | sends everybody elsewhere |
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    folder: TempDir,
    pub port: u16,
    /// The port with TLS, where it has a certificate.
    pub tls_port: u16,
}

/// What a location answers. nginx knows no 425 and no 408 of its own, and answers them all the same.
const STATUSES: [u16; 16] = [
    400, 403, 404, 405, 408, 409, 415, 422, 425, 429, 500, 501, 502, 503, 504, 507,
];

// === impl Nginx ===

impl Nginx {
    /// Without TLS.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// With TLS on a port of its own, which asks for a client certificate of the authority, if one is given.
    ///
    /// # Panics
    /// When it does not listen.
    #[track_caller]
    #[must_use]
    pub fn with(tls: Option<(&Pair, Option<&Path>)>) -> Self {
        let folder = folder();
        for name in ["root", "tmp", "logs"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in a new one");
        }
        // {PLAIN} is nginx's word for a password that is not hashed.
        fs::write(folder.path().join("passwords"), "line-4:{PLAIN}right\n")
            .expect("a file in a new folder");
        let (port, tls_port) = (port::free(), port::free());
        let config = config(folder.path(), port, tls_port, tls);
        fs::write(folder.path().join("nginx.conf"), config).expect("a file in a new folder");
        let process = launch(folder.path(), port);
        Self {
            process,
            folder,
            port,
            tls_port,
        }
    }

    /// A URL on the plain port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where it puts what it takes: `/up/a` is `root/up/a`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The requests that it answered: method, path and status of each.
    ///
    /// # Panics
    /// When it has no log.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("logs/access.log"));
        log.expect("nginx keeps a log")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// More than so many bytes of one request's body have arrived, or did before it was cut off: it is in a file of its own until it is whole.
    #[must_use]
    pub fn is_taking_in(&self, bytes: u64) -> bool {
        let bodies = fs::read_dir(self.folder.path().join("tmp/body"));
        let mut bodies = bodies.into_iter().flatten().filter_map(Result::ok);
        bodies.any(|body| body.metadata().is_ok_and(|body| body.len() > bytes))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A new process with the same configuration and folder.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(self.folder.path(), self.port);
    }
}

#[track_caller]
fn launch(folder: &Path, port: u16) -> Process {
    let mut command = Command::new(peers::nginx());
    command
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .arg("-e")
        .arg("stderr");
    let process = Process::start("nginx", &mut command);
    until_true("nginx to listen", SOON, || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    process
}

/// One process, so that killing it leaves none behind; everything it writes is in its folder.
fn config(folder: &Path, port: u16, tls_port: u16, tls: Option<(&Pair, Option<&Path>)>) -> String {
    let home = folder.display();
    let mut config = format!(
        "daemon off;\nmaster_process off;\npid {home}/nginx.pid;\nerror_log stderr warn;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         log_format short '$request_method $uri $status';\n\
         access_log {home}/logs/access.log short;\n\
         client_body_temp_path {home}/tmp/body;\nproxy_temp_path {home}/tmp/proxy;\n\
         fastcgi_temp_path {home}/tmp/fastcgi;\nuwsgi_temp_path {home}/tmp/uwsgi;\n\
         scgi_temp_path {home}/tmp/scgi;\n\
         server {{\nlisten 127.0.0.1:{port};\nroot {home}/root;\n"
    );
    if let Some((pair, authority)) = tls {
        let (certificate, key) = (pair.certificate.display(), pair.key.display());
        write!(
            config,
            "listen 127.0.0.1:{tls_port} ssl;\nssl_protocols TLSv1.2 TLSv1.3;\nssl_certificate {certificate};\nssl_certificate_key {key};\n"
        )
        .expect("a String takes anything");
        if let Some(authority) = authority {
            let authority = authority.display();
            write!(
                config,
                "ssl_client_certificate {authority};\nssl_verify_client on;\n"
            )
            .expect("a String takes anything");
        }
    }
    let takes = "dav_methods PUT;\ncreate_full_put_path on;\n";
    write!(
        config,
        "location /up/ {{\n{takes}client_max_body_size 64m;\n}}\n\
         location /small/ {{\n{takes}client_max_body_size 2k;\n}}\n\
         location /locked/ {{\n{takes}auth_basic plant;\nauth_basic_user_file {home}/passwords;\n}}\n\
         location /away/ {{\nreturn 307 http://127.0.0.1:{port}/up/;\n}}\n"
    )
    .expect("a String takes anything");
    for status in STATUSES {
        let wait = match status {
            429 | 503 => "add_header Retry-After 1 always;\n",
            _ => "",
        };
        write!(
            config,
            "location = /status/{status} {{\n{wait}default_type text/plain;\nreturn {status} 'the rig says {status}';\n}}\n"
        )
        .expect("a String takes anything");
    }
    config.push_str("}\n}\n");
    config
}
