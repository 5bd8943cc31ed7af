//! CRC-32C (Castagnoli), the checksum of record batches, behind one function.
//!
//! With `std` the processor computes it (`crc32c`: SSE4.2, AArch64), without `std` a table does
//! (`crc`), since no crate that knows the instructions builds without `std`. Everything else calls
//! [`crc32c()`] only, so that a faster implementation can be tried in this one place.

/// The checksum of what `previous` is the checksum of, followed by `bytes`; start with 0.
#[cfg(feature = "std")]
#[must_use]
pub fn crc32c(previous: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(previous, bytes)
}

/// The checksum of what `previous` is the checksum of, followed by `bytes`; start with 0.
#[cfg(not(feature = "std"))]
#[must_use]
pub fn crc32c(previous: u32, bytes: &[u8]) -> u32 {
    table::crc32c(previous, bytes)
}

/// The implementation for targets without `std`; tests compare it with the other one.
#[cfg(any(test, not(feature = "std")))]
mod table {
    use ::crc::{CRC_32_ISCSI, Crc, Table};

    static TABLE: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

    pub(super) fn crc32c(previous: u32, bytes: &[u8]) -> u32 {
        // The register is the complement of the checksum, and `crc` takes the initial register in
        // the bit order of the polynomial as written, which for this one is reversed.
        let register = (!previous).reverse_bits();

        let mut digest = TABLE.digest_with_initial(register);
        digest.update(bytes);
        digest.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::{crc32c, table};

    #[test]
    fn the_check_value_of_the_polynomial_comes_out() {
        assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
        assert_eq!(table::crc32c(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn the_checksum_of_nothing_is_zero() {
        assert_eq!(crc32c(0, b""), 0);
        assert_eq!(table::crc32c(0, b""), 0);
    }

    #[test]
    fn a_checksum_goes_on_where_the_previous_one_ended() {
        let text = b"bytes and clock ticks in, request frames out";
        let whole = crc32c(0, text);

        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(crc32c(crc32c(0, head), tail), whole);
            assert_eq!(table::crc32c(table::crc32c(0, head), tail), whole);
        }
    }
}
