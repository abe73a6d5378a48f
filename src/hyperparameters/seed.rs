//! Where random numbers come from: one ChaCha8 generator for each purpose, so that drawing more for one never moves
//! another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are drawn for. Each purpose has its own stream of the seed's generator.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Initial parameters.
    Parameters,
    /// The signs of a one-ulp perturbation.
    Perturbation,
    /// Images that nobody has drawn.
    Images,
    /// The order of the images in an epoch, from 1.
    Epoch(usize),
}

pub(crate) fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(match purpose {
        Purpose::Parameters => 0,
        Purpose::Perturbation => 1,
        Purpose::Images => 2,
        Purpose::Epoch(epoch) => (1 << 32) + epoch as u64,
    });
    generator
}

/// Uniform in [0, 1): the 53 upper bits of one 64-bit number.
pub(crate) fn unit_interval(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
