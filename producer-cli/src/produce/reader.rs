//! Lines in, the parts of records out: Kafka's `LineMessageReader`, on bytes.
//!
//! ```text
//! h1:v1,h2:v2 <headers.delimiter> key <key.separator> value
//! ```
//!
//! A line ends with `\n` or `\r\n`; the last one may lack its end.
//! Bytes pass unchanged, whether they are UTF-8 or not; only the key of a header must be text,
//! because it is text in the record.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use crate::failure::Failure;
use crate::settings::Settings;

/// How lines are cut: the reader's properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineFormat {
    parse_headers: bool,
    parse_key: bool,
    headers_delimiter: Vec<u8>,
    headers_separator: Vec<u8>,
    headers_key_separator: Vec<u8>,
    key_separator: Vec<u8>,
    null_marker: Option<Vec<u8>>,
    ignore_error: bool,
}

/// One line, cut into the parts of a record. The parts are places in the line's own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number in the input, from 1.
    pub(crate) number: u64,
    bytes: Vec<u8>,
    parts: Parts,
}

/// Places in the bytes of a line; `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    headers: Vec<HeaderParts>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HeaderParts {
    key: String,
    value: Option<Range<usize>>,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) number: u64,
    pub(crate) fault: Fault,
    pub(crate) problem: String,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not in the format: whatever follows is not to be trusted either.
    Malformed,
    /// It is too long to be kept: one record that cannot be sent.
    TooLong,
}

impl Line {
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.part(self.parts.key.as_ref())
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.part(self.parts.value.as_ref())
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.parts
            .headers
            .iter()
            .map(|header| (header.key.as_str(), self.part(header.value.as_ref())))
    }

    fn part(&self, place: Option<&Range<usize>>) -> Option<&[u8]> {
        self.bytes.get(place?.clone())
    }
}

impl Default for LineFormat {
    fn default() -> Self {
        Self {
            parse_headers: false,
            parse_key: false,
            headers_delimiter: b"\t".to_vec(),
            headers_separator: b",".to_vec(),
            headers_key_separator: b":".to_vec(),
            key_separator: b"\t".to_vec(),
            null_marker: None,
            ignore_error: false,
        }
    }
}

