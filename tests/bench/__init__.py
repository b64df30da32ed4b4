"""Side by side: the same workloads on Paraply and on what else people use. `python -m bench --help`, from `tests/`."""
