//! Answers that stay fresh: fetched again when the configuration changes, the connection comes back, or time passes.

use std::time::Duration;

use fieldgate_api::endpoint::Endpoint;
use fieldgate_api::trouble::Trouble;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client;
use crate::live::{Live, is_hidden};

/// How often the figures of a page are fetched while it is looked at.
pub const OFTEN: Duration = Duration::from_secs(3);

/// The last answer, and what is wrong if there is none newer.
pub struct Fetched<T: Send + Sync + 'static> {
    pub data: RwSignal<Option<T>>,
    pub trouble: RwSignal<Option<Trouble>>,
    again: RwSignal<u32>,
}

/// Fetches now, on every change of the configuration and every `every`. `places` is what fills the path; it is tracked,
/// and `None` fetches nothing.
pub fn fetched<E>(
    every: Option<Duration>,
    places: impl Fn() -> Option<Vec<String>> + 'static,
) -> Fetched<E::Response>
where
    E: Endpoint<Request = ()>,
    E::Response: PartialEq + Send + Sync,
{
    asked::<E>(every, move || places().map(|places| (places, ())))
}

/// As [`fetched`], for an endpoint that is asked something.
pub fn asked<E>(
    every: Option<Duration>,
    asks: impl Fn() -> Option<(Vec<String>, E::Request)> + 'static,
) -> Fetched<E::Response>
where
    E: Endpoint,
    E::Request: PartialEq + Clone,
    E::Response: PartialEq + Send + Sync,
{
    followed::<E>(every, asks, |data| data.set(None))
}

/// As [`asked`]; when something else is asked, the last answer stays until the new one is there.
pub fn narrowed<E>(
    every: Option<Duration>,
    asks: impl Fn() -> Option<(Vec<String>, E::Request)> + 'static,
) -> Fetched<E::Response>
where
    E: Endpoint,
    E::Request: PartialEq + Clone,
    E::Response: PartialEq + Send + Sync,
{
    followed::<E>(every, asks, |_| ())
}

/// `other` is told when something else is asked.
fn followed<E>(
    every: Option<Duration>,
    asks: impl Fn() -> Option<(Vec<String>, E::Request)> + 'static,
    other: impl Fn(RwSignal<Option<E::Response>>) + 'static,
) -> Fetched<E::Response>
where
    E: Endpoint,
    E::Request: PartialEq + Clone,
    E::Response: PartialEq + Send + Sync,
{
    let fetched = Fetched {
        data: RwSignal::new(None),
        trouble: RwSignal::new(None),
        again: RwSignal::new(0),
    };
    let live = Live::expect();
    Effect::new(move |former: Option<Option<(Vec<String>, E::Request)>>| {
        live.refetch.track();
        fetched.again.track();
        let asks = asks();
        if former.is_some_and(|former| former != asks) {
            other(fetched.data);
        }
        if let Some((places, request)) = asks.clone() {
            spawn_local(async move {
                let places: Vec<&str> = places.iter().map(String::as_str).collect();
                fetched.take(client::change::<E>(&places, &request, None).await);
            });
        }
        asks
    });
    if let Some(every) = every {
        fetched.repeat(every);
    }
    fetched
}

// === impl Fetched ===

impl<T: Send + Sync + 'static> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Fetched<T> {}

impl<T: PartialEq + Send + Sync + 'static> Fetched<T> {
    /// Fetches again now.
    pub fn refresh(self) {
        if let Some(mut again) = self.again.try_write() {
            *again += 1;
        }
    }

    fn repeat(self, every: Duration) {
        let timer = set_interval_with_handle(
            move || {
                if !is_hidden() {
                    self.refresh();
                }
            },
            every,
        );
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    }

    /// The page may be gone by now, so every signal is only tried.
    fn take(self, answer: Result<T, Trouble>) {
        match answer {
            Ok(data) => {
                self.trouble.try_set(None);
                if self
                    .data
                    .try_with_untracked(|former| former.as_ref() != Some(&data))
                    == Some(true)
                {
                    self.data.try_set(Some(data));
                }
            }
            Err(trouble) => {
                self.trouble.try_set(Some(trouble));
            }
        }
    }
}
