//! Burn's backends, and which of them this build has.

use std::fmt;

use mlp_parity::Arithmetic;

/// A backend of Burn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Burn's own CPU backend.
    Flex,
    /// The older CPU backend on ndarray.
    NdArray,
    /// Any graphics API through WGSL.
    Wgpu,
    /// Vulkan through SPIR-V.
    Vulkan,
    /// CUDA.
    Cuda,
    /// A device of another machine.
    Remote,
}

impl Backend {
    /// Every backend, built or not.
    pub const ALL: [Self; 6] = [Self::Flex, Self::NdArray, Self::Wgpu, Self::Vulkan, Self::Cuda, Self::Remote];

    /// The name in options and records, and of the cargo feature.
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

    /// Whether this program was built with it.
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

    /// How accurately the backend computes. Its optimizers keep their numbers in single precision; its sigmoid, but for
    /// flex, is exp(−ln(1 + exp(−x))); on a GPU, functions are as accurate as WGSL promises (its specification, section
    /// 15.7.4: division 2.5 ulp; exp 3 + 2·|x| ulp; ln 3 ulp or 2⁻²¹; inverse square root 2 ulp; tanh 1e-5).
    pub const fn arithmetic(self) -> Arithmetic {
        let cpu = Arithmetic { sigmoid: [8.0, 2.0], single_hyper_parameters: true, ..Arithmetic::SINGLE };
        match self {
            Self::Flex | Self::NdArray => cpu,
            // What a server computes with, it does not tell.
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

    /// The backends of this build: `flex, ndarray, wgpu`.
    pub(crate) fn built_names() -> String {
        names(Self::is_built)
    }

    /// How to get the others.
    pub(crate) fn others_hint() -> String {
        match names(|backend| !backend.is_built()).as_str() {
            "" => String::new(),
            others => format!("; {others} can be had by building it with `--features NAME`"),
        }
    }
}

fn names(filter: impl Fn(Backend) -> bool) -> String {
    let names: Vec<_> = Backend::ALL.into_iter().filter(|&backend| filter(backend)).map(Backend::name).collect();
    names.join(", ")
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
