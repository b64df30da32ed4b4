//! Which crate may depend on which, as `cargo metadata` has it.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    process::Command,
};

use serde_json::Value;

/// What each of our crates may build on, of our own: core ← common ← services ← command, the schema under common and
/// clients. A crate that is not here is a test, which may build on anything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("paraply-proto", &[]),
    ("paraply-values", &[]),
    ("paraply-core", &[]),
    ("paraply-common", &["paraply-core", "paraply-proto", "paraply-values"]),
    ("paraply-controller", &["paraply-common", "paraply-core", "paraply-proto"]),
    ("paraply-scheduler", &["paraply-common", "paraply-core", "paraply-proto"]),
    ("paraply-engine", &["paraply-common", "paraply-core", "paraply-proto", "paraply-values"]),
    ("paraply-engine-python", &["paraply-common", "paraply-core", "paraply-engine", "paraply-proto"]),
    ("paraply-cli", &["paraply-common", "paraply-controller", "paraply-core", "paraply-proto", "paraply-scheduler"]),
    // A shell over the machine of client sessions, as services are over theirs (ADR 0016).
    ("paraply", &["paraply-common", "paraply-core", "paraply-proto", "paraply-values"]),
];

const TESTS: [&str; 4] = ["paraply-bench", "paraply-cluster-tests", "paraply-fuzz", "paraply-sim"];

/// The state machines have no I/O, no clock and no randomness: this is all that they have.
const CORE_MAY_USE: [&str; 3] = ["bytes", "foldhash", "thiserror"];

/// What others may depend on: the Rust client, and what it is made of.
const PUBLISHED: [&str; 5] = ["paraply", "paraply-common", "paraply-core", "paraply-proto", "paraply-values"];

fn metadata(options: &[&str]) -> Value {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1"]).args(options).arg("--manifest-path");
    let output = command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The dependencies of each crate of the workspace, those of its own tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata(&["--no-deps", "--offline"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |package: &Value| {
        let list = package["dependencies"].as_array().unwrap().iter();
        let built = list.filter(|dependency| dependency["kind"] != "dev" && dependency["kind"] != "build");
        built.map(|dependency| text(&dependency["name"])).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), of(package))).collect()
}

#[test]
fn crates_build_on_what_they_may() {
    let dependencies = dependencies();
    for (name, uses) in &dependencies {
        if TESTS.contains(&name.as_str()) {
            continue;
        }
        let allowed = MAY_USE.iter().find(|(crate_name, _)| crate_name == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("say in this test what {name} may use"));
        let ours = uses.iter().filter(|used| dependencies.contains_key(*used));
        let wrong: Vec<_> = ours.filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(wrong.is_empty(), "{name} may not use {wrong:?}");
    }
}

#[test]
fn the_core_has_no_runtime_no_socket_no_clock() {
    let dependencies = dependencies();
    let core: Vec<&str> = dependencies["paraply-core"].iter().map(String::as_str).collect();
    assert_eq!(core, CORE_MAY_USE);
}

#[test]
fn python_is_in_one_crate_only() {
    let users: Vec<String> =
        dependencies().into_iter().filter(|(_, uses)| uses.contains("pyo3")).map(|(name, _)| name).collect();
    assert_eq!(users, ["paraply-engine-python"]);
}

#[test]
fn what_is_published_builds_on_what_is_published() {
    let metadata = metadata(&["--no-deps", "--offline"]);
    let packages = metadata["packages"].as_array().unwrap();
    // Null where there is no limit.
    let published = packages.iter().filter(|package| package["publish"].is_null());
    let mut published: Vec<&str> = published.map(|package| package["name"].as_str().unwrap()).collect();
    published.sort_unstable();
    assert_eq!(published, PUBLISHED);
    for (name, uses) in dependencies() {
        let foreign = uses.iter().filter(|used| used.starts_with("paraply") && !PUBLISHED.contains(&used.as_str()));
        assert!(!published.contains(&name.as_str()) || foreign.count() == 0, "{name} builds on what is not published");
    }
}

/// Clippy (`incompatible_msrv`) holds our own code to it.
#[test]
fn no_dependency_needs_a_newer_rust_than_we_say() {
    let version = |package: &Value| {
        let text = package["rust_version"].as_str().unwrap_or("1");
        let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap());
        [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default)
    };
    let metadata = metadata(&["--locked"]);
    let packages = metadata["packages"].as_array().unwrap();
    let ours = version(packages.iter().find(|package| package["name"] == "paraply").unwrap());
    assert_eq!(ours[..2], [1, 88], "README of clients/rust says which");
    let newer = packages.iter().filter(|package| version(package) > ours);
    let newer: Vec<&str> = newer.map(|package| package["id"].as_str().unwrap()).collect();
    assert!(newer.is_empty(), "{newer:?}");
}
