//! How stimuli reach an actor.

use tokio::sync::mpsc;

/// The sending side of an actor's mailbox. Cheap to clone.
#[derive(Debug)]
pub struct Mailbox<S> {
    stimuli: mpsc::Sender<S>,
    notices: mpsc::UnboundedSender<S>,
}

/// The receiving side: what [`crate::actor::run`] reads.
#[derive(Debug)]
pub struct Inbox<S> {
    stimuli: mpsc::Receiver<S>,
    notices: mpsc::UnboundedReceiver<S>,
}

/// The actor has ended: nothing reads the mailbox any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the service is shutting down")]
pub struct Ended;

/// A mailbox that holds at most `capacity` stimuli.
#[must_use]
pub fn mailbox<S>(capacity: usize) -> (Mailbox<S>, Inbox<S>) {
    let (stimuli, stimuli_in) = mpsc::channel(capacity);
    let (notices, notices_in) = mpsc::unbounded_channel();
    (Mailbox { stimuli, notices }, Inbox { stimuli: stimuli_in, notices: notices_in })
}

impl<S> Mailbox<S> {
    /// Delivers a stimulus, waiting while the mailbox is full: this is what slows a peer down that says too much.
    /// Stimuli of one sender arrive in order.
    ///
    /// # Errors
    /// [`Ended`] if the actor is gone.
    pub async fn send(&self, stimulus: S) -> Result<(), Ended> {
        self.stimuli.send(stimulus).await.map_err(|_| Ended)
    }

    /// Delivers a stimulus without waiting. Only for what exists at most a fixed number of times for each connection or
    /// thing, such as "this line is free": the queue behind it is bounded by that and by nothing else. Notices may
    /// overtake stimuli. One for an actor that is gone is dropped.
    pub fn notice(&self, stimulus: S) {
        let _gone = self.notices.send(stimulus);
    }
}

impl<S> Clone for Mailbox<S> {
    fn clone(&self) -> Self {
        Self { stimuli: self.stimuli.clone(), notices: self.notices.clone() }
    }
}

impl<S> Inbox<S> {
    /// The next stimulus; `None` when every [`Mailbox`] is gone.
    pub(crate) async fn recv(&mut self) -> Option<S> {
        tokio::select! {
            biased;
            Some(notice) = self.notices.recv() => Some(notice),
            stimulus = self.stimuli.recv() => stimulus,
        }
    }

    /// What waits already.
    pub(crate) fn try_recv(&mut self) -> Option<S> {
        self.notices.try_recv().ok().or_else(|| self.stimuli.try_recv().ok())
    }
}
