//! The vendor's client, and the only module of the source that knows it: a socket becomes a signed-in [`Connection`].
//!
//! What the library does by itself is switched off: it must not connect again (the supervisor does), and it must
//! not run its own publish loop, which acknowledges before anybody has kept the values.

mod calls;
mod convert;
mod explore;
mod facts;
mod frames;
mod inbox;
mod lexicon;
mod limits;
mod subscriptions;
mod tokens;
mod transport;
mod value_types;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use opcua::{
    client::{
        ClientBuilder, ClientConfig, ConnectionSource, IdentityToken, Password, SessionActivity,
        SessionBuilder, SessionPollResult,
        transport::{
            Connector, RequestRecv, SecureChannelState, TransportConfiguration, TransportPollResult,
        },
    },
    core::ResponseMessage,
    crypto::{CertificateStore, KeySize, PrivateKey, X509, X509Data},
    sync::RwLock,
    types::{
        DateTime, EndpointDescription, Error, GetEndpointsRequest, MessageSecurityMode, NodeId,
        RequestHeader, StatusCode,
    },
};
use tokio::net::TcpStream;

use self::{
    calls::Client,
    transport::{Ended, Wire},
};
use crate::{
    connection::Connection,
    security::{Certificate, Endpoint},
    settings::{Mode, Policy},
    status::Status,
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
/// The gateway's own certificate is made to last; renewing it means to be trusted again by every server.
const CERTIFICATE_DAYS: u32 = 3650;

// What a server can make us allocate for one message.
const MAX_CHUNK_BYTES: usize = 65_535;
const MAX_CHUNKS: usize = 64;
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Who signs in.
pub(crate) struct Identity(IdentityToken);

/// A signed-in session and what keeps it going.
pub(crate) struct Opened {
    pub connection: Arc<dyn Connection>,
    /// Must be polled for any call to make progress; resolves when the session is lost or was closed.
    pub driver: BoxFuture<'static, Status>,
}

/// What the server offers, asked over a connection of its own (OPC UA Part 4, 5.5.4).
pub(crate) async fn endpoints(stream: TcpStream, url: &str) -> Result<Vec<Endpoint>, Status> {
    let config = config("urn:fieldgate:opcua");
    let channel = SessionBuilder::new(&config)
        .connect_to_endpoint_directly(EndpointDescription::from(url))
        .and_then(|builder| builder.build_channel(bare_store()))
        .map_err(|error| status(&error))?;
    let connector = Dialled::new(stream, url);
    let mut transport = within(channel.connect_no_retry(&connector)).await?;
    let request = GetEndpointsRequest {
        request_header: RequestHeader::new(&NodeId::null(), &DateTime::now(), 1),
        endpoint_url: url.into(),
        locale_ids: None,
        profile_uris: None,
    };
    let answer = async {
        let answer = channel.send(request, REQUEST_TIMEOUT);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => break answer,
                polled = transport.poll() => if let TransportPollResult::Closed(code) = polled {
                    break Err(Error::new(code, "closed"));
                }
            }
        }
    };
    let answer = within(answer).await?;
    channel.close_channel().await;
    let _sent = tokio::time::timeout(Duration::from_millis(100), transport.poll()).await;
    match answer {
        ResponseMessage::GetEndpoints(answer) => Ok(answer
            .endpoints
            .unwrap_or_default()
            .into_iter()
            .filter_map(endpoint)
            .collect()),
        _ => Err(Status::named("BadUnknownResponse")),
    }
}

/// Signs in at an endpoint whose certificate is already known to be trusted.
///
/// `pki` is the folder of our own certificate and key; they are made when they are needed for the first time.
pub(crate) async fn open(
    stream: TcpStream,
    url: &str,
    endpoint: &Endpoint,
    identity: Identity,
    application_uri: &str,
    pki: &Path,
) -> Result<Opened, Status> {
    let store = match &endpoint.certificate {
        Some(certificate) if endpoint.policy != Policy::None => {
            secure_store(pki, application_uri, certificate).await?
        }
        _ => bare_store(),
    };
    let config = config(application_uri);
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
    Ok(Opened {
        connection: Arc::new(Client::new(session)),
        driver: Box::pin(async move {
            let why = drive(events).await;
            // The library ends without a word when the connection does.
            ended.get().cloned().unwrap_or(why)
        }),
    })
}

/// The SHA-1 thumbprint of a certificate in DER.
pub(crate) fn thumbprint(der: &[u8]) -> String {
    X509::from_der(der).map_or_else(
        |_| "an unreadable one".to_owned(),
        |certificate| certificate.thumbprint().as_hex_string(),
    )
}

