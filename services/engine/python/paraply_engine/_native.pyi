from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

#: Keys of labels that engines set themselves.
RESERVED_LABELS: Sequence[str]

class Engine:
    def __init__(
        self,
        connection: str | Path,
        python_version: str,
        *,
        engine_id: int | None = None,
        labels: Sequence[tuple[str, str]] = (),
        parent_fd: int | None = None,
        stop_grace: float = 3.0,
        linger: float = 0.0,
        result_bytes: int | None = None,
        tls_ca_file: str | Path | None = None,
        tls_cert_file: str | Path | None = None,
        tls_key_file: str | Path | None = None,
        admin: str | None = None,
    ) -> None: ...
    def serve(self, runner: object) -> int: ...

def engine_id() -> int: ...
def current_task() -> tuple[bytes, int, int] | None: ...
def emit(kind: int, data: bytes) -> None: ...
def is_child() -> bool: ...
def leave(code: int) -> NoReturn: ...
