//! Pixels as images have them, and which of them are not background.

use mlp_parity::Dataset;

/// Elements of a row that share a mask.
pub(super) const MASKED: usize = u64::BITS as usize;

/// What an element is stored as.
pub(crate) trait Pixel: Copy + Default + PartialEq {
    /// The number that it stands for: 0 for the default.
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
        static VALUES: [f32; 256] = {
            let mut values = [0.0; 256];
            let mut pixel = 0;
            while pixel < values.len() {
                values[pixel] = Dataset::value(pixel as u8);
                pixel += 1;
            }
            values
        };
        VALUES[usize::from(self)]
    }
}

/// 1, or 0 for a zero.
#[inline(always)]
fn is_something<T: Pixel>(element: T) -> u8 {
    u8::from(element != T::default())
}

/// A bit for each of at most [`MASKED`] elements, set where it is not zero.
#[inline(always)]
pub(super) fn mask<T: Pixel>(elements: &[T]) -> u64 {
    let (sixteens, rest) = elements.as_chunks::<16>();
    let mut mask = 0;
    for (index, sixteen) in sixteens.iter().enumerate() {
        mask |= u64::from(mask_of_16(sixteen.map(is_something))) << (16 * index);
    }
    for (index, &element) in (16 * sixteens.len()..).zip(rest) {
        mask |= u64::from(is_something(element)) << index;
    }
    mask
}

/// A bit for each byte, set where it is not zero. The compiler does not find these two instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn mask_of_16(bytes: [u8; 16]) -> u16 {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_setzero_si128};
    // SAFETY: both are sixteen bytes in the same order, and every bit pattern is one.
    let bytes = unsafe { std::mem::transmute::<[u8; 16], __m128i>(bytes) };
    // SAFETY: SSE2 is part of x86-64.
    let zeros = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) };
    !(zeros as u16)
}

#[cfg(not(target_arch = "x86_64"))]
fn mask_of_16(bytes: [u8; 16]) -> u16 {
    bytes.iter().rev().fold(0, |mask, &byte| mask << 1 | u16::from(byte != 0))
}

/// Asks for it in advance. So memory is waited for once, and not row after row.
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for part in row.chunks(64 / size_of::<T>()) {
        // SAFETY: SSE is part of x86-64, and asking for a byte reads nothing.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(part.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_element_that_is_not_zero() {
        for count in [1, 15, 16, 17, 50, 64] {
            for set in 0..count {
                let mut elements = vec![0.0_f32; count];
                elements[set] = if set % 2 == 0 { f32::NAN } else { -1e-45 };
                assert_eq!(mask(&elements), 1 << set, "{count}, {set}");
                let bytes: Vec<u8> =
                    elements.iter().map(|&element| u8::from(element != 0.0) * (set as u8 | 128)).collect();
                assert_eq!(mask(&bytes), 1 << set, "{count}, {set}");
            }
        }
    }
}
