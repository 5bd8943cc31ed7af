//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::{Failure, Outcome};

/// The first of `count` ports from `port` on that somebody else has.
pub(crate) fn first_taken(port: u16, count: u16) -> Option<u16> {
    let is_taken = |&port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err();
    (port..port.saturating_add(count)).find(is_taken)
}

/// The first port from `port` on where `count` ports in a row are free.
pub(crate) fn first_free(mut port: u16, count: u16) -> Outcome<u16> {
    while port.checked_add(count).is_some() {
        match first_taken(port, count) {
            None => return Ok(port),
            Some(taken) => port = taken + 1,
        }
    }
    Err(Failure::new(format!(
        "expected {count} free ports in a row, found none"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_found_and_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();

        assert_eq!(first_taken(port, 2), Some(port));
        assert!(port < first_free(port, 2).unwrap());
    }

    #[test]
    fn ports_end_at_65535() {
        assert!(first_free(65535, 2).is_err());
    }
}
