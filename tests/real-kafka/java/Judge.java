import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Says what is really in a Kafka cluster, with Kafka's own consumer and admin client.
 *
 * <p>{@code java -cp 'lib/*:classes' Judge BOOTSTRAP} reads one command a line from stdin and
 * answers each with one line of JSON, {@code {"error":"…"}} if it failed. {@code read} and
 * {@code dump} print a line a record before it and hold none of them. With a command after
 * BOOTSTRAP the judge runs that one and exits, with 1 if it failed. One JVM for a whole suite,
 * since each start costs half a second.
 *
 * <pre>
 * ready BROKERS SECONDS                         until a new topic has all brokers in its ISR, and
 *                                               every other topic all of its replicas
 * create TOPIC PARTITIONS REPLICAS [KEY=VALUE…] until every partition has a leader and a full ISR
 * describe TOPIC                                leaders, replicas and ISR per partition
 * config TOPIC KEY=VALUE…                       changes a topic's settings
 * delete TOPIC                                  until it is gone
 * grow TOPIC PARTITIONS                         until it has so many, each with a full ISR
 * move TOPIC                                    each partition goes from its leader to a broker
 *                                               without it, until all is as wanted
 * quota CLIENT BYTES                            what a client id may write a second; - for no limit
 * count TOPIC [read_committed]                  start and end offsets, and their difference
 * read TOPIC [read_committed]                   every record as JSON, keys and values in base64
 * dump TOPIC [read_committed]                   every record as PARTITION tab OFFSET tab VALUE
 * partition COUNT KEY                           where Java puts this base64 key; - is the empty key
 * </pre>
 *
 * It compiles against the clients of every release from 2.8 on.
 * {@code count} counts offsets, and so control records of transactions and gaps after compaction;
 * {@code read} and {@code dump} count records. {@code dump} wants values without control bytes.
 */
public final class Judge {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final Base64.Encoder BASE64 = Base64.getEncoder();

    private final Properties client = new Properties();
    private final Admin admin;
    private final PrintStream out;

