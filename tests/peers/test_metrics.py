"""Prometheus's own parser reads what our producer writes for it.

The page is pinned by `producer-machine/tests/metrics_prometheus.rs`.
"""

import pathlib

import pytest
from prometheus_client.parser import text_fd_to_metric_families


@pytest.fixture(scope="module")
def families():
    page = pathlib.Path(__file__).with_name("metrics.prom")
    with page.open(encoding="utf-8") as lines:
        found = list(text_fd_to_metric_families(lines))
    return {family.name.removeprefix("kafka_producer_"): family for family in found}


def values(family):
    return {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}


def test_every_family_has_a_type_a_help_and_samples(families):
    assert len(families) == 33
    for family in families.values():
        assert family.type != "unknown", family
        assert family.documentation, family
        assert family.samples, family


def test_labels_and_values_come_through(families):
    client = ("client_id", "test")
    assert values(families["records_sent"]) == {(client, ("topic", "t")): 3.0}
    assert values(families["records_refused"]) == {(client,): 1.0}
    in_flight = values(families["requests_in_flight"])
    assert in_flight == {(client, ("node_id", "-1")): 0.0, (client, ("node_id", "0")): 0.0}


@pytest.mark.parametrize(
    ("name", "expected"), [("record_duration_seconds", 2.0), ("request_duration_seconds", 3.0)]
)
def test_histograms_grow_up_to_their_count(families, name, expected):
    family = families[name]
    assert family.type == "histogram"
    buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
    limits = [float(sample.labels["le"]) for sample in buckets]
    counts = [sample.value for sample in buckets]
    assert limits == sorted(limits) and limits[-1] == float("inf")
    assert counts == sorted(counts)
    (total,) = [sample.value for sample in family.samples if sample.name.endswith("_count")]
    assert counts[-1] == total == expected
