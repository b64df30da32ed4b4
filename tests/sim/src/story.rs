//! What happened, in words: kept only for a run that is told again because it failed.

use paraply_core::time::Time;

/// Lines with their times.
#[derive(Debug, Default)]
pub struct Story {
    lines: Option<Vec<(Time, String)>>,
}

impl Story {
    /// One that keeps what it is told.
    #[must_use]
    pub fn kept() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    /// Something happened.
    pub fn tell(&mut self, now: Time, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((now, line()));
        }
    }

    /// The lines that speak of something, and those of processes and streams; all where nothing is asked for.
    #[must_use]
    pub fn of(&self, subject: Option<&str>) -> String {
        let mut text = String::new();
        for (time, line) in self.lines.iter().flatten() {
            if subject.is_none_or(|subject| line.starts_with('*') || line.contains(subject)) {
                let micros = time.0 / 1000;
                text.push_str(&format!("{:>6}.{:06} {line}\n", micros / 1_000_000, micros % 1_000_000));
            }
        }
        text
    }
}
