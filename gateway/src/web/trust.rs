//! Trust: our identities and the peers' certificates, as every kind of source that has some offers them; and a person's decisions.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path, ServiceConfig},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fieldgate_api::{
    endpoint::{
        AcceptPeer, Endpoint, GetTrust, ImportTrust, RejectPeer, RemovePeer, RenewIdentity,
        RequestIdentity,
    },
    trust::{
        CertificateView, Difference, DistrustView, IdentityRole, IdentityView, PeerView, ShelfName,
        TrustDone, TrustKind, TrustView, UsedByView,
    },
};
use fieldgate_kit::trust::{
    Act, Certificate, Distrust, Identity, MOST_BYTES, Peer, Role, Shelf, UsedBy,
};
use fieldgate_model::Timestamp;

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::shown,
};
use crate::{gateway::Gateway, supervisor::UnitName, telemetry::now};

/// Where certificates are as files: `SHA256.der`, `SHA256.pem`, and `KIND.csr` for a request.
const EXPORT_PATH: &str = "/api/v1/export/trust/{file}";
const DAY_MS: i64 = 86_400_000;

/// Where one certificate's file is.
#[must_use]
pub fn export_path(file: &str) -> String {
    EXPORT_PATH.replace("{file}", file)
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetTrust, _, _>(list);
    mounts.mount::<AcceptPeer, _, _>(|call: Call<AcceptPeer>| decide(call, Act::Accept));
    mounts.mount::<RejectPeer, _, _>(|call: Call<RejectPeer>| decide(call, Act::Reject));
    mounts.mount::<RemovePeer, _, _>(|call: Call<RemovePeer>| decide(call, Act::Remove));
    mounts.mount::<ImportTrust, _, _>(import);
    mounts.mount::<RenewIdentity, _, _>(renew);
    mounts.mount::<RequestIdentity, _, _>(request);
}

/// What stands beside the table: the files.
pub fn mount_export(config: &mut ServiceConfig) {
    config.route(EXPORT_PATH, web::get().to(export));
}

async fn list(call: Call<GetTrust>) -> Answer<GetTrust> {
    blocking(call.shared, |gateway| Ok(view(gateway, now()))).await
}

async fn decide<E>(call: Call<E>, act: fn(String) -> Act) -> Result<TrustDone, Failure>
where
    E: Endpoint<Request = (), Response = TrustDone>,
{
    let named = call.place;
    blocking(call.shared, move |gateway| {
        let kind = kind_of(gateway, &named)?;
        perform(gateway, &kind, act(named))
    })
    .await
}

async fn import(call: Call<ImportTrust>) -> Answer<ImportTrust> {
    let draft = call.body;
    let bytes = match (draft.pem, draft.der_base64) {
        (Some(pem), None) => pem.into_bytes(),
        (None, Some(der)) => STANDARD
            .decode(der.trim())
            .map_err(|error| Failure::Malformed(format!("`der_base64` is no Base64: {error}")))?,
        _ => {
            return Err(Failure::Malformed(
                "send either `pem` or `der_base64`".into(),
            ));
        }
    };
    if bytes.len() > MOST_BYTES {
        return Err(Failure::BodyTooLarge);
    }
    blocking(call.shared, move |gateway| {
        perform(gateway, &draft.kind, Act::Import(bytes))
    })
    .await
}

async fn renew(call: Call<RenewIdentity>) -> Answer<RenewIdentity> {
    let (kind, key_bits) = (call.body.kind, call.body.key_bits.unwrap_or(0));
    blocking(call.shared, move |gateway| {
        perform(gateway, &kind, Act::Renew { key_bits })
    })
    .await
}

async fn request(call: Call<RequestIdentity>) -> Answer<RequestIdentity> {
    let (kind, key_bits) = (call.body.kind, call.body.key_bits.unwrap_or(0));
    blocking(call.shared, move |gateway| {
        perform(gateway, &kind, Act::Request { key_bits })
    })
    .await
}

async fn export(shared: Data<Shared>, file: Path<String>) -> Result<HttpResponse, Failure> {
    let file = file.into_inner();
    let no_such = || Failure::no_such("certificate", &file);
    let (name, ending) = file.rsplit_once('.').ok_or_else(no_such)?;
    let (wanted, kind) = (name.to_owned(), ending.to_owned());
    let found = blocking(shared, move |gateway| Ok(file_of(gateway, &wanted, &kind))).await?;
    let (media, bytes) = found.ok_or_else(no_such)?;
    // Only digits, letters and dots got here.
    let disposition = format!("attachment; filename=\"fieldgate-{file}\"");
    Ok(HttpResponse::Ok()
        .content_type(media)
        .insert_header(("content-disposition", disposition))
        .body(bytes))
}

