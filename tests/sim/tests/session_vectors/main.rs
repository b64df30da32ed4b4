//! The vectors in `proto/testdata/session`: what happened to a client's session machine, and what it said and told then.
//! Every client has to do the same: this machine, and the Python client's, which `tests/python/unit/test_session_vectors.py`
//! drives. Messages are hexadecimal protobuf.
//!
//! After a change of what clients say, this records them anew:
//! `PARAPLY_WRITE_VECTORS=1 cargo test --profile ci -p paraply-sim --test session_vectors the_machine`.

// Within this test `pub` says what a module offers the others.
#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod replay;
mod rig;
mod scripts;
mod simulated;
mod trace;

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use paraply_core::{client_session::Transition, transitions::Transition as _};
use trace::Trace;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto/testdata/session")
}

/// All that is to be there, by name.
fn recorded() -> Vec<(String, Trace)> {
    let scripts = scripts::ALL.iter().map(|(name, script)| ((*name).to_owned(), rig::record(*script)));
    scripts.chain(simulated::all()).collect()
}

fn stored() -> Vec<(String, Trace)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut traces: Vec<_> = paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, Trace::parse(&fs::read_to_string(&path).unwrap()))
        })
        .collect();
    traces.sort_by(|one, other| one.0.cmp(&other.0));
    traces
}

#[test]
fn the_machine_does_what_the_vectors_say() {
    if env::var_os("PARAPLY_WRITE_VECTORS").is_some() {
        let _none_yet = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, trace) in recorded() {
            fs::write(folder().join(name + ".json"), trace.text()).unwrap();
        }
    }
    let stored = stored();
    for (name, _) in scripts::ALL {
        assert!(stored.iter().any(|(there, _)| there == name), "{name} is missing: record the vectors anew");
    }
    let mut taken = BTreeSet::new();
    for (name, trace) in &stored {
        let machine = replay::run(trace).unwrap_or_else(|difference| panic!("{name}, {difference}"));
        taken.extend(machine.transitions().iter().filter(|(_, count)| *count > 0).map(|(name, _)| name));
    }
    // What depends on how calls are cut is each client's own.
    let own = ["CutCall"];
    let all = Transition::ALL.iter().map(|transition| transition.name());
    let missing: Vec<_> = all.filter(|name| !taken.contains(name) && !own.contains(name)).collect();
    assert!(missing.is_empty(), "no vector has {missing:?}");
}

#[test]
fn scripts_are_stored_as_they_are_written() {
    let stored = stored();
    for (name, script) in scripts::ALL {
        let (_, there) = stored.iter().find(|(there, _)| there == name).unwrap();
        let again = rig::record(*script);
        assert_eq!(again.text(), there.text(), "{name} is another one now: record the vectors anew");
    }
}