impl LineFormat {
    /// The format that the properties describe.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, Failure> {
        let mut format = Self::default();
        for (name, value) in settings.iter() {
            // Java takes everything but `true` for `false`, and so a slip for a wish.
            let flag = || match value.trim() {
                text if text.eq_ignore_ascii_case("true") => Ok(true),
                text if text.eq_ignore_ascii_case("false") => Ok(false),
                _ => Err(Failure::Usage(format!(
                    "reader property {name} is {value:?}: expected true or false"
                ))),
            };
            let bytes = value.as_bytes().to_vec();
            match name {
                "parse.key" => format.parse_key = flag()?,
                "parse.headers" => format.parse_headers = flag()?,
                "ignore.error" => format.ignore_error = flag()?,
                "key.separator" => format.key_separator = bytes,
                "headers.delimiter" => format.headers_delimiter = bytes,
                "headers.separator" => format.headers_separator = bytes,
                "headers.key.separator" => format.headers_key_separator = bytes,
                "null.marker" => format.null_marker = Some(bytes),
                _ => return Err(unknown(name)),
            }
        }
        format.check()?;
        Ok(format)
    }

    /// Which separators may not be equal, as `LineMessageReader.configure` has it.
    fn check(&self) -> Result<(), Failure> {
        let delimiter = ("headers.delimiter", &self.headers_delimiter);
        let separator = ("headers.separator", &self.headers_separator);
        let key_separator = ("headers.key.separator", &self.headers_key_separator);
        let record_key = ("key.separator", &self.key_separator);

        for (name, text) in [delimiter, separator, key_separator, record_key] {
            if text.is_empty() {
                return Err(Failure::Usage(format!(
                    "{name} is empty: expected at least one character"
                )));
            }
        }
        let mut pairs = vec![
            (delimiter, separator),
            (delimiter, key_separator),
            (separator, key_separator),
        ];
        if let Some(marker) = &self.null_marker {
            let marker = ("null.marker", marker);
            pairs.extend([record_key, separator, delimiter, key_separator].map(|it| (marker, it)));
        }
        for ((one, text), (other, same)) in pairs {
            if text == same {
                return Err(Failure::Usage(format!(
                    "{one} and {other} may not be equal: both are {:?}",
                    String::from_utf8_lossy(text)
                )));
            }
        }
        Ok(())
    }

    /// Cuts a line.
    pub(crate) fn cut(&self, number: u64, bytes: Vec<u8>) -> Result<Line, BadLine> {
        match self.cut_parts(&bytes) {
            Ok(parts) => Ok(Line {
                number,
                bytes,
                parts,
            }),
            Err(problem) => Err(BadLine {
                number,
                fault: Fault::Malformed,
                problem,
            }),
        }
    }

    fn cut_parts(&self, line: &[u8]) -> Result<Parts, String> {
        let mut start = 0;
        let mut part = |wanted: bool, separator: &[u8], name: &str| -> Result<_, String> {
            if !wanted {
                return Ok(None);
            }
            match find(&line[start..], separator) {
                Some(length) => {
                    let place = start..start + length;
                    start = place.end + separator.len();
                    Ok(Some(place))
                }
                None if self.ignore_error => Ok(None),
                None => Err(format!(
                    "no {name} {:?} found: write one, or set the reader property ignore.error=true",
                    String::from_utf8_lossy(separator)
                )),
            }
        };
        let headers = part(
            self.parse_headers,
            &self.headers_delimiter,
            "headers.delimiter",
        )?;
        let key = part(self.parse_key, &self.key_separator, "key.separator")?;

        let headers = match headers {
            Some(place) if !self.is_null(&line[place.clone()]) => self.cut_headers(line, place)?,
            _ => Vec::new(),
        };
        let non_null = |place: Range<usize>| (!self.is_null(&line[place.clone()])).then_some(place);
        Ok(Parts {
            headers,
            key: key.and_then(non_null),
            value: non_null(start..line.len()),
        })
    }

    /// Headers between separators. Trailing empty ones do not count, as in Java's `split`.
    fn cut_headers(&self, line: &[u8], place: Range<usize>) -> Result<Vec<HeaderParts>, String> {
        let mut pairs = Vec::new();
        let mut start = place.start;
        while let Some(length) = find(&line[start..place.end], &self.headers_separator) {
            pairs.push(start..start + length);
            start += length + self.headers_separator.len();
        }
        pairs.push(start..place.end);
        while 1 < pairs.len() && pairs.last().is_some_and(Range::is_empty) {
            pairs.pop();
        }
        pairs
            .into_iter()
            .map(|pair| self.cut_header(line, pair))
            .collect()
    }

    fn cut_header(&self, line: &[u8], pair: Range<usize>) -> Result<HeaderParts, String> {
        let found = find(&line[pair.clone()], &self.headers_key_separator);
        let (key, value) = match found {
            Some(length) => {
                let key = pair.start..pair.start + length;
                let value = key.end + self.headers_key_separator.len()..pair.end;
                (key, (!self.is_null(&line[value.clone()])).then_some(value))
            }
            None if self.ignore_error => (pair, None),
            None => {
                return Err(format!(
                    "no headers.key.separator {:?} found in the header {:?}: write one, or set \
                     the reader property ignore.error=true",
                    String::from_utf8_lossy(&self.headers_key_separator),
                    String::from_utf8_lossy(&line[pair])
                ));
            }
        };
        let key = &line[key];
        if found.is_some() && self.is_null(key) {
            return Err(format!(
                "a header's key is the null.marker {:?}: keys cannot be null",
                String::from_utf8_lossy(key)
            ));
        }
        let key = std::str::from_utf8(key).map_err(|_| {
            format!(
                "a header's key is not UTF-8: {:?}",
                String::from_utf8_lossy(key)
            )
        })?;
        Ok(HeaderParts {
            key: key.to_string(),
            value,
        })
    }

    fn is_null(&self, part: &[u8]) -> bool {
        self.null_marker.as_deref() == Some(part)
    }
}

/// Reads the input line by line.
pub(crate) struct LineReader<R> {
    input: R,
    format: LineFormat,
    number: u64,
    max_request_size: usize,
    /// The most bytes of a line.
    limit: usize,
}

impl<R: BufRead> LineReader<R> {
    /// A reader that keeps no line whose record could not be sent anyway.
    pub(crate) fn new(input: R, format: LineFormat, max_request_size: usize) -> Self {
        Self {
            input,
            format,
            number: 0,
            max_request_size,
            // A line may hold separators, markers and headers that are not in the record.
            limit: max_request_size
                .saturating_mul(2)
                .saturating_add(SEPARATORS),
        }
    }

    /// The next line, or `None` at the end of the input.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Line, BadLine>>> {
        let mut bytes = Vec::new();
        // Two more for the end of the line.
        let limit = self.limit;
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(2);
        if (&mut self.input).take(most).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;

