//! InitProducerId for idempotent producers, and FindCoordinator, which finds none.

use kafka_producer_proto::messages::find_coordinator::Coordinator;
use kafka_producer_proto::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse,
};
use kafka_producer_proto::{ApiKey, ErrorCode};

use super::inject::Target;
use super::{BrokerId, BrokerState, Cluster, NO_BROKER};

impl Cluster {
    /// A fresh id with the first epoch, whatever the request knows already (KIP-360 bumps locally).
    pub(crate) fn on_init_producer_id(
        &mut self,
        broker: BrokerId,
        request: &InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        let error_code = self.refusal(broker, request);
        if !error_code.is_none() {
            return InitProducerIdResponse {
                error_code,
                producer_epoch: -1,
                ..Default::default()
            };
        }
        let producer_id = self.next_producer_id;
        self.next_producer_id += 1;
        InitProducerIdResponse {
            producer_id,
            producer_epoch: self.knobs.first_epoch,
            ..Default::default()
        }
    }

    fn refusal(&mut self, broker: BrokerId, request: &InitProducerIdRequest) -> ErrorCode {
        let api = ApiKey::InitProducerId;
        let target = Target {
            api,
            broker,
            topic: None,
            partition: None,
        };
        if let Some((error, _)) = self.injected(target) {
            return error;
        }
        match request.transactional_id.as_deref() {
            None => {}
            Some("") => return ErrorCode::INVALID_REQUEST,
            // There is no transaction coordinator in this cluster.
            Some(_) => return ErrorCode::UNSUPPORTED_VERSION,
        }
        if (request.producer_id == -1) != (request.producer_epoch == -1) {
            return ErrorCode::INVALID_REQUEST;
        }
        match self.brokers.get_mut(&broker) {
            Some(found) if found.state == BrokerState::Loading => {
                found.state = BrokerState::Up;
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            }
            _ => ErrorCode::NONE,
        }
    }
}

/// No group and no transaction has a coordinator here; consumers with explicit partitions do not
/// need one and merely ask again.
pub(crate) fn on_find_coordinator(request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    let error_code = match request.key_type {
        0..=2 => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        _ => ErrorCode::INVALID_REQUEST,
    };
    let message = || Some(error_code.explanation().to_owned());
    let coordinators = request.coordinator_keys.iter().map(|key| Coordinator {
        key: key.clone(),
        node_id: NO_BROKER,
        port: NO_BROKER,
        error_code,
        error_message: message(),
        ..Default::default()
    });
    FindCoordinatorResponse {
        error_code,
        error_message: message(),
        node_id: NO_BROKER,
        port: NO_BROKER,
        coordinators: coordinators.collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::{ask, cluster};

    #[test]
    fn each_idempotent_producer_gets_a_fresh_id_with_epoch_zero() {
        let mut cluster = cluster();
        let request = InitProducerIdRequest::default();
        let first = ask(&mut cluster, 0, 4, &request);
        let known = InitProducerIdRequest {
            producer_id: first.producer_id,
            producer_epoch: 0,
            ..Default::default()
        };
        let second = ask(&mut cluster, 1, 5, &known);
        assert_eq!(
            (first.error_code, first.producer_epoch),
            (ErrorCode::NONE, 0)
        );
        assert_eq!(
            (second.error_code, second.producer_epoch),
            (ErrorCode::NONE, 0)
        );
        assert_ne!(first.producer_id, second.producer_id);
    }

    #[test]
    fn transactional_ids_are_refused() {
        let ask_for = |id: &str| {
            let transactional_id = Some(id.to_owned());
            let request = InitProducerIdRequest {
                transactional_id,
                ..Default::default()
            };
            ask(&mut cluster(), 0, 4, &request).error_code
        };
        assert_eq!(ask_for(""), ErrorCode::INVALID_REQUEST);
        assert_eq!(ask_for("payments"), ErrorCode::UNSUPPORTED_VERSION);
    }

    #[test]
    fn the_first_request_after_a_restart_meets_a_loading_coordinator_once() {
        let mut cluster = cluster();
        cluster.stop_broker(0);
        cluster.start_broker(0);
        let mut codes =
            (0..2).map(|_| ask(&mut cluster, 0, 4, &InitProducerIdRequest::default()).error_code);
        assert_eq!(codes.next(), Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        assert_eq!(codes.next(), Some(ErrorCode::NONE));
    }

    #[test]
    fn nobody_coordinates() {
        let keys = vec!["group".to_owned()];
        let request = FindCoordinatorRequest {
            coordinator_keys: keys,
            ..Default::default()
        };
        let response = ask(&mut cluster(), 0, 4, &request);
        assert_eq!(
            response.coordinators[0].error_code,
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        );
    }
}
