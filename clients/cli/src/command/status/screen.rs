//! A terminal's second screen, which the first comes back from. Control sequences: ECMA-48, and xterm's private modes.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::tcgetwinsize;

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Standard output as a screen, until it is dropped.
pub(super) struct Screen;

impl Screen {
    /// `None` where standard output is no terminal.
    pub(super) fn enter() -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() {
            return Ok(None);
        }
        write!(io::stdout(), "{ENTER}")?;
        Ok(Some(Self))
    }

    /// Shows these lines, as much of them as there is room for.
    pub(super) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let size = tcgetwinsize(&out).map(|size| (usize::from(size.ws_row), usize::from(size.ws_col)));
        let (rows, columns) = size.ok().filter(|size| size.0 > 0 && size.1 > 0).unwrap_or((24, 80));
        write!(out, "{HOME}")?;
        for (row, line) in lines.iter().take(rows).enumerate() {
            let shown: String = line.chars().filter(|c| !c.is_control()).take(columns).collect();
            write!(out, "{}{shown}{CLEAR_LINE}", if row > 0 { "\r\n" } else { "" })?;
        }
        write!(out, "{CLEAR_BELOW}")?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _terminal_may_be_gone = write!(io::stdout(), "{LEAVE}");
        let _terminal_may_be_gone = io::stdout().flush();
    }
}
