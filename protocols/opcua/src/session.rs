//! The vendor's client, and the only module of the source that knows it: a socket becomes a signed-in [`Connection`].
//!
//! What the library does by itself is switched off: it must not connect again (the supervisor does), and it must
//! not run its own publish loop, which acknowledges before anybody has kept the values.

mod calls;
mod commands;
mod conditions;
mod convert;
mod discovery;
mod encode;
mod events;
mod explore;
mod facts;
mod frames;
mod history;
mod identity;
mod inbox;
mod lexicon;
mod limits;
mod methods;
mod redundancy;
mod store;
mod subscriptions;
mod tokens;
mod transport;
mod types;
mod value_types;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use opcua::{
    client::{
        ClientBuilder, ClientConfig, ConnectionSource, Session, SessionActivity, SessionBuilder,
        SessionPollResult,
        transport::{Connector, RequestRecv, SecureChannelState, TransportConfiguration},
    },
    core::ResponseMessage,
    types::{
        DateTime, EndpointDescription, Error, GetEndpointsRequest, MessageSecurityMode, NodeId,
        RequestHeader, StatusCode,
    },
};
use tokio::net::TcpStream;

pub(crate) use self::discovery::{Asked, Listed, endpoints, servers};
pub(crate) use self::identity::Identity;
use self::transport::{Ended, Wire};
use crate::{
    certificate::{self, Seen},
    connection::Connection,
    security::{Certificate, Endpoint},
    settings::{Mode, Policy},
    status::Status,
    trust::own::Own,
    value,
};

/// How long the server may take to say hello, which costs it nothing: whoever is silent for longer stands still or is cut off.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the server may take for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one Publish request waits on the server; the watchdog notices silence much sooner.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(120);
/// How often the library reads the server's state to see that the session lives.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// After so many failed reads the session is given up.
const MAX_FAILED_KEEP_ALIVES: u32 = 2;
/// What the server may keep of a session that vanished.
const SESSION_TIMEOUT_MS: u32 = 30_000;
// What a server can make us allocate for one message.
const MAX_CHUNK_BYTES: usize = 65_535;
const MAX_CHUNKS: usize = 64;
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// A signed-in session and what keeps it going.
pub(crate) struct Opened {
    pub connection: Arc<dyn Connection>,
    /// Must be polled for any call to make progress; resolves when the session is lost or was closed.
    pub driver: BoxFuture<'static, Status>,
    /// What the server offers, told over the protected channel; none without protection.
    pub offered: Option<Vec<Endpoint>>,
}

/// Who we are at a session, and where the library may work.
pub(crate) struct Client<'a> {
    /// Our certificate; none for a session without security.
    pub own: Option<&'a Own>,
    pub application_uri: &'a str,
    /// The library's folder of trusted and rejected certificates. It holds nothing that counts.
    pub folder: &'a Path,
}

/// Signs in at an endpoint whose certificate is already known to be trusted.
///
/// Over a protected channel the server is asked once more what it offers: before, anybody on the way could have answered.
pub(crate) async fn open(
    stream: TcpStream,
    url: &str,
    endpoint: &Endpoint,
    identity: Identity,
    client: Client<'_>,
) -> Result<Opened, Status> {
    let store = match (&endpoint.certificate, client.own) {
        (Some(certificate), Some(own)) => store::secure(own, client.folder, certificate).await?,
        _ => store::bare(),
    };
    let config = config(client.application_uri);
    let mut description = endpoint.description.0.clone();
    description.endpoint_url = url.into();
    let dialled = Dialled::new(stream, url);
    let ended = dialled.ended.clone();
    let (session, event_loop) = SessionBuilder::new(&config)
        .with_connector(dialled)
        .user_identity_token(identity.0)
        .type_loader(Arc::new(value::RawLoader))
        .connect_to_endpoint_directly(description)
        .and_then(|builder| builder.build(store))
        .map_err(|error| status(&error))?;
    session.disable_reconnects();
    let mut events = event_loop.enter().boxed();
    within_status(connected(&mut events)).await?;
    let mut driver: BoxFuture<'static, Status> = Box::pin(drive(events));
    let mut offered = None;
    if client.own.is_some() {
        offered = tokio::select! {
            why = &mut driver => return Err(why),
            offered = asked_again(&session, url) => offered,
        };
    }
    Ok(Opened {
        connection: Arc::new(calls::Client::new(session)),
        driver: Box::pin(async move {
            let why = driver.await;
            // The library ends without a word when the connection does.
            ended.get().cloned().unwrap_or(why)
        }),
        offered,
    })
}

