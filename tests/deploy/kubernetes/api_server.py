"""An API server with the calls that Paraply makes. It allows each only if the Roles of the manifests do."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from deploy.kubernetes import port_forward, rbac
from deploy.kubernetes.manifests import Manifest
from deploy.kubernetes.objects import Conflict, Objects

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v1/namespaces/(?P<namespace>[^/]+)"
    r"(?:/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?)?"
)
_KINDS = {
    ("", "configmaps"): "ConfigMap",
    ("", "namespaces"): "Namespace",
    ("", "pods"): "Pod",
    ("", "secrets"): "Secret",
    ("", "serviceaccounts"): "ServiceAccount",
    ("", "services"): "Service",
    ("apps", "deployments"): "Deployment",
    ("apps", "deployments/scale"): "Deployment",
    ("apps", "statefulsets"): "StatefulSet",
    ("networking.k8s.io", "networkpolicies"): "NetworkPolicy",
    ("policy", "poddisruptionbudgets"): "PodDisruptionBudget",
    ("rbac.authorization.k8s.io", "rolebindings"): "RoleBinding",
    ("rbac.authorization.k8s.io", "roles"): "Role",
}
#: A body of JSON is one of YAML.
_APPLY = "application/apply-patch+yaml"
_REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


@dataclass
class Made:
    """A call that was made, and what came of it."""

    call: rbac.Call
    account: str
    status: int
    when: float = field(default_factory=time.monotonic)


@dataclass
class ApiServer:
    """Serves on an address until it is closed.

    Args:
        manifests: Whose Roles count.
        address: Where containers reach it.
        tls: What it shows; it speaks plain HTTP without.
    """

    manifests: list[Manifest]
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    objects: Objects = field(default_factory=Objects)
    #: Service accounts by token.
    accounts: dict[str, str] = field(default_factory=dict)
    #: Those of them who may do everything.
    admins: set[str] = field(default_factory=set)
    #: Where a pod is, by its name.
    address_of: Callable[[str], str] = str
    made: list[Made] = field(default_factory=list)

    def __post_init__(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Tests look at `made`."""

            def do_GET(self) -> None:
                api._answer(self, "get")

            def do_PATCH(self) -> None:
                api._answer(self, "patch")

            def do_PUT(self) -> None:
                api._answer(self, "update")

            def do_POST(self) -> None:
                api._answer(self, "create")

            def do_DELETE(self) -> None:
                api._answer(self, "delete")

        self._server = ThreadingHTTPServer((self.address, 0), Handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Serves no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler, verb: str) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        account = self.accounts.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        url = urlsplit(request.path)
        call = _call(verb, url.path)
        if account is None:
            status, answer = _status(401, "no token, or none of mine")
        elif call is None:
            status, answer = _status(404, f"no such path here: {url.path}")
        elif account not in self.admins and not rbac.allows(self._roles(call.namespace), account, call):
            status, answer = _status(403, f"{account} cannot {call}")
        elif call.resource == "pods/portforward":
            self.made.append(Made(call, account, 101))
            port_forward.serve(request, self.address_of(call.name))
            return
        else:
            content_type = request.headers.get("Content-Type", "")
            status, answer = self._do(call, parse_qs(url.query), content_type, body)
        if call is not None:
            self.made.append(Made(call, account or "", status))
        text = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def _roles(self, namespace: str) -> list[Manifest]:
        applied = [role for kind in ("Role", "RoleBinding") for role in self.objects.list(kind, namespace)]
        return [*self.manifests, *applied]

    def _do(self, call: rbac.Call, query: dict[str, list[str]], content_type: str, body: bytes) -> tuple[int, Manifest]:
        kind = _KINDS.get((call.group, call.resource))
        if kind is None or call.verb not in {"get", "list", "patch", "delete"}:
            return _status(405, f"not built here: {call}")
        if call.verb == "delete":
            if kind != "Namespace":
                return _status(405, f"not built here: {call}")
            self.objects.remove_namespace(call.name)
            return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        if call.verb == "list":
            pairs = [pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if pair]
            items = self.objects.list(
                kind, call.namespace, {key.rstrip("="): value.lstrip("=") for key, value in pairs}
            )
            return 200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": items}
        if content_type == _APPLY:
            return 200, self.objects.apply(json.loads(body))
        if call.verb == "patch":
            if content_type not in {"application/merge-patch+json", "application/strategic-merge-patch+json"}:
                return _status(415, f"a patch of the type {content_type!r}")
            try:
                patch = json.loads(body)
                if call.resource.endswith("/scale"):
                    patch = {
                        "spec": {"replicas": int(patch["spec"]["replicas"])},
                        "metadata": patch.get("metadata", {}),
                    }
                answer = self.objects.patch(kind, call.namespace, call.name, patch)
            except Conflict as conflict:
                return _status(409, str(conflict))
            except (ValueError, KeyError, TypeError) as error:
                return _status(422, f"not a patch: {error!r}")
        else:
            answer = self.objects.get(kind, call.namespace, call.name)
        if answer is None:
            return _status(404, f"no {kind} {call.name}")
        return 200, _scale(answer) if call.resource.endswith("/scale") else answer


def _call(verb: str, path: str) -> rbac.Call | None:
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    if not found["resource"]:
        return rbac.Call(verb, "", "namespaces", "", found["namespace"])
    resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
    verb = "list" if verb == "get" and not found["name"] else verb
    return rbac.Call(verb, found["group"] or "", resource, found["namespace"], found["name"] or "")


def _scale(workload: Manifest) -> Manifest:
    labels = workload["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": workload["metadata"],
        "spec": {"replicas": workload["spec"]["replicas"]},
        "status": {"replicas": workload.get("status", {}).get("replicas", 0), "selector": selector},
    }


def _status(code: int, message: str) -> tuple[int, Manifest]:
    reason = _REASONS.get(code, "")
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
