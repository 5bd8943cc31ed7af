//! Text of Java's `.properties` files, read as `java.util.Properties.load` reads it.
//!
//! Logical lines come first (comments and blank lines fall away, a line that ends in an odd
//! number of backslashes goes on in the next), then each is cut into name and value, then
//! escapes are resolved in both.

use alloc::string::String;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

/// Text that is not in the format of `.properties` files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: expected four hexadecimal digits after \\u, found {found:?}; mend the escape"
)]
pub struct PropertiesError {
    /// The line in which the logical line starts, from 1.
    pub line: usize,
    /// What stood after `\u`.
    pub found: String,
}

/// The settings of a properties file in their order; a name may stand more than once, and then
/// the last one counts.
///
/// ```
/// use kafka_producer_machine::properties;
///
/// let text = "# brokers\nbootstrap.servers = a:9092,\\\n    b:9092\nlinger.ms: 5\n";
/// let settings = properties::parse(text).expect("the escapes are right");
/// assert_eq!(settings[0], ("bootstrap.servers".into(), "a:9092,b:9092".into()));
/// assert_eq!(settings[1], ("linger.ms".into(), "5".into()));
/// ```
pub fn parse(text: &str) -> Result<Vec<(String, String)>, PropertiesError> {
    let mut settings = Vec::new();
    for (line, logical) in LogicalLines::new(text) {
        let (name, value) = split(&logical);
        let unescape = |part| unescape(part).map_err(|found| PropertiesError { line, found });
        settings.push((unescape(name)?, unescape(value)?));
    }
    Ok(settings)
}

/// Logical lines with the number of the natural line that each starts in.
struct LogicalLines<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    /// Whether the last natural line ended in two characters.
    ended_in_two: bool,
}

impl<'a> LogicalLines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 0,
            ended_in_two: false,
        }
    }

    /// The next natural line without its leading blanks and its end.
    fn natural(&mut self) -> Option<String> {
        self.rest.peek()?;
        self.line += 1;
        self.ended_in_two = false;
        while self.rest.next_if(|c| is_blank(*c)).is_some() {}

        let mut line = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\n' => return Some(line),
                '\r' => {
                    self.ended_in_two = self.rest.next_if_eq(&'\n').is_some();
                    return Some(line);
                }
                c => line.push(c),
            }
        }
        Some(line)
    }
}

impl Iterator for LogicalLines<'_> {
    type Item = (usize, String);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut logical = self.natural()?;
            let start = self.line;
            // Comments do not go on, whatever they end with.
            if logical.is_empty() || logical.starts_with(['#', '!']) {
                continue;
            }
            while goes_on(&logical) {
                logical.pop();
                let Some(next) = self.natural() else {
                    // Java looks for more behind the first character of a line's end: where
                    // there is none, even nothing is a line.
                    let is_line = !logical.is_empty() || !self.ended_in_two;
                    return is_line.then_some((start, logical));
                };
                // Java looks for comments wherever nothing has been collected yet.
                if logical.is_empty() && next.starts_with(['#', '!']) {
                    break;
                }
                logical.push_str(&next);
                if next.is_empty() {
                    break;
                }
            }
            if !logical.is_empty() {
                return Some((start, logical));
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn goes_on(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1
}

/// Name and value, still escaped: the first `=`, `:` or blank that is not escaped parts them.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let parts = !escaped && (matches!(c, '=' | ':') || is_blank(c));
        escaped = c == '\\' && !escaped;
        parts
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, rest.trim_start_matches(is_blank))
}

/// The text without its escapes, or what stood after a `\u` in place of four digits.
fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    // A character beyond the first 65,536 is written as two escapes.
    let mut high = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let unit = match c {
            '\\' => match rest.next() {
                Some('u') => unicode(&mut rest)?,
                Some('t') => u32::from('\t'),
                Some('n') => u32::from('\n'),
                Some('r') => u32::from('\r'),
                Some('f') => 0xc,
                Some(other) => u32::from(other),
                // The last line of a file may end in a backslash: it is dropped.
                None => break,
            },
            c => u32::from(c),
        };
        push(&mut plain, &mut high, unit);
    }
    if high.is_some() {
        plain.push(char::REPLACEMENT_CHARACTER);
    }
    Ok(plain)
}

