//! `Attempt`: the way from settings to a signed-in session, step by step, each step's failure in words for people.

mod words;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use fieldgate_kit::{Secrets, Source, SourceError, trust::shared_dir};

use crate::{
    OpcUa,
    certificate::{self, Seen},
    dial::{Target, Way},
    publish,
    redundancy::Reach,
    security::{self, Endpoint},
    session::{self, Identity, Opened},
    settings::{Policy, Settings},
    status::Status,
    trust::{
        Meeting, NotTrusted, Verdict,
        own::Own,
        store::{Binding, DistrustNote, Store},
    },
};

pub(crate) use self::words::is_busy;
use self::words::{SILENT, busy, distrusts, hung_up, silent};

/// How long leaving a server may take that is not to be used.
const GOOD_BYE: Duration = Duration::from_millis(500);

/// One attempt's settings and places.
pub(crate) struct Attempt<'a> {
    settings: &'a Settings,
    source: &'a str,
    secrets: &'a Secrets,
    folder: &'a Path,
    store: Store,
    reach: Reach,
}

// === impl Attempt ===

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        source: &'a str,
        secrets: &'a Secrets,
        folder: &'a Path,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            settings,
            source,
            secrets,
            folder,
            store: Store::at(&shared_dir(folder, OpcUa::KIND)),
            reach: Reach::Named,
        })
    }

    /// At a server that may only be there.
    pub(crate) fn reaching(self, reach: &Reach) -> Self {
        Self {
            reach: reach.clone(),
            ..self
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.settings.endpoint
    }

    pub(crate) fn target(&self) -> Result<Target, SourceError> {
        Target::of(self.endpoint()).map_err(SourceError::Misconfigured)
    }

    /// The way to a server that is dialled.
    pub(crate) async fn dialled(&self) -> Result<Way, SourceError> {
        let target = self.target()?;
        let addresses = target.resolve().await.map_err(SourceError::Lost)?;
        // A name can lead elsewhere than when the server was named.
        let is: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
        if let Some(far) = self.reach.forbids(&is) {
            return Err(SourceError::Refused(format!(
                "{} is at {far}, which is in no private network, and only another server named it; add it to `alternates` if it is one of yours",
                self.endpoint()
            )));
        }
        Ok(Way::Dial { target, addresses })
    }

    /// What the server offers.
    pub(crate) async fn endpoints(&self, way: &Way) -> Result<Vec<Endpoint>, SourceError> {
        let line = way.connect().await.map_err(SourceError::Lost)?;
        let url = line.url.as_deref().unwrap_or(self.endpoint());
        session::endpoints(line.stream, url)
            .await
            .map_err(|why| self.unanswered(&why))
    }

    /// Why nobody answered, or not as hoped.
    fn unanswered(&self, why: &Status) -> SourceError {
        let at = self.endpoint();
        SourceError::Lost(match why.name() {
            SILENT => silent(at),
            name if is_busy(name) => busy(at, why),
            _ => format!(
                "{at} does not answer as an OPC UA server: {why}; is it one, and is it ready?"
            ),
        })
    }

    pub(crate) fn choose<'e>(
        &self,
        endpoints: &'e [Endpoint],
    ) -> Result<&'e Endpoint, SourceError> {
        security::choose(endpoints, self.settings).map_err(|why| {
            let weak_only = endpoints.iter().all(|offer| offer.policy.weakness().is_some());
            match self.store.pinned(&self.binding()) {
                Some(entry) if weak_only && self.settings.weakness().is_none() => {
                    SourceError::Refused(format!(
                        "{why}. It offered security before, with the certificate {}: somebody may stand between this gateway and the server",
                        entry.facts.shown.thumbprint
                    ))
                }
                _ => why,
            }
        })
    }

    /// Whether the server's certificate is trusted; writes nothing.
    pub(crate) fn judge(&self, endpoint: &Endpoint) -> Result<Verdict, NotTrusted> {
        let Some(certificate) = &endpoint.certificate else {
            return Ok(Verdict::Trusted(String::new()));
        };
        if endpoint.policy == Policy::None {
            return Ok(Verdict::Trusted(String::new()));
        }
        let server = endpoint.description.server();
        let host = self
            .target()
            .map_or_else(|_| String::new(), |target| target.host);
        let meeting = Meeting {
            source: self.source,
            address: self.endpoint(),
            seen: Seen {
                host: &host,
                application: &server.uri,
                weak_policy: endpoint.policy.weakness().is_some(),
                now: publish::now(),
            },
        };
        let trust = &self.settings.server_certificate;
        self.store.judge(&certificate.der, trust, meeting)
    }

    /// A signed-in session; a certificate that is seen first is kept once the sign-in worked, one that nobody has decided
    /// on waits for a person.
    pub(crate) async fn open(&self, way: &Way, endpoint: &Endpoint) -> Result<Opened, SourceError> {
        self.adopt_old_pin().await;
        let verdict = match self.judge(endpoint) {
            Ok(verdict) => verdict,
            Err(NotTrusted { words, undecided }) => {
                if let Some(entry) = undecided {
                    self.keep(move |store, binding| store.ask(&entry, &binding, publish::now()))
                        .await?;
                }
                return Err(SourceError::Refused(words));
            }
        };
        let opened = self.sign_in(way, endpoint).await?;
        if let (Verdict::First, Some(certificate)) = (verdict, &endpoint.certificate) {
            let der = certificate.der.clone();
            self.keep(move |store, binding| store.pin(&der, &binding, publish::now()))
                .await?;
            tracing::info!(
                endpoint = self.endpoint(),
                thumbprint = certificate.thumbprint,
                "the server's certificate is trusted from now on"
            );
        }
        Ok(opened)
    }

    /// A signed-in session at an endpoint that was judged before. Keeps nothing of the server's.
    ///
    /// While a renewed certificate of ours is on its way to the servers, it is offered first, and the one in use after it.
    pub(crate) async fn sign_in(
        &self,
        way: &Way,
        endpoint: &Endpoint,
    ) -> Result<Opened, SourceError> {
        if endpoint.policy == Policy::None {
            let opened = self.dial(way, endpoint, None).await?;
            return opened.map_err(|why| self.not_opened(&why, endpoint, None));
        }
        self.expect_single(endpoint)?;
        let offers = self.offers().await?;
        let mut refused = None;
        for own in &offers {
            match self.dial(way, endpoint, Some(own)).await? {
                Ok(opened) => {
                    let opened = self.expect_no_downgrade(opened, endpoint).await?;
                    let (own, source) = (own.clone(), self.source.to_owned());
                    self.keep(move |store, _| store.accepted(&own, &source, publish::now()))
                        .await?;
                    return Ok(opened);
                }
                Err(why) if hung_up(&why) && own.was_taken_by(self.source) => {
                    return Err(SourceError::Lost(format!(
                        "the server at {} hung up while {} signed in ({why}); it trusted this gateway before, so look there whether it still does if this goes on",
                        self.endpoint(),
                        self.user()
                    )));
                }
                Err(why) if distrusts(&why) => refused = Some((why, own)),
                Err(why) => return Err(self.not_opened(&why, endpoint, Some(own))),
            }
        }
        let Some((why, own)) = refused else {
            return Err(SourceError::Lost(
                "there is no certificate to offer".to_owned(),
            ));
        };
        let error = self.not_opened(&why, endpoint, Some(own));
        let now = publish::now();
        let note = DistrustNote {
            version: 1,
            source: self.source.to_owned(),
            address: self.endpoint().to_owned(),
            words: error.to_string(),
            thumbprint: own.facts.shown.thumbprint.clone(),
            since: now,
            tried: now,
        };
        self.keep(move |store, _| store.note_distrust(note)).await?;
        Err(error)
    }

    /// The library takes no chain of certificates.
    fn expect_single(&self, endpoint: &Endpoint) -> Result<(), SourceError> {
        let der = endpoint.certificate.as_ref().map(|sent| &sent.der);
        let first = der.and_then(|der| certificate::read(der).ok());
        match (der, first) {
            (Some(der), Some(first)) if first.shown.der.len() < der.len() => {
                Err(SourceError::Refused(format!(
                    "the server at {} sends its authorities behind its certificate, which is not spoken here; let it send its own certificate alone, and import the authorities on the Trust page",
                    self.endpoint()
                )))
            }
            _ => Ok(()),
        }
    }

    /// One try with one certificate of ours; what the server says of it is the inner result.
    async fn dial(
        &self,
        way: &Way,
        endpoint: &Endpoint,
        own: Option<&Own>,
    ) -> Result<Result<Opened, Status>, SourceError> {
        let identity = self.identity()?;
        let line = way.connect().await.map_err(SourceError::Lost)?;
        let url = line.url.as_deref().unwrap_or(self.endpoint());
        let client = session::Client {
            own,
            application_uri: own.map_or("urn:fieldgate", Own::uri),
            folder: &self.folder.join("pki"),
        };
        Ok(session::open(line.stream, url, endpoint, identity, client).await)
    }

    /// Over the protected channel the server says once more what it offers. When that is better than what was said before,
    /// somebody on the way has taken the better out.
    async fn expect_no_downgrade(
        &self,
        opened: Opened,
        endpoint: &Endpoint,
    ) -> Result<Opened, SourceError> {
        let offered = opened.offered.as_deref().unwrap_or_default();
        let Some(better) = security::better(offered, endpoint, self.settings) else {
            return Ok(opened);
        };
        let words = format!(
            "the server at {} offers {} {}, but somebody between it and this gateway left that out, so that only {} {} seemed to be there; look for who can change the traffic",
            self.endpoint(),
            better.policy.name(),
            better.mode.name(),
            endpoint.policy.name(),
            endpoint.mode.name()
        );
        let Opened {
            connection, driver, ..
        } = opened;
        let good_bye = async {
            tokio::select! {
                _ = driver => {}
                _ = connection.close() => {}
            }
        };
        let _at_once = tokio::time::timeout(GOOD_BYE, good_bye).await;
        Err(SourceError::Refused(words))
    }

    async fn offers(&self) -> Result<Vec<Own>, SourceError> {
        let store = self.store.clone();
        // Making a key takes seconds on a small machine.
        let offers = tokio::task::spawn_blocking(move || store.offers(publish::now())).await;
        offers
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|why| {
                SourceError::Lost(format!(
                    "the gateway's own certificate cannot be made or read: {why}"
                ))
            })
    }

    /// Changes something on the shelves.
    async fn keep(
        &self,
        change: impl FnOnce(&Store, Binding) -> Result<(), String> + Send + 'static,
    ) -> Result<(), SourceError> {
        let (store, binding) = (self.store.clone(), self.binding());
        let kept = tokio::task::spawn_blocking(move || change(&store, binding)).await;
        kept.unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|why| {
                SourceError::Refused(format!(
                    "cannot keep what is trusted at {}: {why}",
                    self.endpoint()
                ))
            })
    }

    /// The only trusted certificate, where it lay before there were shelves.
    async fn adopt_old_pin(&self) {
        let file = self.folder.join("server.der");
        if !file.exists() {
            return;
        }
        let adopted = self.keep(move |store, binding| {
            let der = std::fs::read(&file).map_err(|error| error.to_string())?;
            store.pin(&der, &binding, publish::now())?;
            std::fs::remove_file(&file).map_err(|error| error.to_string())
        });
        if let Err(why) = adopted.await {
            tracing::warn!(%why, "the certificate that was trusted before is not taken over");
        }
    }

    fn binding(&self) -> Binding {
        Binding {
            source: self.source.to_owned(),
            address: self.endpoint().to_owned(),
        }
    }

    pub(crate) fn lost(&self, why: &Status) -> SourceError {
        SourceError::Lost(format!(
            "the connection to {} is lost: {why}",
            self.endpoint()
        ))
    }

    fn identity(&self) -> Result<Identity, SourceError> {
        let read = |secret| {
            let read = self.secrets.read(secret);
            read.map_err(|error| SourceError::Misconfigured(error.to_string()))
        };
        match (&self.settings.user, &self.settings.user_certificate) {
            (Some(user), _) => Ok(Identity::user_name(
                &user.name,
                read(&user.password)?.reveal(),
            )),
            (None, Some(user)) => {
                let (certificate, key) = (read(&user.certificate)?, read(&user.key)?);
                Identity::certificate(certificate.reveal(), key.reveal()).map_err(|why| {
                    SourceError::Misconfigured(format!(
                        "nobody can sign in at {}: {why}; change `user_certificate`",
                        self.endpoint()
                    ))
                })
            }
            (None, None) => Ok(Identity::anonymous()),
        }
    }

    /// Who signs in, in words.
    pub(crate) fn user(&self) -> &str {
        match (&self.settings.user, &self.settings.user_certificate) {
            (Some(user), _) => &user.name,
            (None, Some(_)) => "the user of the certificate",
            (None, None) => "nobody (anonymous)",
        }
    }
}
