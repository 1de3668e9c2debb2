//! The event service (ONVIF Core Specification clause 9).

use std::time::Duration;

use url::Url;

use super::{Ask, Client, services::Service};
use crate::{
    clock::{write_date_time, write_duration},
    error::DeviceError,
    events::{
        Lifetime, Pulled, Reference, Subscribed, Times, read_pulled, read_subscribed, read_times,
    },
    reach::on_device,
    xml::Element,
};

const PULL_POINT: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription";
const EVENT_PORT: &str = "http://www.onvif.org/ver10/events/wsdl/EventPortType";
const SUBSCRIPTION: &str = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager";

/// `xs:duration` or `xs:dateTime`, as `wsnt:AbsoluteOrRelativeTimeType` has it.
fn write_lifetime(lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::For(span) => write_duration(span),
        Lifetime::Until(at) => write_date_time(at),
    }
}

// === impl Client ===

impl Client {
    pub(super) async fn create_pull_point(
        &self,
        lifetime: Lifetime,
    ) -> Result<Subscribed, DeviceError> {
        let name = "CreatePullPointSubscription";
        let url = self.address_of(Service::Events).await?;
        let lifetime = write_lifetime(lifetime);
        let ask = Ask {
            url,
            action: format!("{EVENT_PORT}/{name}Request"),
            operation: name.to_owned(),
            body: format!(
                "<tev:{name}><tev:InitialTerminationTime>{lifetime}</tev:InitialTerminationTime></tev:{name}>"
            ),
            limit: self.settings.timeout,
            addressed: true,
            references: Vec::new(),
        };
        let envelope = self.signed(&ask).await?;
        read_subscribed(&envelope)
            .ok_or_else(|| self.garbage(name, "there is no subscription in it"))
    }

    /// An operation of a subscription that there is.
    async fn of_subscription(
        &self,
        subscription: &Reference,
        port: &str,
        name: &str,
        body: String,
        wait: Duration,
    ) -> Result<Element, DeviceError> {
        let ask = Ask {
            url: self.subscription_address(subscription, name)?,
            action: format!("{port}/{name}Request"),
            operation: name.to_owned(),
            body,
            limit: self.settings.timeout + wait,
            addressed: true,
            references: subscription.parameters.clone(),
        };
        self.signed_response(&ask, &format!("{name}Response")).await
    }

    /// The device tells it, so it leads to the device or nowhere.
    fn subscription_address(
        &self,
        subscription: &Reference,
        name: &str,
    ) -> Result<Url, DeviceError> {
        on_device(&subscription.address, &self.settings.address)
            .ok_or_else(|| self.garbage(name, "the subscription has no address"))
    }

    pub(super) async fn pull_messages(
        &self,
        from: &Reference,
        wait: Duration,
        limit: u32,
    ) -> Result<Pulled, DeviceError> {
        let body = format!(
            "<tev:PullMessages><tev:Timeout>{}</tev:Timeout><tev:MessageLimit>{limit}</tev:MessageLimit></tev:PullMessages>",
            write_duration(wait)
        );
        let response = self
            .of_subscription(from, PULL_POINT, "PullMessages", body, wait)
            .await?;
        Ok(read_pulled(&response))
    }

    pub(super) async fn prolong(
        &self,
        subscription: &Reference,
        lifetime: Lifetime,
    ) -> Result<Times, DeviceError> {
        let lifetime = write_lifetime(lifetime);
        let body = format!(
            "<wsnt:Renew><wsnt:TerminationTime>{lifetime}</wsnt:TerminationTime></wsnt:Renew>"
        );
        let response = self
            .of_subscription(subscription, SUBSCRIPTION, "Renew", body, Duration::ZERO)
            .await?;
        Ok(read_times(&response))
    }

    pub(super) async fn end_subscription(
        &self,
        subscription: &Reference,
    ) -> Result<(), DeviceError> {
        let body = "<wsnt:Unsubscribe/>".to_owned();
        let ended = self
            .of_subscription(
                subscription,
                SUBSCRIPTION,
                "Unsubscribe",
                body,
                Duration::ZERO,
            )
            .await;
        ended.map(|_| ())
    }

    pub(super) async fn ask_for_states(&self, subscription: &Reference) -> Result<(), DeviceError> {
        let name = "SetSynchronizationPoint";
        let body = format!("<tev:{name}/>");
        let asked = self
            .of_subscription(subscription, PULL_POINT, name, body, Duration::ZERO)
            .await;
        asked.map(|_| ())
    }
}
