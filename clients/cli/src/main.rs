//! The `paraply` command: composition root of the project.
fn main() {}
