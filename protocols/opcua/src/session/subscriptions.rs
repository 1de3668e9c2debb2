//! `Client`: subscriptions, their items and their messages as the vendor's requests (OPC UA Part 4, 5.13 and 5.14).

use std::time::Duration;

use opcua::{
    client::{
        UARequest,
        services::{
            CreateMonitoredItems, CreateSubscription, DeleteMonitoredItems, DeleteSubscriptions,
            Publish, Republish, TransferSubscriptions,
        },
    },
    types::{
        AttributeId, DataChangeFilter, DataChangeTrigger, DeadbandType, ExtensionObject,
        MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, ReadValueId,
        TimestampsToReturn,
    },
};

use super::{
    PUBLISH_TIMEOUT,
    calls::{Client, same_length},
    convert, within,
};
use crate::{
    connection::{
        Acknowledgement, Called, ItemRequest, ItemRevised, Notification, Published, Subscription,
        SubscriptionRequest,
    },
    settings::{Deadband, Discard, Trigger},
    status::Status,
    value,
};

impl Client {
    pub(super) async fn create_subscription(
        &self,
        request: SubscriptionRequest,
    ) -> Result<Subscription, Status> {
        let asked_ms = request.publishing_ms;
        let interval = Duration::from_secs_f64(asked_ms / 1000.0);
        let request = CreateSubscription::new(&self.session)
            .publishing_interval(interval)
            .max_keep_alive_count(request.keep_alive_count)
            .max_lifetime_count(request.lifetime_count)
            .max_notifications_per_publish(request.max_notifications)
            .publishing_enabled(true);
        let made = within(request.send(self.session.channel())).await?;
        Ok(Subscription {
            id: made.subscription_id,
            publishing_ms: match made.revised_publishing_interval {
                revised if revised.is_finite() => revised,
                _ => asked_ms,
            },
            keep_alive_count: made.revised_max_keep_alive_count,
        })
    }

    pub(super) async fn delete_subscription(&self, subscription: u32) -> Result<(), Status> {
        let request = DeleteSubscriptions::new(&self.session).subscription(subscription);
        within(request.send(self.session.channel()))
            .await
            .map(|_| ())
    }

    pub(super) async fn create_items(
        &self,
        subscription: u32,
        items: Vec<ItemRequest>,
    ) -> Result<Vec<Result<ItemRevised, Status>>, Status> {
        let count = items.len();
        let request = CreateMonitoredItems::new(subscription, &self.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(items.into_iter().map(create_request).collect());
        let made = within(request.send(self.session.channel())).await?;
        let results = made.results.into_iter().map(|item| {
            let result = item.result;
            if result.status_code.is_bad() {
                return Err(value::status(result.status_code));
            }
            Ok(ItemRevised {
                id: result.monitored_item_id,
                sampling_ms: result.revised_sampling_interval,
                queue_size: result.revised_queue_size,
            })
        });
        same_length(results.collect(), count)
    }

    pub(super) async fn delete_items(
        &self,
        subscription: u32,
        ids: Vec<u32>,
    ) -> Result<(), Status> {
        let request = DeleteMonitoredItems::new(subscription, &self.session).items_to_delete(ids);
        within(request.send(self.session.channel()))
            .await
            .map(|_| ())
    }

    pub(super) fn publish_request(
        &self,
        acknowledged: Vec<Acknowledgement>,
    ) -> Called<'static, Published> {
        let (session, lexicon) = (self.session.clone(), self.lexicon.clone());
        Box::pin(async move {
            let request = acknowledged
                .into_iter()
                .fold(Publish::new(&session), |request, kept| {
                    request.ack(kept.subscription, kept.sequence)
                });
            let answer = request.send(session.channel());
            let answer = tokio::time::timeout(PUBLISH_TIMEOUT * 2, answer)
                .await
                .map_err(|_| Status::named("BadTimeout"))?
                .map_err(|error| super::status(&error))?;
            let message = answer.notification_message;
            Ok(Published {
                subscription: answer.subscription_id,
                available: answer.available_sequence_numbers.unwrap_or_default(),
                notification: lexicon.notification(&session, message).await,
            })
        })
    }

    pub(super) async fn transfer_subscriptions(
        &self,
        subscriptions: Vec<u32>,
    ) -> Result<Vec<Result<Vec<u32>, Status>>, Status> {
        let count = subscriptions.len();
        let request = TransferSubscriptions::new(&self.session)
            .send_initial_values(true)
            .subscription_ids(subscriptions);
        let answer = within(request.send(self.session.channel())).await?;
        let results = answer.results.unwrap_or_default().into_iter();
        let results = results.map(|result| {
            if result.status_code.is_bad() {
                return Err(value::status(result.status_code));
            }
            Ok(result.available_sequence_numbers.unwrap_or_default())
        });
        same_length(results.collect(), count)
    }

    pub(super) async fn message_again(
        &self,
        subscription: u32,
        sequence: u32,
    ) -> Result<Notification, Status> {
        let request = Republish::new(subscription, sequence, &self.session);
        let answer = within(request.send(self.session.channel())).await?;
        let message = answer.notification_message;
        let lexicon = &self.lexicon;
        Ok(lexicon.notification_again(&self.session, message).await)
    }
}

/// Nothing is said where nothing but the default is wished for: some servers refuse every filter.
fn filter(trigger: Trigger, deadband: Option<Deadband>) -> ExtensionObject {
    if trigger == Trigger::default() && deadband.is_none() {
        return ExtensionObject::null();
    }
    let (kind, width) = match deadband {
        None => (DeadbandType::None, 0.0),
        Some(Deadband::Absolute(width)) => (DeadbandType::Absolute, width),
        Some(Deadband::Percent(percent)) => (DeadbandType::Percent, percent),
    };
    ExtensionObject::from_message(DataChangeFilter {
        trigger: match trigger {
            Trigger::Status => DataChangeTrigger::Status,
            Trigger::StatusValue => DataChangeTrigger::StatusValue,
            Trigger::StatusValueTimestamp => DataChangeTrigger::StatusValueTimestamp,
        },
        deadband_type: kind as u32,
        deadband_value: width,
    })
}

fn create_request(item: ItemRequest) -> MonitoredItemCreateRequest {
    MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: convert::vendor_node_id(&item.node),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle: convert::vendor_handle(item.handle),
            sampling_interval: item.sampling_ms,
            filter: filter(item.trigger, item.deadband),
            queue_size: item.queue_size,
            discard_oldest: item.discard == Discard::Oldest,
        },
    }
}