fn file_of(gateway: &Gateway, name: &str, ending: &str) -> Option<(&'static str, Vec<u8>)> {
    for (kind, trust) in gateway.trusts() {
        let Ok(shelves) = trust.shelves() else {
            continue;
        };
        if ending == "csr" && name == kind.kind {
            let request = shelves.identities.into_iter().find_map(|own| own.request)?;
            return Some(("application/x-pem-file", request.into_bytes()));
        }
        let own = shelves
            .identities
            .into_iter()
            .filter_map(|own| own.certificate);
        let mut all = own.chain(shelves.peers.into_iter().map(|peer| peer.certificate));
        let Some(found) = all.find(|certificate| certificate.sha256 == name) else {
            continue;
        };
        return match ending {
            "der" => Some(("application/pkix-cert", found.der)),
            "pem" => Some(("application/x-pem-file", pem(&found.der).into_bytes())),
            _ => None,
        };
    }
    None
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    lines + "-----END CERTIFICATE-----\n"
}

/// Everything of it reads files, and some makes keys.
async fn blocking<T: Send + 'static>(
    shared: Data<Shared>,
    work: impl FnOnce(&Gateway) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let gateway = std::sync::Arc::clone(&shared.gateway);
    let done = web::block(move || work(&gateway)).await;
    done.map_err(|error| Failure::Internal(error.to_string()))?
}

fn perform(gateway: &Gateway, kind: &str, act: Act) -> Result<TrustDone, Failure> {
    let found = gateway.trusts().find(|(found, _)| found.kind == kind);
    let (_, trust) = found.ok_or_else(|| Failure::no_such("kind with certificates", kind))?;
    let is_request = matches!(act, Act::Request { .. });
    let done = trust
        .act(act)
        .map_err(|words| Failure::Malformed(shown(&words)))?;
    if !is_request {
        tracing::info!(kind, words = done.words, "a person decided about trust");
    }
    let mut wanted = done.retry;
    if done.all {
        wanted =
            gateway.running(|running| running.sources.keys().map(ToString::to_string).collect());
    }
    wanted.sort();
    wanted.dedup();
    // Only who waits for its next attempt is woken; a paused or removed source is not there.
    let retried = wanted
        .into_iter()
        .filter(|source| {
            waits(gateway, source)
                && gateway
                    .board
                    .retry_now(&UnitName::Source(source.as_str().into()))
        })
        .collect();
    Ok(TrustDone {
        words: match is_request {
            true => done.words,
            false => shown(&done.words),
        },
        retried,
    })
}

fn waits(gateway: &Gateway, source: &str) -> bool {
    let status = gateway.board.status(&UnitName::Source(source.into()));
    status.is_some_and(|status| status.retry_at.is_some())
}

/// The kind whose certificate is meant.
fn kind_of(gateway: &Gateway, named: &str) -> Result<String, Failure> {
    for (kind, trust) in gateway.trusts() {
        let shelves = trust
            .shelves()
            .map_err(|words| Failure::Unavailable(shown(&words)))?;
        let own = shelves
            .identities
            .iter()
            .filter_map(|own| own.certificate.as_ref());
        let mut all = own.chain(shelves.peers.iter().map(|peer| &peer.certificate));
        let is_request = named == "request"
            && shelves
                .identities
                .iter()
                .any(|own| own.role == Role::Request);
        if is_request || all.any(|certificate| certificate.is_named(named)) {
            return Ok(kind.kind.to_owned());
        }
    }
    Err(Failure::no_such("certificate", named))
}

fn view(gateway: &Gateway, now: Timestamp) -> TrustView {
    let mut view = TrustView::default();
    for (kind, trust) in gateway.trusts() {
        view.kinds.push(TrustKind {
            kind: kind.kind.to_owned(),
            title: kind.title.to_owned(),
        });
        let shelves = match trust.shelves() {
            Ok(shelves) => shelves,
            Err(words) => {
                view.problems
                    .push(format!("{}: {}", kind.title, shown(&words)));
                continue;
            }
        };
        let kind = kind.kind;
        view.identities.extend(
            shelves
                .identities
                .into_iter()
                .map(|own| identity(kind, own, now)),
        );
        view.peers
            .extend(shelves.peers.into_iter().map(|one| peer(kind, one, now)));
        // A source that is gone is not waited for.
        let there = gateway.running(|running| running.sources.keys().cloned().collect::<Vec<_>>());
        let distrusting = shelves
            .distrusting
            .into_iter()
            .filter(|one| there.iter().any(|id| **id == *one.source));
        view.distrusting
            .extend(distrusting.map(|one| distrust(kind, one)));
    }
    view
}

fn identity(kind: &str, own: Identity, now: Timestamp) -> IdentityView {
    IdentityView {
        kind: kind.to_owned(),
        role: match own.role {
            Role::Own => IdentityRole::Own,
            Role::Next => IdentityRole::Next,
            Role::Request => IdentityRole::Request,
        },
        certificate: own
            .certificate
            .map(|certificate| as_view(&certificate, now)),
        request: own.request,
        words: own.words,
    }
}