/// What the server offers, by a question that nobody on the way can answer. None when it does not answer there.
async fn asked_again(session: &Session, url: &str) -> Option<Vec<Endpoint>> {
    let call = async {
        let answer = session.channel().send(ask(url), REQUEST_TIMEOUT);
        answer.await.map_err(|error| status(&error))
    };
    match within_status(call).await {
        Ok(ResponseMessage::GetEndpoints(answer)) => Some(read_endpoints(answer.endpoints)),
        _ => None,
    }
}

fn ask(url: &str) -> GetEndpointsRequest {
    GetEndpointsRequest {
        request_header: RequestHeader::new(&NodeId::null(), &DateTime::now(), 1),
        endpoint_url: url.into(),
        locale_ids: None,
        profile_uris: None,
    }
}

fn read_endpoints(endpoints: Option<Vec<EndpointDescription>>) -> Vec<Endpoint> {
    let endpoints = endpoints.unwrap_or_default();
    endpoints.into_iter().filter_map(endpoint).collect()
}

async fn connected(
    events: &mut (impl Stream<Item = Result<SessionPollResult, StatusCode>> + Unpin),
) -> Result<(), Status> {
    loop {
        match events.next().await {
            Some(Ok(SessionPollResult::Reconnected(_))) => return Ok(()),
            Some(Ok(SessionPollResult::ReconnectFailed(code)) | Err(code)) => {
                return Err(value::status(code));
            }
            Some(Ok(_)) => {}
            None => return Err(Status::named("BadConnectionClosed")),
        }
    }
}

async fn drive(mut events: BoxStream<'static, Result<SessionPollResult, StatusCode>>) -> Status {
    let mut failed = 0;
    while let Some(event) = events.next().await {
        match event {
            Ok(SessionPollResult::ConnectionLost(code)) | Err(code) => return value::status(code),
            Ok(SessionPollResult::SessionActivity(SessionActivity::KeepAliveSucceeded)) => {
                failed = 0;
            }
            Ok(SessionPollResult::SessionActivity(SessionActivity::KeepAliveFailed(code))) => {
                failed += 1;
                if failed >= MAX_FAILED_KEEP_ALIVES {
                    return value::status(code);
                }
            }
            Ok(_) => {}
        }
    }
    Status::named("BadConnectionClosed")
}

fn config(application_uri: &str) -> ClientConfig {
    ClientBuilder::new()
        .application_name("Fieldgate")
        .application_uri(application_uri)
        .product_uri("urn:fieldgate")
        .session_name("Fieldgate")
        .create_sample_keypair(false)
        .session_retry_limit(0)
        .recreate_subscriptions(false)
        .session_timeout(SESSION_TIMEOUT_MS)
        .request_timeout(REQUEST_TIMEOUT)
        .publish_timeout(PUBLISH_TIMEOUT)
        .keep_alive_interval(KEEP_ALIVE)
        .max_chunk_size(MAX_CHUNK_BYTES)
        .max_incoming_chunk_size(MAX_CHUNK_BYTES)
        .max_chunk_count(MAX_CHUNKS)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_string_length(value::MAX_TEXT_BYTES)
        .max_byte_string_length(value::MAX_BYTE_STRING_BYTES)
        .max_array_length(value::MAX_ARRAY_LENGTH)
        .into_config()
}

