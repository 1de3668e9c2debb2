//! `/metrics`, read line by line as Prometheus' text format 0.0.4.

use std::collections::BTreeMap;

use fieldgate::metrics::Metric;

use crate::{client::get, rig::Rig};

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_of_the_format_and_of_a_known_metric() {
    let rig = Rig::start().await;
    rig.observe("press/Line/secret-point", 1.0);
    let response = get(rig.address, "/metrics").await;
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let mut kinds = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in response.text().lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let metric = Metric::ALL.iter().find(|metric| metric.name() == name);
            assert_eq!(
                metric.map(|metric| metric.kind()),
                kinds.get(name).copied(),
                "{line}"
            );
            check_labels(&series[name.len()..]);
            let value: f64 = value.parse().unwrap();
            assert!(
                samples.insert(series, value).is_none(),
                "{line} stands twice"
            );
        }
    }
    for (series, value) in [
        ("fieldgate_up", 1.0),
        ("fieldgate_config_revision", 0.0),
        ("fieldgate_ledger_unaccounted", 0.0),
        ("fieldgate_dead_letters", 0.0),
        (
            "fieldgate_source_connected{source=\"press\",protocol=\"opcua\"}",
            0.0,
        ),
        (
            "fieldgate_destination_connected{destination=\"broker\",protocol=\"mqtt\"}",
            0.0,
        ),
        ("fieldgate_route_in_total{route=\"everything\"}", 0.0),
        (
            "fieldgate_queue_depth_readings{lane=\"normal\",destination=\"broker\"}",
            0.0,
        ),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}");
    }
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(!response.text().contains("secret-point"));
}

#[track_caller]
fn check_labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap();
    for label in inner.split("\",") {
        let (name, value) = label.split_once("=\"").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{text}");
        assert!(!value.trim_end_matches('"').is_empty(), "{text}");
    }
}
