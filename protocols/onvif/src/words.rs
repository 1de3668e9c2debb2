//! Texts that came from a device, made fit to be shown: short, and without what moves a cursor.

/// A text of a device in a sentence of ours is no longer, in characters.
const MAX_CHARACTERS: usize = 200;

/// What a person may see of `text`.
pub(crate) fn shown(text: &str) -> String {
    bounded(text, MAX_CHARACTERS)
}

/// At most so many characters of `text`, on one line.
pub(crate) fn bounded(text: &str, characters: usize) -> String {
    let mut out = String::with_capacity(text.len().min(characters));
    for (index, character) in text.trim().chars().enumerate() {
        if index == characters {
            out.push('…');
            break;
        }
        out.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    out
}

/// How long, as people say it.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_length_are_taken_away() {
        assert_eq!(shown(" a\r\n\x1b[2Jb "), "a   [2Jb");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 201);
    }

    #[test]
    fn spans_are_rounded_down() {
        for (seconds, expected) in [
            (5, "5 s"),
            (1_200, "20 min"),
            (90_000, "25 h"),
            (864_000, "10 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }
}