/// An endpoint in our words; `None` for transports, policies and modes that are not spoken here.
fn endpoint(mut description: EndpointDescription) -> Option<Endpoint> {
    if !description.endpoint_url.as_ref().starts_with("opc.tcp:") {
        return None;
    }
    let policy = Policy::named(description.security_policy_uri.as_ref())?;
    let mode = match description.security_mode {
        MessageSecurityMode::None => Mode::None,
        MessageSecurityMode::Sign => Mode::Sign,
        MessageSecurityMode::SignAndEncrypt => Mode::SignAndEncrypt,
        MessageSecurityMode::Invalid => return None,
    };
    let tokens = tokens::prepare(&mut description, policy, mode);
    Some(Endpoint {
        policy,
        mode,
        tokens,
        certificate: certificate(&description),
        description: Description(description),
    })
}

/// What of an endpoint only this module understands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description(EndpointDescription);

/// Who a server says that it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Server {
    pub name: String,
    /// Its application URI, which stays the same when its address changes.
    pub uri: String,
    pub product: String,
}

impl Description {
    pub(crate) fn server(&self) -> Server {
        discovery::server(&self.0.server)
    }
}

fn certificate(description: &EndpointDescription) -> Option<Certificate> {
    let der = description.server_certificate.value.clone()?;
    let facts = certificate::read(&der).ok()?;
    let seen = Seen {
        host: "localhost",
        application: description.server.application_uri.as_ref(),
        weak_policy: true,
        now: crate::publish::now(),
    };
    let flaws = certificate::flaws(&facts, seen);
    Some(Certificate {
        thumbprint: facts.shown.thumbprint.clone(),
        subject: facts.shown.subject.clone(),
        flaw: flaws.first().map(|flaw| flaw.words(&facts, seen)),
        der,
    })
}

fn status(error: &Error) -> Status {
    value::status(error.status())
}

/// No call hangs, whatever the library does.
async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Status> {
    within_status(async { call.await.map_err(|error| status(&error)) }).await
}

async fn within_status<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    tokio::time::timeout(REQUEST_TIMEOUT * 2, call)
        .await
        .unwrap_or(Err(Status::named("BadTimeout")))
}

// === impl Dialled ===

/// A socket that is already connected, so that name resolution and TCP have their own errors and their own words.
struct Dialled {
    stream: Arc<Mutex<Option<TcpStream>>>,
    url: String,
    /// Why the connection could not go on.
    ended: Ended,
}

impl Dialled {
    fn new(stream: TcpStream, url: &str) -> Self {
        Self {
            stream: Arc::new(Mutex::new(Some(stream))),
            url: url.to_owned(),
            ended: Ended::default(),
        }
    }
}

impl Connector for Dialled {
    type Transport = Wire;

    async fn connect(
        &self,
        channel: Arc<SecureChannelState>,
        outgoing: RequestRecv,
        config: TransportConfiguration,
    ) -> Result<Self::Transport, Error> {
        let stream = self
            .stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| Error::new(StatusCode::BadConnectionClosed, "dialled once only"))?;
        let (url, ended) = (self.url.clone(), self.ended.clone());
        let hello = transport::greet(stream, url, ended, channel, outgoing, config);
        match tokio::time::timeout(HELLO_TIMEOUT, hello).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::new(StatusCode::BadNoCommunication, "no hello")),
        }
    }

    fn default_endpoint(&self) -> EndpointDescription {
        EndpointDescription::from(self.url.as_str())
    }
}

impl ConnectionSource for Dialled {
    type Builder = Self;

    fn get_connector(&self, _: &EndpointDescription) -> Result<Self, Error> {
        Ok(Self {
            stream: self.stream.clone(),
            url: self.url.clone(),
            ended: self.ended.clone(),
        })
    }
}
