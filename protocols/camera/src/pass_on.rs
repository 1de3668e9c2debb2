//! The stream passed on to others in the network as RTSP, from the one connection to the camera.

use std::{future::pending, net::SocketAddr, sync::Arc};

use fieldgate_kit::SourceError;
use fieldgate_media::Track;
use fieldgate_rtsp::restream::{Absent, Fed, Restream, Shelf};
use futures::{
    FutureExt,
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt},
};
use tokio::sync::broadcast::error::RecvError;

use crate::{connect::credentials, eye::Eye, points::DEVICE, source::Attempt};

/// Serves others, if the settings say so.
///
/// # Errors
/// When the port cannot be had.
pub(crate) async fn serve(attempt: &Attempt) -> Result<(), SourceError> {
    let Some(wanted) = &attempt.settings.pass_on else {
        return pending().await;
    };
    let user = credentials(&wanted.user, &attempt.ctx.secrets)?;
    let address = SocketAddr::from(([0, 0, 0, 0], wanted.port));
    let shelf = Arc::new(One(Arc::clone(&attempt.eye)));
    let server = Restream::bind(address, shelf, vec![user]).await;
    let server = server.map_err(|error| {
        SourceError::Misconfigured(format!(
            "the stream cannot be passed on at port {}: {error}; choose another port",
            wanted.port
        ))
    })?;
    attempt.eye.state().passed_on = Some(format!("rtsp://<this gateway>:{}/{DEVICE}", wanted.port));
    server.run(pending()).await;
    Ok(())
}

/// The one stream that there is.
struct One(Arc<Eye>);

impl Shelf for One {
    fn tracks<'a>(
        &'a self,
        path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<Track>>, Absent>> {
        let tracks = self.0.state().tracks.clone();
        async move {
            match (path == DEVICE, tracks.is_empty()) {
                (false, _) => Err(Absent::NoSuchStream),
                (true, true) => Err(Absent::NotNow),
                (true, false) => Ok(tracks),
            }
        }
        .boxed()
    }

    fn frames<'a>(
        &'a self,
        path: &'a str,
        _user: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Fed>, Absent>> {
        async move {
            if path != DEVICE {
                return Err(Absent::NoSuchStream);
            }
            let joined = self.0.hub.join();
            let begin = stream::iter(joined.group.into_iter().map(Fed::Frame));
            let rest = stream::unfold(joined.frames, |mut frames| async move {
                match frames.recv().await {
                    Ok(frame) => Some((Fed::Frame(frame), frames)),
                    Err(RecvError::Lagged(missed)) => Some((Fed::Missed(missed), frames)),
                    Err(RecvError::Closed) => None,
                }
            });
            Ok(begin.chain(rest).boxed())
        }
        .boxed()
    }
}
