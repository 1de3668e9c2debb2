//! Every example of `packaging/examples` is a configuration that the gateway takes.

use std::{ffi::OsStr, fs};

use fieldgate_tests::{gateway, peers};

#[test]
fn every_example_is_good() {
    let folder = peers::root().join("packaging/examples");
    let mut checked = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some(OsStr::new("toml")) {
            continue;
        }
        let (status, output) = gateway::fieldgate(&["check", path.to_str().unwrap()], &folder);
        assert!(
            status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        checked += 1;
    }
    assert!(
        checked >= 4,
        "only {checked} examples in {}",
        folder.display()
    );
}