        let ended = bytes.last() == Some(&b'\n');
        if ended {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if bytes.len() <= limit {
            return Ok(Some(self.format.cut(self.number, bytes)));
        }
        if !ended {
            self.skip_line()?;
        }
        let problem = format!(
            "it is longer than {limit} bytes, the most for a line while max.request.size is {}: \
             send less in one line, or raise max.request.size",
            self.max_request_size
        );
        Ok(Some(Err(BadLine {
            number: self.number,
            fault: Fault::TooLong,
            problem,
        })))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let read = self.input.fill_buf()?;
            let (length, ended) = match read.iter().position(|byte| *byte == b'\n') {
                Some(place) => (place + 1, true),
                None => (read.len(), read.is_empty()),
            };
            self.input.consume(length);
            if ended {
                return Ok(());
            }
        }
    }

    /// Whether the next line is here already, so that reading it does not wait.
    pub(crate) fn has_line(&self) -> bool
    where
        R: Buffered,
    {
        self.input.buffered().contains(&b'\n')
    }
}

/// A reader that can show what it has read ahead.
pub(crate) trait Buffered {
    fn buffered(&self) -> &[u8];
}

impl<R: Read> Buffered for io::BufReader<R> {
    fn buffered(&self) -> &[u8] {
        self.buffer()
    }
}

fn find(text: &[u8], separator: &[u8]) -> Option<usize> {
    text.windows(separator.len())
        .position(|window| window == separator)
}

fn unknown(name: &str) -> Failure {
    Failure::Usage(format!(
        "unknown reader property {name}: expected one of {}",
        NAMES.join(", ")
    ))
}

