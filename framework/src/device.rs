//! Opens backend devices, and explains why when a backend is unavailable.

use std::str::FromStr;
use std::sync::OnceLock;

use burn::tensor::Device;

use crate::{Backend, Error};

/// A device that has been opened and is ready for computation.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// The backend that the device belongs to.
    pub backend: Backend,
    /// Burn's device handle, without automatic differentiation.
    pub device: Device,
    /// Description of the device: `cpu`, the name and driver of a graphics adapter and whether it is emulated in software,
    /// `cuda:0`, or the address of a server.
    pub description: String,
    /// True for a graphics adapter that is emulated in software, on the CPU.
    pub is_emulated: bool,
}

impl Backend {
    /// Opens the default device of the backend. The result, device or error, is cached for the process.
    ///
    /// Creating a tensor without a usable device would panic, so open the device before creating the first tensor.
    ///
    /// # Errors
    ///
    /// [`Error::NotBuilt`] if this build omits the backend, [`Error::NoDevice`] if this machine has no usable device,
    /// and for [`Backend::Remote`], whose devices are opened with `OpenDevice::remote` instead.
    pub fn open(self) -> Result<OpenDevice, Error> {
        static OPENED: [OnceLock<Result<OpenDevice, Error>>; Backend::ALL.len()] =
            [const { OnceLock::new() }; Backend::ALL.len()];
        OPENED[self as usize].get_or_init(|| self.open_uncached()).clone()
    }

    /// Opens the backend's default device without consulting the cache of [`open`](Self::open).
    fn open_uncached(self) -> Result<OpenDevice, Error> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(OpenDevice::cpu(self, Device::flex())),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated, reason = "the older CPU backend is kept for comparison with the newer one")]
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
                reason: "its device is on another machine".to_owned(),
                remedy: "specify the server's address and its token",
            }),
            #[allow(unreachable_patterns, reason = "matches only backends that are not part of this build")]
            _ => Err(Error::NotBuilt { backend: self }),
        }
    }
}

impl OpenDevice {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    /// Wraps Burn's handle of the CPU as the open device of `backend`.
    fn cpu(backend: Backend, device: Device) -> Self {
        Self { backend, device, description: "cpu".to_owned(), is_emulated: false }
    }
}

#[cfg(feature = "wgpu")]
/// Opens a graphics adapter through the given graphics API.
fn open_adapter(backend: Backend, api: burn::tensor::wgpu::WgpuBackend) -> Result<OpenDevice, Error> {
    let (device, setup) =
        Device::wgpu_options().graphics_api(api).init_with_setup().map_err(|error| Error::NoDevice {
            backend,
            reason: error.to_string(),
            remedy: "install the driver of the graphics card, or a software driver \
                 (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1), or choose a CPU backend",
        })?;
    let adapter = setup.adapter.get_info();
    // Burn does not export the type of `device_type`.
    let is_emulated = format!("{:?}", adapter.device_type) == "Cpu";
    let software = if is_emulated { ", software" } else { "" };
    let description = format!("{} ({:?}, {}{software})", adapter.name, adapter.backend, adapter.driver);
    Ok(OpenDevice { backend, device, description, is_emulated })
}

#[cfg(feature = "cuda")]
/// Opens the first device that the CUDA driver reports.
fn open_cuda() -> Result<OpenDevice, Error> {
    let device = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().into_iter().next();
    let device = device.ok_or(Error::NoDevice {
        backend: Backend::Cuda,
        reason: "the CUDA driver reports none".to_owned(),
        remedy: "install NVIDIA's driver, or choose a CPU backend",
    })?;
    Ok(OpenDevice { backend: Backend::Cuda, device, description: "cuda:0".to_owned(), is_emulated: false })
}

impl FromStr for Backend {
    type Err = Error;

    /// Parses the name of a backend that this build includes, ignoring ASCII case.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownBackend`] if no backend has this name, [`Error::NotBuilt`] if this build omits the backend.
    fn from_str(name: &str) -> Result<Self, Error> {
        match Self::ALL.into_iter().find(|backend| backend.name().eq_ignore_ascii_case(name)) {
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
    fn backend_from_str_lists_valid_names_for_unknown_name() {
        let message = "tpu".parse::<Backend>().unwrap_err().to_string();
        let expected = format!("unknown backend 'tpu'; expected one of: {}", Backend::built_names());
        assert!(message.starts_with(&expected), "{message}");
    }

    #[test]
    fn backend_from_str_ignores_case() {
        for backend in Backend::ALL {
            let name = backend.name();
            let capitalized = name[..1].to_uppercase() + &name[1..];
            for spelling in [name.to_uppercase(), capitalized] {
                match spelling.parse::<Backend>() {
                    Ok(parsed) => assert_eq!((parsed, backend.is_built()), (backend, true)),
                    Err(Error::NotBuilt { backend: omitted }) => {
                        assert_eq!((omitted, backend.is_built()), (backend, false));
                    }
                    Err(error) => panic!("{spelling}: {error}"),
                }
            }
        }
    }

    #[test]
    fn backend_from_str_names_feature_of_omitted_backend() {
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
