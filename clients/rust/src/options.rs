//! What calls of a view have in common.

use std::time::Duration;

use paraply_core::call::{CallHead, Placement, Work};

/// Said of each call of a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) label: String,
    pub(crate) priority: i32,
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) start_once: bool,
}

impl Options {
    /// A call with these.
    pub(crate) fn head(&self, work: Work, placement: Placement, name: &str) -> CallHead {
        CallHead {
            label: self.label.clone().into(),
            name: name.to_owned().into(),
            priority: self.priority,
            run_timeout: self.run_timeout,
            start_once: self.start_once,
            ..CallHead::new(work, placement)
        }
    }
}

/// The methods by which every view is told its options.
macro_rules! options {
    () => {
        /// A label for queries and for people.
        ///
        /// ```no_run
        /// # fn example(client: paraply::Client) {
        /// let view = client.balanced().label("nightly");
        /// # }
        /// ```
        pub fn label(mut self, label: impl Into<String>) -> Self {
            self.options.label = label.into();
            self
        }

        /// Higher goes first; 0 unless this says otherwise. Within one priority sessions take turns.
        ///
        /// ```no_run
        /// # fn example(client: paraply::Client) {
        /// let view = client.balanced().priority(10);
        /// # }
        /// ```
        pub fn priority(mut self, priority: i32) -> Self {
            self.options.priority = priority;
            self
        }

        /// A task that has run for so long is interrupted, and fails with [`crate::Error::RunTimeout`].
        ///
        /// ```no_run
        /// # fn example(client: paraply::Client) {
        /// let view = client.balanced().run_timeout(std::time::Duration::from_secs(60));
        /// # }
        /// ```
        pub fn run_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.run_timeout = Some(timeout);
            self
        }

        /// A task never starts without the scheduler's yes, at the price of one round trip: it never runs twice unnoticed.
        ///
        /// ```no_run
        /// # fn example(client: paraply::Client) {
        /// let view = client.balanced().start_once();
        /// # }
        /// ```
        pub fn start_once(mut self) -> Self {
            self.options.start_once = true;
            self
        }
    };
}

pub(crate) use options;
