//! Tests of `message.rs`: messages as devices write them.

use proptest::prelude::*;

use super::*;

const MATCHES: &str = r#"<?xml version="1.0"?><SOAP-ENV:Envelope><SOAP-ENV:Header><wsa:RelatesTo>urn:uuid:ABC</wsa:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches>
<d:ProbeMatch><wsa:EndpointReference><wsa:Address>uuid:3FA1FE68-B915-4053-A3E1-C006C3AFEC0E</wsa:Address></wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>
<d:Scopes> onvif://www.onvif.org/name/Door
 onvif://www.onvif.org/hardware/X </d:Scopes><d:XAddrs>http://192.168.1.20/onvif/device_service https://192.168.1.20/onvif/device_service</d:XAddrs><d:MetadataVersion>10</d:MetadataVersion></d:ProbeMatch>
<d:ProbeMatch/></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"#;

#[test]
fn matches_are_read() {
    let letter = read(MATCHES.as_bytes()).unwrap();
    assert_eq!(letter.relates_to.as_deref(), Some("urn:uuid:ABC"));
    let [Announcement::Here(said)] = letter.announcements.as_slice() else {
        panic!("{letter:?}");
    };
    assert_eq!(
        said.endpoint,
        "urn:uuid:3fa1fe68-b915-4053-a3e1-c006c3afec0e"
    );
    assert_eq!(said.types, ["NetworkVideoTransmitter", "Device"]);
    assert_eq!(
        (said.scopes.len(), said.addresses.len(), said.version),
        (2, 2, 10)
    );
    assert!(said.is_onvif());
}

#[test]
fn those_who_come_and_go_are_heard_and_those_who_ask_are_not() {
    let hello = "<E:Envelope><E:Body><Hello><EndpointReference><Address>x</Address></EndpointReference></Hello></E:Body></E:Envelope>";
    assert!(
        matches!(Announcement::read(hello.as_bytes()).as_slice(), [Announcement::Here(said)] if !said.is_onvif())
    );
    let bye = "<E:Envelope><E:Body><Bye><EndpointReference><Address>urn:uuid:X</Address></EndpointReference></Bye></E:Body></E:Envelope>";
    assert_eq!(
        Announcement::read(bye.as_bytes()),
        [Announcement::Gone {
            endpoint: "urn:uuid:x".to_owned()
        }]
    );
    for silent in [
        probe(Uuid::nil(), TYPES[0]),
        String::new(),
        "<Hello/>".to_owned(),
        MATCHES.replace("Address>", "Odd>"),
        format!("<!DOCTYPE x>{hello}"),
    ] {
        assert_eq!(Announcement::read(silent.as_bytes()), []);
    }
}

#[test]
fn one_identity_has_one_form() {
    let one = "urn:uuid:3fa1fe68-b915-4053-a3e1-c006c3afec0e";
    for text in [
        "3FA1FE68-B915-4053-A3E1-C006C3AFEC0E",
        "uuid:3fa1fe68-b915-4053-a3e1-c006c3afec0e",
        " urn:uuid:3fa1fe68-b915-4053-a3e1-c006c3afec0e ",
    ] {
        assert_eq!(endpoint_reference(text), one);
    }
    assert_eq!(endpoint_reference("http://Camera/7"), "http://camera/7");
}

#[test]
fn what_is_asked_is_well_formed() {
    for types in TYPES {
        let root = parse(probe(Uuid::nil(), types).as_bytes()).unwrap();
        assert_eq!(
            root.word(&["Body", "Probe", "Types"]),
            Some(format!("{}:{}", types.0, types.2).as_str())
        );
        assert_eq!(
            root.word(&["Header", "MessageID"]),
            Some("urn:uuid:00000000-0000-0000-0000-000000000000")
        );
    }
}

proptest! {
    #[test]
    fn any_datagram_is_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..MATCHES.len()) {
        let _ = Announcement::read(&bytes);
        let mut mangled = MATCHES.as_bytes().to_vec();
        mangled.truncate(cut);
        mangled.extend(bytes);
        prop_assert!(Announcement::read(&mangled).len() <= 2 * MAX_MATCHES + 2);
    }
}