fn peer(kind: &str, peer: Peer, now: Timestamp) -> PeerView {
    let certificate = as_view(&peer.certificate, now);
    let before = peer.instead_of.map(|before| as_view(&before, now));
    PeerView {
        kind: kind.to_owned(),
        shelf: match peer.shelf {
            Shelf::Trusted => ShelfName::Trusted,
            Shelf::Issuers => ShelfName::Issuers,
            Shelf::Waiting => ShelfName::Waiting,
            Shelf::Rejected => ShelfName::Rejected,
        },
        differences: before.map_or_else(Vec::new, |before| differences(&before, &certificate)),
        certificate,
        used_by: peer.used_by.into_iter().map(used_by).collect(),
        words: shown(&peer.words),
        since: peer.since,
    }
}

fn used_by(used: UsedBy) -> UsedByView {
    UsedByView {
        source: used.source,
        address: shown(&used.address),
    }
}

fn distrust(kind: &str, one: Distrust) -> DistrustView {
    DistrustView {
        kind: kind.to_owned(),
        source: one.source,
        address: shown(&one.address),
        words: shown(&one.words),
        thumbprint: one.thumbprint,
        since: one.since,
        tried: one.tried,
    }
}

fn as_view(certificate: &Certificate, now: Timestamp) -> CertificateView {
    let left = certificate.not_after.millis().saturating_sub(now.millis());
    CertificateView {
        thumbprint: certificate.thumbprint.clone(),
        sha256: certificate.sha256.clone(),
        subject: shown(&certificate.subject),
        issuer: shown(&certificate.issuer),
        serial: certificate.serial.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        days_left: left.div_euclid(DAY_MS),
        key: certificate.key.clone(),
        signature: certificate.signature.clone(),
        names: certificate.names.iter().map(|name| shown(name)).collect(),
        usages: certificate.usages.clone(),
        authority: certificate.authority,
    }
}

/// What is not the same, in the order in which people compare.
fn differences(trusted: &CertificateView, waiting: &CertificateView) -> Vec<Difference> {
    type Fact = fn(&CertificateView) -> String;
    const FACTS: [(&str, Fact); 10] = [
        ("subject", |one| one.subject.clone()),
        ("issuer", |one| one.issuer.clone()),
        ("valid from", |one| one.not_before.to_string()),
        ("valid until", |one| one.not_after.to_string()),
        ("key", |one| one.key.clone()),
        ("signature", |one| one.signature.clone()),
        ("names", |one| one.names.join(", ")),
        ("serial number", |one| one.serial.clone()),
        ("thumbprint (SHA-1)", |one| one.thumbprint.clone()),
        ("SHA-256", |one| one.sha256.clone()),
    ];
    let differs = |(what, fact): &(&str, Fact)| {
        let (trusted, waiting) = (fact(trusted), fact(waiting));
        (trusted != waiting).then(|| Difference {
            what: (*what).to_owned(),
            trusted,
            waiting,
        })
    };
    FACTS.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(subject: &str, days: i64) -> CertificateView {
        let certificate = Certificate {
            thumbprint: "a".repeat(40),
            sha256: "b".repeat(64),
            subject: subject.to_owned(),
            issuer: "CN=\u{202e}CA".to_owned(),
            serial: "01".to_owned(),
            not_before: Timestamp::from_millis(0),
            not_after: Timestamp::from_millis(days * DAY_MS),
            key: "RSA 2048 bits".to_owned(),
            signature: "SHA-256 with RSA".to_owned(),
            names: vec!["DNS plc".to_owned()],
            usages: Vec::new(),
            authority: false,
            der: Vec::new(),
        };
        as_view(&certificate, Timestamp::from_millis(10 * DAY_MS + 1))
    }

    #[test]
    fn the_days_that_are_left_are_whole_ones() {
        for (days, left) in [(12, 1), (11, 0), (10, -1), (3, -8)] {
            assert_eq!(certificate("CN=a", days).days_left, left);
        }
        assert!(!certificate("CN=a", 1).issuer.contains('\u{202e}'));
    }

    #[test]
    fn only_what_differs_is_told() {
        let (one, two) = (certificate("CN=a", 30), certificate("CN=b", 30));
        assert_eq!(differences(&one, &one), []);
        let told = differences(&one, &two);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].what, "subject");
        assert_eq!(
            (told[0].trusted.as_str(), told[0].waiting.as_str()),
            ("CN=a", "CN=b")
        );
    }

    #[test]
    fn pem_has_lines_of_64() {
        let text = pem(&[7; 100]);
        assert!(text.lines().all(|line| line.len() <= 64), "{text}");
        assert!(text.ends_with("-----END CERTIFICATE-----\n"));
    }
}
