//! `fieldgate run`: the daemon. SIGTERM and SIGINT stop it, SIGHUP reads the configuration again.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Kernel,
    daemon::{self, Options, StartError},
    telemetry,
};

/// The exit code for a configuration with problems.
const PROBLEMS: u8 = 2;

/// `fieldgate run`
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// A configuration file, or a folder of them; can be given more than once. Default: /etc/fieldgate.
    #[arg(long, value_name = "FILE|DIR")]
    config: Vec<PathBuf>,
    /// Where the queue, the console's changes and the secrets typed there are kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/fieldgate")]
    state: PathBuf,
    /// Where the console listens; loopback only until there are accounts.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where the command line reaches the gateway. Default: control.sock in the state folder.
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// Start the demonstration devices: an OPC UA server and an MQTT broker in this process.
    #[cfg(feature = "demo")]
    #[arg(long)]
    demo: bool,
}

/// Runs the gateway until a signal stops it.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    telemetry::init_logs();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("fieldgate: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(until_signalled(args));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Config(problems)) => {
            for problem in &problems {
                eprintln!("{}", crate::config::line(problem));
            }
            ExitCode::from(PROBLEMS)
        }
        Err(error) => {
            eprintln!("fieldgate: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn until_signalled(args: Args) -> Result<(), StartError> {
    let (shutdown, reload) = (
        CancellationToken::new(),
        std::sync::Arc::new(tokio::sync::Notify::new()),
    );
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    let options = Options {
        config: args.config,
        state: args.state,
        listen: args.listen,
        control: args.control,
        #[cfg(feature = "demo")]
        demo: args.demo,
        #[cfg(not(feature = "demo"))]
        demo: false,
        time: std::sync::Arc::new(Kernel::default()),
    };
    let daemon = daemon::run(
        options,
        shutdown.clone(),
        std::sync::Arc::clone(&reload),
        |address| {
            println!("Fieldgate is running: open http://{address}/ in a browser on this machine");
        },
    );
    tokio::pin!(daemon);
    loop {
        tokio::select! {
            outcome = &mut daemon => return outcome,
            _ = terminate.recv() => shutdown.cancel(),
            _ = interrupt.recv() => shutdown.cancel(),
            _ = hangup.recv() => reload.notify_one(),
        }
    }
}
