//! The network of the framework on one of its backends.

use std::sync::Once;

use mlp_parity::Differentiable;
use mlp_parity_compare::{Candidate, Identity};
use mlp_parity_framework::{Backend, OpenDevice};

use super::driver_messages::without_window_messages;
use crate::args::RemoteOptions;
use crate::error::Result;
use crate::output::print::eprint_line;

/// Creates the candidate for the Burn network on one backend, and opens the device that the backend runs on.
pub(super) fn candidate(backend: Backend, remote: &RemoteOptions) -> Result<Candidate> {
    let device = open_device(backend, remote)?;
    if device.is_emulated {
        static WARNING: Once = Once::new();
        WARNING.call_once(|| {
            let name = &device.description;
            eprint_line(format_args!("warning: {backend}: no graphics card was found; {name} emulates one on the CPU"));
        });
    }
    let identity = Identity {
        implementation: "framework".to_owned(),
        backend: Some(backend.name().to_owned()),
        device: device.description.clone(),
        kernels: None,
    };
    Ok(Candidate::new(identity, move |config, parameters| {
        Ok(Box::new(mlp_parity_framework::Mlp::new(config.clone(), parameters, &device)?) as Box<dyn Differentiable>)
    }))
}

/// Opens the device that a backend runs on. For the backend `remote`, it is the device served at `--remote-url`; for
/// all others, a device of this machine.
fn open_device(backend: Backend, remote: &RemoteOptions) -> Result<OpenDevice> {
    #[cfg(feature = "remote")]
    if let (Backend::Remote, Some(url)) = (backend, &remote.remote_url) {
        let token = remote.token_file.as_deref().map(read_token).transpose()?.unwrap_or_default();
        return Ok(OpenDevice::remote(url, &token).map_err(mlp_parity::Error::from)?);
    }
    // Without the feature `remote` the struct has no fields; this avoids the warning about an unused parameter.
    let RemoteOptions { .. } = remote;
    Ok(open_local(backend).map_err(mlp_parity::Error::from)?)
}

/// Opens the device of this machine that a backend runs on.
///
/// # Errors
///
/// Those of [`Backend::open`].
pub(crate) fn open_local(backend: Backend) -> std::result::Result<OpenDevice, mlp_parity_framework::Error> {
    without_window_messages(|| backend.open())
}

/// Reads the access token for a remote device from a file, and trims white space around it.
#[cfg(feature = "remote")]
pub(crate) fn read_token(path: &std::path::Path) -> Result<String> {
    Ok(mlp_parity::storage::read_text(path)?.trim().to_owned())
}
