//! Who the camera is and where its stream is: signs in at its ONVIF service if there is one, chooses a media profile, and says what it found.

use fieldgate_kit::{SecretRef, Secrets, SourceError, camera::StreamOffer, explore::Fact};
use fieldgate_onvif::{
    Client, Device as _, DeviceError, Next, Place, Profile, PtzRanges, Services, StreamTransport,
    candidates,
};
use fieldgate_rtsp::{
    Address, Basic, Credentials, Kind, Limits, Options, Reach, StreamError, Trust,
};
use url::Url;

use crate::{
    discover,
    settings::{Settings, Transport, User},
};

/// A camera that answered, and how its stream is opened.
pub(crate) struct Found {
    pub address: Address,
    pub options: Options,
    pub onvif: Option<Onvif>,
}

/// What its ONVIF service told.
pub(crate) struct Onvif {
    pub client: Client,
    pub services: Services,
    /// The media profile that is used.
    pub profile: Option<Profile>,
    pub streams: Vec<StreamOffer>,
    pub facts: Vec<Fact>,
    /// Maker and model.
    pub model: Option<String>,
    pub name: Option<String>,
    /// What is added to our time to get the camera's, in milliseconds.
    pub drift_ms: i64,
    pub ranges: Option<PtzRanges>,
    /// Where a single picture is.
    pub snapshot: Option<Address>,
}

/// Where the camera was found again after it had left its address; it outlives an attempt.
#[derive(Debug, Default)]
pub(crate) struct Moved(Option<String>);

/// Finds out all that is needed before the stream is opened.
pub(crate) async fn find(
    settings: &Settings,
    secrets: &Secrets,
    moved: &mut Moved,
) -> Result<Found, SourceError> {
    let options = options(settings, secrets)?;
    let user = match &settings.user {
        Some(user) => Some(credentials(user, secrets)?),
        None => None,
    };
    let onvif = match &settings.onvif {
        Some(address) => Some(follow(address, settings, user.as_ref(), secrets, moved).await),
        None => None,
    };
    // A stream that is named needs no ONVIF: it is shown although the service does not answer, unless who signs in is refused.
    let (onvif, told) = match onvif {
        Some(Ok((onvif, told))) => (Some(onvif), told),
        Some(Err(error)) if settings.url.is_none() || error.is_denial() => {
            return Err(device_error(&error));
        }
        Some(Err(error)) => {
            tracing::warn!(%error, "the camera's ONVIF service is not used");
            (None, None)
        }
        None => (None, None),
    };
    // Its own host is where the service was found.
    let url = match (&settings.url, &moved.0) {
        (Some(url), Some(place)) => at_host_of(url, place),
        (url, _) => url.clone(),
    };
    let url = url.or(told).ok_or_else(|| {
        SourceError::Misconfigured(
            "the camera's ONVIF service names no stream on the camera itself; write its `url`"
                .to_owned(),
        )
    })?;
    let address = Address::parse(&url).map_err(|no| SourceError::Misconfigured(no.to_string()))?;
    let address = match user {
        Some(user) => address.with_credentials(user),
        None => address,
    };
    Ok(Found {
        address,
        options,
        onvif,
    })
}

/// Asks the service where it was last, and if it is not there and its identity is known, where it is now.
async fn follow(
    address: &str,
    settings: &Settings,
    user: Option<&Credentials>,
    secrets: &Secrets,
    moved: &mut Moved,
) -> Result<(Onvif, Option<String>), DeviceError> {
    let last = moved.0.as_deref().unwrap_or(address);
    let first = ask(last, settings, user, secrets).await;
    let Some(identity) = &settings.identity else {
        return first;
    };
    let why = match &first {
        Ok((onvif, _)) => match onvif.client.endpoint_reference().await {
            // Some devices do not tell; then the address has to do.
            Ok(told) if !told.is_empty() && told != *identity => {
                format!("another device, {}, is at {last}", told.escape_debug())
            }
            _ => return first,
        },
        Err(DeviceError::Misconfigured(_)) => return first,
        Err(error) => error.to_string(),
    };
    let again = discover::find_again(identity).await;
    let Some(again) = again.filter(|again| again != last) else {
        let stranger = Err(DeviceError::Unreachable {
            at: last.to_owned(),
            why: format!("{why}; and the camera does not answer at another address"),
        });
        return if first.is_ok() { stranger } else { first };
    };
    tracing::info!(address = %again, why, "the camera was found again at another address");
    let found = ask(&again, settings, user, secrets).await;
    if found.is_ok() {
        moved.0 = Some(again);
    }
    found
}

/// How streams and pictures of these settings are opened.
///
/// # Errors
/// When a secret cannot be read.
pub(crate) fn options(settings: &Settings, secrets: &Secrets) -> Result<Options, SourceError> {
    let trust = match &settings.ca {
        Some(ca) => Trust::Authority(secret(ca, secrets)?.into_bytes()),
        None => Trust::System,
    };
    Ok(Options {
        transport: match settings.transport {
            Transport::Tcp => fieldgate_rtsp::Transport::Tcp,
            Transport::Udp => fieldgate_rtsp::Transport::Udp,
        },
        basic: match settings.allow_basic {
            true => Basic::Anywhere,
            false => Basic::OverTlsOnly,
        },
        trust,
        reach: match settings.allow_local {
            true => Reach::AlsoLocal,
            false => Reach::Others,
        },
        limits: Limits {
            stalled: settings.stall.0,
            ..Limits::default()
        },
        ..Options::default()
    })
}

pub(crate) fn credentials(user: &User, secrets: &Secrets) -> Result<Credentials, SourceError> {
    Ok(Credentials {
        user: user.name.clone(),
        password: secret(&user.password, secrets)?,
    })
}

