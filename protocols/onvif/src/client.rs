//! `Client`: a [`Device`](crate::Device) over HTTP. It reads the device's clock before it signs anything, finds the way in which
//! the device wants to be signed for, and keeps to the device's own host.
//!
//! The requests are SOAP of our own. The crate oxvif was the candidate; it keeps neither the times of a pull's answer nor the reference
//! parameters of a subscription, leaves encoder facts out of profiles, moves all axes or none, follows redirects and reads without a
//! bound. It stands at the other end of our tests instead, as a device and as a client that nobody here wrote.

mod asked;
mod device;
mod events;
mod http;
mod imaging;
mod media;
mod ptz;
mod services;
mod sign_in;
mod tls;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use url::Url;

use self::{
    http::{Http, Question, Silence},
    services::{Addresses, Service},
    sign_in::{SignIn, Verdict, judge},
    tls::Trust,
};
use crate::{
    clock::Clock,
    error::DeviceError,
    reach::Reach,
    soap::{Credentials, Headers, envelope, response, username_token},
    words::shown,
    xml::Element,
};

/// Where a device is, and who asks.
#[derive(Clone)]
pub struct Settings {
    /// Of its device service, for instance `http://192.168.1.20/onvif/device_service`. Made by [`Settings::new`].
    pub address: Url,
    pub credentials: Option<Credentials>,
    /// The authority that signed its certificate, as PEM, where it is asked over TLS and the system does not know it.
    pub authority: Option<Vec<u8>>,
    pub reach: Reach,
    /// For one request.
    pub timeout: Duration,
}

/// One device.
pub struct Client {
    settings: Settings,
    http: Http,
    /// Host and port, for people.
    at: String,
    state: Mutex<State>,
}

/// What was learnt about the device.
#[derive(Default)]
struct State {
    clock: Option<Clock>,
    addresses: Option<Arc<Addresses>>,
    sign_in: SignIn,
}

/// A request, before it is known how it has to be signed.
struct Ask {
    url: Url,
    action: String,
    /// For people.
    operation: String,
    body: String,
    limit: Duration,
    /// The headers of WS-Addressing, which the event service needs.
    addressed: bool,
    references: Vec<String>,
}

/// The path that the standard proposes for the device service.
const DEVICE_SERVICE: &str = "/onvif/device_service";
/// For one request: a device that is asked for its profiles may have to think.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Ways to sign in that one request tries. Devices lock accounts after some five wrong ones.
const MAX_TRIES: usize = 4;

// === impl Settings ===

impl Settings {
    /// From what a person types: `192.168.1.20`, `camera.local:8000`, or the whole URL.
    ///
    /// # Errors
    /// When that is no address.
    pub fn new(address: &str) -> Result<Self, DeviceError> {
        // What was typed is not repeated: there may be a password in it.
        let wrong = |why: &str| DeviceError::Misconfigured(format!("the device's address: {why}"));
        let text = address.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let mut url = Url::parse(&text)
            .map_err(|_| wrong("that is no host and no URL; for instance 192.168.1.20"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it begins with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "it has no user and no password in it; they have fields of their own",
            ));
        }
        if url.path() == "/" {
            url.set_path(DEVICE_SERVICE);
        }
        url.set_fragment(None);
        Ok(Self {
            address: url,
            credentials: None,
            authority: None,
            reach: Reach::default(),
            timeout: TIMEOUT,
        })
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address.as_str())
            .field("credentials", &self.credentials)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

// === impl Client ===

impl Client {
    /// Sends nothing. Reads the system's certificates where the address is of TLS: not for the async executor then.
    ///
    /// # Errors
    /// When the certificate authority cannot be used.
    pub fn new(settings: Settings) -> Result<Self, DeviceError> {
        let trust = match (settings.address.scheme(), &settings.authority) {
            ("https", Some(pem)) => Some(Arc::new(Trust::own(pem)?)),
            ("https", None) => Some(Arc::new(Trust::system()?)),
            _ => None,
        };
        let host = settings.address.host_str().unwrap_or_default();
        let at = match settings.address.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let reach = settings.reach;
        Ok(Self {
            settings,
            http: Http { trust, reach },
            at,
            state: Mutex::default(),
        })
    }

    /// Host and port, for people.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Calls an operation of a service, and gives its response element.
    async fn operation(
        &self,
        service: Service,
        name: &str,
        body: String,
    ) -> Result<Element, DeviceError> {
        let url = self.address_of(service).await?;
        self.operation_at(url, service, name, body).await
    }

    async fn operation_at(
        &self,
        url: Url,
        service: Service,
        name: &str,
        body: String,
    ) -> Result<Element, DeviceError> {
        let ask = Ask {
            url,
            action: format!("{}/{name}", service.namespace()),
            operation: name.to_owned(),
            body,
            limit: self.settings.timeout,
            addressed: false,
            references: Vec::new(),
        };
        self.signed_response(&ask, &format!("{name}Response")).await
    }

    async fn signed_response(&self, ask: &Ask, name: &str) -> Result<Element, DeviceError> {
        let envelope = self.signed(ask).await?;
        response(envelope, name).map_err(|why| DeviceError::garbage(&self.at, &ask.operation, &why))
    }

