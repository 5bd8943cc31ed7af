//! What an operator may want to read, as `tracing` events; nothing without the feature.

#[cfg(feature = "tracing")]
use kafka_producer_machine::DisconnectReason;
use kafka_producer_machine::Notice;

/// One event per notice of the machine.
#[cfg(feature = "tracing")]
pub(crate) fn report(notice: &Notice) {
    use tracing::{debug, error, info, warn};

    match notice {
        Notice::BatchSplit {
            topic,
            partition,
            records,
            parts,
        } => {
            warn!(
                %topic,
                partition, records, parts, "a batch was too large for the broker and is split"
            );
        }
        Notice::Connected {
            connection,
            broker,
            address,
        } => {
            info!(connection = connection.as_u64(), broker, %address, "connected");
        }
        Notice::DataLossSuspected { topic, partition } => {
            error!(
                %topic,
                partition,
                "the cluster may have lost acknowledged records, or a batch in doubt was given up"
            );
        }
        Notice::Disconnected {
            connection,
            broker,
            address,
            reason: reason @ (DisconnectReason::Asked | DisconnectReason::Idle),
        } => {
            debug!(connection = connection.as_u64(), broker, %address, %reason, "disconnected");
        }
        Notice::Disconnected {
            connection,
            broker,
            address,
            reason,
        } => {
            warn!(connection = connection.as_u64(), broker, %address, %reason, "disconnected");
        }
        Notice::EpochBumped {
            producer_id,
            producer_epoch,
        } => {
            warn!(
                producer_id,
                producer_epoch, "going on under a new producer epoch"
            );
        }
        Notice::Fatal(fatal) => error!(error = %fatal, "fatal"),
        Notice::MetadataRefreshed { brokers, topics } => {
            debug!(brokers, topics, "metadata refreshed");
        }
        Notice::Retrying {
            topic,
            partition,
            attempts,
            error,
        } => {
            warn!(%topic, partition, attempts, error = error.name(), "a batch is sent again");
        }
        _ => debug!(?notice, "notice"),
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn report(_: &Notice) {}

/// What the configuration's builder thinks the user should know.
#[cfg(feature = "tracing")]
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn warn(_: &[String]) {}

/// A callback of the application panicked; the others are not affected.
#[cfg(feature = "tracing")]
pub(crate) fn callback_panicked() {
    tracing::error!("a delivery callback panicked; the others are called all the same");
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn callback_panicked() {}

/// A waker of the application panicked; the others are not affected.
#[cfg(feature = "tracing")]
pub(crate) fn waker_panicked() {
    tracing::error!("a waker panicked; the others are woken all the same");
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn waker_panicked() {}

/// An interceptor of the application panicked for the first time; the record goes on without it.
#[cfg(feature = "tracing")]
pub(crate) fn interceptor_panicked(interceptor: &str, method: &str) {
    tracing::warn!(
        interceptor,
        method,
        "an interceptor panicked: records go on without what it would have done; this is told once"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn interceptor_panicked(_: &str, _: &str) {}

/// The last handle went without `close`, while so many records were on their way.
#[cfg(feature = "tracing")]
pub(crate) fn dropped(pending: u64) {
    tracing::warn!(
        pending,
        "the last handle was dropped without close: records that are pending are delivered in \
         the background while the process lives, until delivery.timeout.ms"
    );
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn dropped(_: u64) {}