fn secret(reference: &SecretRef, secrets: &Secrets) -> Result<String, SourceError> {
    let secret = secrets
        .read(reference)
        .map_err(|error| SourceError::Misconfigured(error.to_string()))?;
    Ok(secret.reveal().to_owned())
}

/// Everything that is asked of the ONVIF service once, and the URL of the stream.
async fn ask(
    address: &str,
    settings: &Settings,
    user: Option<&Credentials>,
    secrets: &Secrets,
) -> Result<(Onvif, Option<String>), DeviceError> {
    let client = client(address, settings, user, secrets)?;
    let clock = client.clock().await?;
    let services = client.services().await?;
    let information = optional(client.information().await)?.unwrap_or_default();
    let scopes = optional(client.scopes().await)?.unwrap_or_default();
    let profiles = client.profiles().await?;
    let ranked = candidates(&profiles);
    let wanted = settings.profile.as_deref();
    let chosen = match wanted {
        Some(wanted) => profiles
            .iter()
            .find(|profile| profile.token == wanted || profile.name == wanted),
        None => ranked.first().map(|candidate| &candidate.profile),
    };
    if let (Some(wanted), None) = (wanted, chosen) {
        let names: Vec<_> = profiles
            .iter()
            .map(|profile| profile.name.as_str())
            .collect();
        return Err(DeviceError::Misconfigured(format!(
            "the camera has no media profile `{}`; it has {}",
            wanted.escape_debug(),
            names.join(", ").escape_debug()
        )));
    }
    let (mut stream, mut snapshot, mut ranges) = (None, None, None);
    if let Some(profile) = chosen {
        let told = client.stream_uri(profile, StreamTransport::Tcp).await?;
        stream = Some(match told.place {
            Place::Device => told.uri,
            // Behind a translated address a device tells the one that it knows itself by.
            Place::Elsewhere { .. } => told.at_device,
        });
        if let Some(told) = optional(client.snapshot_uri(profile).await)? {
            let url = match told.place {
                Place::Device => told.uri,
                Place::Elsewhere { .. } => told.at_device,
            };
            snapshot = Address::parse(&url).ok().map(|address| match user {
                Some(user) => address.with_credentials(user.clone()),
                None => address,
            });
        }
        if services.ptz && profile.ptz.is_some() {
            ranges = optional(client.ptz_ranges(profile).await)?;
        }
    }
    let used = chosen.map(|profile| profile.token.clone());
    let offers = ranked.iter().map(|candidate| StreamOffer {
        token: candidate.profile.token.clone(),
        name: candidate.profile.name.clone(),
        words: candidate.title.clone(),
        used: used.as_ref() == Some(&candidate.profile.token),
    });
    let fact = |name: &str, text: &str| {
        (!text.is_empty()).then(|| Fact {
            name: name.to_owned(),
            text: text.to_owned(),
        })
    };
    let location = scopes.location.clone().unwrap_or_default();
    let facts = [
        fact("Maker", &information.manufacturer),
        fact("Model", &information.model),
        fact("Firmware", &information.firmware),
        fact("Serial number", &information.serial_number),
        fact("Place", &location),
    ];
    let model = [&*information.manufacturer, &*information.model].join(" ");
    let onvif = Onvif {
        services,
        profile: chosen.cloned(),
        streams: offers.collect(),
        facts: facts.into_iter().flatten().collect(),
        model: Some(model.trim().to_owned()).filter(|model| !model.is_empty()),
        name: scopes.name,
        drift_ms: clock.drift_millis,
        ranges,
        snapshot,
        client,
    };
    Ok((onvif, stream))
}

fn client(
    address: &str,
    settings: &Settings,
    user: Option<&Credentials>,
    secrets: &Secrets,
) -> Result<Client, DeviceError> {
    let mut asked = fieldgate_onvif::Settings::new(address)?;
    asked.credentials = user.map(|user| fieldgate_onvif::Credentials {
        user: user.user.clone(),
        password: user.password.clone(),
    });
    asked.reach = match settings.allow_local {
        true => fieldgate_onvif::Reach::ThisMachineToo,
        false => fieldgate_onvif::Reach::Network,
    };
    if let Some(ca) = &settings.ca {
        let authority = secret(ca, secrets);
        let authority = authority.map_err(|error| DeviceError::Misconfigured(error.to_string()))?;
        asked.authority = Some(authority.into_bytes());
    }
    Client::new(asked)
}

/// A stream's URL with the host of a service: both are one device's.
fn at_host_of(url: &str, service: &str) -> Option<String> {
    let (mut url, service) = (Url::parse(url).ok()?, Url::parse(service).ok()?);
    url.set_host(service.host_str()).ok()?;
    Some(url.into())
}

/// What a camera need not have.
fn optional<T>(answer: Result<T, DeviceError>) -> Result<Option<T>, DeviceError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.next() == Next::Skip => Ok(None),
        Err(error) => Err(error),
    }
}

/// By what the supervisor does next.
pub(crate) fn device_error(error: &DeviceError) -> SourceError {
    match (error, error.next()) {
        (DeviceError::Misconfigured(words), _) => SourceError::Misconfigured(words.clone()),
        (_, Next::Wait) => SourceError::Refused(error.to_string()),
        _ => SourceError::Lost(error.to_string()),
    }
}

/// By what the supervisor does next.
pub(crate) fn stream_error(error: &StreamError) -> SourceError {
    let words = error.to_string();
    match error.kind() {
        Kind::Lost => SourceError::Lost(words),
        Kind::Refused => SourceError::Refused(words),
        Kind::Misconfigured => SourceError::Misconfigured(words),
    }
}
