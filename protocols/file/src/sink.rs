//! `Sink`: the tower service around the writer, on threads that may wait for the disk; and the sweeps in between.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use fieldgate_kit::{Batch, Link, Receipt, SinkCtx, SinkError, settings::ByteSize};
use futures::future::BoxFuture;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tower::{Service, util::BoxService};

use crate::{
    folder::Folder,
    keep,
    settings::{Keep, Settings},
    writer::Writer,
};

/// Between two looks at how much there is.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Looking takes no more than one part in so many of the time.
const SWEEP_SHARE: u32 = 50;

/// One link's way in. Batches come one after the other.
struct Sink {
    writer: Arc<Mutex<Writer>>,
}

/// What a sweep needs.
#[derive(Clone)]
struct Sweeper {
    root: PathBuf,
    keep: Keep,
    gateway_id: Arc<str>,
    writer: Arc<Mutex<Writer>>,
}

/// Looks whether the folder is there and can be written to, and builds the link around it.
pub(crate) async fn connect(settings: Arc<Settings>, ctx: SinkCtx) -> Result<Link, SinkError> {
    let root = settings.folder.clone();
    let (folder, free) = spawn_blocking(move || {
        let folder = Folder::open(&root)?;
        let free = folder.free_bytes()?;
        Ok::<_, SinkError>((folder, free))
    })
    .await
    .map_err(|_| stopping())??;
    let words = format!(
        "writes to {}, {} free",
        settings.folder.display(),
        ByteSize(free)
    );
    let gateway_id = ctx.book.gateway_id.clone();
    let writer = Writer::new(settings.clone(), ctx.book, folder);
    let writer = Arc::new(Mutex::new(writer));
    let sweeper = Sweeper {
        root: settings.folder.clone(),
        keep: settings.keep.clone(),
        gateway_id,
        writer: writer.clone(),
    };
    let close = CancellationToken::new();
    Ok(Link {
        sink: BoxService::new(Sink { writer }),
        driver: Box::pin(sweeper.run(close.clone())),
        close,
        words,
    })
}

fn stopping() -> SinkError {
    SinkError::Unreachable("the gateway is stopping".to_owned())
}

// === impl Sink ===

impl Service<Batch> for Sink {
    type Response = Receipt;
    type Error = SinkError;
    type Future = BoxFuture<'static, Result<Receipt, SinkError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let writer = self.writer.clone();
        Box::pin(async move {
            let written = spawn_blocking(move || {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                writer.write(&batch)
            });
            written.await.map_err(|_| stopping())?
        })
    }
}

// === impl Sweeper ===

impl Sweeper {
    /// Sweeps now and then, until the link is closed.
    async fn run(self, close: CancellationToken) -> Result<(), SinkError> {
        let limited =
            self.keep.bytes.is_some() || self.keep.age.is_some() || self.keep.files.is_some();
        if !limited {
            close.cancelled().await;
            return Ok(());
        }
        let mut told = None;
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = close.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let began = Instant::now();
            let sweeper = self.clone();
            let problem = spawn_blocking(move || sweeper.sweep())
                .await
                .map_err(|_| stopping())?;
            // A folder with a million files is looked at less often.
            wait = SWEEP_EVERY.max(began.elapsed() * SWEEP_SHARE);
            let news = problem.as_ref().filter(|_| told != problem);
            if let Some(problem) = news {
                tracing::warn!(folder = %self.root.display(), %problem, "old files are not all looked at or removed");
            }
            told = problem;
        }
    }

    /// What went wrong.
    fn sweep(&self) -> Option<String> {
        let in_use = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .in_use();
        let (swept, error) = keep::sweep(&self.root, &self.keep, &self.gateway_id, &in_use);
        if swept.files > 0 {
            tracing::debug!(folder = %self.root.display(), files = swept.files, bytes = swept.bytes, "old files went");
        }
        error.map(|error| error.to_string())
    }
}
