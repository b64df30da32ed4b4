#!/usr/bin/env python3
"""Generates the Python stubs: `clients/python/paraply/_proto`, from the schema beside this file.

Needs grpcio-tools 1.74.0: the oldest that we support, since generated code refuses an older runtime. The package
`paraply.*.v1` of the schema becomes `paraply._proto.*.v1` in Python, so that it cannot shadow the public modules.
"""

import importlib.resources
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
OUTPUT = PROTO.parent / "clients" / "python" / "paraply" / "_proto"
TOOLS_VERSION = "1.74.0"
PACKAGE = re.compile(r"\bparaply\.(common|controller|scheduler|blob)\.v1\b(?=( import |\.\w+_pb2))")


def main() -> int:
    if version("grpcio-tools") != TOOLS_VERSION:
        print(f"needs grpcio-tools=={TOOLS_VERSION}, found {version('grpcio-tools')}", file=sys.stderr)
        return 2
    sources = sorted(str(path) for path in (PROTO / "paraply").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        well_known = importlib.resources.files("grpc_tools") / "_proto"
        outputs = [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
        status = protoc.main(["protoc", f"-I{PROTO}", f"-I{well_known}", *outputs, *sources])
        if status:
            return status
        shutil.rmtree(OUTPUT, ignore_errors=True)
        for path in sorted(Path(scratch, "paraply").rglob("*.py*")):
            write(OUTPUT / path.relative_to(Path(scratch, "paraply")), path.read_text())
    for folder in sorted({OUTPUT, *(path for path in OUTPUT.rglob("*") if path.is_dir())}):
        (folder / "__init__.py").write_text("")
    return 0


def write(path: Path, text: str) -> None:
    """Writes one generated module with its imports rewritten. A schema file without services has no gRPC stubs."""
    if path.name.endswith("_pb2_grpc.py") and "class " not in text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PACKAGE.sub(r"paraply._proto.\1.v1", text))


if __name__ == "__main__":
    sys.exit(main())