    /// Asks, in the way that the device wants to be signed for; the whole envelope comes back.
    async fn signed(&self, ask: &Ask) -> Result<Element, DeviceError> {
        let mut measured_anew = false;
        if self.settings.credentials.is_some() {
            measured_anew = self.know_the_clock().await?;
        }
        let mut tried = self.sign_in();
        for _ in 0..MAX_TRIES {
            let verdict = self.once(ask, Some(&tried)).await?;
            let refusal = match verdict {
                Verdict::Done(envelope) => {
                    self.lock().sign_in = tried.found();
                    return Ok(envelope);
                }
                Verdict::Failed(error) => return Err(error),
                Verdict::Refused(refusal) => refusal,
            };
            if self.settings.credentials.is_none() {
                return Err(refusal.without_credentials(&self.at));
            }
            let secure = self.settings.address.scheme() == "https";
            if !refusal.locked
                && let Some(next) = tried.next(&refusal, secure)
            {
                tried = next;
                continue;
            }
            // The device's clock may have been set since it was read: then the same signature is worth another try.
            if tried.has_token() && !measured_anew && !refusal.locked {
                measured_anew = true;
                if self.clock_has_jumped().await {
                    continue;
                }
            }
            return Err(refusal.error(&self.at, secure, self.drift_seconds()));
        }
        Err(DeviceError::Denied {
            at: self.at.clone(),
            why: "it wants to be signed for in ever new ways".to_owned(),
        })
    }

    /// One exchange.
    async fn once(&self, ask: &Ask, sign_in: Option<&SignIn>) -> Result<Verdict, DeviceError> {
        let mut headers = Headers {
            references: ask.references.clone(),
            ..Headers::default()
        };
        if ask.addressed {
            headers.addressing = Some((ask.url.to_string(), ask.action.clone()));
        }
        let signing = sign_in.zip(self.settings.credentials.as_ref());
        if let Some((sign_in, credentials)) = signing
            && sign_in.has_token()
        {
            headers.security = username_token(credentials, self.device_now());
        }
        let body = envelope(&headers, &ask.body);
        let authorization = signing.and_then(|(sign_in, credentials)| {
            sign_in.authorization(credentials, &ask.url, body.as_bytes())
        });
        let question = Question {
            url: &ask.url,
            action: &ask.action,
            authorization: authorization.as_deref(),
            body,
            limit: ask.limit,
        };
        let reply = self
            .http
            .post(question)
            .await
            .map_err(|silence| self.silence(silence))?;
        if let Some(date) = reply.date {
            self.note_date(date);
        }
        Ok(judge(&self.at, &ask.operation, reply))
    }

    fn silence(&self, silence: Silence) -> DeviceError {
        let at = self.at.clone();
        match silence {
            Silence::Unreachable(why) => DeviceError::Unreachable { at, why },
            Silence::Strange(why) => DeviceError::NotOnvif { at, why },
            Silence::Forbidden(why) => {
                DeviceError::Misconfigured(format!("{at} is not asked: {why}"))
            }
        }
    }

    fn sign_in(&self) -> SignIn {
        self.lock().sign_in.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_supported(&self, operation: &str) -> DeviceError {
        DeviceError::NotSupported {
            at: self.at.clone(),
            operation: shown(operation),
        }
    }

    fn garbage(&self, operation: &str, why: &str) -> DeviceError {
        DeviceError::garbage(&self.at, operation, why)
    }
}

/// Any bytes as the answer to every question.
pub(crate) fn read_anything(bytes: &[u8]) {
    use crate::{events, soap::Answer};
    let device = &Url::parse("http://192.168.1.20/onvif/device_service").expect("it is a URL");
    let _announced = crate::Announcement::read(bytes);
    let Ok(Answer::Done(envelope)) = crate::soap::read(bytes) else {
        return;
    };
    let _subscribed = events::read_subscribed(&envelope);
    let Some(body) = envelope.child("Body") else {
        return;
    };
    for response in &body.children {
        let _clock = crate::clock::read_date_and_time(response);
        let _addresses = services::read_services(response, device);
        let _addresses = services::read_capabilities(response, device);
        let _information = device::read_information(response);
        let mut profiles = media::read_profiles(response, crate::MediaService::Media1);
        profiles.extend(media::read_profiles(response, crate::MediaService::Media2));
        let _candidates = crate::candidates(&profiles);
        let _options = media::read_options_1(response);
        let _options = media::read_options_2(response);
        let _told = response
            .word(&["Uri"])
            .map(|uri| crate::Told::read(uri, device, &["rtsp", "http"]));
        let ranges = ptz::read_ranges(response, Some(response));
        if let Some(status) = ptz::read_status(response) {
            let _place = ranges.place_of(status.pan_tilt.as_ref(), status.zoom.as_ref());
        }
        let _presets = ptz::read_presets(response);
        let _imaging = crate::imaging::read(response, Some(response));
        let _times = events::read_times(response);
        events::take_anything(events::read_pulled(response));
    }
}
