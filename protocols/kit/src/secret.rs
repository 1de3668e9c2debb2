//! Secrets: settings refer to them, and only the code that needs one ever sees it.

use std::{fmt, fs, io, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A password, key or token in memory. Prints as `Secret(…)` and cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Where a secret is kept. Settings hold this, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretRef {
    /// A file, its last line break left out. A relative path is taken from the configuration file's folder.
    File(PathBuf),
    /// An environment variable of the gateway.
    Env(String),
    /// A systemd credential (`LoadCredential=`).
    Credential(String),
    /// One that was typed into the console and lies in the state folder.
    Secret(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(
        "cannot read the secret file {path}: {source}; create it readable for the gateway's user, or change the setting"
    )]
    File { path: PathBuf, source: io::Error },
    #[error(
        "the environment variable {0} is not set; set it for the gateway, or change the setting"
    )]
    Env(String),
    #[error(
        "there is no systemd credential `{0}`; add LoadCredential={0}:… to the unit, or change the setting"
    )]
    Credential(String),
    #[error("`{0}` is not a name for a secret: letters, digits, `-`, `_` and `.` only")]
    Name(String),
}

/// Reads secrets from where they are kept.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The folder of secrets typed into the console.
    state: PathBuf,
    /// What relative paths are taken from.
    base: PathBuf,
}

// === impl Secret ===

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; name it only where it leaves for the far side.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

// === impl SecretRef ===

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    /// `x-secret` tells the console to draw a write-only field.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "a secret: { file = \"path\" }, { env = \"NAME\" }, { credential = \"name\" } or { secret = \"name\" }",
            "x-secret": true,
            "writeOnly": true,
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
            "properties": {
                "file": { "type": "string", "description": "A file that holds it; a relative path is taken from the configuration's folder." },
                "env": { "type": "string", "description": "An environment variable of the gateway." },
                "credential": { "type": "string", "description": "A systemd credential (LoadCredential=)." },
                "secret": { "type": "string", "description": "The name of one that was typed into the console." },
            },
        })
    }
}

// === impl Secrets ===

impl Secrets {
    #[must_use]
    pub fn new(state: PathBuf, base: PathBuf) -> Self {
        Self { state, base }
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// When it is not where the reference says.
    pub fn read(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        match reference {
            SecretRef::File(path) => read_file(self.base.join(path)),
            SecretRef::Env(name) => std::env::var(name)
                .map(Secret)
                .map_err(|_| SecretError::Env(name.clone())),
            SecretRef::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::Credential(name.clone()))?;
                read_file(PathBuf::from(folder).join(checked(name)?))
            }
            SecretRef::Secret(name) => read_file(self.state.join(checked(name)?)),
        }
    }
}

/// A name that stays within its folder.
fn checked(name: &str) -> Result<&str, SecretError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(SecretError::Name(name.to_owned()));
    }
    Ok(name)
}

fn read_file(path: PathBuf) -> Result<Secret, SecretError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Secret(text.trim_end_matches(['\n', '\r']).to_owned())),
        Err(source) => Err(SecretError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        let secrets = Secrets::new("/nowhere".into(), "/nowhere".into());
        for name in ["../passwd", "", ".hidden", "a/b", "a\0b"] {
            let result = secrets.read(&SecretRef::Secret(name.to_owned()));
            assert!(matches!(result, Err(SecretError::Name(_))), "{name:?}");
        }
    }
}
