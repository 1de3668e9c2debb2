//! Keeps secrets and control characters out of texts: URLs of cameras carry passwords in more places than their userinfo.

/// What stands in for a secret.
const MASK: &str = "***";

/// Names before an equals sign whose values are secrets, in lower case.
const SECRET_NAMES: [&str; 9] = [
    "pass", "passwd", "password", "pwd", "psw", "token", "secret", "auth", "key",
];

/// A path and query with the values of what sounds like a secret masked.
///
/// Some cameras want `/user=admin_password=…_channel=1` in the path, others `?pwd=…`. A value in a query ends at `&` or `;`,
/// one in a path at the next slash: a password may hold whatever else seems to end it.
pub(crate) fn mask_values(path_and_query: &str) -> String {
    let mut masked = String::with_capacity(path_and_query.len());
    let mut rest = path_and_query;
    let mut in_query = false;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at);
        let name = name_before(before);
        in_query |= before.contains('?');
        masked.push_str(before);
        masked.push('=');
        let value = &after[1..];
        if is_secret(name) {
            let end = value.find(|c| ends(c, in_query)).unwrap_or(value.len());
            masked.push_str(MASK);
            rest = &value[end..];
        } else {
            rest = value;
        }
    }
    masked.push_str(rest);
    masked
}

/// Words of a peer, fit for a log and for a page: printable, on one line, at most `limit` characters.
pub(crate) fn tame(text: &str, limit: usize) -> String {
    let mut tamed: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect();
    if text.chars().nth(limit).is_some() {
        tamed.push('…');
    }
    tamed.trim().to_owned()
}

/// The first bytes of what was not understood, as text.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(24)].escape_ascii().to_string()
}

fn name_before(text: &str) -> &str {
    let start = text
        .rfind(|c: char| !c.is_ascii_alphanumeric())
        .map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.ends_with(secret))
}

fn ends(c: char, in_query: bool) -> bool {
    if in_query {
        matches!(c, '&' | ';' | '#')
    } else {
        matches!(c, '/' | '?')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_masked_wherever_they_stand() {
        for (text, expected) in [
            ("/live", "/live"),
            (
                "/live?channel=1&pwd=CANARY&sub=2",
                "/live?channel=1&pwd=***&sub=2",
            ),
            (
                "/user=admin_password=CANARY_x_channel=1",
                "/user=admin_password=***",
            ),
            ("/password=CAN&ARY/track", "/password=***/track"),
            ("/a?userPassword=CANARY", "/a?userPassword=***"),
            ("/a?b=c=d", "/a?b=c=d"),
            ("/ä=é", "/ä=é"),
        ] {
            assert_eq!(mask_values(text), expected, "{text}");
        }
    }

    #[test]
    fn words_of_a_peer_are_printable_and_short() {
        assert_eq!(tame("Not\r\nFound\u{7}", 20), "Not  Found");
        assert_eq!(tame("aaaa", 2), "aa…");
        assert_eq!(beginning(b"\x00GET"), "\\x00GET");
    }
}
