//! Random numbers. Each purpose draws from a ChaCha8 stream of its own, so that drawing more numbers for one purpose
//! never changes those of another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Purpose of random numbers, which selects a stream of the seed's generator. The assignment of streams must not
/// change, because it determines the results of every seed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Initial parameters of a network.
    Parameters,
    /// Signs of a perturbation of parameters by a few ulps.
    Perturbation,
    /// Pixels of synthetic images.
    Images,
    /// Order of the images in the epoch with this number, counted from 1.
    Epoch(usize),
}

/// Returns the random-number generator for one seed and purpose.
pub(crate) fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(match purpose {
        Purpose::Parameters => 0,
        Purpose::Perturbation => 1,
        Purpose::Images => 2,
        // Epochs have a range of streams far above all other purposes.
        Purpose::Epoch(epoch) => (1 << 32) + epoch as u64,
    });
    generator
}

/// Draws a number uniformly from [0, 1): the upper 53 bits of a random 64-bit integer, divided by 2⁵³.
pub(crate) fn unit_interval(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
