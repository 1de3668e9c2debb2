//! Every security policy × mode × kind of user that both asyncua and the gateway have; and a server that does not trust the
//! gateway yet.

use std::{fs, path::Path, process::Command, thread};

use fieldgate_api::{
    config::{Draft, TestReport},
    endpoint::{GetTrust, TestSource},
    state::Level,
};
use fieldgate_tests::{
    api::Api,
    gateway::{self, Gateway},
    peers, port,
    process::Process,
    wait::until,
};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value as Json, json};

/// Policy, mode, and whether it is a weak one.
const WAYS: [(&str, &str, bool); 11] = [
    ("None", "None", true),
    ("Basic128Rsa15", "Sign", true),
    ("Basic128Rsa15", "SignAndEncrypt", true),
    ("Basic256", "Sign", true),
    ("Basic256", "SignAndEncrypt", true),
    ("Basic256Sha256", "Sign", false),
    ("Basic256Sha256", "SignAndEncrypt", false),
    ("Aes128_Sha256_RsaOaep", "Sign", false),
    ("Aes128_Sha256_RsaOaep", "SignAndEncrypt", false),
    ("Aes256_Sha256_RsaPss", "Sign", false),
    ("Aes256_Sha256_RsaPss", "SignAndEncrypt", false),
];

/// Who signs in, and whether the server knows them.
const USERS: [(&str, bool); 5] = [
    ("anonymous", true),
    ("operator", true),
    ("operator with a wrong password", false),
    ("mia", true),
    ("eve", false),
];

/// Tests run beside each other; more would only wait for each other's processor.
const AT_ONCE: usize = 3;
/// A server that refuses us is tried every half a minute at first.
const POLLED: std::time::Duration = std::time::Duration::from_secs(75);

#[test]
fn every_policy_with_every_mode_and_every_kind_of_user() {
    let folder = gateway::folder();
    for name in ["mia", "eve"] {
        user(folder.path(), name);
    }
    let server = Server::start(folder.path(), None);
    let gateway = Gateway::start("");
    let cells = WAYS
        .iter()
        .flat_map(|way| USERS.iter().map(move |user| (*way, *user)));
    // Without protection nobody may say a password, and that is told before anybody is asked.
    let cells: Vec<_> = cells
        .filter(|(way, user)| way.0 != "None" || user.0 == "anonymous")
        .collect();
    assert_eq!(cells.len(), 51);
    let wrong: Vec<String> = thread::scope(|scope| {
        let share = cells.len().div_ceil(AT_ONCE);
        let tests = cells.chunks(share).map(|cells| {
            let (api, folder, server) = (&gateway.api, folder.path(), &server);
            scope.spawn(move || {
                let tried = cells
                    .iter()
                    .map(|(way, user)| try_out(api, folder, server, *way, *user));
                tried.filter_map(Result::err).collect::<Vec<_>>()
            })
        });
        let tests: Vec<_> = tests.collect();
        tests
            .into_iter()
            .flat_map(|test| test.join().unwrap())
            .collect()
    });
    assert_eq!(wrong, Vec::<String>::new());
}

/// One cell: signed in with a first value, or refused at the sign-in.
fn try_out(
    api: &Api,
    folder: &Path,
    server: &Server,
    (policy, mode, weak): (&str, &str, bool),
    (who, known): (&str, bool),
) -> Result<(), String> {
    let mut settings = settings(server, policy, mode);
    let typed = |text: &str| json!({ "typed": text });
    let file = |name: String| typed(&fs::read_to_string(folder.join(name)).unwrap());
    match who {
        "anonymous" => {}
        "operator" => settings["user"] = json!({ "name": "operator", "password": typed("secret") }),
        "mia" | "eve" => {
            let (certificate, key) = (file(format!("{who}.pem")), file(format!("{who}.key")));
            settings["user_certificate"] = json!({ "certificate": certificate, "key": key });
        }
        _ => settings["user"] = json!({ "name": "operator", "password": typed("guess") }),
    }
    let draft = Draft {
        kind: "opcua".to_owned(),
        paused: false,
        settings,
    };
    let TestReport { ok, rungs } = api
        .call::<TestSource>(&["matrix"], &draft)
        .map_err(|trouble| format!("{policy} {mode} {who}: {trouble:?}"))?;
    let of = |name: &str| rungs.iter().find(|rung| rung.name == name);
    let security = of("Security").map_or("", |rung| rung.words.as_str());
    let marked = security.contains("weak") || security.contains("read along");
    let last = rungs.last().map_or("", |rung| rung.name.as_str());
    let as_expected = match known {
        true => ok && last == "First value",
        false => !ok && last == "Sign-in",
    };
    if as_expected && marked == weak {
        return Ok(());
    }
    Err(format!("{policy} {mode} {who}: {rungs:#?}"))
}