/// How much of a line may be separators and the like, beside what doubles with the record.
const SEPARATORS: usize = 1 << 16;
const NAMES: [&str; 8] = [
    "parse.key",
    "key.separator",
    "parse.headers",
    "headers.delimiter",
    "headers.separator",
    "headers.key.separator",
    "null.marker",
    "ignore.error",
];

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn format(properties: &str) -> Result<LineFormat, String> {
        let mut settings = Settings::default();
        for (name, value) in properties
            .split(' ')
            .filter_map(|pair| pair.split_once('='))
        {
            settings.set(name, value);
        }
        LineFormat::from_settings(&settings).map_err(|failure| failure.to_string())
    }

    /// The record in a line, written as `[headers] key = value`.
    fn cut(properties: &str, line: &str) -> String {
        let shown = |part: Option<&[u8]>| match part {
            Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            None => "null".to_string(),
        };
        match format(properties).unwrap().cut(7, line.as_bytes().to_vec()) {
            Ok(line) => {
                let headers: Vec<_> = line
                    .headers()
                    .map(|(key, value)| format!("{key}:{}", shown(value)))
                    .collect();
                format!(
                    "{headers:?} {} = {}",
                    shown(line.key()),
                    shown(line.value())
                )
                .replace("\\\"", "'")
            }
            Err(bad) => bad.problem,
        }
    }

    fn read(input: &[u8], limit: usize) -> Vec<Result<Vec<u8>, u64>> {
        let mut reader = LineReader::new(Cursor::new(input), LineFormat::default(), 0);
        reader.limit = limit;
        let mut lines = Vec::new();
        while let Some(line) = reader.next().unwrap() {
            lines.push(
                line.map(|line| line.value().unwrap().to_vec())
                    .map_err(|bad| bad.number),
            );
        }
        lines
    }

    #[test]
    fn a_line_is_a_value_unless_told_otherwise() {
        assert_eq!(cut("", "a\tb"), r#"[] null = "a\tb""#);
        assert_eq!(cut("", ""), r#"[] null = """#);
    }

    #[test]
    fn a_key_ends_at_the_first_separator() {
        assert_eq!(cut("parse.key=true", "k\tv\tw"), r#"[] "k" = "v\tw""#);
        assert_eq!(
            cut("parse.key=TRUE key.separator=:", "k:v"),
            r#"[] "k" = "v""#
        );
        assert_eq!(
            cut("parse.key=true key.separator=::", "k:x::v"),
            r#"[] "k:x" = "v""#
        );
        assert_eq!(cut("parse.key=true", "\t"), r#"[] "" = """#);
    }

    #[test]
    fn headers_come_before_the_key() {
        let both = "parse.key=true parse.headers=true";
        assert_eq!(
            cut(both, "a:1,b:2\tk\tv"),
            r#"["a:'1'", "b:'2'"] "k" = "v""#
        );
        assert_eq!(
            cut("parse.headers=true", "a:1:2\tv"),
            r#"["a:'1:2'"] null = "v""#
        );
        assert_eq!(
            cut("parse.headers=true", "a:1,,\tv"),
            r#"["a:'1'"] null = "v""#
        );
        assert_eq!(cut("parse.headers=true", "a:\tv"), r#"["a:''"] null = "v""#);
    }

    #[test]
    fn the_null_marker_makes_each_part_null() {
        let all = "parse.key=true parse.headers=true null.marker=NULL";
        assert_eq!(cut(all, "NULL\tNULL\tNULL"), "[] null = null");
        assert_eq!(cut(all, "a:NULL\tk\tv"), r#"["a:null"] "k" = "v""#);
        assert_eq!(
            cut(all, "NULL:1\tk\tv"),
            "a header's key is the null.marker \"NULL\": keys cannot be null"
        );
    }

    #[test]
    fn a_missing_separator_is_an_error_or_ignored() {
        assert_eq!(
            cut("parse.key=true", "abc"),
            "no key.separator \"\\t\" found: write one, or set the reader property \
             ignore.error=true"
        );
        assert_eq!(
            cut("parse.key=true ignore.error=true", "abc"),
            r#"[] null = "abc""#
        );
        assert_eq!(
            cut("parse.headers=true", "abc"),
            "no headers.delimiter \"\\t\" found: write one, or set the reader property \
             ignore.error=true"
        );
        assert_eq!(
            cut("parse.headers=true", "ab\tc"),
            "no headers.key.separator \":\" found in the header \"ab\": write one, or set the \
             reader property ignore.error=true"
        );
        assert_eq!(
            cut("parse.headers=true ignore.error=true", "ab\tc"),
            r#"["ab:null"] null = "c""#
        );
    }

    #[test]
    fn separators_must_differ() {
        for (properties, names) in [
            (
                "headers.delimiter=,",
                "headers.delimiter and headers.separator",
            ),
            (
                "headers.delimiter=:",
                "headers.delimiter and headers.key.separator",
            ),
            (
                "headers.separator=:",
                "headers.separator and headers.key.separator",
            ),
            (
                "null.marker=x key.separator=x",
                "null.marker and key.separator",
            ),
            ("null.marker=,", "null.marker and headers.separator"),
            (
                "null.marker=x headers.delimiter=x",
                "null.marker and headers.delimiter",
            ),
            ("null.marker=:", "null.marker and headers.key.separator"),
        ] {
            let error = format(properties).unwrap_err();
            assert!(
                error.starts_with(&format!("{names} may not be equal: both are ")),
                "{error}"
            );
        }
        assert_eq!(format("key.separator=\t").unwrap(), LineFormat::default());
    }

    #[test]
    fn properties_that_mean_nothing_are_refused() {
        assert_eq!(
            format("parse.keys=true").unwrap_err(),
            "unknown reader property parse.keys: expected one of parse.key, key.separator, \
             parse.headers, headers.delimiter, headers.separator, headers.key.separator, \
             null.marker, ignore.error"
        );
        assert_eq!(
            format("parse.key=yes").unwrap_err(),
            "reader property parse.key is \"yes\": expected true or false"
        );
        assert_eq!(
            format("key.separator=").unwrap_err(),
            "key.separator is empty: expected at least one character"
        );
    }

    #[test]
    fn a_header_key_must_be_text_and_nothing_else_must() {
        let format = format("parse.key=true parse.headers=true").unwrap();
        let line = format.cut(1, b"a:\xff\t\xfe\t\xfd".to_vec()).unwrap();
        assert_eq!(line.key(), Some(&b"\xfe"[..]));
        assert_eq!(line.value(), Some(&b"\xfd"[..]));
        assert_eq!(line.headers().next(), Some(("a", Some(&b"\xff"[..]))));
        let bad = format.cut(1, b"\xff:a\tk\tv".to_vec()).unwrap_err();
        assert_eq!(bad.problem, "a header's key is not UTF-8: \"\u{fffd}\"");
    }

    #[test]
    fn lines_end_with_and_without_a_return() {
        let lines = read(b"a\r\nb\n\n\xff\rc\nlast", 100);
        let expected: [&[u8]; 5] = [b"a", b"b", b"", b"\xff\rc", b"last"];
        assert_eq!(lines, expected.map(|line| Ok(line.to_vec())));
        assert_eq!(read(b"", 100), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_not_kept() {
        assert_eq!(read(&[b'x'; 1000], 4), [Err(1)]);
        assert_eq!(
            read(b"xxxxx\nyyyy\r\nzzzzzzzzzz\nw", 4),
            [Err(1), Ok(b"yyyy".to_vec()), Err(3), Ok(b"w".to_vec())]
        );
    }

    #[test]
    fn a_line_that_is_too_long_names_the_limit_and_its_setting() {
        let input = vec![b'x'; 66_000];
        let mut reader = LineReader::new(Cursor::new(input), LineFormat::default(), 100);
        assert_eq!(
            reader.next().unwrap().unwrap().unwrap_err().problem,
            "it is longer than 65736 bytes, the most for a line while max.request.size is 100: \
             send less in one line, or raise max.request.size"
        );
    }

    #[test]
    fn a_line_that_is_here_is_seen_without_reading() {
        let input = BufReader::new(Cursor::new(b"a\nb\nc".to_vec()));
        let mut reader = LineReader::new(input, LineFormat::default(), 100);
        assert!(!reader.has_line());
        reader.next().unwrap();
        assert!(reader.has_line());
        reader.next().unwrap();
        assert!(!reader.has_line());
    }
}
