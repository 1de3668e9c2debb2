//! `Failure`: why a request failed, and the only place that knows which HTTP status and code that is.

use std::borrow::Cow;

use actix_web::{HttpResponse, ResponseError, error::PayloadError, http::StatusCode};
use fieldgate_api::trouble::Trouble;

use crate::config::ChangeError;

/// Why a request failed; its text says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("{0}")]
    NotFound(String),
    /// The request itself is not what the contract says.
    #[error("{0}")]
    Malformed(String),
    #[error("the body is larger than 1 MiB; send less")]
    BodyTooLarge,
    #[error("the request's headers are larger than 16 KiB; clear the cookies of this site")]
    HeadTooLarge,
    /// It may come from a foreign page.
    #[error("{0}")]
    Forbidden(String),
    /// It was sent to a name that is not ours.
    #[error("{0}")]
    Misdirected(String),
    /// Later it may work.
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Internal(String),
}

// === impl Failure ===

impl Failure {
    /// Why a body could not be taken.
    pub fn of_body(error: &actix_web::Error) -> Self {
        match error.as_error::<PayloadError>() {
            Some(PayloadError::Overflow) => Self::BodyTooLarge,
            _ => Self::Malformed(format!("the body cannot be taken: {error}")),
        }
    }

    /// There is no such item.
    pub fn no_such(what: &str, id: &str) -> Self {
        Self::NotFound(format!(
            "there is no {what} `{}`; it may have been removed in the meantime",
            id.escape_debug()
        ))
    }

    /// What the client is told.
    pub fn trouble(&self) -> Trouble {
        let (status, code, title) = self.kind();
        let problems = match self {
            Self::Change(ChangeError::Invalid(problems)) => problems.clone(),
            _ => Vec::new(),
        };
        Trouble {
            code: code.into(),
            title: title.into(),
            status: status.as_u16(),
            detail: self.to_string(),
            problems,
        }
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Change(ChangeError::Invalid(_)) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "FG-CONFIG",
                "the configuration has problems",
            ),
            Self::Change(ChangeError::Conflict { .. }) => (
                StatusCode::CONFLICT,
                "FG-CONFLICT",
                "somebody else changed the configuration",
            ),
            Self::Change(ChangeError::Locked { .. }) => (
                StatusCode::LOCKED,
                "FG-LOCKED",
                "the value is fixed elsewhere",
            ),
            Self::Change(ChangeError::NotFound(_)) | Self::NotFound(_) => (
                StatusCode::NOT_FOUND,
                "FG-NOT-FOUND",
                "there is no such thing",
            ),
            Self::Change(ChangeError::Io(_)) | Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "FG-UNAVAILABLE",
                "this is not possible right now",
            ),
            Self::Malformed(_) => (
                StatusCode::BAD_REQUEST,
                "FG-REQUEST",
                "the request is wrong",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "FG-REQUEST",
                "the request is too large",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "FG-REQUEST",
                "the request is too large",
            ),
            Self::Forbidden(_) => (
                StatusCode::FORBIDDEN,
                "FG-FORBIDDEN",
                "the request may come from a foreign page",
            ),
            Self::Misdirected(_) => (
                StatusCode::MISDIRECTED_REQUEST,
                "FG-FORBIDDEN",
                "this gateway is not called so",
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "FG-INTERNAL",
                "a defect of the gateway",
            ),
        }
    }
}

/// What the far side says.
impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self::Unavailable(super::value::shown(&words))
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.kind().0
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(words) = self {
            tracing::error!(%words, "a request met a defect");
        }
        let json = serde_json::to_string(&self.trouble()).map_or(Cow::Borrowed("{}"), Cow::Owned);
        HttpResponse::build(self.status_code())
            .content_type("application/problem+json")
            .body(json.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_api::config::{Layer, Origin};

    use super::*;

    #[test]
    fn each_failure_has_its_status_and_code() {
        let origin = Origin {
            layer: Layer::File,
            place: "x.toml:3".into(),
        };
        let locked = ChangeError::Locked {
            path: "url".into(),
            origin,
        };
        let conflict = ChangeError::Conflict {
            base: 1,
            current: 2,
        };
        let full = std::io::Error::other("no space left");
        for (failure, status, code) in [
            (
                Failure::from(ChangeError::Invalid(vec![])),
                422,
                "FG-CONFIG",
            ),
            (conflict.into(), 409, "FG-CONFLICT"),
            (locked.into(), 423, "FG-LOCKED"),
            (
                ChangeError::NotFound("x".into()).into(),
                404,
                "FG-NOT-FOUND",
            ),
            (ChangeError::Io(full).into(), 503, "FG-UNAVAILABLE"),
            (Failure::BodyTooLarge, 413, "FG-REQUEST"),
            (Failure::Misdirected("x".into()), 421, "FG-FORBIDDEN"),
        ] {
            let trouble = failure.trouble();
            assert_eq!((trouble.status, trouble.code.as_str()), (status, code));
        }
    }
}
