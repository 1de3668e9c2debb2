//! Our own application instance certificate (OPC UA Part 6, 6.2.2): key, certificate, and request for an authority.

use std::{net::IpAddr, str::FromStr, time::Duration};

use fieldgate_model::Timestamp;
use rand::{RngCore, rngs::OsRng};
use rsa::{
    RsaPrivateKey,
    pkcs1v15::{Signature, SigningKey},
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use x509_cert::{
    builder::{Builder, CertificateBuilder, Profile, RequestBuilder},
    der::{
        Encode,
        asn1::{GeneralizedTime, Ia5String, OctetString},
        oid::db::rfc5280::ID_KP_CLIENT_AUTH,
    },
    ext::{
        AsExtension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
            SubjectAltName, SubjectKeyIdentifier, name::GeneralName,
        },
    },
    name::Name,
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoOwned,
    time::Validity,
};

/// Who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The application URI; stays the same through every renewal.
    pub uri: String,
    pub hosts: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

/// A private key.
pub(crate) struct Key(RsaPrivateKey);

// === impl Names ===

impl Names {
    fn subject(&self) -> Result<Name, String> {
        // A comma or the like in a host's name would end the field.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let host = self.hosts.first().filter(|host| host.chars().all(plain));
        let mut text = "CN=Fieldgate".to_owned();
        if let Some(host) = host {
            text.push_str(&format!("@{host},O=Fieldgate,DC={host}"));
        } else {
            text.push_str(",O=Fieldgate");
        }
        Name::from_str(&text).map_err(|error| format!("its subject cannot be written: {error}"))
    }

    fn alternative(&self) -> Result<SubjectAltName, String> {
        let text = |text: &str| {
            Ia5String::new(text).map_err(|error| format!("`{text}` is no name: {error}"))
        };
        let mut names = vec![GeneralName::UniformResourceIdentifier(text(&self.uri)?)];
        for host in &self.hosts {
            names.push(GeneralName::DnsName(text(host)?));
        }
        for address in &self.addresses {
            names.push(GeneralName::from(*address));
        }
        Ok(SubjectAltName(names))
    }
}

// === impl Key ===

impl Key {
    /// A new one of 2048 or 3072 bits; seconds on a small machine.
    pub(crate) fn new(bits: u32) -> Result<Self, String> {
        RsaPrivateKey::new(&mut OsRng, bits as usize)
            .map(Self)
            .map_err(|error| format!("no key can be made: {error}"))
    }

    pub(crate) fn from_pem(text: &str) -> Result<Self, String> {
        RsaPrivateKey::from_pkcs8_pem(text)
            .map(Self)
            .map_err(|error| format!("the key cannot be read: {error}"))
    }

    /// PKCS 8.
    pub(crate) fn to_pem(&self) -> Result<String, String> {
        self.0
            .to_pkcs8_pem(LineEnding::LF)
            .map(|text| text.to_string())
            .map_err(|error| format!("the key cannot be written: {error}"))
    }

    /// In DER, to compare it with a certificate's.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        let key = self.0.to_public_key().to_public_key_der();
        key.map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    /// A certificate that signs itself, in DER.
    pub(crate) fn certify(
        &self,
        names: &Names,
        now: Timestamp,
        valid: Duration,
    ) -> Result<Vec<u8>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no certificate can be made: {error}");
        let subject = names.subject()?;
        let serial = serial();
        let public = SubjectPublicKeyInfoOwned::try_from(self.public_key().as_slice())
            .map_err(|error| failed(&error))?;
        let identifier = Sha1::digest(public.subject_public_key.raw_bytes());
        let identifier = OctetString::new(identifier.as_slice()).map_err(|error| failed(&error))?;
        let signer = SigningKey::<Sha256>::new(self.0.clone());
        let mut builder = CertificateBuilder::new(
            Profile::Manual { issuer: None },
            serial.clone(),
            validity(now, valid).map_err(|error| failed(&error))?,
            subject.clone(),
            public,
            &signer,
        )
        .map_err(|error| failed(&error))?;
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(identifier.clone()),
            authority_cert_issuer: Some(vec![GeneralName::DirectoryName(subject)]),
            authority_cert_serial_number: Some(serial),
        };
        let constraints = BasicConstraints {
            ca: false,
            path_len_constraint: None,
        };
        // A certificate that signs itself says so (OPC UA Part 6, table 43).
        let usage = KeyUsage(application_usage() | KeyUsages::KeyCertSign);
        let add =
            |added: Result<(), x509_cert::builder::Error>| added.map_err(|error| failed(&error));
        add(builder.add_extension(&SubjectKeyIdentifier(identifier)))?;
        add(builder.add_extension(&authority))?;
        add(builder.add_extension(&constraints))?;
        add(builder.add_extension(&usage))?;
        add(builder.add_extension(&ExtendedKeyUsage(vec![ID_KP_CLIENT_AUTH])))?;
        add(builder.add_extension(&names.alternative()?))?;
        let certificate = builder
            .build::<Signature>()
            .map_err(|error| failed(&error))?;
        certificate.to_der().map_err(|error| failed(&error))
    }

    /// A request (RFC 2986) that says what the certificate should say, in DER.
    pub(crate) fn request(&self, names: &Names) -> Result<Vec<u8>, String> {
        fn add<E: AsExtension>(
            builder: &mut RequestBuilder<'_, SigningKey<Sha256>>,
            extension: &E,
        ) -> Result<(), String> {
            let added = builder.add_extension(extension);
            added.map_err(|error| format!("no request can be made: {error}"))
        }
        let failed = |error: &dyn std::fmt::Display| format!("no request can be made: {error}");
        let signer = SigningKey::<Sha256>::new(self.0.clone());
        let mut builder =
            RequestBuilder::new(names.subject()?, &signer).map_err(|error| failed(&error))?;
        add(&mut builder, &KeyUsage(application_usage()))?;
        add(&mut builder, &ExtendedKeyUsage(vec![ID_KP_CLIENT_AUTH]))?;
        add(&mut builder, &names.alternative()?)?;
        let request = builder
            .build::<Signature>()
            .map_err(|error| failed(&error))?;
        request.to_der().map_err(|error| failed(&error))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

fn application_usage() -> x509_cert::der::flagset::FlagSet<KeyUsages> {
    KeyUsages::DigitalSignature
        | KeyUsages::NonRepudiation
        | KeyUsages::KeyEncipherment
        | KeyUsages::DataEncipherment
}

/// From a day before, as clocks differ.
fn validity(now: Timestamp, valid: Duration) -> Result<Validity, x509_cert::der::Error> {
    let now = Duration::from_millis(u64::try_from(now.millis()).unwrap_or(0));
    let start = now.saturating_sub(Duration::from_secs(86_400));
    Ok(Validity {
        not_before: GeneralizedTime::from_unix_duration(start)?.into(),
        not_after: GeneralizedTime::from_unix_duration(now + valid)?.into(),
    })
}

/// 16 random bytes, positive.
fn serial() -> SerialNumber {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::new(&bytes).unwrap_or_else(|_| SerialNumber::from(1u32))
}
