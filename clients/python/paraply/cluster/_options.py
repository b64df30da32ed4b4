"""ipyparallel's options of a cluster that say nothing here, or ask for another kind of cluster."""

from __future__ import annotations

from typing import Any

#: Options that a cluster on one machine needs no value of, and programs pass.
_WITHOUT_EFFECT = frozenset(
    {"cluster_file", "config", "delay", "load_profile", "log", "parent", "send_engines_connection_env"}
)
#: Options with the values that mean a cluster on this machine.
_LOCAL: dict[str, tuple[Any, ...]] = {
    "controller": (None, "local"),
    "controller_launcher_class": (None, "local"),
    "engines": (None, "local"),
    "engine_launcher_class": (None, "local"),
    "controller_ip": (None, "", "127.0.0.1", "localhost"),
    "controller_location": (None, "", "127.0.0.1", "localhost"),
    "controller_args": (None, [], ()),
}


def refuse_what_is_not_local(options: dict[str, Any]) -> None:
    """Raises TypeError for an option that there is not, ValueError for a cluster that is not on this machine."""
    for long, short in (("controller_launcher_class", "controller"), ("engine_launcher_class", "engines")):
        if long in options and short in options:
            raise TypeError(f"{short!r} is short for {long!r}: pass one of the two")
    for name, value in options.items():
        if name in _LOCAL:
            if value not in _LOCAL[name]:
                raise ValueError(
                    f"{name}={value!r}: this starts clusters on this machine only (engines='local'). Elsewhere run "
                    "`python -m paraply.engine --connection engine.json`, and connect with Client()."
                )
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(f"Cluster got an unexpected keyword argument {name!r}")
