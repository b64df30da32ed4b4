"""What an admin listener shows, as Prometheus reads it."""

from __future__ import annotations

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The figures of one moment."""

    def __init__(self, address: str) -> None:
        with urlopen(f"http://{address}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        families = list(text_string_to_metric_families(text))
        self.names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
        assert all(family.documentation and family.type != "unknown" for family in families), text
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """One figure; 0 if there is none."""
        return self._samples.get((name, frozenset(labels.items())), 0)

    def labelled(self, name: str, label: str) -> dict[str, float]:
        """All figures of a metric, by the value of its one label."""
        return {dict(labels)[label]: value for (sample, labels), value in self._samples.items() if sample == name}