/// The thumbprint of our own certificate, when there is one.
pub(crate) fn own_thumbprint(pki: &Path) -> Option<String> {
    let store = CertificateStore::new(pki);
    let own = store.read_own_cert().ok()?;
    Some(own.thumbprint().as_hex_string())
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

/// For connections without security: no key, no folder.
fn bare_store() -> Arc<RwLock<CertificateStore>> {
    Arc::new(RwLock::new(CertificateStore::new(Path::new(""))))
}

/// Our own key pair, made on first use, and the server's certificate where the library looks for trusted ones.
async fn secure_store(
    pki: &Path,
    application_uri: &str,
    certificate: &Certificate,
) -> Result<Arc<RwLock<CertificateStore>>, Status> {
    let (pki, uri, der) = (
        pki.to_owned(),
        application_uri.to_owned(),
        certificate.der.clone(),
    );
    let prepare = move || -> Result<CertificateStore, String> {
        private_folder(&pki)?;
        let mut store = CertificateStore::new(&pki);
        store.ensure_pki_path()?;
        if store.read_own_cert().is_err() || store.read_own_pkey().is_err() {
            store.create_and_store_application_instance_cert(&own_certificate(&uri), true)?;
        }
        let server = X509::from_der(&der).map_err(|error| error.to_string())?;
        let copy = store
            .trusted_certs_dir()
            .join(CertificateStore::cert_file_name(&server));
        fs::write(copy, der).map_err(|error| error.to_string())?;
        // Trust, validity and application were checked before; the certificate's identity stands for its host.
        store.set_skip_verify_certs(true);
        Ok(store)
    };
    // Making a key takes seconds on a small machine.
    match tokio::task::spawn_blocking(prepare).await {
        Ok(Ok(store)) => Ok(Arc::new(RwLock::new(store))),
        Ok(Err(why)) => {
            tracing::error!(why, "cannot prepare the certificates");
            Err(Status::named("BadConfigurationError"))
        }
        Err(_) => Err(Status::named("BadInternalError")),
    }
}

fn private_folder(path: &Path) -> Result<(), String> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| format!("cannot make the folder {}: {error}", path.display()))
}

fn own_certificate(application_uri: &str) -> X509Data {
    let hosts = Some(X509Data::computer_hostnames());
    X509Data {
        key_size: 2048,
        common_name: "Fieldgate".to_owned(),
        organization: "Fieldgate".to_owned(),
        organizational_unit: String::new(),
        country: String::new(),
        state: String::new(),
        alt_host_names: X509Data::alt_host_names(application_uri, hosts, false, false, false),
        certificate_duration_days: CERTIFICATE_DAYS,
    }
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
pub(crate) struct Server {
    pub name: String,
    /// Its application URI, which stays the same when its address changes.
    pub uri: String,
    pub product: String,
}

impl Description {
    pub(crate) fn server(&self) -> Server {
        let server = &self.0.server;
        Server {
            name: server.application_name.text.to_string(),
            uri: server.application_uri.to_string(),
            product: server.product_uri.to_string(),
        }
    }
}

fn certificate(description: &EndpointDescription) -> Option<Certificate> {
    let x509 = X509::from_byte_string(&description.server_certificate).ok()?;
    let application_uri = description.server.application_uri.as_ref();
    let flaw = if x509.is_time_valid(&DateTime::now().as_chrono()).is_err() {
        Some("it is expired, or not valid yet".to_owned())
    } else if x509.is_application_uri_valid(application_uri).is_err() {
        Some(format!(
            "it is for another application than `{application_uri}`"
        ))
    } else {
        None
    };
    Some(Certificate {
        der: description.server_certificate.value.clone()?,
        thumbprint: x509.thumbprint().as_hex_string(),
        subject: x509.subject_name(),
        flaw,
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

// === impl Identity ===

impl Identity {
    pub(crate) fn anonymous() -> Self {
        Self(IdentityToken::Anonymous)
    }

    pub(crate) fn user_name(name: &str, password: &str) -> Self {
        Self(IdentityToken::UserName(
            name.to_owned(),
            Password::new(password),
        ))
    }

    /// A user's certificate and its private key, both in PEM.
    ///
    /// # Errors
    /// In words, when they are unreadable or do not belong together. The key is not in the words.
    pub(crate) fn certificate(certificate: &str, key: &str) -> Result<Self, &'static str> {
        let certificate = X509::from_pem(certificate.as_bytes())
            .map_err(|_| "the user's certificate is not in PEM")?;
        let key = PrivateKey::from_pem(key.as_bytes())
            .map_err(|_| "the user's key is no RSA key in PEM without a passphrase")?;
        let public = certificate
            .public_key()
            .map_err(|_| "the user's certificate has no RSA key")?;
        let mut signature = vec![0; key.size()];
        let proven = key
            .sign_sha256(&[], &mut signature)
            .and_then(|_| public.verify_sha256(&[], &signature));
        match proven {
            Ok(true) => Ok(Self(IdentityToken::new_x509(certificate, key))),
            _ => Err("the user's key is not the one of the user's certificate"),
        }
    }
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
