//! What a producer is started with.

use kafka_producer_machine::Config;

use crate::Interceptor;
use crate::interceptor::Chain;

/// What a producer is started with: its settings, and the code of the application that it runs.
///
/// A transport's `start` takes one, or a [`Config`] alone.
///
/// ```
/// use kafka_producer_driver::{Acknowledgement, Config, Ending, Interceptor, Producer};
///
/// struct Complain;
///
/// impl Interceptor for Complain {
///     fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
///         if let Ending::Failed(error) = acknowledgement.ending {
///             eprintln!("{}: {error}", acknowledgement.topic);
///         }
///     }
/// }
///
/// let config = Config::from_properties([("bootstrap.servers", "localhost:9092")])?;
/// let builder = Producer::builder(config).interceptor(Complain);
/// # drop(builder);
/// # Ok::<(), kafka_producer_driver::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder starts nothing: give it to a transport"]
pub struct ProducerBuilder {
    pub(crate) config: Config,
    pub(crate) chain: Chain,
}

impl From<Config> for ProducerBuilder {
    fn from(config: Config) -> Self {
        Self {
            config,
            chain: Chain::default(),
        }
    }
}

impl ProducerBuilder {
    /// Adds an interceptor: it sees each record after those before it.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.chain.push(interceptor);
        self
    }
}
