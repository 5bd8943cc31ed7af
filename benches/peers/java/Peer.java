import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The load of the benches through Kafka's own producer with callbacks.
 *
 * <p>{@code Peer RECORDS ADDRESS} prints a line {@code cost cpu_ns=… seconds=…} as every peer does.
 */
public final class Peer {
    private static final String TOPIC = "bench";
    private static final int PARTITIONS = 4;
    /** Enough for the compiler to have done its work. */
    private static final long WARM_UP = 2_000_000;

    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private Peer() {}

    public static void main(String[] arguments) {
        long records = Long.parseLong(arguments[0]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[1]);
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("batch.size", setting("BENCH_BATCH_SIZE", "16384"));
        properties.put("linger.ms", setting("BENCH_LINGER_MS", "5"));
        properties.put("enable.metrics.push", "false");
        long outstanding = Long.parseLong(setting("BENCH_OUTSTANDING", "100000"));
        // A record of 100 bytes takes 107 or 108 in a batch.
        properties.put("buffer.memory", String.valueOf(108 * outstanding));
        ByteArraySerializer bytes = new ByteArraySerializer();
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, bytes, bytes)) {
            send(producer, WARM_UP);
            long begin = System.nanoTime();
            long before = SYSTEM.getProcessCpuTime();
            send(producer, records);
            double spent = (SYSTEM.getProcessCpuTime() - before) / (double) records;
            double seconds = (System.nanoTime() - begin) / 1e9;
            System.out.printf("cost cpu_ns=%.1f seconds=%.3f%n", spent, seconds);
        }
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, long records) {
        byte[] value = "x".repeat(100).getBytes();
        AtomicLong failed = new AtomicLong();
        for (long number = 0; number < records; number++) {
            int partition = (int) (number % PARTITIONS);
            producer.send(new ProducerRecord<>(TOPIC, partition, null, value), (done, error) -> {
                if (error != null) {
                    failed.incrementAndGet();
                }
            });
        }
        producer.flush();
        if (failed.get() != 0) {
            throw new IllegalStateException(failed + " records were not delivered");
        }
    }

    private static String setting(String name, String usual) {
        String value = System.getenv(name);
        return value == null ? usual : value;
    }
}
