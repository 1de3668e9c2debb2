//! Trust in the server's certificate: one file a source holds the only certificate that is let through.

use std::{fs, io, path::Path};

use fieldgate_kit::SourceError;

use crate::{security::Certificate, settings::ServerTrust};

/// The certificate that was trusted first, DER, in the source's folder.
const PINNED: &str = "server.der";

/// Whether a certificate is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Trusted,
    /// Nothing is pinned yet: it is trusted from now on, once [`pin`] has kept it.
    First,
}

/// Compares the server's certificate with the one that is trusted. Writes nothing.
///
/// # Errors
/// `Refused` when it is another one, or flawed at first sight.
pub(crate) fn judge(
    certificate: &Certificate,
    trust: &ServerTrust,
    folder: &Path,
    at: &str,
) -> Result<Verdict, SourceError> {
    let thumbprint = &certificate.thumbprint;
    if let ServerTrust::Thumbprint(trusted) = trust {
        if trusted == thumbprint {
            return Ok(Verdict::Trusted);
        }
        return Err(SourceError::Refused(format!(
            "the server at {at} shows the certificate {thumbprint}, and only {trusted} is trusted; find out who answers there, then change `server_certificate`"
        )));
    }
    let file = folder.join(PINNED);
    match fs::read(&file) {
        Ok(pinned) if pinned == certificate.der => Ok(Verdict::Trusted),
        Ok(pinned) => Err(SourceError::Refused(format!(
            "the server at {at} shows another certificate than before: {thumbprint} ({}) instead of {}; if the server was renewed, set `server_certificate` to the new thumbprint or remove {}",
            certificate.subject,
            crate::session::thumbprint(&pinned),
            file.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match &certificate.flaw {
            None => Ok(Verdict::First),
            Some(flaw) => Err(SourceError::Refused(format!(
                "the certificate {thumbprint} of the server at {at} is not trusted at first sight: {flaw}; renew it, or set `server_certificate` to this thumbprint"
            ))),
        },
        Err(error) => Err(SourceError::Refused(format!(
            "cannot read the trusted certificate {}: {error}; make it readable for the gateway's user",
            file.display()
        ))),
    }
}

/// Keeps the certificate as the only trusted one.
///
/// # Errors
/// `Refused` when it cannot be written: without memory there is no trust.
pub(crate) fn pin(certificate: &Certificate, folder: &Path) -> Result<(), SourceError> {
    let file = folder.join(PINNED);
    let new = folder.join("server.der.new");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&new, &certificate.der))
        .and_then(|()| fs::File::open(&new)?.sync_all())
        .and_then(|()| fs::rename(&new, &file))
        .map_err(|error| {
            SourceError::Refused(format!(
                "cannot keep the server's certificate in {}: {error}; make the folder writable for the gateway's user",
                file.display()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(der: &[u8], flaw: Option<&str>) -> Certificate {
        Certificate {
            der: der.to_vec(),
            thumbprint: "ab".repeat(20),
            subject: "CN=server".to_owned(),
            flaw: flaw.map(str::to_owned),
        }
    }

    #[test]
    fn the_first_is_kept_and_every_other_refused() {
        let folder = tempfile::tempdir().unwrap();
        let judge = |certificate| judge(&certificate, &ServerTrust::First, folder.path(), "h");
        let first = certificate(b"one", None);
        assert_eq!(judge(first.clone()), Ok(Verdict::First));
        assert_eq!(
            judge(first.clone()),
            Ok(Verdict::First),
            "judging keeps nothing"
        );
        pin(&first, folder.path()).unwrap();
        assert_eq!(judge(first), Ok(Verdict::Trusted));
        let Err(SourceError::Refused(words)) = judge(certificate(b"two", None)) else {
            panic!("refused");
        };
        assert!(words.contains("another certificate"), "{words}");
    }

    #[test]
    fn a_flawed_one_is_not_trusted_at_first_sight() {
        let folder = tempfile::tempdir().unwrap();
        let flawed = certificate(b"one", Some("it is expired"));
        let refused = judge(&flawed, &ServerTrust::First, folder.path(), "h");
        assert!(matches!(refused, Err(SourceError::Refused(words)) if words.contains("expired")));
        let by_hand = ServerTrust::Thumbprint(flawed.thumbprint.clone());
        assert_eq!(
            judge(&flawed, &by_hand, folder.path(), "h"),
            Ok(Verdict::Trusted)
        );
        let other = ServerTrust::Thumbprint("00".repeat(20));
        assert!(judge(&flawed, &other, folder.path(), "h").is_err());
    }
}
