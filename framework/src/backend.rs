//! Burn's backends: their names, the accuracy of their arithmetic, and a query for those that this build includes.

use std::fmt;

use mlp_parity::Arithmetic;

/// A Burn backend, which executes tensor operations on one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Burn's own CPU backend, the default.
    Flex,
    /// Burn's older CPU backend, based on the `ndarray` crate.
    NdArray,
    /// GPUs through `wgpu` with shaders in WGSL; supports any graphics API.
    Wgpu,
    /// GPUs through Vulkan with shaders in SPIR-V.
    Vulkan,
    /// NVIDIA GPUs through CUDA.
    Cuda,
    /// A device of another machine, reached through a server (see `OpenDevice::remote`).
    Remote,
}

impl Backend {
    /// All backends, including those that are not part of this build.
    pub const ALL: [Self; 6] = [Self::Flex, Self::NdArray, Self::Wgpu, Self::Vulkan, Self::Cuda, Self::Remote];

    /// Returns the name that options and records use for the backend, for example `ndarray`. It is also the name of the
    /// Cargo feature that enables the backend.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
            Self::Remote => "remote",
        }
    }

    /// Returns `true` if this build includes the backend, that is, if its Cargo feature is enabled.
    pub const fn is_built(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::NdArray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Remote => cfg!(feature = "remote"),
        }
    }

    /// Returns the accuracy of the backend's elementary operations, from which error bounds are derived.
    ///
    /// On every backend the optimizers store their hyper-parameters in single precision. All backends except flex
    /// compute the sigmoid function as exp(−ln(1 + exp(−x))). GPUs are assumed to have the accuracy that the WGSL
    /// specification guarantees (section 15.7.4): division 2.5 ulp, exp 3 + 2·|x| ulp, ln 3 ulp or an absolute error of
    /// 2⁻²¹, inverse square root 2 ulp, tanh an absolute error of 1e-5.
    pub const fn arithmetic(self) -> Arithmetic {
        let cpu = Arithmetic { sigmoid: [8.0, 2.0], single_hyper_parameters: true, ..Arithmetic::SINGLE };
        match self {
            Self::Flex | Self::NdArray => cpu,
            // A remote server does not report its backend, so the least accurate one is assumed.
            Self::Wgpu | Self::Vulkan | Self::Cuda | Self::Remote => Arithmetic {
                division: 5.0,
                square_root: 9.0,
                exponential: [6.0, 4.0],
                logarithm: [6.0, 8.0],
                tanh: [16.0, 168.0],
                sigmoid: [20.0, 8.0],
                ..cpu
            },
        }
    }

    /// Returns the names of the backends in this build, separated by commas: `flex, ndarray, wgpu`.
    pub(crate) fn built_names() -> String {
        names(Self::is_built)
    }

    /// Returns a clause for error messages that explains how to build the omitted backends, for example `; rebuild with
    /// `--features NAME` for vulkan, cuda`. The clause is empty if this build includes all backends.
    pub(crate) fn omitted_hint() -> String {
        match names(|backend| !backend.is_built()).as_str() {
            "" => String::new(),
            omitted => format!("; rebuild with `--features NAME` for {omitted}"),
        }
    }
}

/// Returns the names of the backends that pass `filter`, separated by commas.
fn names(filter: impl Fn(Backend) -> bool) -> String {
    let names: Vec<_> = Backend::ALL.into_iter().filter(|&backend| filter(backend)).map(Backend::name).collect();
    names.join(", ")
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
