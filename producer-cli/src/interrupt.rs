//! Ctrl-C and SIGTERM as values: the first asks to finish, the second to end at once.

use tokio::sync::mpsc;

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
