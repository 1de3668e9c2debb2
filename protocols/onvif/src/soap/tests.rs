//! Tests of `soap.rs`: what a request has in it, and what faults mean.

use proptest::prelude::*;

use super::*;

fn fault(inner: &str) -> Fault {
    let envelope = format!("<s:Envelope><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>");
    match read(envelope.as_bytes()) {
        Ok(Answer::Fault(fault)) => fault,
        _ => panic!("it is a fault"),
    }
}

fn check(codes: &[&str], reason: &str, expected: Meaning) {
    let mut inner = String::new();
    for code in codes.iter().rev() {
        inner = format!("<s:Subcode><s:Value>{code}</s:Value>{inner}</s:Subcode>");
    }
    let read = fault(&format!(
        "<s:Code><s:Value>s:Sender</s:Value>{inner}</s:Code><s:Reason><s:Text>{reason}</s:Text></s:Reason>"
    ));
    assert_eq!(read.meaning(), expected, "{codes:?} {reason}");
}

#[test]
fn faults_mean_what_devices_mean() {
    check(
        &["ter:NotAuthorized"],
        "Sender not Authorized",
        Meaning::NotAuthorized,
    );
    check(
        &["ter:NotAuthorized"],
        "The account is locked, try again in 30 minutes",
        Meaning::Locked,
    );
    check(
        &["ter:NotAuthorized"],
        "The clock is off",
        Meaning::WrongTime,
    );
    check(&["wsse:FailedAuthentication"], "", Meaning::NotAuthorized);
    check(&["wsu:MessageExpired"], "", Meaning::WrongTime);
    check(
        &[],
        "The action requested requires authorization and the sender is not authorized",
        Meaning::NotAuthorized,
    );
    check(&["ter:ActionNotSupported"], "", Meaning::NotSupported);
    check(
        &["ter:ActionNotSupported", "ter:PTZNotSupported"],
        "",
        Meaning::NotSupported,
    );
    check(
        &[],
        "Optional Action Not Implemented",
        Meaning::NotSupported,
    );
    check(
        &["ter:InvalidArgVal", "ter:NoProfile"],
        "no such profile",
        Meaning::Refused,
    );
    check(
        &["ter:InvalidArgVal", "ter:ConfigModify"],
        "this resolution is not supported",
        Meaning::Refused,
    );
    let receiver = fault("<s:Code><s:Value>s:Receiver</s:Value></s:Code>");
    assert_eq!(
        (receiver.meaning(), receiver.words().as_str()),
        (Meaning::Trouble, "Receiver")
    );
    let old =
        fault("<faultcode>SOAP-ENV:Server</faultcode><faultstring>out of memory</faultstring>");
    assert_eq!(
        (old.meaning(), old.words().as_str()),
        (Meaning::Trouble, "out of memory (Server)")
    );
    assert_eq!(fault("").words(), "a fault without a reason");
}

#[test]
fn a_token_is_what_the_profile_of_ws_security_says() {
    // SHA-1 over the bytes of the nonce, the time as written, the password; the value was computed with Python's hashlib.
    let nonce = BASE64_STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
    let digest = password_digest(&nonce, "2010-09-16T07:50:45Z", "userpassword");
    assert_eq!(
        BASE64_STANDARD.encode(digest),
        "tuOSpGlFlIXsozq4HFNeeGeFLEI="
    );
}

#[test]
fn a_request_is_well_formed_and_keeps_the_password_to_itself() {
    let credentials = Credentials {
        user: "a<&\"b".to_owned(),
        password: "CANARY".to_owned(),
    };
    let headers = Headers {
        security: username_token(&credentials, Timestamp::from_millis(1_700_000_000_000)),
        addressing: Some(("http://h/x?a=1&b=2".to_owned(), "urn:act".to_owned())),
        references: vec!["<r:Id xmlns:r=\"u\">7</r:Id>".to_owned()],
    };
    let text = envelope(&headers, "<tds:GetScopes/>");
    let root = parse(text.as_bytes()).unwrap();
    let token = root.at(&["Header", "Security", "UsernameToken"]).unwrap();
    assert_eq!(token.word(&["Username"]), Some("a<&\"b"));
    assert_eq!(token.word(&["Created"]), Some("2023-11-14T22:13:20Z"));
    assert_eq!(root.word(&["Header", "To"]), Some("http://h/x?a=1&b=2"));
    assert_eq!(root.word(&["Header", "Id"]), Some("7"));
    assert!(root.at(&["Body", "GetScopes"]).is_some());
    assert!(!text.contains("CANARY") && !format!("{credentials:?}").contains("CANARY"));
    assert_ne!(
        username_token(&credentials, Timestamp::default()),
        username_token(&credentials, Timestamp::default())
    );
}

#[test]
fn what_is_no_envelope_is_said_in_words() {
    for (bytes, expected) in [
        (&b"<html/>"[..], "it is <html>, no SOAP envelope"),
        (b"<Envelope/>", "it has no SOAP body"),
        (b"", "it is empty"),
    ] {
        assert_eq!(read(bytes).err().as_deref(), Some(expected));
    }
    let Ok(Answer::Done(root)) =
        read(b"<E:Envelope><E:Body><x:GetAResponse/></E:Body></E:Envelope>")
    else {
        panic!("it is an answer");
    };
    assert!(response(root.clone(), "GetAResponse").is_ok());
    assert_eq!(
        response(root, "GetBResponse"),
        Err("it has no GetBResponse".to_owned())
    );
}

proptest! {
    #[test]
    fn any_fault_has_words(inner in "[<>/a-zA-Z:& ]{0,120}") {
        if let Ok(Answer::Fault(fault)) = read(format!("<Envelope><Body><Fault>{inner}</Fault></Body></Envelope>").as_bytes()) {
            prop_assert!(!fault.words().is_empty());
            let _ = fault.meaning();
        }
    }
}
