//! Certificates of every kind, met in every way; and our own one through its life.

use std::path::Path;

use fieldgate_kit::trust::{Act, Role, Shelf, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize, SanType,
    SerialNumber,
};
use tempfile::TempDir;

use super::{shelves::Shelves, *};

const DAY_MS: i64 = 86_400_000;
const APPLICATION: &str = "urn:plant:server";

struct Rig {
    folder: TempDir,
    store: Store,
}

/// A plant's authority.
struct Plant {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params =
        CertificateParams::new(vec!["plc-1".to_owned(), "10.1.2.3".to_owned()]).unwrap();
    params
        .subject_alt_names
        .insert(0, SanType::URI(APPLICATION.try_into().unwrap()));
    params.distinguished_name.push(DnType::CommonName, name);
    let at = |year| rcgen::date_time_ymd(year, 1, 1);
    (params.not_before, params.not_after) = (at(2025), at(2035));
    params
}

fn plain(name: &str) -> Vec<u8> {
    params(name).self_signed(&key()).unwrap().der().to_vec()
}

fn day(text: &str) -> Timestamp {
    Timestamp::parse(&format!("{text}T12:00:00Z")).unwrap()
}

impl Plant {
    fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    fn signed(&self, serial: u64) -> Vec<u8> {
        let mut params = params("signed");
        params.serial_number = Some(SerialNumber::from(serial));
        params
            .signed_by(&key(), &self.issuer)
            .unwrap()
            .der()
            .to_vec()
    }

    fn list(&self, revoked: &[u64], until: i32) -> Vec<u8> {
        let at = |year| rcgen::date_time_ymd(year, 1, 1);
        let list = CertificateRevocationListParams {
            this_update: at(2026),
            next_update: at(until),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: at(2026),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::at(folder.path()),
            folder,
        }
    }

    fn act(&self, act: Act) -> Result<String, String> {
        self.shelves().act(act).map(|done| done.words)
    }

    fn shelves(&self) -> Box<dyn Trust> {
        Shelves::open(self.folder.path().to_owned())
    }

    /// Meets a certificate as a source does; what nobody decided waits.
    fn meet(
        &self,
        der: &[u8],
        trust: &ServerTrust,
        host: &str,
        now: &str,
    ) -> Result<Verdict, String> {
        let meeting = Meeting {
            source: "press",
            address: "opc.tcp://plc-1",
            seen: Seen {
                host,
                application: APPLICATION,
                weak_policy: false,
                now: day(now),
            },
        };
        self.store.judge(der, trust, meeting).map_err(|not| {
            if let Some(entry) = not.undecided {
                self.store
                    .ask(&entry, &meeting.binding(), day(now))
                    .unwrap();
            }
            not.words
        })
    }

    fn first(&self, der: &[u8]) -> Result<Verdict, String> {
        self.meet(der, &ServerTrust::First, "plc-1", "2026-06-01")
    }

    fn pin(&self, der: &[u8]) {
        let binding = Binding {
            source: "press".to_owned(),
            address: "opc.tcp://plc-1".to_owned(),
        };
        self.store.pin(der, &binding, day("2026-06-01")).unwrap();
    }

    fn on(&self, shelf: Shelf) -> usize {
        self.store.entries(shelf).unwrap().len()
    }
}

