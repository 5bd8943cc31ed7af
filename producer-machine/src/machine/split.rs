//! What becomes of a batch that its broker finds too large (`producer-semantics.md` §2.10).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::ProducerMachine;
use super::timers::Timer;
use crate::accumulator::BatchKey;
use crate::error::ProduceError;
use crate::event::Notice;
use crate::split::Part;
use crate::{ErrorCode, Instant};

impl ProducerMachine {
    /// MESSAGE_TOO_LARGE: in smaller batches, if there are several records and time is left.
    ///
    /// A batch in doubt is not split: an attempt may have written it under the number it has.
    pub(super) fn split_or_fail(&mut self, now: Instant, key: BatchKey, message: Option<Arc<str>>) {
        let batch = &self.accumulator.batches[key.0 as usize];
        if batch.deadline <= now {
            let error = self.timed_out(batch);
            self.fail(key, error);
        } else if self.accumulator.is_splittable(key) {
            // Its job leaves when the input is concluded, like any other.
            self.accumulator.split(key, self.config.batch_size);
        } else {
            let code = ErrorCode::MESSAGE_TOO_LARGE;
            self.fail(key, ProduceError::Broker { code, message });
        }
    }

    /// The job that splits a batch is done.
    pub(super) fn on_split(&mut self, key: BatchKey, parts: Vec<Part>) {
        let batch = &self.accumulator.batches[key.0 as usize];
        let partition = &self.accumulator.partitions[batch.partition.0 as usize];
        let (deadline, serial, records) = (batch.deadline, batch.serial, batch.count);
        let (topic, index) = (partition.topic, partition.index);
        self.timers.disarm(deadline, Timer::Delivery(serial, key));
        let keys = self.accumulator.finish_split(key, parts);
        for &key in &keys {
            let serial = self.accumulator.batches[key.0 as usize].serial;
            self.timers.arm(deadline, Timer::Delivery(serial, key));
        }
        self.meter.on_split();
        if let Some(topic) = self.topic_name(topic) {
            self.notice(Notice::BatchSplit {
                topic,
                partition: index,
                records,
                parts: keys.len() as u32,
            });
        }
    }
}
