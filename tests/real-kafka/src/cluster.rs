//! The three brokers: where they are, how they are broken, and names that nobody used before.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use kafka_producer::Config;

/// The bootstrap servers.
pub fn bootstrap() -> String {
    variable("KAFKA_BOOTSTRAP")
}

/// A variable that `cargo xtask test real-kafka` sets.
///
/// # Panics
///
/// If it is not set.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        unreachable!("expected {name} in the environment, run cargo xtask test real-kafka")
    })
}

/// The release that the brokers run, as major and minor version.
///
/// # Panics
///
/// If the environment names none.
pub fn version() -> (u32, u32) {
    let text = variable("KAFKA_VERSION");
    let mut numbers = text.split('.').map_while(|number| number.parse().ok());
    let version = numbers.next().zip(numbers.next());
    version.unwrap_or_else(|| unreachable!("expected a release in KAFKA_VERSION, got {text}"))
}

/// Prints where a test's output is not captured: what it did is what some tests are for.
pub fn print(what: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(io::stderr(), "\n{what}");
}

/// Says that this release does not allow a test as it is, and what is done instead.
pub fn print_instead(test: &str, instead: &str) {
    print(&format!(
        "Kafka {}: {test}: {instead}",
        variable("KAFKA_VERSION")
    ));
}

/// The settings of a case: this cluster, and `more`.
///
/// # Panics
///
/// If they contradict each other.
pub fn config(more: &[(&str, &str)]) -> Config {
    config_at(&bootstrap(), more)
}

/// The same with other bootstrap servers.
///
/// # Panics
///
/// If they contradict each other.
pub fn config_at(bootstrap: &str, more: &[(&str, &str)]) -> Config {
    let servers = [("bootstrap.servers", bootstrap)];
    let properties = servers.iter().chain(more).copied();
    Config::from_properties(properties).expect("the settings of a case are right")
}

/// A topic's name that no test of this or any other run has.
pub fn topic(about: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{about}-{}-{}-{count}", process::id(), now.as_millis())
}

/// The right to break brokers. One test of a program has it at a time.
pub struct Breaker {
    down: Vec<i32>,
    kills: usize,
    restarts: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Breaker {
    /// Waits for its turn.
    pub fn take() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        Self {
            down: Vec::new(),
            kills: 0,
            restarts: 0,
            // A test that failed has left its brokers up again.
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Ends a broker as a crash would.
    ///
    /// # Panics
    ///
    /// If that is not possible.
    pub fn kill(&mut self, broker: i32) {
        self.kill_all(&[broker]);
    }

    /// Starts it again, after it has left in peace if it runs, and waits until it is in every ISR.
    ///
    /// # Panics
    ///
    /// If it does not get there.
    pub fn restart(&mut self, broker: i32) {
        self.restart_all(&[broker]);
    }

    /// Ends brokers as a crash would.
    ///
    /// # Panics
    ///
    /// If that is not possible.
    pub fn kill_all(&mut self, brokers: &[i32]) {
        self.down.extend(brokers);
        self.kills += brokers.len();
        assert!(control("kill", brokers), "{brokers:?} cannot be killed");
    }

    /// Starts brokers again, all at once, and waits until all are in every ISR.
    ///
    /// # Panics
    ///
    /// If they do not get there.
    pub fn restart_all(&mut self, brokers: &[i32]) {
        self.restarts += brokers.len();
        let are_up = control("restart", brokers);
        assert!(are_up, "{brokers:?} do not start again");
        self.down.retain(|down| !brokers.contains(down));
    }
}

/// What was done.
impl fmt::Display for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills, {} restarts", self.kills, self.restarts)
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        // A test that fails half way must not fail all that come after it.
        if !self.down.is_empty() {
            control("restart", &self.down);
        }
    }
}

fn control(what: &str, brokers: &[i32]) -> bool {
    let mut command = Command::new(variable("KAFKA_CONTROL"));
    command.args(["kafka", what]);
    for broker in brokers {
        command.args(["--node", &broker.to_string()]);
    }
    let status = command.stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
