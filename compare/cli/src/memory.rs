//! Estimates of the memory that a command needs. They are compared with the available memory before any work, because
//! an allocation that fails later ends the program without a message.

use std::path::Path;

use mlp_parity::MlpConfig;
use sysinfo::{MemoryRefreshKind, System};

use crate::error::Result;

/// The memory that a command needs in bytes, as measured with one network of wide layers and one of large batches.
#[derive(Clone, Copy)]
pub(crate) struct MemoryCost {
    /// Bytes per parameter of the network.
    per_parameter: u64,
    /// Bytes per image of a batch and unit of the network. The inputs count as units.
    per_unit: u64,
}

impl MemoryCost {
    /// The check suite: the float64 reference, its error estimates and the draws of rounding errors. The full comparison
    /// trains several networks at a time after it, which takes less.
    pub(crate) const CHECK: Self = Self { per_parameter: 200, per_unit: 120 };

    /// Training: parameters, gradients and two moments in single precision, and the initial parameters.
    pub(crate) const TRAIN: Self = Self { per_parameter: 24, per_unit: 16 };

    /// Checks that a command has enough memory for `networks` networks with this configuration.
    ///
    /// # Errors
    ///
    /// An error (exit code 3) with the network, the estimate, and the available memory.
    pub(crate) fn ensure(self, config: &MlpConfig, batch_size: usize, networks: usize) -> Result<()> {
        let sizes: Vec<u64> = config.sizes().iter().map(|&size| size as u64).collect();
        let layers = sizes.iter().zip(&sizes[1..]);
        let parameters = layers.fold(0_u64, |sum, (inputs, outputs)| sum.saturating_add((inputs + 1) * outputs));
        let units: u64 = sizes.iter().sum();
        let of_network = parameters.saturating_mul(self.per_parameter).saturating_mul(networks as u64);
        let of_batch = units.saturating_mul(self.per_unit).saturating_mul(batch_size as u64);
        let what = format!("a network {config} with {batch_size} images per batch");
        ensure_available(&what, of_network.saturating_add(of_batch), "choose narrower layers or a smaller batch size")
    }
}

/// Checks that there is enough memory to load a file with a network: for its bytes, the parameters in double and in single
/// precision, and a copy of them or, for a checkpoint, one whose digest is computed. A file that cannot be examined is left to the reader.
///
/// # Errors
///
/// An error (exit code 3) with the file, the estimate, and the available memory.
pub(crate) fn ensure_loadable(path: &Path) -> Result<()> {
    let length = path.metadata().map_or(0, |metadata| metadata.len());
    ensure_available(&path.display().to_string(), length.saturating_mul(6), "use a machine with more memory")
}

/// Checks that `needed` bytes of memory are available, by the limits of the system or the container, and by those of
/// this process.
fn ensure_available(what: &str, needed: u64, advice: &str) -> Result<()> {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let of_system = system.available_memory();
    // The free memory of a container does not include its file cache, which the system can reclaim.
    let of_container = system.cgroup_limits().map(|limits| limits.total_memory.saturating_sub(limits.rss));
    let available = of_container.map_or(of_system, |of_container| of_container.min(of_system));
    // An operating system that does not report its memory reports 0.
    let exceeds = available > 0 && needed > available;
    let bytes = usize::try_from(needed).unwrap_or(usize::MAX);
    if !exceeds && Vec::<u8>::new().try_reserve_exact(bytes).is_ok() {
        return Ok(());
    }
    let limit = if exceeds {
        format!("{} are available", gigabytes(available))
    } else {
        "that is more than this process may use".to_owned()
    };
    let reason = format!("this needs about {} of memory, but {limit}; {advice}", gigabytes(needed));
    Err(mlp_parity::Error::data(what, reason).into())
}

/// Formats a number of bytes in GB.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use mlp_parity::Activation;

    use super::*;

    #[test]
    fn networks_that_exceed_the_memory_are_rejected() {
        let config = |hidden: &[usize]| MlpConfig::new(784, hidden, 10, Activation::Relu).unwrap();
        assert!(MemoryCost::CHECK.ensure(&config(&[500, 250, 100]), 64, 1).is_ok());
        let error = MemoryCost::CHECK.ensure(&config(&[40_000, 40_000]), 64, 1_000_000).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let message = error.to_string();
        assert!(message.contains("784-40000-40000-10, relu") && message.contains("GB of memory"), "{message}");
        for (batch_size, networks) in [(usize::MAX, 1), (1, usize::MAX)] {
            assert!(MemoryCost::TRAIN.ensure(&config(&[10]), batch_size, networks).is_err());
        }
    }
}
