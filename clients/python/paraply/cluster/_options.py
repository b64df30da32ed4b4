"""ipyparallel's options of a cluster: what runs it, and what says nothing here."""

from __future__ import annotations

from typing import Any

#: What can run a cluster, with the options of each that are flags of `paraply start`.
_LAUNCHERS: dict[str, tuple[str, ...]] = {
    "local": (),
    "docker": (),
    "kubernetes": ("context", "namespace", "image_prefix"),
}
#: Options that a cluster needs no value of, and programs pass.
_WITHOUT_EFFECT = frozenset(
    {"cluster_file", "config", "delay", "load_profile", "log", "parent", "send_engines_connection_env"}
)
#: Options with the values that mean that clients are on this machine.
_HERE: dict[str, tuple[Any, ...]] = {
    "controller_ip": (None, "", "127.0.0.1", "localhost"),
    "controller_location": (None, "", "127.0.0.1", "localhost"),
    "controller_args": (None, [], ()),
}


def launcher(options: dict[str, Any]) -> tuple[str, list[str]]:
    """What runs the cluster, taken out of the options, and flags for it.

    Raises:
        TypeError: There is no such option.
        ValueError: There is no such launcher, or controller and engines would be run by different ones.
    """
    engines = _short_or_long(options, "engines", "engine_launcher_class") or "local"
    controller = _short_or_long(options, "controller", "controller_launcher_class") or engines
    if engines not in _LAUNCHERS:
        raise ValueError(
            f"engines={engines!r}: it can be {', '.join(map(repr, _LAUNCHERS))}. Elsewhere run "
            "`python -m paraply.engine --connection engine.json`, and connect with Client()."
        )
    if controller != engines:
        raise ValueError(f"controller={controller!r} and engines={engines!r}: one launcher runs both here")
    flags = []
    for option in _LAUNCHERS[engines]:
        if (value := options.pop(option, None)) is not None:
            flags += [f"--{option.replace('_', '-')}", str(value)]
    refuse_what_is_not_known(options)
    return engines, flags


def refuse_what_is_not_known(options: dict[str, Any]) -> None:
    """Raises TypeError for an option that there is not, ValueError for a value that asks for what this is not."""
    for name, value in options.items():
        if name in _HERE:
            if value not in _HERE[name]:
                raise ValueError(f"{name}={value!r}: the services listen where clients of this machine reach them")
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(f"Cluster got an unexpected keyword argument {name!r}")


def _short_or_long(options: dict[str, Any], short: str, long: str) -> Any:
    if short in options and long in options:
        raise TypeError(f"{short!r} is short for {long!r}: pass one of the two")
    return options.pop(short, options.pop(long, None))
