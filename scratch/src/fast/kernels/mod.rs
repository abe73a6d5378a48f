//! What is fast, and the only unsafe code.
//!
//! Everything is compiled for several instruction sets, of which the machine's best is taken as the program runs, or the
//! one that the environment variable [`MLP_PARITY_KERNELS`](CHOICE) names.
#![allow(unsafe_code)]

mod crew;
mod dense;
mod pixels;
mod pool;
mod product;
mod rows;
mod sparse;

use std::sync::LazyLock;

use mlp_parity::{Error, Result};
use pulp::{Arch, WithSimd};

pub(crate) use dense::{Product, TransposedProduct, transpose};
pub(crate) use pixels::{Pixel, prefetch};
pub(crate) use pool::Pool;
pub use product::product;
pub(crate) use rows::{Row, WIDTH, tiles};
pub(crate) use sparse::{Sparse, SparseProduct, SparseTransposedProduct};

/// The environment variable that names an instruction set: `avx512`, `avx2`, `neon` or `portable`.
pub const CHOICE: &str = "MLP_PARITY_KERNELS";

/// The instruction sets that this machine has, the best one first.
fn available() -> Vec<(&'static str, Arch)> {
    let mut sets = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(pulp::x86::V4::try_new().map(|set| ("avx512", Arch::V4(set))));
        sets.extend(pulp::x86::V3::try_new().map(|set| ("avx2", Arch::V3(set))));
    }
    #[cfg(target_arch = "aarch64")]
    sets.extend(pulp::aarch64::Neon::try_new().map(|set| ("neon", Arch::Neon(set))));
    sets.push(("portable", Arch::Scalar));
    sets
}

/// Which one is used, or what is wrong with the one that was asked for.
static CHOSEN: LazyLock<Result<(&'static str, Arch), String>> = LazyLock::new(|| {
    let sets = available();
    let Ok(wanted) = std::env::var(CHOICE) else { return Ok(sets[0]) };
    sets.iter().copied().find(|(name, _)| *name == wanted).ok_or_else(|| {
        let names: Vec<&str> = sets.iter().map(|(name, _)| *name).collect();
        format!("{CHOICE}: '{wanted}' is no instruction set of this machine, which has {}", names.join(", "))
    })
});

/// The instruction set that the kernels run on here. Results are the same to the bit for one instruction set.
///
/// # Errors
///
/// [`Error::Configuration`] if [`CHOICE`] names one that this machine does not have.
pub fn instruction_set() -> Result<&'static str> {
    CHOSEN.as_ref().map(|(name, _)| *name).map_err(|reason| Error::configuration("kernels", reason.clone()))
}

/// Runs a kernel, compiled for the instruction set in use.
fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    CHOSEN.as_ref().map_or(Arch::Scalar, |(_, set)| *set).dispatch(kernel)
}

/// Likewise, for what is left to the compiler to vectorize. `function` has to be `#[inline(always)]`.
pub(crate) fn vectorized<R>(function: impl FnOnce() -> R) -> R {
    struct Function<T>(T);
    impl<R, T: FnOnce() -> R> WithSimd for Function<T> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch(Function(function))
}
