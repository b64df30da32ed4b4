"""`python -m paraply.engine`: makes this process an engine."""

from __future__ import annotations

import argparse
import atexit
import os
import platform
import signal
import sys
import time
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, cast

from paraply_engine import _native, _streams

#: What the numeric libraries read when they are first imported.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: Where the connection file does not say it, or mutual TLS is wanted.
_TLS_FLAGS = (
    ("tls_ca_file", "the authorities that certificates of the services are by, PEM"),
    ("tls_cert_file", "a certificate to show to services that ask for one, PEM"),
    ("tls_key_file", "the key of that certificate, PEM"),
)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs an engine until the cluster or SIGTERM ends it."""
    options = _parse(arguments)
    if os.getpid() == 1:
        # The first process of a container is ended only where it listens.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.threads is not None:
        for variable in _THREAD_VARIABLES:
            os.environ.setdefault(variable, str(options.threads))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it puts into the background so. Tasks are to be interrupted all the same.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if options.wait:
        _wait_for(Path(options.connection))
    # From here on SIGTERM is for the engine, which lets a task finish: a handler that stayed would be called as well.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        engine = _native.Engine(
            options.connection,
            platform.python_version(),
            engine_id=options.id,
            labels=options.label,
            parent_fd=options.parent_fd,
            stop_grace=options.stop_grace,
            linger=options.linger,
            result_bytes=options.result_bytes,
            tls_ca_file=options.tls_ca_file,
            tls_cert_file=options.tls_cert_file,
            tls_key_file=options.tls_key_file,
            admin=options.admin,
        )
    except (OSError, ValueError) as error:
        sys.exit(f"paraply engine: {error}")
    try:
        namespace = _become_interactive()
        # Registration is under way on its thread while this imports.
        from paraply_engine._runner import Runner

        status = engine.serve(Runner(namespace))
    except BaseException:  # noqa: BLE001  # reported as Python reports what nobody catches
        sys.excepthook(*cast("Any", sys.exc_info()))
        status = 1
    _clean_up()
    _native.leave(status)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m paraply.engine", description="Run one engine of a Paraply cluster.")
    parser.add_argument(
        "--connection",
        metavar="FILE",
        default=os.environ.get("PARAPLY_CONNECTION") or None,
        help="the cluster's engine.json (default: $PARAPLY_CONNECTION, or that of the default cluster)",
    )
    parser.add_argument("--wait", action="store_true", help="wait for the connection file if it is not there yet")
    parser.add_argument("--id", type=int, metavar="N", help="the engine id to ask for, given if it was never used")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        type=_label,
        metavar="KEY=VALUE",
        help="a label that views can select by; may be repeated",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of OpenMP, OpenBLAS and MKL, where unset")
    parser.add_argument("--parent-fd", type=int, metavar="N", help="end with all children when this pipe is closed")
    parser.add_argument(
        "--stop-grace",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="how long a running task may go on after SIGTERM (default: %(default)s)",
    )
    parser.add_argument(
        "--linger",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for SIGTERM when the cluster has let it go: what would start it again can end it meanwhile "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--result-bytes",
        type=int,
        metavar="BYTES",
        help="large results kept here until their clients read them; more go into the scheduler's store (default: 2 GiB)",
    )
    for flag, what in _TLS_FLAGS:
        variable = f"PARAPLY_ENGINE_{flag.upper()}"
        parser.add_argument(
            f"--{flag.replace('_', '-')}",
            metavar="FILE",
            default=os.environ.get(variable) or None,
            help=f"{what} (default: ${variable})",
        )
    parser.add_argument(
        "--admin", metavar="ADDRESS", help="show health and metrics to whoever asks, on this port or at this host:port"
    )
    parser.add_argument("--version", action="version", version=f"paraply-engine {version('paraply-engine')}")
    options = parser.parse_args(arguments)
    if options.connection is None:
        # What starts engines names the file; nothing is imported for those.
        from paraply._connection import home

        # Tasks may go to another folder, and the file is read again.
        options.connection = str((home() / "default/default/engine.json").absolute())
        if not options.wait and not _is_there(Path(options.connection)):
            parser.error(
                f"which cluster? {options.connection} is not there: run `paraply start`, give --connection FILE or set "
                "PARAPLY_CONNECTION"
            )
    if options.result_bytes is not None and options.result_bytes < 0:
        parser.error("--result-bytes is at least 0")
    if options.threads is not None and options.threads < 1:
        parser.error("--threads is at least 1")
    return options


def _wait_for(file: Path) -> None:
    """Returns when the file has something in it."""
    if _is_there(file):
        return
    print(f"paraply engine: waiting for the connection file {file}", file=sys.stderr, flush=True)
    while not _is_there(file):
        time.sleep(0.5)


def _is_there(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _label(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not (key and found):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    if key in _native.RESERVED_LABELS:
        raise argparse.ArgumentTypeError(f"{text!r}: engines set {key!r} themselves, choose another key")
    return key, value


def _become_interactive() -> dict[str, Any]:
    """Makes this process what an interactive interpreter is: an empty `__main__`, imports from the working directory.

    `__main__` has neither spec nor file: there is nothing for a child of `multiprocessing` to run again.
    """
    if not sys.flags.safe_path and sys.path:
        sys.path[0] = ""
    sys.argv = [""]
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __import__("builtins")
    sys.modules["__main__"] = module
    _streams.install()
    return module.__dict__


def _clean_up() -> None:
    """What a Python process does at its end, as far as the engine's threads allow."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  # what user code registered may raise anything, and there is nobody left to tell
        return