    private Judge(String bootstrap, PrintStream out) {
        client.put("bootstrap.servers", bootstrap);
        // A broker that was just killed must not hold an answer up for long.
        client.put("reconnect.backoff.max.ms", "500");
        client.put("default.api.timeout.ms", "30000");
        client.put("request.timeout.ms", "10000");
        this.admin = Admin.create(client);
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            System.err.println("usage: Judge BOOTSTRAP [COMMAND…]");
            System.exit(2);
        }
        // System.out flushes with every line: far too slow for a million of them.
        PrintStream out = new PrintStream(
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16),
                false, StandardCharsets.ISO_8859_1);
        Judge judge = new Judge(arguments[0], out);
        if (1 < arguments.length) {
            boolean held = judge.answer(Arrays.asList(arguments).subList(1, arguments.length));
            System.exit(held ? 0 : 1);
        }
        BufferedReader commands =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            if (!line.isBlank()) {
                judge.answer(Arrays.asList(line.trim().split("\\s+")));
            }
        }
        // The admin client's thread may be waiting for a dead broker: nobody needs its farewell.
        System.exit(0);
    }

    private boolean answer(List<String> words) {
        String answer;
        boolean held = true;
        try {
            answer = run(words.get(0), words.subList(1, words.size()));
        } catch (IndexOutOfBoundsException missing) {
            answer = failure("expected more words after '" + words.get(0) + "', see Judge.java");
            held = false;
        } catch (ExecutionException failed) {
            answer = failure(failed.getCause().toString());
            held = false;
        } catch (Exception failed) {
            answer = failure(failed.toString());
            held = false;
        }
        out.println(answer);
        out.flush();
        return held;
    }

    private String run(String command, List<String> words) throws Exception {
        switch (command) {
            case "ready": return ready(number(words, 0), number(words, 1));
            case "create": return create(words);
            case "describe": return describe(words.get(0));
            case "config": return config(words.get(0), settings(words, 1));
            case "delete": return delete(words.get(0));
            case "grow": return grow(words.get(0), number(words, 1));
            case "move": return move(words.get(0));
            case "quota": return quota(words.get(0), words.get(1));
            case "count": return count(words);
            case "read": return scan(words, this::printJson);
            case "dump": return scan(words, this::printPlain);
            case "partition": return partition(number(words, 0), words.get(1));
            default: return failure("expected a command of Judge.java, got '" + command + "'");
        }
    }

    // Topics.

    private String ready(int brokers, int seconds) throws Exception {
        // The name is new each time: a topic left over from before would prove nothing.
        String topic = "ready-" + System.nanoTime();
        long deadline = deadline(Duration.ofSeconds(seconds));
        while (true) {
            try {
                if (admin.describeCluster().nodes().get().size() < brokers) {
                    throw new IllegalStateException("not all of " + brokers + " brokers are known");
                }
                NewTopic wanted = new NewTopic(topic, brokers, (short) brokers);
                admin.createTopics(List.of(wanted)).all().get();
                break;
            } catch (ExecutionException | IllegalStateException early) {
                if (early.getCause() instanceof TopicExistsException) {
                    break; // An earlier try got through, only its answer was late.
                }
                pause(deadline, early);
            }
        }
        while (!isReplicated(topic) || !areAllReplicated()) {
            pause(deadline, null);
        }
        delete(topic);
        return "{\"ready\":true}";
    }

    private String create(List<String> words) throws Exception {
        String topic = words.get(0);
        NewTopic wanted = new NewTopic(topic, number(words, 1), (short) number(words, 2));
        admin.createTopics(List.of(wanted.configs(settings(words, 3)))).all().get();
        long deadline = deadline(PATIENCE);
        while (!isReplicated(topic) || !isLed(topic)) {
            pause(deadline, null);
        }
        return "{\"created\":" + quoted(topic) + "}";
    }

    private boolean areAllReplicated() throws Exception {
        ListTopicsOptions all = new ListTopicsOptions().listInternal(true);
        for (String topic : admin.listTopics(all).names().get()) {
            if (!isReplicated(topic)) {
                return false;
            }
        }
        return true;
    }

    private boolean isReplicated(String topic) throws InterruptedException {
        try {
            for (TopicPartitionInfo partition : partitions(topic)) {
                int replicas = partition.replicas().size();
                if (partition.leader() == null || partition.isr().size() < replicas) {
                    return false;
                }
            }
            return true;
        } catch (ExecutionException early) {
            return false; // The broker asked has not heard of the topic yet.
        }
    }

    /**
     * Whether every leader knows that it leads. With ZooKeeper the controller's word reaches
     * brokers one by one, and until then what is sent with acks=0 is lost.
     */
    private boolean isLed(String topic) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (TopicPartition partition : assigned(topic)) {
            ends.put(partition, OffsetSpec.latest());
        }
        try {
            admin.listOffsets(ends).all().get();
            return true;
        } catch (ExecutionException early) {
            return false;
        }
    }

    private String describe(String topic) throws Exception {
        StringJoiner lines = new StringJoiner(",", "{\"partitions\":[", "]}");
        for (TopicPartitionInfo partition : knownPartitions(topic)) {
            int leader = partition.leader() == null ? -1 : partition.leader().id();
            lines.add("{\"partition\":" + partition.partition() + ",\"leader\":" + leader
                    + ",\"replicas\":" + ids(partition.replicas())
                    + ",\"isr\":" + ids(partition.isr()) + "}");
        }
        return lines.toString();
    }

    /** Those of a topic that is there, although the broker asked may not have heard of it yet. */
    private List<TopicPartitionInfo> knownPartitions(String topic) throws Exception {
        long deadline = deadline(Duration.ofSeconds(5));
        while (true) {
            try {
                return partitions(topic);
            } catch (ExecutionException early) {
                pause(deadline, early);
            }
        }
    }

    private List<TopicPartitionInfo> partitions(String topic)
            throws ExecutionException, InterruptedException {
        DescribeTopicsResult described = admin.describeTopics(List.of(topic));
        return descriptions(described).get().get(topic).partitions();
    }

    /** Kafka 3.1 has a new name for it, and Kafka 4 no longer has the old one. */
    @SuppressWarnings("unchecked")
    private static KafkaFuture<Map<String, TopicDescription>> descriptions(
            DescribeTopicsResult described) {
        for (String name : List.of("allTopicNames", "all")) {
            try {
                Object all = DescribeTopicsResult.class.getMethod(name).invoke(described);
                return (KafkaFuture<Map<String, TopicDescription>>) all;
            } catch (ReflectiveOperationException missing) {
                continue;
            }
        }
        throw new IllegalStateException("expected a way to all descriptions, found none");
    }

    private String config(String topic, Map<String, String> settings) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        List<AlterConfigOp> changes = new ArrayList<>();
        settings.forEach((key, value) -> changes.add(
                new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
        admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
        return "{\"configured\":" + quoted(topic) + "}";
    }

    private String delete(String topic) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        long deadline = deadline(PATIENCE);
        while (admin.listTopics().names().get().contains(topic)) {
            pause(deadline, null);
        }
        return "{\"deleted\":" + quoted(topic) + "}";
    }

    private String grow(String topic, int count) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get();
        long deadline = deadline(PATIENCE);
        while (!isReplicated(topic) || partitions(topic).size() < count) {
            pause(deadline, null);
        }
        return "{\"partitions\":" + count + "}";
    }

    private String move(String topic) throws Exception {
        List<Integer> brokers = admin.describeCluster().nodes().get().stream()
                .map(Node::id).collect(Collectors.toList());
        Map<TopicPartition, Optional<NewPartitionReassignment>> wanted = new HashMap<>();
        for (TopicPartitionInfo partition : knownPartitions(topic)) {
            List<Integer> replicas = partition.replicas().stream()
                    .map(Node::id).collect(Collectors.toList());
            int free = brokers.stream().filter(broker -> !replicas.contains(broker)).findFirst()
                    .orElseThrow(() -> new IllegalStateException(
                            "expected a broker without " + topic + ", all have replicas"));
            replicas.replaceAll(id -> id == partition.leader().id() ? free : id);
            wanted.put(new TopicPartition(topic, partition.partition()),
                    Optional.of(new NewPartitionReassignment(replicas)));
        }
        admin.alterPartitionReassignments(wanted).all().get();
        long deadline = deadline(PATIENCE);
        // The broker that is asked may hear of it a little later than all is over.
        while (!admin.listPartitionReassignments(wanted.keySet()).reassignments().get().isEmpty()
                || !isReplicated(topic) || !areOn(topic, wanted)) {
            pause(deadline, null);
        }
        return "{\"moved\":" + wanted.size() + "}";
    }

    private boolean areOn(String topic,
            Map<TopicPartition, Optional<NewPartitionReassignment>> wanted) throws Exception {
        for (TopicPartitionInfo partition : knownPartitions(topic)) {
            List<Integer> brokers = wanted.get(new TopicPartition(topic, partition.partition()))
                    .orElseThrow().targetReplicas();
            Node leader = partition.leader();
            if (leader == null || !brokers.contains(leader.id())) {
                return false;
            }
        }
        return true;
    }

    private String quota(String client, String bytes) throws Exception {
        ClientQuotaEntity entity =
                new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, client));
        Double limit = bytes.equals("-") ? null : Double.valueOf(bytes);
        ClientQuotaAlteration.Op change = new ClientQuotaAlteration.Op("producer_byte_rate", limit);
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(change))))
                .all().get();
        return "{\"quota\":" + quoted(bytes) + "}";
    }

    // Records.

    private String count(List<String> words) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(words)) {
            List<TopicPartition> partitions = assigned(words.get(0));
            consumer.assign(partitions); // Or the consumer warns about every offset asked for.
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long count = 0;
            StringJoiner offsets = new StringJoiner(",", "[", "]");
            for (TopicPartition partition : partitions) {
                count += ends.get(partition) - starts.get(partition);
                offsets.add("[" + starts.get(partition) + "," + ends.get(partition) + "]");
            }
            return "{\"count\":" + count + ",\"offsets\":" + offsets + "}";
        }
    }

    /** What is printed for one record; the line end is the printer's. */
    private interface Printer {
        void print(ConsumerRecord<byte[], byte[]> record) throws IOException;
    }

    private String scan(List<String> words, Printer printer) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(words)) {
            List<TopicPartition> partitions = assigned(words.get(0));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Set<TopicPartition> open = new HashSet<>(partitions);
            long count = 0;
            long deadline = deadline(PATIENCE);
            // Positions and not the records tell the end: the last offsets may be control records.
            open.removeIf(partition -> ends.get(partition) <= consumer.position(partition));
            while (!open.isEmpty()) {
                long before = count;
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    // What came after the end was asked for is another command's business.
                    if (record.offset() < ends.get(
                            new TopicPartition(record.topic(), record.partition()))) {
                        printer.print(record);
                        count += 1;
                    }
                }
                open.removeIf(partition -> ends.get(partition) <= consumer.position(partition));
                if (before < count) {
                    deadline = deadline(PATIENCE);
                } else if (deadline < System.nanoTime()) {
                    throw new IllegalStateException("nothing came for " + PATIENCE + " of " + open);
                }
            }
            return "{\"end\":true,\"count\":" + count + "}";
        }
    }

    private void printJson(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder(128);
        line.append("{\"partition\":").append(record.partition());
        line.append(",\"offset\":").append(record.offset());
        line.append(",\"timestamp\":").append(record.timestamp());
        line.append(",\"key\":").append(base64(record.key()));
        line.append(",\"value\":").append(base64(record.value()));
        line.append(",\"headers\":[");
        String separator = "";
        for (Header header : record.headers()) {
            line.append(separator).append('[').append(quoted(header.key())).append(',');
            line.append(base64(header.value())).append(']');
            separator = ",";
        }
        out.append(line.append("]}\n"));
    }

    private void printPlain(ConsumerRecord<byte[], byte[]> record) throws IOException {
        byte[] value = record.value() == null ? new byte[0] : record.value();
        for (byte each : value) {
            if (0 <= each && each < ' ') {
                throw new IllegalArgumentException("expected a value without control bytes at "
                        + record.partition() + "/" + record.offset() + ", use read");
            }
        }
        out.append(record.partition() + "\t" + record.offset() + "\t");
        out.write(value, 0, value.length);
        out.append("\n");
    }

    private String partition(int count, String key) {
        byte[] bytes = key.equals("-") ? new byte[0] : Base64.getDecoder().decode(key);
        // What BuiltInPartitioner.partitionForKey does, and DefaultPartitioner before it.
        return "{\"partition\":" + Utils.toPositive(Utils.murmur2(bytes)) % count + "}";
    }

    private KafkaConsumer<byte[], byte[]> consumer(List<String> words) {
        Properties properties = new Properties();
        properties.putAll(client);
        properties.put("enable.auto.commit", "false");
        properties.put("fetch.max.wait.ms", "50");
        String isolation = 1 < words.size() ? words.get(1) : "read_uncommitted";
        properties.put("isolation.level", isolation);
        return new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private List<TopicPartition> assigned(String topic) throws Exception {
        return knownPartitions(topic).stream()
                .map(each -> new TopicPartition(topic, each.partition()))
                .collect(Collectors.toList());
    }

    // Words in, JSON out.

    private static int number(List<String> words, int index) {
        return Integer.parseInt(words.get(index));
    }

    private static Map<String, String> settings(List<String> words, int from) {
        Map<String, String> settings = new TreeMap<>();
        for (String word : words.subList(from, words.size())) {
            int equals = word.indexOf('=');
            if (equals < 0) {
                throw new IllegalArgumentException("expected KEY=VALUE, got '" + word + "'");
            }
            settings.put(word.substring(0, equals), word.substring(equals + 1));
        }
        return settings;
    }

    private static String ids(List<Node> nodes) {
        return nodes.stream().map(node -> String.valueOf(node.id())).sorted()
                .collect(Collectors.joining(",", "[", "]"));
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? "null" : "\"" + BASE64.encodeToString(bytes) + "\"";
    }

    private static String failure(String message) {
        return "{\"error\":" + quoted(message) + "}";
    }

    /** All but printable ASCII is escaped, so that stdout's encoding does not matter. */
    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            if (each == '"' || each == '\\') {
                quoted.append('\\').append(each);
            } else if (' ' <= each && each <= '~') {
                quoted.append(each);
            } else {
                quoted.append(String.format("\\u%04x", (int) each));
            }
        }
        return quoted.append('"').toString();
    }

    private static long deadline(Duration patience) {
        return System.nanoTime() + patience.toNanos();
    }

    private static void pause(long deadline, Exception last) throws Exception {
        if (deadline < System.nanoTime()) {
            throw last == null ? new IllegalStateException("not so within the time given") : last;
        }
        Thread.sleep(100);
    }
}
