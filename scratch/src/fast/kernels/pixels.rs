//! Access to the pixels of images: conversion to `f32`, bit masks of the non-zero pixels, and prefetching.

use mlp_parity::Dataset;

/// Number of pixels that one mask covers: 64, one bit each.
pub(super) const MASK_BITS: usize = u64::BITS as usize;

/// A stored pixel: a byte of a data set, or an `f32` of a batch.
pub(crate) trait Pixel: Copy + Default + PartialEq {
    /// Returns the network's input for this pixel. The default pixel (background) gives 0.
    fn value(self) -> f32;
}

impl Pixel for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

impl Pixel for u8 {
    #[inline(always)]
    fn value(self) -> f32 {
        // A table instead of a division by 255: the sparse products convert a pixel for each strip of columns.
        static VALUES: [f32; 256] = {
            let mut values = [0.0; 256];
            let mut pixel = 0;
            while pixel < values.len() {
                values[pixel] = Dataset::scale_pixel(pixel as u8);
                pixel += 1;
            }
            values
        };
        VALUES[usize::from(self)]
    }
}

/// Returns 1 if `pixel` is not zero, else 0. NaN counts as non-zero.
#[inline(always)]
fn non_zero_flag<T: Pixel>(pixel: T) -> u8 {
    u8::from(pixel != T::default())
}

/// Returns a mask in which bit i is set if `pixels[i]` is not zero. `pixels` has at most [`MASK_BITS`] elements.
#[inline(always)]
pub(super) fn mask<T: Pixel>(pixels: &[T]) -> u64 {
    let (sixteens, rest) = pixels.as_chunks::<16>();
    let mut mask = 0;
    for (index, sixteen) in sixteens.iter().enumerate() {
        mask |= u64::from(mask_of_16(sixteen.map(non_zero_flag))) << (16 * index);
    }
    for (index, &pixel) in (16 * sixteens.len()..).zip(rest) {
        mask |= u64::from(non_zero_flag(pixel)) << index;
    }
    mask
}

/// Returns a mask in which bit i is set if `bytes[i]` is not zero.
///
/// Two SSE2 instructions do this, but the compiler does not generate them from the portable loop.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn mask_of_16(bytes: [u8; 16]) -> u16 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_setzero_si128};
    // SAFETY: `[u8; 16]` and `__m128i` both have 16 bytes without padding, and every bit pattern is a valid `__m128i`.
    let bytes = unsafe { std::mem::transmute::<[u8; 16], __m128i>(bytes) };
    // SAFETY: the intrinsics need SSE2, which every x86-64 processor has; they access no memory.
    let zeros = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) };
    !(zeros as u16)
}

#[cfg(not(target_arch = "x86_64"))]
fn mask_of_16(bytes: [u8; 16]) -> u16 {
    bytes.iter().rev().fold(0, |mask, &byte| mask << 1 | u16::from(byte != 0))
}

/// Prefetches a row of pixels into the level 1 cache. Does nothing on processors other than x86-64.
///
/// The images of a shuffled batch are scattered over memory, where hardware prefetchers do not help. Prefetches of many
/// images overlap, so their latencies are not added up one image after the other.
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for cache_line in row.chunks(64 / size_of::<T>()) {
        // SAFETY: the intrinsic needs SSE, which every x86-64 processor has. A prefetch is a hint: it does not read
        // memory in the sense of the language and cannot fault. The pointer comes from a live slice.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(cache_line.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixel_mask_marks_non_zero_pixels() {
        for count in [1, 15, 16, 17, 50, 64] {
            for set in 0..count {
                let mut pixels = vec![0.0_f32; count];
                pixels[set] = if set % 2 == 0 { f32::NAN } else { -1e-45 };
                assert_eq!(mask(&pixels), 1 << set, "pixel {set} of {count}");
                let bytes: Vec<u8> = pixels.iter().map(|&pixel| u8::from(pixel != 0.0) * (set as u8 | 128)).collect();
                assert_eq!(mask(&bytes), 1 << set, "pixel {set} of {count}");
            }
        }
    }
}
