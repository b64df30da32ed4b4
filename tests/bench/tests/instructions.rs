//! What a task costs does not grow with those that wait already.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use std::path::Path;

use paraply_bench::{Kind, callgrind};

/// How much more a task may cost when many wait.
const GROWTH: f64 = 1.05;
/// Tasks that are run while few wait, and while many do.
const RUN: u64 = 2000;

/// Instructions a task, of each step: "submit:20000" or "run:1000". None where there is no valgrind.
fn count(kind: Kind, layer: &str, steps: &[String]) -> Option<Vec<f64>> {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<_> = [kind.name(), layer].into_iter().chain(steps.iter().map(String::as_str)).collect();
    let counted =
        callgrind::count(Path::new(env!("CARGO_BIN_EXE_instructions")), &arguments, folder.path()).unwrap()?;
    // The first window is of connecting.
    assert_eq!(counted.len(), 1 + steps.len());
    let tasks = steps.iter().map(|step| step.split_once(':').unwrap().1.parse::<f64>().unwrap());
    Some(counted[1..].iter().zip(tasks).map(|(counted, tasks)| *counted as f64 / tasks).collect())
}

/// Ten windows of tasks are submitted. When there are two, and when all are there, a few of them run.
fn does_not_grow(kind: Kind, layer: &str, window: u64) {
    let submit = format!("submit:{window}");
    // The first that run are measured, and go one by one.
    let mut steps = vec![submit.clone(), submit.clone(), "run:1000".to_owned(), format!("run:{RUN}")];
    steps.extend(vec![submit; 8]);
    steps.push(format!("run:{RUN}"));
    let Some(costs) = count(kind, layer, &steps) else { return };
    println!("{} tasks, {layer}, instructions a task:", kind.name());
    steps.iter().zip(&costs).for_each(|(step, cost)| println!("  {step:<12} {cost:6.0}"));
    assert!(costs.iter().all(|cost| *cost > 100.0), "something was not counted: {costs:.0?}");
    for (what, few, many) in [("submitted", costs[1], costs[11]), ("run", costs[3], costs[12])] {
        let growth = many / few;
        println!("  {what} with {} waiting: {growth:.3} times as much as with {}", 10 * window, 2 * window);
        assert!(growth < GROWTH, "to be {what} costs a task {growth:.3} times as much: {costs:.0?}");
    }
}

#[test]
fn a_task_of_a_map_costs_the_same_however_many_wait() {
    does_not_grow(Kind::Map, "machine", 20_000);
}

#[test]
fn a_balanced_call_costs_the_same_however_many_wait() {
    does_not_grow(Kind::Balanced, "machine", 20_000);
}

#[test]
fn a_direct_call_costs_the_same_however_many_wait() {
    does_not_grow(Kind::Direct, "machine", 20_000);
}

#[test]
fn from_bytes_to_bytes_a_task_costs_the_same_however_many_wait() {
    does_not_grow(Kind::Balanced, "streams", 4000);
}
