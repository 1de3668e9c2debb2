//! The HTTP side of the simulated device.

use std::{future::pending, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Semaphore};

use super::{
    SimDevice,
    answer::{Given, No, envelope, fault},
    door::Entry,
    fault::{self, Fault, billion_laughs},
    services,
};
use crate::xml::{Element, parse};

/// A request is no longer.
const MAX_REQUEST: usize = 256 << 10;
/// Connections at once; more wait.
const MAX_CONNECTIONS: usize = 64;

/// What is sent; `None` closes the connection.
type Sent = Option<Response<Full<Bytes>>>;

/// Serves until it is aborted.
pub(super) async fn serve(listener: TcpListener, device: Arc<SimDevice>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let device = Arc::clone(&device);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let device = Arc::clone(&device);
                async move { answer(&device, request).await.ok_or(Closed) }
            });
            // A connection that breaks off is the other side's affair.
            let _ended = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

/// Makes hyper end the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on request")]
struct Closed;

async fn answer(device: &SimDevice, request: Request<Incoming>) -> Sent {
    let (parts, body) = request.into_parts();
    let uri = parts
        .uri
        .path_and_query()
        .map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    let body = Limited::new(body, MAX_REQUEST)
        .collect()
        .await
        .ok()?
        .to_bytes();
    let Ok(root) = parse(&body) else {
        return Some(soap(
            StatusCode::BAD_REQUEST,
            fault(&No::invalid("WellFormed", "That is no XML")),
        ));
    };
    let Some(operation) = root
        .child("Body")
        .and_then(|body| body.children.first())
        .cloned()
    else {
        return Some(soap(
            StatusCode::BAD_REQUEST,
            fault(&No::invalid("WellFormed", "The body is empty")),
        ));
    };
    let authorization = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let (planned, entry) = at_the_door(device, &root, operation.local(), authorization, &uri);
    if let Some(planned) = planned {
        return go_wrong(planned).await;
    }
    match entry {
        Entry::Open => {}
        Entry::Challenge(challenge) => return Some(challenged(&challenge)),
        Entry::Refused(why) => {
            return Some(soap(
                StatusCode::BAD_REQUEST,
                fault(&No::not_authorized(why)),
            ));
        }
    }
    Some(given(
        services::answer(device, parts.uri.path(), &root, &operation).await,
    ))
}

fn at_the_door(
    device: &SimDevice,
    root: &Element,
    operation: &str,
    authorization: Option<&str>,
    uri: &str,
) -> (Option<Fault>, Entry) {
    let mut state = device.lock();
    state.note(operation);
    let planned = fault::take(&mut state.faults, operation);
    let at = state.clock.now();
    // Anybody may ask for the time (ONVIF Core Specification clause 5.9.1).
    let entry = if operation == "GetSystemDateAndTime" {
        Entry::Open
    } else {
        state.door.judge(root, authorization, uri, at)
    };
    (planned, entry)
}

async fn go_wrong(planned: Fault) -> Sent {
    let page = "<!DOCTYPE html><html><body>Web service</body></html>";
    Some(match planned {
        Fault::Hang => pending().await,
        Fault::Close => return None,
        Fault::Garbage => soap(StatusCode::OK, "\u{1}\u{2}<<>>&&& no XML".to_owned()),
        Fault::WebPage => soap(StatusCode::OK, page.to_owned()),
        Fault::BillionLaughs => soap(StatusCode::OK, billion_laughs()),
        Fault::Huge => soap(StatusCode::OK, envelope(&"<tt:More/>".repeat(200_000))),
        Fault::Deep => soap(StatusCode::OK, envelope(&"<a>".repeat(5_000))),
        Fault::Unavailable => soap(StatusCode::SERVICE_UNAVAILABLE, String::new()),
        Fault::Redirect(to) => {
            let mut answer = soap(StatusCode::FOUND, String::new());
            answer.headers_mut().insert(LOCATION, to.parse().ok()?);
            answer
        }
        Fault::Denied(why) => soap(StatusCode::BAD_REQUEST, fault(&No::not_authorized(&why))),
        Fault::NotSupported => given(Err(No::not_supported())),
        Fault::Refused => given(Err(No::invalid(
            "InvalidValue",
            "The device does not like that",
        ))),
    })
}

fn given(given: Given) -> Response<Full<Bytes>> {
    match given {
        Ok(body) => soap(StatusCode::OK, envelope(&body)),
        Err(no) if no.side == "Receiver" => soap(StatusCode::INTERNAL_SERVER_ERROR, fault(&no)),
        Err(no) => soap(StatusCode::BAD_REQUEST, fault(&no)),
    }
}

fn challenged(challenge: &str) -> Response<Full<Bytes>> {
    let mut answer = soap(StatusCode::UNAUTHORIZED, String::new());
    if let Ok(challenge) = challenge.parse() {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

fn soap(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("application/soap+xml; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
