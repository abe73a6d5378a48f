//! Burn's backends: which this build knows, which this machine can run, and why not.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use burn::tensor::Device;
use mlp_parity::Arithmetic;

use crate::Error;

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

/// A device that is ready for tensors.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// Whose device it is.
    pub backend: Backend,
    /// Burn's handle, without automatic differentiation.
    pub device: Device,
    /// What the device calls itself: `cpu`, or the name and driver of an adapter.
    pub description: String,
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

    /// Opens the backend's default device; the second call finds it open. No tensor is made before this succeeds, so
    /// that a machine without the device gets an error and no panic.
    ///
    /// # Errors
    ///
    /// [`Error::NotBuilt`], or [`Error::NoDevice`] with what to do about it.
    pub fn open(self) -> Result<OpenDevice, Error> {
        static OPENED: [OnceLock<Result<OpenDevice, Error>>; Backend::ALL.len()] =
            [const { OnceLock::new() }; Backend::ALL.len()];
        OPENED[self as usize].get_or_init(|| self.open_first()).clone()
    }

    fn open_first(self) -> Result<OpenDevice, Error> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(OpenDevice::cpu(self, Device::flex())),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated, reason = "the older CPU backend is kept to be compared with the newer one")]
            Self::NdArray => Ok(OpenDevice::cpu(self, Device::ndarray())),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => open_adapter(self, burn::tensor::wgpu::WgpuBackend::Auto),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => open_adapter(self, burn::tensor::wgpu::WgpuBackend::Vulkan),
            #[cfg(feature = "cuda")]
            Self::Cuda => open_cuda(),
            #[cfg(feature = "remote")]
            Self::Remote => Err(Error::NoDevice {
                backend: self,
                reason: "it is on another machine".to_owned(),
                remedy: "Say which, and the token that it asks for",
            }),
            #[allow(unreachable_patterns, reason = "reached by the backends that this build leaves out")]
            _ => Err(Error::NotBuilt { backend: self }),
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

impl OpenDevice {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    fn cpu(backend: Backend, device: Device) -> Self {
        Self { backend, device, description: "cpu".to_owned() }
    }
}

#[cfg(feature = "wgpu")]
fn open_adapter(backend: Backend, api: burn::tensor::wgpu::WgpuBackend) -> Result<OpenDevice, Error> {
    let (device, setup) =
        Device::wgpu_options().graphics_api(api).init_with_setup().map_err(|error| Error::NoDevice {
            backend,
            reason: error.to_string(),
            remedy: "Install the driver of your graphics card, or a software one \
                 (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1), or choose a CPU backend",
        })?;
    let adapter = setup.adapter.get_info();
    let description = format!("{} ({:?}, {})", adapter.name, adapter.backend, adapter.driver);
    Ok(OpenDevice { backend, device, description })
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<OpenDevice, Error> {
    let device = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().into_iter().next();
    let device = device.ok_or(Error::NoDevice {
        backend: Backend::Cuda,
        reason: "the CUDA driver reports none".to_owned(),
        remedy: "Install NVIDIA's driver, or choose a CPU backend",
    })?;
    Ok(OpenDevice { backend: Backend::Cuda, device, description: "cuda:0".to_owned() })
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    /// The name of a backend that is built.
    fn from_str(name: &str) -> Result<Self, Error> {
        match Self::ALL.into_iter().find(|backend| backend.name() == name) {
            Some(backend) if backend.is_built() => Ok(backend),
            Some(backend) => Err(Error::NotBuilt { backend }),
            None => Err(Error::UnknownBackend { name: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_backend_is_told_the_known_ones() {
        let message = "tpu".parse::<Backend>().unwrap_err().to_string();
        assert!(message.contains("'tpu'") && message.contains(&Backend::built_names()), "{message}");
    }

    #[test]
    fn a_backend_that_was_left_out_says_how_to_get_it() {
        for backend in Backend::ALL {
            match backend.name().parse::<Backend>() {
                Ok(parsed) => assert_eq!((parsed, backend.is_built()), (backend, true)),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!backend.is_built() && message.contains(&format!("--features {backend}")), "{message}");
                    assert!(matches!(backend.open(), Err(Error::NotBuilt { .. })));
                }
            }
        }
    }
}
