//! A camera that does not exist: a moving test pattern as RTSP on a free port of 127.0.0.1, for the demonstration.

use std::{
    fs,
    io::{self, Write as _},
    iter,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fieldgate_media::{
    Frame, Track,
    pattern::{self, Film},
};
use fieldgate_model::Timestamp;
use fieldgate_rtsp::{
    Credentials,
    restream::{Absent, Fed, Restream, Shelf},
};
use futures::{
    FutureExt,
    future::{self, BoxFuture},
    stream::{self, BoxStream, StreamExt},
};
use tokio::{
    sync::OnceCell,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Who signs in.
pub const USER: &str = "demo";
const PATH: &str = "pattern";
/// Pixels.
const SIZE: (usize, usize) = (640, 360);
/// Frames a second, and of the film, which begins again after its end.
const PER_S: u32 = 10;
const FRAMES: usize = 100;

/// The running camera. Dropping it hangs up on everybody.
#[derive(Debug)]
pub struct Sim {
    /// For instance `rtsp://127.0.0.1:34567/pattern`.
    pub url: String,
    /// The file that holds the password of [`USER`], another one with every start.
    pub password: PathBuf,
    serving: JoinHandle<()>,
}

/// Coded when somebody looks for the first time.
#[derive(Debug, Default)]
struct Pattern(OnceCell<Option<Arc<Film>>>);

/// Starts the camera; `folder` is for its password.
///
/// # Errors
/// When there is no free port, or the folder cannot be written.
pub async fn start(folder: &Path) -> io::Result<Sim> {
    let password: String = iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    // Relative ones in settings are taken from the configuration's folder.
    let file = std::path::absolute(folder.join("camera-password"))?;
    write(&file, &password)?;
    let users = vec![Credentials {
        user: USER.to_owned(),
        password,
    }];
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Restream::bind(address, Arc::new(Pattern::default()), users).await?;
    Ok(Sim {
        url: format!("rtsp://{}/{PATH}", server.address()?),
        password: file,
        serving: tokio::spawn(server.run(future::pending())),
    })
}

/// Readable for nobody else.
fn write(file: &Path, password: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file)?.write_all(password.as_bytes())
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Pattern ===

impl Pattern {
    async fn film(&self, path: &str) -> Result<Arc<Film>, Absent> {
        if path != PATH {
            return Err(Absent::NoSuchStream);
        }
        let made = self.0.get_or_init(async || {
            let coding = || pattern::film(SIZE, FRAMES, PER_S);
            let film = tokio::task::spawn_blocking(coding).await.ok()?;
            film.map(Arc::new)
                .inspect_err(|why| tracing::warn!(why, "there is no test pattern"))
                .ok()
        });
        made.await.clone().ok_or(Absent::NotNow)
    }
}

impl Shelf for Pattern {
    fn tracks<'a>(
        &'a self,
        path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<Track>>, Absent>> {
        async move { Ok(vec![Arc::clone(&self.film(path).await?.track)]) }.boxed()
    }

    fn frames<'a>(
        &'a self,
        path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Fed>, Absent>> {
        async move { Ok(played(self.film(path).await?).boxed()) }.boxed()
    }
}

/// The film at its pace, again and again.
fn played(film: Arc<Film>) -> impl futures::Stream<Item = Fed> {
    let (start, ticks) = (Instant::now(), film.track.timescale / PER_S);
    stream::unfold(0_u32, move |number| {
        let film = Arc::clone(&film);
        async move {
            let frame = &film.frames[usize::try_from(number).ok()? % film.frames.len()];
            sleep_until(start + Duration::from_secs(1) * number / PER_S).await;
            let frame = Frame {
                seen: now(),
                pts: i64::from(number) * i64::from(ticks),
                ..frame.clone()
            };
            Some((Fed::Frame(frame), number.checked_add(1)?))
        }
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}
