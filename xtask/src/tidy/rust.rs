//! The rules for Rust files: how long functions and files may be, how a file begins, and what
//! must not be in the code.

use crate::tidy::Finding;
use crate::tidy::mask::{Masked, is_word};

/// How long a function may be, from `fn` to its closing brace.
const FUNCTION: usize = 70;

/// How long a file may be without its tests.
const FILE: usize = 500;

/// What must not be in code, and what to do about it.
const FORBIDDEN: [(&str, &str); 6] = [
    ("todo!", "do it now, or write an issue and return an error"),
    (
        "unimplemented!",
        "do it now, or write an issue and return an error",
    ),
    ("dbg!", "take it out"),
    ("#[ignore", "mend the test or take it out"),
    (
        "#[should_panic",
        "return an error and compare it, nothing panics here",
    ),
    ("unsafe", "use a published crate that is safe to call"),
];

/// What must not be in comments.
const UNFINISHED: [&str; 2] = ["FIXME", "XXX"];

/// Everything that is wrong with a file.
pub(crate) fn check(path: &str, source: &str) -> Vec<Finding> {
    let masked = Masked::new(source);
    let mut findings = Vec::new();
    if !source.starts_with("//!") {
        let what = "expected a //! header, say the file's job in one sentence";
        findings.push(Finding::new(path, 1, what));
    }
    let lines = lines_without_tests(&masked.code);
    if FILE < lines && !is_test(path) {
        let what =
            format!("{lines} lines without tests, at most {FILE}: look for the module to cut out");
        findings.push(Finding::new(path, lines, what));
    }
    for function in functions(&masked.code) {
        if FUNCTION < function.lines {
            let Function { name, line, lines } = function;
            let what =
                format!("{name} has {lines} lines, at most {FUNCTION}: look for the missing type");
            findings.push(Finding::new(path, line, what));
        }
    }
    for (what, instead) in FORBIDDEN {
        for line in lines_with(&masked.code, what) {
            findings.push(Finding::new(
                path,
                line,
                format!("{what} in the code: {instead}"),
            ));
        }
    }
    for what in UNFINISHED {
        for line in lines_with(&masked.comments, what) {
            let what = format!("{what} in a comment: do it now, or write an issue");
            findings.push(Finding::new(path, line, what));
        }
    }
    findings
}

/// Whether the whole file is tests.
fn is_test(path: &str) -> bool {
    let is_test = |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs");
    path.split('/').any(is_test)
}

/// How many lines stand before a test module that ends the file.
fn lines_without_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let last = lines
        .iter()
        .rposition(|line| line.starts_with("#[cfg(test)]"));
    match last {
        Some(line) if lines[line..].iter().any(|next| next.starts_with("mod ")) => line,
        _ => lines.len(),
    }
}

/// The lines, counted from 1, where `what` stands by itself and not within a longer word.
fn lines_with(mask: &str, what: &str) -> Vec<usize> {
    let stands = |line: &str| {
        line.match_indices(what).any(|(at, _)| {
            let starts_word = what.starts_with(is_word) && line[..at].ends_with(is_word);
            let ends_word = what.ends_with(is_word) && line[at + what.len()..].starts_with(is_word);
            !starts_word && !ends_word
        })
    };
    let numbered = mask.lines().zip(1..);
    numbered
        .filter(|(line, _)| stands(line))
        .map(|(_, number)| number)
        .collect()
}

#[derive(Debug, Eq, PartialEq)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// Every function that has a body; one within another counts by itself and in the other.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at..];
        let name = rest[3..]
            .split(|next| !is_word(next))
            .next()
            .unwrap_or_default();
        if let Some(end) = body_end(rest) {
            let line = 1 + newlines(&code[..at]);
            functions.push(Function {
                name,
                line,
                lines: 1 + newlines(&rest[..end]),
            });
        }
    }
    functions
}

