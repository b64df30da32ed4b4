"""Network policies as they are meant, of places that nobody has to start."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.kubernetes.policies import Network, Place, Rules, selects

WEB = Place("shop", {"app": "web"}, "10.0.0.1", {"http": 8080})
STORE = Place("shop", {"app": "store", "kind": "db"}, "10.0.0.2", {"http": 9090, "sql": 5432})
ELSEWHERE = Place("bank", {"app": "web"}, "10.0.0.3")
GONE = Place("shop", {"app": "web"}, "")
NAMESPACES: dict[str, dict[str, str]] = {"shop": {}, "bank": {"trusted": "yes"}}


def rules(place: Place, *specs: str) -> Rules:
    """What holds for a place where there are policies of these specs in the namespace `shop`."""
    policies = [{"metadata": {"namespace": "shop"}, "spec": yaml.safe_load(spec)} for spec in specs]
    return Network(policies, NAMESPACES, [WEB, STORE, ELSEWHERE, GONE]).rules(place)


def ingress(rule: str, place: Place = WEB) -> list[str] | None:
    return rules(place, f"{{podSelector: {{}}, ingress: [{rule}]}}").ingress


def test_who_is_not_selected_may_be_reached_and_reach_everybody() -> None:
    assert rules(WEB) == Rules(None, None)
    assert rules(WEB, "{podSelector: {matchLabels: {app: store}}}") == Rules(None, None)
    assert rules(ELSEWHERE, "{podSelector: {}}") == Rules(None, None), "a policy is one of its namespace"


def test_a_policy_without_rules_allows_nothing_of_its_types() -> None:
    assert rules(WEB, "{podSelector: {}}") == Rules([], None)
    assert rules(WEB, "{podSelector: {}, policyTypes: [Egress]}") == Rules(None, [])
    assert rules(WEB, "{podSelector: {}, egress: [{}]}") == Rules([], [""])


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("{}", [""]),
        ("{from: []}", [""]),
        ("{from: [{podSelector: {matchLabels: {app: store}}}]}", ["-s 10.0.0.2"]),
        ("{from: [{podSelector: {}}]}", ["-s 10.0.0.1", "-s 10.0.0.2"]),
        ("{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}", ["-s 10.0.0.1", "-s 10.0.0.3"]),
        ("{from: [{namespaceSelector: {matchLabels: {trusted: 'yes'}}}]}", ["-s 10.0.0.3"]),
        ("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}]}", ["-s 10.0.0.3"]),
        ("{from: [{ipBlock: {cidr: 192.168.0.0/16}}]}", ["-s 192.168.0.0/16"]),
        ("{ports: [{port: 80}]}", ["-p tcp --dport 80"]),
        ("{ports: [{protocol: UDP, port: 53}, {protocol: UDP}]}", ["-p udp --dport 53", "-p udp"]),
        ("{ports: [{port: 80, endPort: 90}]}", ["-p tcp --dport 80:90"]),
        ("{ports: [{port: http}]}", ["-p tcp --dport 8080"]),
        ("{ports: [{port: sql}]}", []),
        (
            "{from: [{podSelector: {matchLabels: {kind: db}}}], ports: [{port: http}]}",
            ["-s 10.0.0.2 -p tcp --dport 8080"],
        ),
    ],
)
def test_a_rule(rule: str, allowed: list[str]) -> None:
    assert ingress(rule) == allowed


def test_policies_add_up() -> None:
    both = rules(WEB, "{podSelector: {}}", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}")
    assert both.ingress == ["-p tcp --dport 80"]


def test_named_ports_of_egress_are_those_of_whoever_is_reached() -> None:
    spec = "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: http}]}]}"
    assert rules(WEB, spec).egress == ["-d 10.0.0.1 -p tcp --dport 8080", "-d 10.0.0.2 -p tcp --dport 9090"]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"key": "app", "operator": "In", "values": ["web", "other"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "kind", "operator": "NotIn", "values": ["db"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_expressions(expression: dict[str, Any], holds: bool) -> None:
    assert selects({"matchExpressions": [expression]}, {"app": "web"}) is holds
