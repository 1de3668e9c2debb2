//! Whether rfkill holds an adapter, read from `/sys/class/rfkill` (Linux, Documentation/ABI/stable/sysfs-class-rfkill).

use std::{fs, path::Path};

/// The names of what is held by a switch of software or of the machine: adapters, and on many portable computers a switch with a name
/// of its own that takes the adapter off the bus. What cannot be read holds nothing.
pub(super) fn held(folder: &Path) -> Vec<String> {
    let Ok(switches) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let held = switches.flatten().filter_map(|switch| {
        let read = |file: &str| {
            let text = fs::read_to_string(switch.path().join(file)).unwrap_or_default();
            text.trim().to_owned()
        };
        let holds = read("soft") == "1" || read("hard") == "1";
        (holds && read("type") == "bluetooth").then(|| read("name"))
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let switch = |number: u32, files: &[(&str, &str)]| {
            let switch = folder.path().join(format!("rfkill{number}"));
            fs::create_dir(&switch).unwrap();
            for (file, text) in files {
                fs::write(switch.join(file), text).unwrap();
            }
        };
        switch(
            0,
            &[("type", "wlan\n"), ("name", "phy0\n"), ("soft", "1\n")],
        );
        switch(
            1,
            &[
                ("type", "bluetooth\n"),
                ("name", "hci0\n"),
                ("soft", "1\n"),
                ("hard", "0\n"),
            ],
        );
        switch(
            2,
            &[
                ("type", "bluetooth\n"),
                ("name", "hci1\n"),
                ("soft", "0\n"),
                ("hard", "0\n"),
            ],
        );
        switch(
            3,
            &[
                ("type", "bluetooth\n"),
                ("name", "tpacpi_bluetooth_sw\n"),
                ("soft", "0\n"),
                ("hard", "1\n"),
            ],
        );
        let mut all = held(folder.path());
        all.sort();
        assert_eq!(all, ["hci0", "tpacpi_bluetooth_sw"]);
        assert_eq!(held(&folder.path().join("none")), [""; 0]);
    }
}