/// Where the body that follows a signature ends; `None` if a semicolon comes first.
fn body_end(signature: &str) -> Option<usize> {
    // Parentheses and brackets may hold semicolons, `[u8; 4]`, and braces, `[u8; { N }]`.
    let mut nested = 0;
    let mut braces = 0;
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' if braces == 0 => nested += 1,
            ')' | ']' if braces == 0 => nested -= 1,
            ';' if nested == 0 && braces == 0 => return None,
            '{' if nested == 0 => braces += 1,
            '}' if nested == 0 => {
                braces -= 1;
                if braces <= 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, source: &str) -> Vec<String> {
        check(path, source)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn function(lines: usize) -> String {
        format!(
            "//! Header.\nfn long() {{\n{}}}\n",
            "    call();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        assert_eq!(found("a.rs", &function(70)), [""; 0]);
        let wanted = "a.rs:2: long has 71 lines, at most 70: look for the missing type";
        assert_eq!(found("a.rs", &function(71)), [wanted]);
    }

    #[test]
    fn a_function_is_found_whatever_its_signature_and_its_literals_hold() {
        let code = "fn a(x: [u8; 4]) -> [u8; { N }] where X: Fn() -> u8 {\n    '{';\n}\n
trait T { fn b(&self); fn c(&self) {\n} }
type P = fn (u8);";
        let code = Masked::new(code).code;
        let functions = functions(&code);
        assert_eq!(
            functions,
            [
                Function {
                    name: "a",
                    line: 1,
                    lines: 3
                },
                Function {
                    name: "c",
                    line: 5,
                    lines: 2
                },
            ]
        );
    }

    #[test]
    fn a_nested_function_counts_in_both() {
        let names: Vec<&str> = functions("fn a() {\nfn b() {\n}\n}\n")
            .iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_file_of_501_lines_is_too_long() {
        let source = |lines: usize| format!("//! Header.\n{}", "use a;\n".repeat(lines - 1));
        assert_eq!(found("a.rs", &source(500)), [""; 0]);
        let wanted =
            "a.rs:501: 501 lines without tests, at most 500: look for the module to cut out";
        assert_eq!(found("a.rs", &source(501)), [wanted]);
    }

    #[test]
    fn tests_do_not_count_as_lines_of_a_file() {
        let tests = format!(
            "#[cfg(test)]\nmod tests {{\n{}}}\n",
            "    use a;\n".repeat(600)
        );
        assert_eq!(found("a.rs", &format!("//! Header.\n{tests}")), [""; 0]);
        let only_tests = format!("//! Header.\n{}", "use a;\n".repeat(600));
        assert_eq!(found("producer-sim/tests/a.rs", &only_tests), [""; 0]);
        for path in ["sim/src/broker/tests.rs", "sim/src/broker_tests.rs"] {
            assert_eq!(found(path, &only_tests), [""; 0]);
        }
    }

    #[test]
    fn a_missing_header_is_found() {
        let wanted = "a.rs:1: expected a //! header, say the file's job in one sentence";
        assert_eq!(found("a.rs", "use a;\n"), [wanted]);
    }

    #[test]
    fn unfinished_code_is_found() {
        let source = "//! Header.\nfn f() {\n    todo!();\n    dbg!(1);\n}\n#[ignore]\n// FIXME\n";
        let lines: Vec<usize> = check("a.rs", source)
            .iter()
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [3, 4, 6, 7]);
    }

    #[test]
    fn words_in_strings_comments_and_longer_words_are_not_code() {
        let source = "//! No unsafe, no todo!() here.\n#![forbid(unsafe_code)]\nuse \"unsafe\";\n";
        assert_eq!(found("a.rs", source), [""; 0]);
    }

    #[test]
    fn an_unsafe_block_is_found() {
        let wanted = "a.rs:2: unsafe in the code: use a published crate that is safe to call";
        assert_eq!(
            found("a.rs", "//! Header.\nfn f() { unsafe { g() } }\n"),
            [wanted]
        );
    }
}
