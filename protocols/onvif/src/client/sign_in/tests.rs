//! Tests of `sign_in.rs`: what replies mean, and which way is tried after which.

use bytes::Bytes;

use super::*;

fn reply(status: u16, body: &str, challenges: &[&str]) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        body: Bytes::from(body.to_owned()),
        challenges: challenges
            .iter()
            .map(|challenge| (*challenge).to_owned())
            .collect(),
        date: None,
    }
}

fn fault(code: &str, reason: &str) -> String {
    format!(
        "<s:Envelope><s:Body><s:Fault><s:Code><s:Value>{code}</s:Value></s:Code><s:Reason><s:Text>{reason}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
    )
}

fn check(status: u16, body: &str, expected: &str) {
    let said = match judge("cam", "GetIt", reply(status, body, &[])) {
        Verdict::Done(_) => "done".to_owned(),
        Verdict::Refused(refusal) => format!("refused: {}", refusal.why),
        Verdict::Failed(error) => error.to_string(),
    };
    assert_eq!(said, expected);
}

#[test]
fn replies_are_said_in_words() {
    let done = "<s:Envelope><s:Body/></s:Envelope>";
    let not_onvif = |why: &str| {
        format!(
            "cam is no ONVIF device: {why}; check the address and the port, and that ONVIF is switched on in the device"
        )
    };
    check(200, done, "done");
    check(200, &fault("Sender", "x"), "cam refuses GetIt: x (Sender)");
    check(
        400,
        &fault("ter:NotAuthorized", "no"),
        "refused: no (NotAuthorized)",
    );
    check(401, "", "refused: HTTP 401 Unauthorized");
    check(
        403,
        &fault("ter:NotAuthorized", "no"),
        "refused: no (NotAuthorized)",
    );
    check(
        500,
        &fault("s:Receiver", "full"),
        "cam is busy or in trouble: full (Receiver)",
    );
    check(
        500,
        "",
        "cam is busy or in trouble: HTTP 500 Internal Server Error",
    );
    check(
        503,
        "",
        "cam is busy or in trouble: HTTP 503 Service Unavailable",
    );
    check(404, "<html>", &not_onvif("HTTP 404 Not Found"));
    check(
        302,
        "",
        &not_onvif("it sends to another address (HTTP 302)"),
    );
    check(
        200,
        "<!DOCTYPE html><html>",
        &not_onvif("it answers with a web page"),
    );
    check(
        200,
        "rubbish",
        "cam answers GetIt with what cannot be read: it is empty",
    );
    check(
        200,
        &crate::sim::billion_laughs(),
        "cam answers GetIt with what cannot be read: it brings a document type",
    );
    check(404, done, &not_onvif("HTTP 404 Not Found"));
    check(
        500,
        &fault("ter:ActionNotSupported", ""),
        "cam does not support GetIt",
    );
}

const DIGEST: &str = "Digest realm=\"r\", qop=\"auth\", nonce=\"one\"";
const STALE: &str = "Digest realm=\"r\", qop=\"auth\", nonce=\"two\", stale=true";
const BASIC: &str = "Basic realm=\"r\"";

fn refusal(challenges: &[&str]) -> Refusal {
    Refusal::by_http(reply(401, "", challenges), None)
}

#[test]
fn ways_are_tried_one_after_the_other_and_a_wrong_password_is_tried_no_more() {
    let token = SignIn::default();
    assert!(token.has_token());
    assert!(token.next(&refusal(&[]), false).is_none());
    let digest = token.next(&refusal(&[BASIC, DIGEST]), false).unwrap();
    assert!(!digest.has_token());
    assert!(digest.next(&refusal(&[DIGEST]), false).is_none());
    let again = digest.next(&refusal(&[STALE]), false).unwrap();
    assert_eq!(again.way, Way::Digest);
    let both = digest.next(&refusal(&[]), false).unwrap();
    assert!(both.has_token() && both.challenge.is_some());
    assert!(both.next(&refusal(&[]), false).is_none());
    // A nonce of an earlier request may have grown old without the device saying so.
    let kept = both.found();
    assert_eq!(
        kept.next(&refusal(&[DIGEST]), false).map(|next| next.way),
        Some(Way::Both)
    );
}

#[test]
fn the_password_is_never_sent_in_the_open() {
    let token = SignIn::default();
    assert!(token.next(&refusal(&[BASIC]), false).is_none());
    assert!(token.next(&refusal(&[BASIC]), true).is_some());
    let error = refusal(&[BASIC]).error("cam", false, Some(0));
    assert!(error.to_string().contains("HTTP Basic"), "{error}");
}

#[test]
fn refusals_are_told_by_what_helps() {
    let of = |body: &str, drift| {
        let Verdict::Refused(refusal) = judge("cam", "GetIt", reply(400, body, &[])) else {
            panic!("it is a refusal");
        };
        refusal.error("cam", false, drift)
    };
    let expired = fault("wsu:MessageExpired", "");
    assert_eq!(
        of(&expired, Some(1_200)).to_string(),
        "cam refuses the sign-in because of the time: its clock is 20 min ahead of ours; set the device's clock, best by NTP"
    );
    assert!(matches!(of(&expired, Some(1)), DeviceError::Denied { .. }));
    assert!(
        of(&fault("ter:NotAuthorized", ""), None)
            .to_string()
            .contains("a clock that is off")
    );
    assert!(matches!(
        of(&fault("ter:NotAuthorized", "User is locked"), Some(0)),
        DeviceError::Locked { .. }
    ));
}

proptest::proptest! {
    #[test]
    fn any_challenge_is_answered_or_left(challenge in "\\PC{0,120}", realm in "[ -~]{0,40}") {
        let url = Url::parse("http://h/x?y").unwrap();
        let credentials = Credentials { user: "u\"\\".to_owned(), password: "CANARY".to_owned() };
        for challenge in [challenge, format!("Digest realm=\"{realm}\", nonce=\"{realm}\", qop=\"auth\"")] {
            let refusal = Refusal::by_http(reply(401, "", &[&challenge]), None);
            if let Some(next) = SignIn::default().next(&refusal, false) {
                let header = next.authorization(&credentials, &url, b"body");
                proptest::prop_assert!(!header.unwrap_or_default().contains("CANARY"));
            }
            proptest::prop_assert!(!refusal.error("cam", false, Some(0)).to_string().contains("CANARY"));
        }
    }
}
