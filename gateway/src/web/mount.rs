//! Mounting: a handler is tied to its row of the endpoint table, which gives method, path and the types of both bodies.

use std::{any::TypeId, future::Future};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, Bytes, Data, ServiceConfig},
};
use fieldgate_api::endpoint::{Endpoint, Method};

use super::{Shared, control::LocalUser, error::Failure};

/// What a handler answers.
pub type Answer<E> = Result<<E as Endpoint>::Response, Failure>;

/// One request for a row, read.
pub struct Call<E: Endpoint> {
    pub shared: Data<Shared>,
    /// What stands at the path's `{place}`, percent-decoded; empty for a path without one.
    pub place: String,
    /// The revision that a change was based on, by `If-Match`.
    pub base: Option<u64>,
    pub caller: Caller,
    pub body: E::Request,
}

/// By which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Console,
    /// The control socket.
    CommandLine,
}

/// Where rows are mounted, and which ones were.
pub struct Mounts<'a> {
    config: &'a mut ServiceConfig,
    rows: Vec<(&'static str, &'static str)>,
}

// === impl Mounts ===

impl<'a> Mounts<'a> {
    pub fn new(config: &'a mut ServiceConfig) -> Self {
        Self {
            config,
            rows: Vec::new(),
        }
    }

    /// Lets `handler` answer the row `E`.
    pub fn mount<E, F, A>(&mut self, handler: F)
    where
        E: Endpoint + 'static,
        F: Fn(Call<E>) -> A + Clone + 'static,
        A: Future<Output = Answer<E>> + 'static,
    {
        let answer = move |request: HttpRequest,
                           shared: Data<Shared>,
                           body: Result<Bytes, actix_web::Error>| {
            let handler = handler.clone();
            async move {
                let call = Call::<E>::read(&request, shared, body)?;
                written::<E>(&handler(call).await?)
            }
        };
        let route = match E::METHOD {
            Method::Get => web::get(),
            Method::Put => web::put(),
            Method::Post => web::post(),
            Method::Delete => web::delete(),
        };
        self.config.route(E::PATH, route.to(answer));
        self.rows.push((E::METHOD.as_str(), E::PATH));
    }

    /// Method and path of every row that was mounted.
    #[cfg(test)]
    pub fn rows(&self) -> &[(&'static str, &'static str)] {
        &self.rows
    }
}

// === impl Call ===

impl<E: Endpoint> Call<E> {
    fn read(
        request: &HttpRequest,
        shared: Data<Shared>,
        body: Result<Bytes, actix_web::Error>,
    ) -> Result<Self, Failure> {
        let body = body.map_err(|error| Failure::of_body(&error))?;
        let place = match request.match_info().is_empty() {
            true => String::new(),
            false => request
                .match_info()
                .load::<String>()
                .map_err(|error| Failure::Malformed(format!("the path cannot be read: {error}")))?,
        };
        Ok(Self {
            shared,
            place,
            base: base(request)?,
            caller: match request.conn_data::<LocalUser>() {
                Some(LocalUser) => Caller::CommandLine,
                None => Caller::Console,
            },
            body: match E::METHOD {
                Method::Get => asked::<E::Request>(request)?,
                _ => parsed::<E::Request>(&body)?,
            },
        })
    }
}

/// The revision of `If-Match: "7"`; none without the header, or for `*`.
fn base(request: &HttpRequest) -> Result<Option<u64>, Failure> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.trim_matches('"').parse();
    number.map(Some).map_err(|_| {
        Failure::Malformed(
            "the header If-Match names no revision; send If-Match: \"7\", or leave it out".into(),
        )
    })
}

/// What a GET asks for, from the query of its URL.
fn asked<T: serde::de::DeserializeOwned + 'static>(request: &HttpRequest) -> Result<T, Failure> {
    if TypeId::of::<T>() == TypeId::of::<()>() {
        return parsed::<T>(b"");
    }
    let query = web::Query::<T>::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|error| {
        Failure::Malformed(format!(
            "the query of the URL cannot be read: {error}; see /api/v1/openapi.json"
        ))
    })
}

fn parsed<T: serde::de::DeserializeOwned + 'static>(body: &[u8]) -> Result<T, Failure> {
    // `()` is no body at all, which serde knows as null.
    let nothing = TypeId::of::<T>() == TypeId::of::<()>();
    let body = if nothing && body.is_empty() {
        b"null"
    } else {
        body
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        Failure::Malformed(format!(
            "the body cannot be read at `{}`: {}; send JSON as /api/v1/openapi.json says",
            error.path(),
            error.inner()
        ))
    })
}

fn written<E: Endpoint>(response: &E::Response) -> Result<HttpResponse, Failure> {
    if TypeId::of::<E::Response>() == TypeId::of::<()>() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let json = serde_json::to_vec(response)
        .map_err(|error| Failure::Internal(format!("the answer cannot be written: {error}")))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(json))
}
