//! What can go wrong with a codec.

use super::Codec;

/// A records section that could not be compressed or decompressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The codec is known, but its feature was off when this was built.
    #[error("{codec} is not compiled in: build with feature {feature}, or use another codec")]
    NotCompiledIn {
        /// The codec.
        codec: Codec,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// A level that the codec does not have.
    #[error("{codec} has no compression level {level}, its default is {}", codec.default_level())]
    Level {
        /// The codec.
        codec: Codec,
        /// The level asked for.
        level: i32,
    },
    /// The codec's library gave up.
    #[error("{codec} failed to compress {bytes} bytes")]
    Failed {
        /// The codec.
        codec: Codec,
        /// Length of the input.
        bytes: usize,
    },
    /// The bytes are not what the codec writes.
    #[error("not valid {codec} data: {reason}")]
    Malformed {
        /// The codec.
        codec: Codec,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// More comes out than the caller allows.
    #[error("{codec} data expands to more than {limit} bytes")]
    TooLarge {
        /// The codec.
        codec: Codec,
        /// What the caller allows.
        limit: usize,
    },
}
