//! The fast paths, and the only unsafe code. Each is equal to its textbook twin, which its tests hold beside it.
#![allow(unsafe_code)]

mod product;
mod sparse;

pub use product::product;
pub(crate) use sparse::Sparse;

/// The instruction set that the matrix product runs on here. Results are the same to the bit for one instruction set.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return "avx2";
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return "neon";
    }
    "portable"
}
