//! What D-Bus and BlueZ answer, as a `RadioError` by what can be done, in words for people.

use super::super::RadioError;

/// What was asked of BlueZ, for the words and for what a missing object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum About {
    Daemon,
    Adapter,
    Device,
}

/// How to let somebody use Bluetooth.
const ALLOW: &str = "let the gateway's user send to org.bluez in a file in /etc/dbus-1/system.d, or put it into the group bluetooth";
const START: &str = "start it with `systemctl enable --now bluetooth`, and see `journalctl -u bluetooth` for why it stopped";

/// The consequence of an answer. `doing` completes "cannot …", such as `connect to A4:C1:38:0B:F5:11`.
pub(in super::super) fn of_dbus(doing: &str, about: About, error: &dbus::Error) -> RadioError {
    of(
        doing,
        about,
        error.name().unwrap_or_default(),
        error.message().unwrap_or_default(),
    )
}

/// A link broke before it could be used, or there was none: BlueZ has one answer for all of it.
pub(in super::super) fn gave_up(error: &dbus::Error) -> bool {
    let said = error.message().unwrap_or_default();
    said.contains("abort-by-local")
}

pub(super) fn not_running() -> RadioError {
    RadioError::NoDaemon(format!(
        "BlueZ, the system's Bluetooth, is installed and does not run; {START}"
    ))
}

pub(super) fn not_installed() -> RadioError {
    RadioError::NoDaemon(
        "BlueZ, the system's Bluetooth, is not installed: nobody owns org.bluez on the system bus; install it with \
         `apt install bluez`"
            .to_owned(),
    )
}

pub(super) fn gone() -> RadioError {
    RadioError::NoDaemon(format!("BlueZ stopped or was restarted; {START}"))
}

pub(super) fn bus_lost(why: &str) -> RadioError {
    RadioError::NoDaemon(format!(
        "the connection to the system's message bus broke ({why}); see `systemctl status dbus`"
    ))
}

pub(super) fn no_bus(error: &dbus::Error) -> RadioError {
    let name = error.name().unwrap_or_default();
    let message = error.message().unwrap_or_default();
    if is_forbidden(name) {
        return RadioError::NoPermission(format!(
            "the system's message bus does not let us in ({message}); {ALLOW}"
        ));
    }
    RadioError::NoDaemon(format!(
        "the system's message bus does not answer ({message}), and Bluetooth is reached by it; install it with \
         `apt install dbus`, or in a container give it /run/dbus/system_bus_socket"
    ))
}

fn of(doing: &str, about: About, name: &str, message: &str) -> RadioError {
    let said = if message.is_empty() { name } else { message };
    let said = said.trim();
    let lower = said.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let short = name.rsplit('.').next().unwrap_or_default();
    if is_forbidden(name) {
        return RadioError::NoPermission(format!(
            "cannot {doing}: the system does not allow it ({said}); {ALLOW}"
        ));
    }
    if short == "Blocked" || has(&["rfkill", "rf-kill"]) {
        return RadioError::NoAdapter(format!(
            "cannot {doing}: the adapter is blocked by rfkill; `rfkill unblock bluetooth` frees it, unless a switch \
             of the machine holds it"
        ));
    }
    match (short, about) {
        ("ServiceUnknown" | "NameHasNoOwner" | "Disconnected" | "NoServer", _) => gone(),
        (
            "UnknownObject" | "UnknownMethod" | "UnknownInterface" | "DoesNotExist",
            About::Device,
        ) => RadioError::Away(format!(
            "cannot {doing}: the system does not know the device; it has to be heard first"
        )),
        ("UnknownObject" | "UnknownMethod" | "UnknownInterface" | "DoesNotExist", _) => {
            RadioError::NoAdapter(format!(
                "cannot {doing}: there is no such adapter; plug it in, or choose another"
            ))
        }
        ("NotReady", _) => RadioError::NoAdapter(format!(
            "cannot {doing}: the adapter is switched off; `bluetoothctl power on` switches it on"
        )),
        ("InProgress", _) => RadioError::Busy(format!(
            "cannot {doing}: something else is under way ({said})"
        )),
        // Who was asked died over it.
        ("NoReply", _) if has(&["disconnected from message bus"]) => gone(),
        ("NoReply" | "Timeout" | "TimedOut", _) => {
            RadioError::Busy(format!("cannot {doing}: no answer in time ({said})"))
        }
        (
            "AuthenticationFailed"
            | "AuthenticationCanceled"
            | "AuthenticationRejected"
            | "AuthenticationTimeout",
            _,
        ) => RadioError::Unpaired(format!(
            "cannot {doing}: pairing failed ({said}); see whether the number was right and the device is in pairing mode"
        )),
        ("NotConnected", _) => broken(doing, said),
        ("ConnectionAttemptFailed", _) => away(doing, said),
        _ if has(&["not paired", "uthentic", "ncryption", "no agent"]) => {
            RadioError::Unpaired(format!(
                "cannot {doing}: the device wants to be paired for it ({said}); pair it, and if it is paired already, \
                 remove its bond first"
            ))
        }
        _ if has(&["not connected"]) => broken(doing, said),
        // As the system calls an adapter that fails or just went.
        _ if has(&["input/output error"]) => RadioError::NoAdapter(format!(
            "cannot {doing}: the adapter does not do it ({said}); it may have been switched off or unplugged, or \
             see `dmesg`"
        )),
        _ if has(&[
            "connection-",
            "connection abort",
            "connection timed out",
            "host is down",
            "connection refused",
            "page timeout",
            "abort-by",
        ]) =>
        {
            away(doing, said)
        }
        _ => RadioError::Refused(format!("cannot {doing}: {said} ({short})")),
    }
}

