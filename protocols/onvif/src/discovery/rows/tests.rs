//! Tests of `rows.rs`: which addresses may be used, and that each device is there once.

use super::*;

fn said(endpoint: &str, addresses: &[&str]) -> Said {
    Said {
        endpoint: endpoint.to_owned(),
        types: vec!["NetworkVideoTransmitter".to_owned()],
        scopes: vec!["onvif://www.onvif.org/name/Door".to_owned()],
        addresses: addresses
            .iter()
            .map(|address| (*address).to_owned())
            .collect(),
        version: 1,
    }
}

fn found(endpoint: &str, from: &str, addresses: &[&str]) -> Found {
    // Loopback is the one network that every machine is on.
    Found::new(
        &said(endpoint, addresses),
        from.parse().unwrap(),
        &Networks::now().unwrap(),
    )
    .unwrap()
}

#[test]
fn addresses_on_the_answering_host_come_first_and_strange_ones_are_only_told() {
    let found = found(
        "a",
        "203.0.113.9",
        &[
            "http://127.0.0.5/d",
            "http://203.0.113.9/d",
            "http://10.255.255.1:9100/d",
            "http://camera.example/d",
            "http://u:p@203.0.113.9/d",
            "ftp://203.0.113.9/",
            "rubbish",
        ],
    );
    assert_eq!(
        found.addresses,
        ["http://203.0.113.9/d", "http://127.0.0.5/d"]
    );
    assert_eq!(found.elsewhere.len(), 5);
    assert_eq!(found.scopes.name.as_deref(), Some("Door"));
}

#[test]
fn a_device_is_one_row_whatever_it_answers_by() {
    let mut findings = Findings::default();
    assert!(
        findings
            .take(found("a", "203.0.113.9", &["http://203.0.113.9/d"]))
            .is_some()
    );
    assert!(
        findings
            .take(found("a", "203.0.113.9", &["http://203.0.113.9/d"]))
            .is_none()
    );
    assert!(
        findings
            .take(found("a", "203.0.113.10", &["http://203.0.113.10/d"]))
            .is_some()
    );
    assert_eq!(findings.rows.len(), 1);
    assert_eq!(
        findings.rows[0].addresses,
        ["http://203.0.113.9/d", "http://203.0.113.10/d"]
    );
    for number in 0..100 {
        findings.take(found(&number.to_string(), "203.0.113.9", &[]));
    }
    assert_eq!((findings.rows.len(), findings.left_out), (64, 37));
}

#[test]
fn what_is_no_onvif_device_is_no_row() {
    let printer = Said {
        types: vec!["PrintDeviceType".to_owned()],
        scopes: vec!["ldap:///ou=x".to_owned()],
        ..said("a", &[])
    };
    assert_eq!(
        Found::new(
            &printer,
            "203.0.113.9".parse().unwrap(),
            &Networks::default()
        ),
        None
    );
}