fn unicode(rest: &mut Chars<'_>) -> Result<u32, String> {
    let digits: String = rest.clone().take(4).collect();
    let value = u32::from_str_radix(&digits, 16).ok();
    match value {
        Some(value) if digits.len() == 4 && !digits.starts_with('+') => {
            rest.nth(3);
            Ok(value)
        }
        _ => Err(digits),
    }
}

/// Appends a UTF-16 unit or a whole character; halves that do not meet become U+FFFD.
fn push(plain: &mut String, high: &mut Option<u32>, unit: u32) {
    match (high.take(), unit) {
        (Some(first), 0xdc00..=0xdfff) => {
            let joined = 0x1_0000 + ((first - 0xd800) << 10) + (unit - 0xdc00);
            plain.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            return;
        }
        (Some(_), _) => plain.push(char::REPLACEMENT_CHARACTER),
        (None, _) => {}
    }
    if (0xd800..=0xdbff).contains(&unit) {
        *high = Some(unit);
    } else {
        plain.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::config::testing::wrapped;

    fn check(text: &str, outcome: Expect) {
        let found = match parse(text) {
            Ok(settings) => settings
                .iter()
                .map(|setting| format!("{setting:?}"))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(error) => error.to_string(),
        };
        outcome.assert_eq(&wrapped(&found));
    }

    #[test]
    fn each_separator_parts_name_and_value() {
        check(
            "a=1\nb:2\nc 3\nd\t=\t4\ne = = 5\nf\n g =6 \n",
            expect![[r#"
                ("a", "1")
                ("b", "2")
                ("c", "3")
                ("d", "4")
                ("e", "= 5")
                ("f", "")
                ("g", "6 ")"#]],
        );
    }

    #[test]
    fn comments_and_blank_lines_fall_away() {
        check(
            "# a=1\n  ! b=2 \\\nc=3 # not a comment\n\n \t \nd=4",
            expect![[r#"
                ("c", "3 # not a comment")
                ("d", "4")"#]],
        );
    }

    #[test]
    fn a_line_goes_on_after_an_odd_number_of_backslashes() {
        check(
            "a=1,\\\n   2\\\\\nb=x\\\r\n# y\nc=z\\",
            expect![[r##"
                ("a", "1,2\\")
                ("b", "x# y")
                ("c", "z")"##]],
        );
    }

    #[test]
    fn a_blank_line_ends_what_went_on() {
        check(
            "a=1\\\n\nb=2",
            expect![[r#"
                ("a", "1")
                ("b", "2")"#]],
        );
    }

    #[test]
    fn a_text_that_ends_in_a_lone_backslash_holds_a_nameless_setting_as_in_java() {
        check("\\", expect![[r#"("", "")"#]]);
        check("\\\n", expect![[r#"("", "")"#]]);
        check("\\\r\n", expect![""]);
    }

    #[test]
    fn escapes_are_resolved_in_names_and_values() {
        check(
            "a\\=b\\:c\\ d=\\t\\n\\r\\f\\\\\\q\nk=\\u00e9\\ud83d\\ude00\\ud83dx",
            expect![[r#"
                ("a=b:c d", "\t\n\r\u{c}\\q")
                ("k", "é😀�x")"#]],
        );
    }

    #[test]
    fn every_end_of_line_counts() {
        check(
            "a=1\rb=2\r\nc=3\n\rd=4",
            expect![[r#"
                ("a", "1")
                ("b", "2")
                ("c", "3")
                ("d", "4")"#]],
        );
    }

    #[test]
    fn an_escape_without_four_digits_is_refused_with_its_line() {
        check(
            "a=1\nb=2\\\n3\\u12",
            expect![[r#"
                line 2: expected four hexadecimal digits after \u, found
                  "12"; mend the escape"#]],
        );
        check(
            "a=\\u+123",
            expect![[r#"
                line 1: expected four hexadecimal digits after \u, found
                  "+123"; mend the escape"#]],
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\\\u0-9a-f#!=: \t\r\n\u{c}\u{1F600}]{0,60}") {
            let _ = parse(&text);
        }
    }
}
