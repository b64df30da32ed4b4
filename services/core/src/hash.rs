//! Maps by hash. What their keys are made of is random, counted, or a digest that was checked, so they need no hash that
//! withstands an attacker; and most of them are asked several times a task.

pub use foldhash::{HashMap, HashSet};