#[test]
fn a_server_that_does_not_trust_us_yet_is_polled_until_it_does() {
    let folder = gateway::folder();
    user(folder.path(), "mia");
    let clients = folder.path().join("clients");
    fs::create_dir(&clients).unwrap();
    let server = Server::start(folder.path(), Some(&clients));
    let settings = settings(&server, "Basic256Sha256", "SignAndEncrypt");
    let config = format!(
        "[[source]]\nid = \"matrix\"\nkind = \"opcua\"\nendpoint = {}\nselect = [\"Objects/Matrix/*\"]\n",
        settings["endpoint"]
    );
    let gateway = Gateway::start(&config);
    let status = gateway
        .api
        .source_is("matrix", |status| status.level == Level::Bad);
    assert!(
        status.words.contains("may not trust this gateway yet"),
        "{}",
        status.words
    );
    assert!(
        status.words.contains("`fieldgate trust own`"),
        "{}",
        status.words
    );
    let trust = gateway.api.get::<GetTrust>(&[]);
    assert_eq!(trust.distrusting.len(), 1, "{trust:?}");
    assert_eq!(trust.distrusting[0].source, "matrix");
    let told = cli(&gateway, &["trust", "ls"]);
    let told = String::from_utf8(told).unwrap();
    assert!(
        told.contains("our own") && told.contains("may not trust this gateway yet"),
        "{told}"
    );

    // What the server's operator does with what is downloaded.
    let own = cli(&gateway, &["trust", "own", "--der"]);
    fs::write(clients.join("fieldgate.der"), own).unwrap();
    until("a session", POLLED, || {
        let status = gateway.api.source_is("matrix", |_| true);
        if status.level == Level::Good {
            Ok(())
        } else {
            Err(status.words)
        }
    });
    let trust = gateway.api.get::<GetTrust>(&[]);
    assert!(trust.distrusting.is_empty(), "{trust:?}");
    let told = String::from_utf8(cli(&gateway, &["trust", "ls"])).unwrap();
    assert!(
        told.contains("trusted") && told.contains("matrix"),
        "{told}"
    );
    let peer = &trust.peers[0].certificate.thumbprint;
    let shown = String::from_utf8(cli(&gateway, &["trust", "show", &peer[..12]])).unwrap();
    assert!(shown.contains("urn:fieldgate:test:matrix"), "{shown}");
}

/// What `fieldgate …` says of this gateway.
fn cli(gateway: &Gateway, arguments: &[&str]) -> Vec<u8> {
    let state = gateway.state();
    let mut all = arguments.to_vec();
    all.extend(["--state", state.to_str().unwrap()]);
    let output = gateway::program().args(&all).output().unwrap();
    assert!(output.status.success(), "{all:?}: {output:?}");
    output.stdout
}

fn settings(server: &Server, policy: &str, mode: &str) -> Json {
    let security = match policy {
        "None" => json!({ "policy": policy }),
        _ => json!({ "policy": policy, "mode": mode }),
    };
    json!({
        "endpoint": format!("opc.tcp://127.0.0.1:{}", server.port),
        "security": security,
        "select": ["Objects/Matrix/*"],
    })
}

/// Writes `NAME.pem`, `NAME.key` and `NAME.der`: a user's certificate.
fn user(folder: &Path, name: &str) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    fs::write(file("pem"), certificate.pem()).unwrap();
    fs::write(file("der"), certificate.der()).unwrap();
    fs::write(file("key"), key.serialize_pem()).unwrap();
}

/// `peers/opcua_matrix.py`.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    #[track_caller]
    fn start(folder: &Path, clients: Option<&Path>) -> Self {
        let port = port::free();
        let options = json!({
            "port": port,
            "folder": folder,
            "user": folder.join("mia.der"),
            "clients": clients,
        });
        let mut command = Command::new(peers::python());
        command
            .arg(peers::root().join("tests/peers/opcua_matrix.py"))
            .arg(options.to_string());
        let mut process = Process::start("asyncua", &mut command);
        process.line("its readiness", 0, |line| {
            line.contains("ready").then_some(())
        });
        Self {
            port,
            _process: process,
        }
    }
}
