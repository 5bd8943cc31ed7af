//! A web service that takes events and sends them to Kafka.
//!
//! ```text
//! POST /events ──try_send──┬─ taken ──────> 201 once it is in the log
//!                          └─ no room ────> 503, Retry-After: 1
//! GET /healthz ────────────explain────────> what the producer waits for
//! ```
//!
//! Needs a cluster: `cargo run -p kafka-producer-cli -- broker --port 9092`, then
//! `cargo run -p web-service -- localhost:9092`, then
//! `curl -d '{"user":42}' localhost:8080/events`. Ctrl-C delivers what was taken, then ends.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kafka_producer::explain::Subject;
use kafka_producer::{Config, Outcome, Producer, Record, SendError};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments
        .next()
        .unwrap_or_else(|| "localhost:9092".to_string());
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8080".to_string());
    let config = Config::builder()
        .bootstrap_servers([servers])
        // Nobody waits two minutes for a web page.
        .delivery_timeout(Duration::from_secs(20))
        .request_timeout(Duration::from_secs(10))
        .build()?;
    let producer = kafka_producer::tokio::start(config)?;

    let router = Router::new()
        .route("/events", post(take))
        .route("/healthz", get(health))
        .with_state(producer.clone());
    let listener = TcpListener::bind(&address).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router)
        .with_graceful_shutdown(interrupted())
        .await?;

    // Every answered event is in the log; what was cut off in between still gets its chance.
    producer.close(Duration::from_secs(20)).await?;
    Ok(())
}

/// Takes an event, and answers once Kafka has it.
async fn take(State(producer): State<Producer>, event: Bytes) -> Response {
    // `try_send` does not wait for room: a service that queues its callers falls over with them.
    let delivery = match producer.try_send(&Record::to("events").value(&event)) {
        Ok(delivery) => delivery,
        Err(SendError::Full(_)) => {
            let later = [(header::RETRY_AFTER, "1")];
            return (StatusCode::SERVICE_UNAVAILABLE, later, "try again later\n").into_response();
        }
        Err(SendError::TooLarge { .. }) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(error) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
        }
    };
    match delivery.await {
        Ok(written) => {
            let place = format!("{}-{}\n", written.topic, written.partition);
            (StatusCode::CREATED, place).into_response()
        }
        // Sending it again is safe in the first case, and may double it in the second.
        Err(error) if error.outcome == Outcome::NotWritten => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::GATEWAY_TIMEOUT, format!("{error}\n")).into_response(),
    }
}

/// What the producer waits for, in a sentence or two.
async fn health(State(producer): State<Producer>) -> String {
    format!("{}\n", producer.explain(Subject::Producer))
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Nobody can ask us to end: then we do not.
        std::future::pending::<()>().await;
    }
}
