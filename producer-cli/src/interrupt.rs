//! Ctrl-C and SIGTERM as values: the first asks to finish, the second to end at once.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::counted;
use crate::failure::Failure;

/// Signals in the order in which they came.
pub(crate) struct Interrupts {
    signals: mpsc::Receiver<()>,
}

impl Interrupts {
    /// Listens from now on. Must be called on a tokio runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (sender, signals) = mpsc::channel(4);
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};

            let refused = |error| Failure::World(format!("signals cannot be caught: {error}"));
            let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if sender.send(()).await.is_err() {
                        return;
                    }
                }
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && sender.send(()).await.is_ok() {}
        });
        Ok(Self { signals })
    }

    /// The next signal. Waits for ever if signals cannot come any more.
    pub(crate) async fn next(&mut self) {
        if self.signals.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Signals that a test gives by hand.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (mpsc::Sender<()>, Self) {
        let (sender, signals) = mpsc::channel(4);
        (sender, Self { signals })
    }
}

/// What is said of the first signal: how long it may take, and for what.
pub(crate) fn announcement(patience: Duration, unresolved: u64, noun: &str) -> String {
    if unresolved == 0 {
        return format!("interrupted: no {noun} is on its way, there is nothing to wait for");
    }
    format!(
        "interrupted: waiting at most {patience:?} for {}; interrupt again to end at once",
        counted(unresolved, noun)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_interrupts_is_told_what_is_waited_for() {
        let said = |unresolved| announcement(Duration::from_secs(10), unresolved, "line");
        assert_eq!(
            said(0),
            "interrupted: no line is on its way, there is nothing to wait for"
        );
        assert_eq!(
            said(1),
            "interrupted: waiting at most 10s for 1 line; interrupt again to end at once"
        );
    }
}
