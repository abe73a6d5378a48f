//! The inner loops of [`Mlp`](crate::Mlp): products of tiles, the sparse products of the first layer, and the thread
//! pool.
//!
//! All unsafe code of the crate is in this module: the call of the `gemm` crate (in `product`), SIMD intrinsics (in
//! `dense` for transposition, in `pixels` for the masks of non-zero pixels and for prefetching), and the sharing of data
//! with the worker threads (in `pool`). Miri checks all of it (`.ci/miri`), except the call of `gemm` and prefetching.
//!
//! # Instruction sets
//!
//! Every kernel is compiled for several instruction sets, and the best one that the machine supports is selected at run
//! time, once per process. The environment variable [`MLP_PARITY_KERNELS`](KERNELS_VARIABLE) selects another one.
//!
//! | name | vector of `f32` | machine |
//! |---|---|---|
//! | `avx512` | 16 | x86-64-v4 |
//! | `avx2` | 8 | x86-64-v3, with fused multiply-add |
//! | `neon` | 4 | AArch64 |
//! | `portable` | 1 | any |
//!
//! # Reproducibility
//!
//! For a given instruction set, results are bit-for-bit identical, regardless of the number of threads: every sum is
//! computed in an order that depends only on the shapes and on which pixels are zero. Results may differ between
//! instruction sets: `portable` rounds each product before adding it, the others use fused multiply-add.
#![allow(unsafe_code)]

mod backoff;
mod dense;
mod pixels;
mod pool;
mod product;
mod rows;
mod sparse;

use std::sync::LazyLock;

use mlp_parity::{Error, Result};
use pulp::{Arch, WithSimd};

pub(crate) use dense::{TileProduct, TransposedTileProduct, transpose};
pub(crate) use pixels::{Pixel, prefetch};
pub(crate) use pool::Pool;
pub use product::{add_product, product};
pub(crate) use rows::{TileRow, WIDTH, tiles};
pub(crate) use sparse::{SparseMatrix, SparseProduct, SparseTransposedProduct};

/// Name of the environment variable that selects the instruction set: `avx512`, `avx2`, `neon` or `portable`. If it is
/// not set, the best instruction set of the machine is used.
pub const KERNELS_VARIABLE: &str = "MLP_PARITY_KERNELS";

/// Returns the name and the dispatcher of each instruction set that this machine supports, best first.
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

/// The instruction set in use, or the message for an unsupported value of [`KERNELS_VARIABLE`]. The variable is read
/// once.
static SELECTED: LazyLock<Result<(&'static str, Arch), String>> = LazyLock::new(|| {
    let sets = available();
    let Ok(wanted) = std::env::var(KERNELS_VARIABLE) else { return Ok(sets[0]) };
    sets.iter().copied().find(|(name, _)| *name == wanted).ok_or_else(|| {
        let names: Vec<&str> = sets.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        format!("{KERNELS_VARIABLE}='{wanted}' is not supported on this machine; expected one of: {names}")
    })
});

/// Returns the name of the instruction set that the kernels use: `avx512`, `avx2`, `neon` or `portable`. Results are
/// bit-for-bit reproducible with the same instruction set, but may differ between instruction sets.
///
/// # Errors
///
/// [`Error::Configuration`] if [`KERNELS_VARIABLE`] names an instruction set that is unknown or not supported by this
/// machine.
pub fn instruction_set() -> Result<&'static str> {
    SELECTED.as_ref().map(|(name, _)| *name).map_err(|reason| Error::configuration("kernels", reason.clone()))
}

/// Runs `kernel` in the version that was compiled for the instruction set in use.
fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    // If the selected instruction set is unsupported, `Mlp::new` has already returned an error; callers that do not
    // create an `Mlp` get the portable version.
    SELECTED.as_ref().map_or(Arch::Scalar, |(_, set)| *set).dispatch(kernel)
}

/// Calls `function` in a version that was compiled for the instruction set in use, so that the compiler vectorizes its
/// loops with it.
///
/// `function` must be `#[inline(always)]`: a closure that is not inlined is compiled once, for the baseline instruction
/// set of the target.
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
