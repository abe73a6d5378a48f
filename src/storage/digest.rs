//! Hexadecimal text form of digests.

/// Formats bytes as lower-case hexadecimal, two digits per byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
