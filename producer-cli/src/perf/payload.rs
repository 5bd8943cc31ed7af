//! What the records of a measurement hold: the bytes that Kafka's `ProducerPerformance` makes.

use std::fs;
use std::io::Write;

use crate::args::PerfArgs;
use crate::failure::Failure;

/// Makes one payload after the other.
#[derive(Clone, Debug)]
pub(crate) struct Payloads {
    kind: Kind,
    random: SplittableRandom,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A random one of these.
    File(Vec<Vec<u8>>),
    /// The number of the record.
    Monotonic,
    /// Random letters, as many as there are bytes.
    Random,
}

impl Payloads {
    pub(crate) fn new(args: &PerfArgs) -> Result<Self, Failure> {
        let kind = match &args.payload_file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| {
                    let path = path.display();
                    Failure::Usage(format!("the payload file {path} cannot be read: {error}"))
                })?;
                let payloads = split(&text, &args.payload_delimiter)?;
                if payloads.is_empty() {
                    return Err(Failure::Usage(format!(
                        "the payload file {} is empty: expected at least one payload",
                        path.display()
                    )));
                }
                Kind::File(payloads)
            }
            None if args.payload_monotonic => Kind::Monotonic,
            None => Kind::Random,
        };
        let size = args
            .record_size
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0);
        Ok(Self {
            kind,
            random: SplittableRandom::new(0),
            bytes: vec![0; size],
        })
    }

    /// The payload of the record with this number, counted from 0.
    pub(crate) fn next(&mut self, number: u64) -> &[u8] {
        match &self.kind {
            Kind::File(payloads) => {
                let count = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
                let place = usize::try_from(self.random.below(count)).unwrap_or(0);
                // `below` keeps within the list, and a list is never empty.
                payloads.get(place).map_or(&[], Vec::as_slice)
            }
            Kind::Monotonic => {
                self.bytes.clear();
                // Writing into memory cannot fail.
                let _ = write!(self.bytes, "{number}");
                &self.bytes
            }
            Kind::Random => {
                for byte in &mut self.bytes {
                    *byte = b'A' + (self.random.below(26) & 0xff) as u8;
                }
                &self.bytes
            }
        }
    }
}

/// The payloads between delimiters. Trailing empty ones do not count, as in Java's `split`.
fn split(text: &str, delimiter: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let delimiter = if delimiter == "\\n" { "\n" } else { delimiter };
    if delimiter.is_empty() {
        return Err(Failure::Usage(
            "--payload-delimiter is empty: expected at least one character".to_string(),
        ));
    }
    let mut payloads: Vec<_> = text
        .split(delimiter)
        .map(|part| part.as_bytes().to_vec())
        .collect();
    while payloads.last().is_some_and(Vec::is_empty) {
        payloads.pop();
    }
    Ok(payloads)
}

/// Java's `SplittableRandom`: the same seed gives the same payloads as Kafka's own tool.
#[derive(Clone, Debug)]
struct SplittableRandom {
    state: u64,
}

impl SplittableRandom {
    const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// `nextInt(bound)`, for a bound above zero.
    fn below(&mut self, bound: u32) -> u32 {
        if bound.is_power_of_two() {
            return self.next_u32() & (bound - 1);
        }
        loop {
            // Java rejects what would overflow a signed number: the last, incomplete round.
            let drawn = self.next_u32() >> 1;
            let rest = drawn % bound;
            if drawn - rest + (bound - 1) <= i32::MAX as u32 {
                return rest;
            }
        }
    }

    const fn next_u32(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 33)).wrapping_mul(0x62a9_d9ed_7997_05f5);
        z = (z ^ (z >> 28)).wrapping_mul(0xcb24_d0a5_c88c_35b3);
        (z >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(kind: Kind, size: usize) -> Payloads {
        Payloads {
            kind,
            random: SplittableRandom::new(0),
            bytes: vec![0; size],
        }
    }

    #[test]
    fn random_payloads_are_javas() {
        let mut payloads = payloads(Kind::Random, 20);
        assert_eq!(payloads.next(0), JAVA_FIRST);
        assert_eq!(payloads.next(1), JAVA_SECOND);
    }

    #[test]
    fn monotonic_payloads_count() {
        let mut payloads = payloads(Kind::Monotonic, 0);
        assert_eq!(payloads.next(0), b"0");
        assert_eq!(payloads.next(1_000_000), b"1000000");
    }

    #[test]
    fn a_file_is_split_at_its_delimiter() {
        assert_eq!(split("a\n\nb\n\n", "\\n").unwrap(), [&b"a"[..], b"", b"b"]);
        assert_eq!(split("a--b", "--").unwrap(), [b"a", b"b"]);
        assert!(split("\n", "\\n").unwrap().is_empty());
        assert!(split("a", "").is_err());
    }

    #[test]
    fn every_payload_of_a_file_is_used() {
        let mut payloads = payloads(Kind::File(vec![b"a".to_vec(), b"b".to_vec()]), 0);
        let drawn: Vec<u8> = (0..20)
            .flat_map(|number| payloads.next(number).to_vec())
            .collect();
        assert!(drawn.contains(&b'a') && drawn.contains(&b'b'));
    }

    const JAVA_FIRST: &[u8] = b"YQHHNEBSEPDNSEIFGAMS";
    const JAVA_SECOND: &[u8] = b"UJXKOLTXSPLGHDIOYZJF";
}
