"""Clients that share no code with ours use the simulated cluster as if it were Kafka.

`cargo xtask test peers` starts the cluster and names it in `PEERS_BOOTSTRAP`.
The same tests hold against Apache Kafka: `cargo xtask test peers --bootstrap-server …`.
"""

import os
import time
import uuid

import pytest

from clients import CLIENTS, Record

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
def topic():
    """A name that nobody has used: the cluster makes the topic when it is asked for."""
    return f"peers-{uuid.uuid4().hex}"


@pytest.fixture(params=CLIENTS)
def writer(request):
    return CLIENTS[request.param](os.environ["PEERS_BOOTSTRAP"])


@pytest.fixture(params=CLIENTS)
def reader(request):
    return CLIENTS[request.param](os.environ["PEERS_BOOTSTRAP"])


def some_records():
    """Records of every shape, among them some that compress well."""
    now = int(time.time() * 1000)
    records = [
        Record(b"key-%d" % (each % 7), b"value %d " % each + b"again " * 20, now + each)
        for each in range(1000)
    ]
    records.append(Record(None, b"no key", now))
    records.append(Record(b"no value", None, now))
    records.append(Record(b"", b"", now))
    records.append(Record(b"headers", b"x", now, (("a", b"1"), ("a", b"2"), ("empty", b""))))
    records.append(Record(b"bytes", bytes(range(256)), now))
    return records


@pytest.mark.parametrize("codec", CODECS)
def test_every_record_comes_back_once_and_in_order(writer, reader, topic, codec):
    records = some_records()

    places = writer.produce(topic, codec, records)
    read = reader.consume(topic, len(records))

    assert len(set(places)) == len(records), "two records were given the same place"
    assert sum(reader.end_offsets(topic).values()) == len(records)
    everything = [record for partition in read.values() for record in partition]
    assert sorted(everything, key=repr) == sorted(records, key=repr)
    for key in {record.key for record in records if record.key is not None}:
        ours = [record for record in records if record.key == key]
        theirs = [record for record in everything if record.key == key]
        assert theirs == ours, f"records with the key {key!r} changed their order"


def test_an_acknowledged_place_is_where_the_record_is(writer, reader, topic):
    records = [Record(None, b"%d" % each, 1_700_000_000_000 + each) for each in range(100)]

    places = writer.produce(topic, "none", records)
    read = reader.consume(topic, len(records))

    written = {(partition, offset) for partition, offset in places}
    found = {(p, offset) for p, records in read.items() for offset in range(len(records))}
    assert written == found


def test_a_second_producer_appends_after_the_first(writer, reader, topic):
    first = [Record(b"k", b"first", 1_700_000_000_000)] * 10
    second = [Record(b"k", b"second", 1_700_000_000_000)] * 10

    writer.produce(topic, "none", first)
    writer.produce(topic, "none", second)
    read = reader.consume(topic, 20)

    assert [records for records in read.values() if records] == [first + second]


def test_end_offsets_count_the_records(writer, reader, topic):
    writer.produce(topic, "none", [Record(b"k", b"v", 1_700_000_000_000)] * 42)

    assert sum(reader.end_offsets(topic).values()) == 42


def test_a_topic_that_was_written_to_is_listed(writer, reader, topic):
    assert topic not in reader.topics()

    writer.produce(topic, "none", [Record(b"k", b"v", 1_700_000_000_000)])

    assert topic in reader.topics()
