//! Small repairs to sentences that are put together from several mouths.

/// The text with each address that cannot be connected to named once: whoever says
/// `a:1: connecting to a:1: refused` has said where already.
pub(crate) fn addressed_once(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(CONNECTING) {
        let (before, after) = rest.split_at(at);
        let after = &after[CONNECTING.len()..];
        said.push_str(before);
        match after.split_once(": ") {
            Some((address, reason)) if names(sentence(&said), address) => {
                said.push_str(": ");
                rest = reason;
            }
            _ => {
                said.push_str(CONNECTING);
                rest = after;
            }
        }
    }
    said + rest
}

/// What has been said since the last full stop.
fn sentence(said: &str) -> &str {
    said.rsplit_once(". ").map_or(said, |(_, last)| last)
}

/// Whether the address stands there, and not only as a part of a longer one.
fn names(text: &str, address: &str) -> bool {
    !address.is_empty()
        && text.match_indices(address).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let next = text[at + address.len()..].chars().next();
            let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            !before.is_some_and(goes_on) && !next.is_some_and(|next| next.is_ascii_digit())
        })
}

const CONNECTING: &str = ": connecting to ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_named_is_not_named_again() {
        assert_eq!(
            addressed_once("(last 127.0.0.1:1: connecting to 127.0.0.1:1: refused)"),
            "(last 127.0.0.1:1: refused)"
        );
        assert_eq!(
            addressed_once("broker 1 (a:1), which is not connected: connecting to a:1: refused"),
            "broker 1 (a:1), which is not connected: refused"
        );
    }

    #[test]
    fn an_address_that_is_new_is_kept() {
        for text in [
            "localhost:1: connecting to 127.0.0.1:1: refused",
            "127.0.0.1:12: connecting to 127.0.0.1:1: refused",
            "data:1: connecting to a:1: refused",
            "a:1 is lost. Trouble: connecting to a:1: refused",
            "connecting to a:1",
            ": connecting to ",
        ] {
            assert_eq!(addressed_once(text), text);
        }
    }
}
