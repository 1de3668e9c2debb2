//! Whether rfkill holds an adapter, read from `/sys/class/rfkill` (Linux, Documentation/ABI/stable/sysfs-class-rfkill).

use std::{fs, path::Path};

/// Whether a switch of software or of the machine holds this adapter. What cannot be read does not hold it.
pub(super) fn holds(folder: &Path, adapter: &str) -> bool {
    let Ok(switches) = fs::read_dir(folder) else {
        return false;
    };
    switches.flatten().any(|switch| {
        let read = |file: &str| {
            let text = fs::read_to_string(switch.path().join(file)).unwrap_or_default();
            text.trim().to_owned()
        };
        read("type") == "bluetooth"
            && read("name") == adapter
            && (read("soft") == "1" || read("hard") == "1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_switch_of_this_adapter_holds_it() {
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
        assert!(holds(folder.path(), "hci0"));
        assert!(!holds(folder.path(), "hci1"));
        assert!(!holds(&folder.path().join("none"), "hci0"));
    }
}
