"""Network policies, as a CNI plugin enforces them: a pod's own network namespace drops what no policy allows.

Only what begins a connection is judged; the node is exempt, for the kubelet's probes. Until a container that has just been
started has its rules, a moment later, it is reached by everybody.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.kubernetes.manifests import Manifest

#: Packets of neither direction's making: of this pod with itself, and of connections that were allowed.
_ALWAYS = ("-i lo", "-m conntrack --ctstate ESTABLISHED,RELATED")


@dataclass(frozen=True)
class Place:
    """Somebody with an address: a pod, or a container that says that it is one."""

    namespace: str
    labels: dict[str, str]
    ip: str
    #: Named ports of its container.
    ports: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """What may begin connections to a pod, and to where it may, in the words of iptables. None: everything."""

    ingress: list[str] | None
    egress: list[str] | None


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector means somebody with these labels. An empty one means everybody."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Manifest, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case operator:
            raise ValueError(f"{operator} is no operator of a label selector")


class Network:
    """The policies of a cluster, and who is in it.

    Args:
        policies: All of them.
        namespaces: Their labels, by name.
        places: Everybody.
    """

    def __init__(
        self, policies: Iterable[Manifest], namespaces: dict[str, dict[str, str]], places: Iterable[Place]
    ) -> None:
        self._policies = list(policies)
        # The API server labels each with its name.
        self._namespaces = {n: {**labels, "kubernetes.io/metadata.name": n} for n, labels in namespaces.items()}
        self._places = list(places)

    def rules(self, place: Place) -> Rules:
        """Of one of those who are there."""
        return Rules(self._allowed(place, "Ingress", "from"), self._allowed(place, "Egress", "to"))

    def _allowed(self, place: Place, way: str, peers: str) -> list[str] | None:
        """The union of what the policies that select it allow one way; None if none does."""
        specs = [spec for spec in self._specs(place) if way in _ways(spec)]
        if not specs:
            return None
        rules = [rule for spec in specs for rule in spec.get(way.lower()) or []]
        lines = (line for rule in rules for line in self._lines(place, rule, peers))
        return list(dict.fromkeys(lines))

    def _specs(self, place: Place) -> Iterator[Manifest]:
        for policy in self._policies:
            here = policy["metadata"]["namespace"] == place.namespace
            if here and selects(policy["spec"].get("podSelector", {}), place.labels):
                yield policy["spec"]

    def _lines(self, place: Place, rule: Manifest, peers: str) -> Iterator[str]:
        """One rule of a policy. Names of ports are those of whoever is connected to."""
        address = "-s" if peers == "from" else "-d"
        for who, ports in self._peers(place, rule.get(peers)):
            named = place.ports if peers == "from" else ports
            for port in _ports(rule.get("ports"), named):
                yield " ".join(part for part in (who and f"{address} {who}", port) if part)

    def _peers(self, place: Place, peers: list[Manifest] | None) -> Iterator[tuple[str, dict[str, int]]]:
        """Addresses ("" is all of them), and the named ports there."""
        if not peers:
            yield "", {}
        for peer in peers or []:
            if "ipBlock" in peer:
                if peer["ipBlock"].get("except"):
                    raise NotImplementedError("ipBlock.except")
                yield peer["ipBlock"]["cidr"], {}
                continue
            for other in self._places:
                if self._means(peer, other, place.namespace):
                    yield other.ip, other.ports

    def _means(self, peer: Manifest, other: Place, namespace: str) -> bool:
        """Without a selector of namespaces it means pods of the policy's own."""
        spaces = peer.get("namespaceSelector")
        if spaces is None:
            there = other.namespace == namespace
        else:
            there = selects(spaces, self._namespaces.get(other.namespace, {}))
        return bool(other.ip) and there and selects(peer.get("podSelector") or {}, other.labels)


def _ways(spec: Manifest) -> list[str]:
    return list(spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def _ports(ports: list[Manifest] | None, named: dict[str, int]) -> Iterator[str]:
    if not ports:
        yield ""
    for port in ports or []:
        protocol = f"-p {port.get('protocol', 'TCP').lower()}"
        number: Any = port.get("port")
        if isinstance(number, str):
            # Who has no port of that name is not reached by this rule.
            if number not in named:
                continue
            number = named[number]
        last = f":{port['endPort']}" if "endPort" in port else ""
        yield protocol if number is None else f"{protocol} --dport {number}{last}"


def enforce(pid: int, rules: Rules, node: str) -> None:
    """Has the network namespace of a process drop what these do not allow, from now on; all at once."""
    text = ["*filter"]
    for chain, allowed, node_is in (("INPUT", rules.ingress, "-s"), ("OUTPUT", rules.egress, "-d")):
        text.append(f":{chain} {'ACCEPT' if allowed is None else 'DROP'} [0:0]")
        always = [rule.replace("-i lo", "-o lo") if chain == "OUTPUT" else rule for rule in _ALWAYS]
        for rule in [*always, f"{node_is} {node}", *(allowed or [])]:
            text.append(f"-A {chain} {rule} -j ACCEPT")
    text += ["COMMIT", ""]
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", "iptables-restore", "--wait"]
    done = subprocess.run(command, input="\n".join(text), capture_output=True, text=True, timeout=60, check=False)
    # A container that has ended meanwhile gets its rules when it is started again.
    assert done.returncode == 0 or not Path(f"/proc/{pid}").exists(), f"{done.stderr}\n" + "\n".join(text)
