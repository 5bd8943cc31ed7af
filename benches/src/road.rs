//! The whole road: records through a handle, the driver and a transport into a null broker.

use std::collections::VecDeque;
use std::time::Duration;

use kafka_producer::{Delivery, Header, Producer, Record, TopicHandle};

use crate::load::{self, Meter, PARTITIONS, TOPIC, VALUE, WARM_UP};

/// Sends so many records in this form, after a warm-up, and tells their cost.
pub(crate) fn run(form: &str, records: u64, address: &str) -> Result<(), String> {
    if form == "threads" {
        return on_threads(records, address);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let form = form.to_owned();
    let address = address.to_owned();
    let task = runtime.spawn(async move { on_tokio(&form, records, &address).await });
    runtime.block_on(task).map_err(|error| error.to_string())?
}

async fn on_tokio(form: &str, records: u64, address: &str) -> Result<(), String> {
    let producer =
        kafka_producer::tokio::start(load::config(address)?).map_err(|error| error.to_string())?;
    producer
        .partitions_for(TOPIC)
        .await
        .map_err(|error| error.to_string())?;
    let topic = producer.topic(TOPIC);
    send(&producer, form, topic, WARM_UP).await?;
    let meter = Meter::start();
    send(&producer, form, topic, records).await?;
    meter.tell(records);
    let _ = producer.close(Duration::from_secs(10)).await;
    Ok(())
}

async fn send(
    producer: &Producer,
    form: &str,
    topic: TopicHandle,
    records: u64,
) -> Result<(), String> {
    match form {
        "send" => send_each(producer, topic, records).await?,
        "send_all" => send_many(producer, topic, records).await?,
        "detached" => {
            for number in 0..records {
                if let Err(error) = producer.send_detached(&record(topic, number)).await {
                    return Err(text(&error));
                }
            }
        }
        _ => {
            return Err(format!(
                "send, send_all, detached or threads was expected, {form} came"
            ));
        }
    }
    producer.flush().await;
    Ok(())
}

// Whatever the loops below do besides is counted as the producer's, so they do little.
async fn send_each(producer: &Producer, topic: TopicHandle, records: u64) -> Result<(), String> {
    let limit = load::outstanding();
    let mut outstanding: VecDeque<Delivery> = VecDeque::with_capacity(limit);
    for number in 0..records {
        if outstanding.len() == limit
            && let Some(delivery) = outstanding.pop_front()
            && let Err(error) = delivery.await
        {
            return Err(text(&error));
        }
        match producer.send(&record(topic, number)).await {
            Ok(delivery) => outstanding.push_back(delivery),
            Err(error) => return Err(text(&error)),
        }
    }
    producer.flush().await;
    for delivery in outstanding {
        delivery.await.map_err(|error| text(&error))?;
    }
    Ok(())
}

async fn send_many(producer: &Producer, topic: TopicHandle, records: u64) -> Result<(), String> {
    let limit = load::outstanding();
    let mut outstanding = VecDeque::with_capacity(limit);
    for start in (0..records).step_by(16) {
        let many: [Record<'_>; 16] = std::array::from_fn(|at| record(topic, start + at as u64));
        if limit <= outstanding.len() {
            for _ in 0..16 {
                if let Some(delivery) = outstanding.pop_front()
                    && let Err(error) = delivery.await
                {
                    return Err(text(&error));
                }
            }
        }
        match producer.send_all(&many).await {
            Ok(deliveries) => outstanding.extend(deliveries),
            Err(error) => return Err(text(&error)),
        }
    }
    producer.flush().await;
    for delivery in outstanding {
        delivery.await.map_err(|error| text(&error))?;
    }
    Ok(())
}

#[cold]
fn text(error: &dyn std::error::Error) -> String {
    error.to_string()
}

fn record(topic: TopicHandle, number: u64) -> Record<'static> {
    const NO_HEADERS: &[Header<'static>] = &[];
    let partition = (number % u64::from(PARTITIONS)) as u32;
    Record::to(topic)
        .partition(partition)
        .value(&VALUE)
        .headers(NO_HEADERS)
}

fn on_threads(records: u64, address: &str) -> Result<(), String> {
    let producer = kafka_producer::threads::start(load::config(address)?)
        .map_err(|error| error.to_string())?;
    producer
        .partitions_for(TOPIC)
        .map_err(|error| error.to_string())?;
    let topic = producer.topic(TOPIC);
    let send = |records: u64| -> Result<(), String> {
        let limit = load::outstanding();
        let mut outstanding = VecDeque::with_capacity(limit);
        for number in 0..records {
            if outstanding.len() == limit
                && let Some(delivery) = outstanding.pop_front()
            {
                wait(delivery)?;
            }
            match producer.send(&record(topic, number)) {
                Ok(delivery) => outstanding.push_back(delivery),
                Err(error) => return Err(text(&error)),
            }
        }
        producer.flush().map_err(|error| text(&error))?;
        outstanding.into_iter().try_for_each(wait)
    };
    send(WARM_UP)?;
    let meter = Meter::start();
    send(records)?;
    meter.tell(records);
    producer
        .close(Duration::from_secs(10))
        .map_err(|error| text(&error))
}

#[inline]
fn wait(delivery: kafka_producer::blocking::Delivery) -> Result<(), String> {
    match delivery.wait() {
        Ok(_) => Ok(()),
        Err(error) => Err(text(&error)),
    }
}
