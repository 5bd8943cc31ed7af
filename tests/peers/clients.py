"""Two clients that share no code with ours, behind one face: produce, consume, list topics.

`confluent-kafka` is librdkafka, written in C; `kafka-python` is a codec of its own in Python.
Neither joins a group: a simulated cluster has no coordinator for groups, and to read all
partitions from the beginning needs none.
"""

import time
from dataclasses import dataclass, field

import confluent_kafka
import confluent_kafka.admin
import kafka

PATIENCE = 30.0


@dataclass(frozen=True)
class Record:
    """What goes in and what must come out, wherever it was put."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...] = field(default=())


class Confluent:
    """librdkafka."""

    def __init__(self, bootstrap):
        self.common = {"bootstrap.servers": bootstrap}

    def produce(self, topic, codec, records):
        """Delivers all records with idempotence and gives their (partition, offset)."""
        producer = confluent_kafka.Producer(
            self.common
            | {
                "enable.idempotence": True,
                "compression.type": codec,
                "linger.ms": 20,
                "delivery.timeout.ms": int(PATIENCE * 1000),
            }
        )
        places = []

        def delivered(error, message):
            assert error is None, error
            places.append((message.partition(), message.offset()))

        for record in records:
            producer.produce(
                topic,
                key=record.key,
                value=record.value,
                timestamp=record.timestamp,
                headers=list(record.headers),
                on_delivery=delivered,
            )
        assert producer.flush(PATIENCE) == 0, "records were left in the queue"
        return places

    def consume(self, topic, count):
        """Reads all partitions from the beginning and gives lists of records by partition."""
        consumer = confluent_kafka.Consumer(
            self.common
            | {"group.id": "none", "enable.auto.commit": False, "check.crcs": True}
        )
        first = confluent_kafka.OFFSET_BEGINNING
        partitions = self.partitions(topic)
        assigned = [confluent_kafka.TopicPartition(topic, each, first) for each in partitions]
        consumer.assign(assigned)
        read = {each: [] for each in partitions}
        deadline = time.monotonic() + PATIENCE
        while sum(map(len, read.values())) < count and time.monotonic() < deadline:
            for message in consumer.consume(count, timeout=0.5):
                assert message.error() is None, message.error()
                assert message.offset() == len(read[message.partition()])
                read[message.partition()].append(
                    Record(
                        message.key(),
                        message.value(),
                        message.timestamp()[1],
                        tuple(message.headers() or ()),
                    )
                )
        consumer.close()
        return read

    def partitions(self, topic):
        admin = confluent_kafka.admin.AdminClient(self.common)
        return sorted(admin.list_topics(topic, PATIENCE).topics[topic].partitions)

    def topics(self):
        admin = confluent_kafka.admin.AdminClient(self.common)
        return set(admin.list_topics(timeout=PATIENCE).topics)

    def end_offsets(self, topic):
        consumer = confluent_kafka.Consumer(self.common | {"group.id": "none"})
        ends = {}
        for each in self.partitions(topic):
            partition = confluent_kafka.TopicPartition(topic, each)
            ends[each] = consumer.get_watermark_offsets(partition, PATIENCE)[1]
        consumer.close()
        return ends


class KafkaPython:
    """The codec in Python."""

    def __init__(self, bootstrap):
        self.common = {"bootstrap_servers": bootstrap.split(",")}

    def produce(self, topic, codec, records):
        producer = kafka.KafkaProducer(
            **self.common,
            enable_idempotence=True,
            compression_type=None if codec == "none" else codec,
            linger_ms=20,
            delivery_timeout_ms=int(PATIENCE * 1000),
            request_timeout_ms=10_000,
        )
        futures = [
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                timestamp_ms=record.timestamp,
                headers=list(record.headers),
            )
            for record in records
        ]
        producer.flush(PATIENCE)
        metadata = [future.get(PATIENCE) for future in futures]
        producer.close(PATIENCE)
        return [(each.partition, each.offset) for each in metadata]

    def consume(self, topic, count):
        consumer = kafka.KafkaConsumer(
            **self.common, enable_auto_commit=False, check_crcs=True, group_id=None
        )
        partitions = sorted(consumer.partitions_for_topic(topic))
        assigned = [kafka.TopicPartition(topic, each) for each in partitions]
        consumer.assign(assigned)
        consumer.seek_to_beginning(*assigned)
        read = {each: [] for each in partitions}
        deadline = time.monotonic() + PATIENCE
        while sum(map(len, read.values())) < count and time.monotonic() < deadline:
            for partition, messages in consumer.poll(timeout_ms=500).items():
                for message in messages:
                    assert message.offset == len(read[partition.partition])
                    read[partition.partition].append(
                        Record(
                            message.key,
                            message.value,
                            message.timestamp,
                            tuple(message.headers),
                        )
                    )
        consumer.close()
        return read

    def topics(self):
        consumer = kafka.KafkaConsumer(**self.common)
        topics = set(consumer.topics())
        consumer.close()
        return topics

    def end_offsets(self, topic):
        consumer = kafka.KafkaConsumer(**self.common)
        partitions = consumer.partitions_for_topic(topic)
        ends = consumer.end_offsets([kafka.TopicPartition(topic, each) for each in partitions])
        consumer.close()
        return {partition.partition: end for partition, end in ends.items()}


CLIENTS = {"confluent": Confluent, "kafka-python": KafkaPython}
