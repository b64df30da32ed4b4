"""Whether the Roles of the manifests let a service account make a call."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.kubernetes.manifests import Manifest


@dataclass(frozen=True)
class Call:
    """What somebody asks of the API server."""

    verb: str
    group: str
    #: With its subresource, such as "deployments/scale".
    resource: str
    namespace: str
    #: Empty for a list.
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f'{self.verb} resource "{resource}" {self.name!r} in the namespace "{self.namespace}"'


def allows(manifests: list[Manifest], account: str, call: Call) -> bool:
    """Whether a RoleBinding in the call's namespace gives the account, of the same namespace, a Role that allows it."""
    for binding in manifests:
        if binding["kind"] != "RoleBinding" or binding["metadata"]["namespace"] != call.namespace:
            continue
        subjects = {(s["kind"], s["name"], s.get("namespace")) for s in binding["subjects"]}
        if ("ServiceAccount", account, call.namespace) not in subjects or binding["roleRef"]["kind"] != "Role":
            continue
        for role in manifests:
            same = role["kind"] == "Role" and role["metadata"]["name"] == binding["roleRef"]["name"]
            if (
                same
                and role["metadata"]["namespace"] == call.namespace
                and any(_permits(r, call) for r in role["rules"])
            ):
                return True
    return False


def _permits(rule: Manifest, call: Call) -> bool:
    def has(key: str, wanted: str) -> bool:
        return bool({"*", wanted} & set(rule.get(key, [])))

    # A rule for names allows nothing that names none.
    named = not rule.get("resourceNames") or call.name in rule["resourceNames"]
    return has("verbs", call.verb) and has("apiGroups", call.group) and has("resources", call.resource) and named
