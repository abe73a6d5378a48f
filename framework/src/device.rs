//! The devices of backends: which this machine can run, and why not the others.

use std::str::FromStr;
use std::sync::OnceLock;

use burn::tensor::Device;

use crate::{Backend, Error};

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
