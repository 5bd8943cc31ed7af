//! Separates Rust's code from its comments and literals, so that rules look at one of them.
//!
//! Not a parser: it knows where strings, characters and comments begin and end, and nothing else.
//! Both masks have as many characters and lines as the source; what does not belong is a space.

/// One source, twice.
#[derive(Debug)]
pub(crate) struct Masked {
    /// The code; strings keep their quotes and lose what is between them.
    pub(crate) code: String,
    /// The comments, with their slashes.
    pub(crate) comments: String,
}

impl Masked {
    pub(crate) fn new(source: &str) -> Self {
        let mut scanner = Scanner {
            rest: source,
            code: String::new(),
            comments: String::new(),
        };
        while !scanner.rest.is_empty() {
            scanner.step();
        }
        Self {
            code: scanner.code,
            comments: scanner.comments,
        }
    }
}

/// Which mask a piece of source belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
    comments: String,
}

impl Scanner<'_> {
    /// Takes the next comment, literal, word or other character.
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.take(rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
        } else if rest.starts_with("/*") {
            self.take(block_comment(rest), Kind::Comment);
        } else if let Some(length) = raw_string(rest) {
            self.take_quoted(length);
        } else if let Some(length) = string(rest) {
            self.take_quoted(length);
        } else if let Some(length) = character(rest) {
            self.take_quoted(length);
        } else {
            self.take(word(rest), Kind::Code);
        }
    }

    /// Takes a literal, of which the first and the last character stay as code.
    fn take_quoted(&mut self, length: usize) {
        let closed = self.rest[1..length].ends_with(['"', '\'', '#']);
        self.take(1, Kind::Code);
        self.take(length - 1 - usize::from(closed), Kind::Literal);
        self.take(usize::from(closed), Kind::Code);
    }

    fn take(&mut self, length: usize, kind: Kind) {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        for character in taken.chars() {
            let shown = |kept: bool| {
                if kept || character == '\n' {
                    character
                } else {
                    ' '
                }
            };
            self.code.push(shown(kind == Kind::Code));
            self.comments.push(shown(kind == Kind::Comment));
        }
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of `r"…"`, `br#"…"#` and their like, if the text begins with one.
fn raw_string(text: &str) -> Option<usize> {
    let bare = ["r", "br", "cr"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = bare.len() - bare.trim_start_matches('#').len();
    let body = bare[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &bare[..hashes]);
    let start = text.len() - body.len();
    Some(
        body.find(&end)
            .map_or(text.len(), |at| start + at + end.len()),
    )
}

/// The length of `"…"`, `b"…"` or `c"…"`, if the text begins with one.
fn string(text: &str) -> Option<usize> {
    let bare = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let body = bare.strip_prefix('"')?;
    let start = text.len() - body.len();
    Some(start + closing(body, '"').unwrap_or(body.len()))
}

/// The length of `'…'` or `b'…'`, if the text begins with one; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let bare = text.strip_prefix('b').unwrap_or(text);
    let body = bare.strip_prefix('\'')?;
    let start = text.len() - body.len();
    let first = body.chars().next()?;
    if first == '\\' {
        return Some(start + closing(body, '\'')?);
    }
    let after = &body[first.len_utf8()..];
    after
        .starts_with('\'')
        .then(|| start + first.len_utf8() + 1)
}

/// How far the first quote that no backslash hides is, itself included.
fn closing(body: &str, quote: char) -> Option<usize> {
    let mut hidden = false;
    for (at, character) in body.char_indices() {
        if !hidden && character == quote {
            return Some(at + 1);
        }
        hidden = !hidden && character == '\\';
    }
    None
}

/// The length of the word at the beginning, or of one character.
///
/// A word is taken whole, so that the `r` at the end of `for"…"` begins no raw string.
fn word(text: &str) -> usize {
    let end = text.find(|next: char| !is_word(next)).unwrap_or(text.len());
    if end == 0 {
        text.chars().next().map_or(0, char::len_utf8)
    } else {
        end
    }
}

/// Whether a character can be part of a name.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str, comments: &str) {
        let masked = Masked::new(source);
        assert_eq!(masked.code, code);
        assert_eq!(masked.comments, comments);
    }

    #[test]
    fn comments_are_apart_from_code() {
        check("a // b\nc", "a     \nc", "  // b\n ");
        check(
            "a /* b\n/* c */ { */ d",
            "a     \n             d",
            "  /* b\n/* c */ { */  ",
        );
        check("a /* open", "a        ", "  /* open");
    }

    #[test]
    fn strings_are_emptied() {
        check(r#"f("{ // \" }")"#, r#"f("         ")"#, "              ");
        check(r#"b"{" c"{""#, r#"b  " c  ""#, "         ");
        check("\"open ß", "\"      ", "       ");
        check("\"", "\"", " ");
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        check(r##"r#"{"}"# }"##, r##"r      # }"##, "          ");
        check(r##"br"\" }"##, r##"b   " }"##, "       ");
        check("r#type {", "r#type {", "        ");
    }

    #[test]
    fn characters_are_emptied_and_lifetimes_are_not() {
        check(
            "'{' b'\\'' '\\u{7d}' 'ß'",
            "' ' b   ' '      ' ' '",
            "                      ",
        );
        check(
            "fn f<'a>(x: &'a str)",
            "fn f<'a>(x: &'a str)",
            "                    ",
        );
    }

    #[test]
    fn a_word_that_ends_in_r_begins_no_raw_string() {
        check("for\"{\"", "for\" \"", "      ");
    }
}
