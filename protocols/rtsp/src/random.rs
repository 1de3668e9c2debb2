//! Random numbers that nobody guesses, from the TLS provider.

use rustls::crypto::aws_lc_rs;

/// So many bytes; `None` when the system gives none.
pub(crate) fn bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let filled = aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    filled.ok().map(|()| bytes)
}
