//! `WhyNot`: why a command was not carried out, as it is counted. To add a reason, add a variant and its word.

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyNot {
    /// The message is no command.
    Malformed,
    /// It has more bytes than a command may have.
    TooLarge,
    /// A retained message: it is old by definition, and would come again with every connection.
    Retained,
    /// It would change something, and has no usable id by which its repetition could be noticed.
    NoId,
    /// The answer is to go where none may go.
    ReplyTo,
    /// Another command had its id.
    IdTaken,
    /// Too many at once, or too many a second.
    TooMany,
    /// The link by which it came ended before anybody looked at it.
    LinkEnded,
    /// Its time to live was over.
    Expired,
    /// No rule of the source allows it, or there is no such source.
    NotAllowed,
    /// The source is away.
    Away,
    /// It could not be written down first.
    NotWritten,
    /// The source refused it: a wrong type, out of bounds, no right to write.
    BySource,
}

// === impl WhyNot ===

impl WhyNot {
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::TooLarge,
        Self::Retained,
        Self::NoId,
        Self::ReplyTo,
        Self::IdTaken,
        Self::TooMany,
        Self::LinkEnded,
        Self::Expired,
        Self::NotAllowed,
        Self::Away,
        Self::NotWritten,
        Self::BySource,
    ];

    /// The word in metrics and in the console.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Retained => "retained",
            Self::NoId => "no_id",
            Self::ReplyTo => "reply_to",
            Self::IdTaken => "id_taken",
            Self::TooMany => "too_many",
            Self::LinkEnded => "link_ended",
            Self::Expired => "expired",
            Self::NotAllowed => "not_allowed",
            Self::Away => "away",
            Self::NotWritten => "not_written",
            Self::BySource => "by_source",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = WhyNot::ALL.iter().map(|why| why.as_str()).collect();
        assert_eq!(words.len(), WhyNot::ALL.len());
    }
}
