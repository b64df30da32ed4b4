//! A machine that asks to be woken again and again, and does nothing then, would have its shell spin.

/// Wake-ups within one stretch of time; a heartbeat a millisecond is far less.
const MOST: u32 = 100_000;

/// Counts wake-ups.
#[derive(Default)]
pub(crate) struct Wakes(u32);

impl Wakes {
    /// One more. Says so if it is one too many.
    pub(crate) fn count(&mut self) -> Result<(), String> {
        self.0 += 1;
        if self.0 < MOST { Ok(()) } else { Err("it asks to be woken again and again".to_owned()) }
    }
}
