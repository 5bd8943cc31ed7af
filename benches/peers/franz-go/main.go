// The load of the benches through franz-go with promises.
//
// "franz-go RECORDS ADDRESS" prints a line "cost cpu_ns=… seconds=…" as every peer does.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "bench"
	partitions = 4
	warmUp     = 1_000_000
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "franz-go:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: franz-go RECORDS ADDRESS")
	}
	records, err := strconv.ParseInt(os.Args[1], 10, 64)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Args[2], ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(int32(setting("BENCH_BATCH_SIZE", 16384))),
		kgo.ProducerLinger(time.Duration(setting("BENCH_LINGER_MS", 5))*time.Millisecond),
		kgo.MaxBufferedRecords(setting("BENCH_OUTSTANDING", 100_000)),
		kgo.DisableClientMetrics(),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	if err := send(client, warmUp); err != nil {
		return err
	}
	begin, before := time.Now(), cpu()
	if err := send(client, records); err != nil {
		return err
	}
	spent, seconds := cpu()-before, time.Since(begin).Seconds()
	fmt.Printf("cost cpu_ns=%.1f seconds=%.3f\n",
		float64(spent.Nanoseconds())/float64(records), seconds)
	return nil
}

func send(client *kgo.Client, records int64) error {
	value := make([]byte, 100)
	for at := range value {
		value[at] = 'x'
	}
	var failed atomic.Int64
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
		}
	}
	ctx := context.Background()
	for number := int64(0); number < records; number++ {
		record := &kgo.Record{Topic: topic, Partition: int32(number % partitions), Value: value}
		client.Produce(ctx, record, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if count := failed.Load(); count != 0 {
		return fmt.Errorf("%d records were not delivered", count)
	}
	return nil
}

// setting is a number from the environment, or the usual one.
func setting(name string, usual int) int {
	if number, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return number
	}
	return usual
}

// cpu is the user and system time of all threads of this process.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