#[track_caller]
fn trusted(verdict: Result<Verdict, String>, part: &str) {
    match verdict {
        Ok(Verdict::Trusted(words)) => assert!(words.contains(part), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(verdict: Result<Verdict, String>, part: &str) {
    match verdict {
        Err(words) => assert!(words.contains(part), "`{part}` is not in: {words}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_is_kept_and_another_one_waits_with_the_difference() {
    let rig = Rig::new();
    let (one, two) = (plain("one"), plain("two"));
    assert_eq!(rig.first(&one), Ok(Verdict::First));
    assert_eq!(rig.first(&one), Ok(Verdict::First), "judging keeps nothing");
    rig.pin(&one);
    trusted(rig.first(&one), "is trusted");
    refused(rig.first(&two), "shows another certificate than before");
    refused(rig.first(&two), "fieldgate trust accept");
    let shown = rig.shelves().shelves().unwrap();
    let waiting: Vec<_> = shown
        .peers
        .iter()
        .filter(|peer| peer.shelf == Shelf::Waiting)
        .collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].instead_of.as_ref().unwrap().der, one);
    assert_eq!(waiting[0].used_by[0].source, "press");
    let thumbprint = waiting[0].certificate.thumbprint.clone();

    // Accepted, it takes the other one's place, and the source is to try at once.
    let done = rig
        .shelves()
        .act(Act::Accept(thumbprint[..8].to_owned()))
        .unwrap();
    assert_eq!(done.retry, ["press"]);
    trusted(rig.first(&two), "is trusted");
    refused(rig.first(&one), "shows another certificate than before");
    assert_eq!((rig.on(Shelf::Trusted), rig.on(Shelf::Waiting)), (1, 1));

    // Rejected, it stays so.
    let named = certificate::read(&one).unwrap().shown.sha256;
    rig.act(Act::Reject(named.clone())).unwrap();
    refused(rig.first(&one), "was rejected on");
    assert_eq!((rig.on(Shelf::Rejected), rig.on(Shelf::Waiting)), (1, 0));
    rig.act(Act::Remove(named)).unwrap();
    refused(rig.first(&one), "another certificate than before");
}

#[test]
fn a_pin_is_for_one_source_at_one_address() {
    let rig = Rig::new();
    let (one, two) = (plain("one"), plain("two"));
    rig.pin(&one);
    let other = Binding {
        source: "oven".to_owned(),
        address: "opc.tcp://plc-2".to_owned(),
    };
    rig.store.pin(&two, &other, day("2026-06-01")).unwrap();
    trusted(rig.first(&one), "is trusted");
    refused(rig.first(&two), "another certificate than before");
}

#[test]
fn with_ask_nothing_is_trusted_before_a_person_has_said_so() {
    let rig = Rig::new();
    let one = plain("one");
    let ask = || rig.meet(&one, &ServerTrust::Ask, "plc-1", "2026-06-01");
    refused(ask(), "nobody has accepted yet");
    refused(ask(), "nobody has accepted yet");
    assert_eq!(rig.shelves().waiting(), 1);
    rig.act(Act::Accept(
        certificate::read(&one).unwrap().shown.thumbprint,
    ))
    .unwrap();
    trusted(ask(), "is trusted");
    assert_eq!(rig.shelves().waiting(), 0);
}

#[test]
fn each_flaw_has_its_own_words_and_a_person_may_accept_it() {
    let one = plain("one");
    for (host, now, part) in [
        ("plc-1", "2036-01-01", "has expired on 2035-01-01 00:00 UTC"),
        ("plc-1", "2024-12-31", "not yet valid, but from 2025-01-01"),
        (
            "plc-2",
            "2026-06-01",
            "for the host plc-1, 10.1.2.3, not for `plc-2`",
        ),
        ("10.1.2.4", "2026-06-01", "not for `10.1.2.4`"),
    ] {
        let rig = Rig::new();
        let meet = || rig.meet(&one, &ServerTrust::First, host, now);
        refused(meet(), part);
        refused(meet(), "is not trusted at first sight");
        rig.act(Act::Accept(
            certificate::read(&one).unwrap().shown.thumbprint,
        ))
        .unwrap();
        trusted(meet(), "is trusted");
    }
    let rig = Rig::new();
    for host in ["PLC-1", "10.1.2.3", "127.0.0.1", "localhost", "::1"] {
        assert_eq!(
            rig.meet(&one, &ServerTrust::First, host, "2026-06-01"),
            Ok(Verdict::First),
            "{host}"
        );
    }
    // What was accepted before is told again once something new is wrong with it.
    rig.pin(&one);
    refused(
        rig.meet(&one, &ServerTrust::First, "plc-1", "2036-01-01"),
        "no longer good: it has expired",
    );
    // Another application than the server says.
    let mut stranger = params("stranger");
    stranger.subject_alt_names.remove(0);
    let stranger = stranger.self_signed(&key()).unwrap();
    refused(
        Rig::new().first(stranger.der()),
        "for the application nobody",
    );
}

#[test]
fn what_an_administrator_wrote_down_is_the_only_one() {
    let rig = Rig::new();
    let (one, two) = (plain("one"), plain("two"));
    let only = ServerTrust::Thumbprint(certificate::read(&one).unwrap().shown.thumbprint);
    trusted(
        rig.meet(&one, &only, "another-host", "2036-01-01"),
        "is trusted",
    );
    refused(rig.meet(&two, &only, "plc-1", "2026-06-01"), "and only");
    assert_eq!(rig.shelves().waiting(), 0);
}

#[test]
fn what_an_authority_signed_is_trusted_until_it_takes_it_back() {
    let (plant, forger) = (Plant::new("Plant CA"), Plant::new("Plant CA"));
    let rig = Rig::new();
    let ask = |der: &[u8], now: &str| rig.meet(der, &ServerTrust::Ask, "plc-1", now);
    let (one, two) = (plant.signed(1), plant.signed(2));
    refused(ask(&one, "2026-06-01"), "nobody has accepted yet");
    assert!(
        rig.act(Act::Import(plant.list(&[], 2027)))
            .unwrap_err()
            .contains("import the authority first")
    );
    rig.act(Act::Import(plant.der.clone())).unwrap();
    trusted(
        ask(&one, "2026-06-01"),
        "there is no list of revocation of CN=Plant CA",
    );
    refused(ask(&forger.signed(3), "2026-06-01"), "forged");
    assert!(rig.act(Act::Import(forger.list(&[1], 2027))).is_err());

    let bundle = certificate::pem("X509 CRL", &plant.list(&[2], 2027));
    assert!(
        rig.act(Act::Import(bundle.into_bytes()))
            .unwrap()
            .contains("has revoked 1")
    );
    trusted(ask(&one, "2026-06-01"), "as CN=Plant CA has signed it");
    refused(ask(&two, "2026-06-01"), "has revoked it on 2026-01-01");
    // Even where it was accepted before.
    rig.pin(&two);
    refused(ask(&two, "2026-06-01"), "has revoked it on 2026-01-01");
    refused(ask(&one, "2027-06-01"), "was good until 2027-01-01");
    refused(
        rig.meet(&one, &ServerTrust::First, "plc-9", "2026-06-01"),
        "not for `plc-9`",
    );
    let shown = rig.shelves().shelves().unwrap();
    let issuer = shown
        .peers
        .iter()
        .find(|peer| peer.shelf == Shelf::Issuers)
        .unwrap();
    assert!(
        issuer.words.contains("names 1, good until 2027"),
        "{}",
        issuer.words
    );
}

#[test]
fn a_server_that_shows_ever_new_certificates_fills_nothing() {
    let rig = Rig::new();
    let key = key();
    for number in 0..9 {
        let der = params(&format!("new {number}")).self_signed(&key).unwrap();
        let now = format!("2026-06-{:02}", number + 1);
        refused(
            rig.meet(der.der(), &ServerTrust::Ask, "plc-1", &now),
            "nobody has accepted",
        );
    }
    assert_eq!(rig.shelves().waiting(), 4);
    let subjects: Vec<String> = rig
        .store
        .entries(Shelf::Waiting)
        .unwrap()
        .iter()
        .map(|entry| entry.facts.shown.subject.clone())
        .collect();
    assert_eq!(subjects[0], "CN=new 8");
}

#[test]
fn nonsense_is_refused_in_words() {
    let rig = Rig::new();
    refused(rig.first(b"no certificate"), "it is no certificate");
    refused(
        rig.first(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        "it is no certificate",
    );
    let key = key().serialize_pem();
    assert!(
        rig.act(Act::Import(key.into_bytes()))
            .unwrap_err()
            .contains("private key")
    );
    assert!(
        rig.act(Act::Import(vec![7; 300 << 10]))
            .unwrap_err()
            .contains("larger")
    );
    assert!(
        rig.act(Act::Import(b"-----BEGIN CERTIFICATE-----\n!!\n".to_vec()))
            .unwrap_err()
            .contains("damaged")
    );
    assert!(
        rig.act(Act::Accept("abcdef".to_owned()))
            .unwrap_err()
            .contains("there is no certificate")
    );
    // A chain: the first of it counts.
    let (one, plant) = (plain("one"), Plant::new("CA"));
    let chain = [one.clone(), plant.der].concat();
    assert_eq!(certificate::read(&chain).unwrap().shown.der, one);
}

#[test]
fn a_format_that_a_newer_program_wrote_is_left_alone() {
    let rig = Rig::new();
    let folder = rig.folder.path().join("trust");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("format"), "2\n").unwrap();
    assert!(
        rig.store
            .offers(day("2026-06-01"))
            .unwrap_err()
            .contains("in the format 2")
    );
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn our_own_certificate_is_made_renewed_and_taken_over() {
    let rig = Rig::new();
    let made = now();
    let offers = rig.store.offers(made).unwrap();
    assert_eq!(offers.len(), 1);
    let own = &offers[0].facts;
    assert_eq!((own.key_bits, own.uris.len()), (Some(2048), 1));
    assert_eq!(own.hosts, [own::host()]);
    assert!(
        own.shown.names[0].starts_with("URI urn:"),
        "{:?}",
        own.shown.names
    );
    let usages = [
        "digital signature",
        "non-repudiation",
        "key encipherment",
        "data encipherment",
        "certificate signing",
        "client authentication",
    ];
    assert_eq!(own.shown.usages, usages);
    assert!(!own.shown.authority);
    #[cfg(unix)]
    {
        assert_eq!(mode(&offers[0].key), 0o600);
        assert_eq!(mode(offers[0].key.parent().unwrap()), 0o700);
    }
    assert_eq!(
        rig.store.offers(made).unwrap()[0].facts.shown,
        own.shown,
        "made once"
    );
    for source in ["press", "oven"] {
        rig.store.accepted(&offers[0], source, made).unwrap();
    }
    assert!(offers[0].was_taken_by("press") && !offers[0].was_taken_by("lamp"));

    // Soon it expires: the next one is offered first, the old one after it.
    let soon = Timestamp::from_millis(own.shown.not_after.millis() - 30 * DAY_MS);
    let both = rig.store.offers(soon).unwrap();
    let roles: Vec<Role> = both.iter().map(|own| own.role).collect();
    assert_eq!(roles, [Role::Next, Role::Own]);
    assert_eq!(
        both[0].facts.uris, own.uris,
        "the application stays the same"
    );
    assert_ne!(both[0].facts.public_key(), own.public_key());
    rig.store.accepted(&both[0], "press", soon).unwrap();
    let identities = rig.store.identities(soon).unwrap();
    assert!(
        identities[1].words.contains("servers of oven;"),
        "{identities:?}"
    );
    assert_eq!(rig.store.offers(soon).unwrap().len(), 2);
    // The last server has taken it, too.
    rig.store.accepted(&both[0], "oven", soon).unwrap();
    let after = rig.store.offers(soon).unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].facts.shown.sha256, both[0].facts.shown.sha256);

    // Nobody was there to take the next one: once the old one has expired, it is used all the same.
    let expired = Timestamp::from_millis(after[0].facts.shown.not_after.millis() + DAY_MS);
    let last = rig.store.offers(expired).unwrap();
    assert_eq!(last.len(), 1);
    assert_ne!(last[0].facts.shown.sha256, after[0].facts.shown.sha256);
}

#[test]
fn an_authority_signs_our_request() {
    let rig = Rig::new();
    let plant = Plant::new("Plant CA");
    rig.store.offers(now()).unwrap();
    let request = rig.act(Act::Request { key_bits: 3072 }).unwrap();
    assert!(
        request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"),
        "{request}"
    );
    let key = std::fs::read_to_string(rig.store.own().join("request/key.pem")).unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    let bare = CertificateParams::new(vec!["gateway".to_owned()]).unwrap();
    let bare = bare.signed_by(&key, &plant.issuer).unwrap();
    let refused = rig.act(Act::Import(bare.der().to_vec())).unwrap_err();
    assert!(
        refused.contains("left the application URI out"),
        "{refused}"
    );
    let signed = params("gateway").signed_by(&key, &plant.issuer).unwrap();
    let words = rig.act(Act::Import(signed.der().to_vec())).unwrap();
    assert!(words.contains("own next certificate"), "{words}");
    let roles: Vec<Role> = rig
        .store
        .identities(now())
        .unwrap()
        .iter()
        .map(|own| own.role)
        .collect();
    assert_eq!(roles, [Role::Own, Role::Next]);
    let offers = rig.store.offers(now()).unwrap();
    assert_eq!(offers[0].facts.shown.der, signed.der().to_vec());
    assert_eq!(offers[0].facts.key_bits, Some(3072));
    assert_eq!(rig.on(Shelf::Trusted), 0);
    let thumbprint = offers[0].facts.shown.thumbprint.clone();
    assert!(
        rig.act(Act::Remove(thumbprint))
            .unwrap()
            .contains("no longer offered")
    );
    assert_eq!(rig.store.offers(now()).unwrap().len(), 1);
}

fn now() -> Timestamp {
    shelves::now()
}
