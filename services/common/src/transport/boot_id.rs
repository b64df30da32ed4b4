//! Which machine this is, since it was started: a Unix path means something only there.

use std::{fs, sync::OnceLock};

/// The kernel's boot id, without the line end; empty where there is none.
#[must_use]
pub fn boot_id() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
    })
}