fn away(doing: &str, said: &str) -> RadioError {
    RadioError::Away(format!(
        "cannot {doing}: it does not answer ({said}); if it is near and was paired, it may have lost its bond: remove \
         the bond and pair it anew"
    ))
}

fn broken(doing: &str, said: &str) -> RadioError {
    RadioError::Broken(format!("cannot {doing}: the connection is gone ({said})"))
}

fn is_forbidden(name: &str) -> bool {
    name.ends_with(".AccessDenied") || name.ends_with(".AuthFailed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(about: About, name: &str, message: &str, expected: fn(String) -> RadioError) {
        let error = of("read it", about, name, message);
        let expected = expected(error.to_string());
        assert_eq!(error, expected, "{name}: {message}");
    }

    #[test]
    fn answers_become_consequences() {
        use About::{Adapter, Daemon, Device};
        const BUS: &str = "org.freedesktop.DBus.Error";
        const BLUEZ: &str = "org.bluez.Error";
        type Case = (About, String, &'static str, fn(String) -> RadioError);
        let cases: &[Case] = &[
            (
                Daemon,
                format!("{BUS}.ServiceUnknown"),
                "The name org.bluez was not provided",
                RadioError::NoDaemon,
            ),
            (
                Adapter,
                format!("{BUS}.AccessDenied"),
                "Rejected send message",
                RadioError::NoPermission,
            ),
            (
                Device,
                format!("{BUS}.UnknownObject"),
                "Method \"Connect\" doesn't exist",
                RadioError::Away,
            ),
            (
                Adapter,
                format!("{BUS}.UnknownObject"),
                "Method \"Get\" doesn't exist",
                RadioError::NoAdapter,
            ),
            (
                Adapter,
                format!("{BLUEZ}.NotReady"),
                "Resource Not Ready",
                RadioError::NoAdapter,
            ),
            (
                Adapter,
                format!("{BLUEZ}.Blocked"),
                "Blocked through rfkill",
                RadioError::NoAdapter,
            ),
            (
                Device,
                format!("{BLUEZ}.InProgress"),
                "Operation already in progress",
                RadioError::Busy,
            ),
            (
                Device,
                format!("{BUS}.NoReply"),
                "Did not receive a reply",
                RadioError::Busy,
            ),
            (
                Device,
                format!("{BUS}.NoReply"),
                "Message recipient disconnected from message bus without replying",
                |_| gone(),
            ),
            (
                Device,
                format!("{BLUEZ}.Failed"),
                "Input/output error",
                RadioError::NoAdapter,
            ),
            (
                Device,
                format!("{BLUEZ}.AuthenticationFailed"),
                "Authentication Failed",
                RadioError::Unpaired,
            ),
            (
                Device,
                format!("{BLUEZ}.NotPermitted"),
                "Not paired",
                RadioError::Unpaired,
            ),
            (
                Device,
                format!("{BLUEZ}.NotPermitted"),
                "Read not permitted",
                RadioError::Refused,
            ),
            (
                Device,
                format!("{BLUEZ}.Failed"),
                "Not connected",
                RadioError::Broken,
            ),
            (
                Device,
                format!("{BLUEZ}.Failed"),
                "le-connection-abort-by-local",
                RadioError::Away,
            ),
            (
                Device,
                format!("{BLUEZ}.Failed"),
                "Operation failed with ATT error: 0x80",
                RadioError::Refused,
            ),
        ];
        for (about, name, message, expected) in cases {
            check(*about, name, message, *expected);
        }
    }
}
