"""Runs in pods of the kubelet's own tests: tells what it sees, and is as well as it is told to be."""

import concurrent.futures
import http.server
import json
import os
import pathlib
import signal
import sys
import time

import grpc

HERE = pathlib.Path("/data")


def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
    return b"\x08\x02" if (HERE / "unready").exists() else b"\x08\x01"


def seen() -> dict[str, object]:
    mounted = [file for folder in ("/secret", "/settings") for file in sorted(pathlib.Path(folder).glob("[!.]*"))]
    return {
        "user": [os.getuid(), os.getgid()],
        "environment": dict(os.environ),
        "arguments": sys.argv[1:],
        "files": {str(file): [file.read_text(), oct(file.stat().st_mode & 0o777)] for file in mounted},
        "root_is_writable": os.access("/", os.W_OK),
        "capabilities": [line for line in open("/proc/self/status") if line.startswith("CapEff")],
    }


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/healthz" and (HERE / "sick").exists() else 200)
        self.end_headers()
        self.wfile.write(json.dumps(seen()).encode())


def leave(*_: object) -> None:
    time.sleep(float((HERE / "slow").read_text()) if (HERE / "slow").exists() else 0)
    os._exit(0)


signal.signal(signal.SIGTERM, leave)
server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
check = {"Check": grpc.unary_unary_rpc_method_handler(answer)}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", check),))
server.add_insecure_port("0.0.0.0:9600")
server.start()
(HERE / "starts").open("a").write("x")
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
