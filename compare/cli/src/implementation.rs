//! Looks up candidates (the implementations to compare) by name, so that the rest of the program does not depend on any
//! particular implementation.

use mlp_parity::{Differentiable, MlpConfig, Parameters};
use mlp_parity_compare::{Candidate, Identity};
use mlp_parity_framework::{Backend, OpenDevice};

use crate::args::{BackendOptions, FrameworkOptions, ImplementationName, RemoteOptions};
use crate::error::{Error, Result};

/// Creates the candidates of a comparison: first scratch, because the others are compared with it, then the framework
/// on each backend given by `--backend`. Repeated backends are ignored.
pub(crate) fn candidates(options: &FrameworkOptions) -> Result<Vec<Candidate>> {
    let mut candidates = vec![scratch()?];
    for (index, &backend) in options.backends.iter().enumerate() {
        if !options.backends[..index].contains(&backend) {
            candidates.push(framework(backend, &options.remote)?);
        }
    }
    Ok(candidates)
}

/// Creates the candidate for the hand-written network. Each network uses as many threads as the rayon pool in which it
/// is created, so that networks trained in parallel share the machine's cores.
pub(crate) fn scratch() -> Result<Candidate> {
    let identity = Identity {
        implementation: "scratch".to_owned(),
        backend: None,
        device: "cpu".to_owned(),
        kernels: Some(mlp_parity_scratch::kernels::instruction_set()?.to_owned()),
    };
    let network = |config: &MlpConfig, parameters: &Parameters<f32>| {
        let network = mlp_parity_scratch::Mlp::new(config.clone(), parameters)?;
        Ok(network.with_threads(rayon::current_num_threads()))
    };
    let candidate = Candidate::new(identity, move |config, parameters| {
        network(config, parameters).map(|network| Box::new(network) as Box<dyn Differentiable>)
    });
    Ok(candidate.with_deviation("derivative-at-activation", move |config, parameters| {
        let network = network(config, parameters)?.with_derivative_at_activation();
        Ok(Box::new(network) as Box<dyn Differentiable>)
    }))
}

/// Creates the candidate for the Burn network on one backend, and opens the device that the backend runs on.
pub(crate) fn framework(backend: Backend, remote: &RemoteOptions) -> Result<Candidate> {
    let device = open_device(backend, remote)?;
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
pub(crate) fn open_device(backend: Backend, remote: &RemoteOptions) -> Result<OpenDevice> {
    #[cfg(feature = "remote")]
    if let (Backend::Remote, Some(url)) = (backend, &remote.remote_url) {
        let token = remote.token_file.as_deref().map(read_token).transpose()?.unwrap_or_default();
        return Ok(OpenDevice::remote(url, &token).map_err(mlp_parity::Error::from)?);
    }
    // Without the feature `remote` the struct has no fields; this avoids the warning about an unused parameter.
    let RemoteOptions { .. } = remote;
    Ok(backend.open().map_err(mlp_parity::Error::from)?)
}

/// Reads the access token for a remote device from a file, and trims white space around it.
#[cfg(feature = "remote")]
pub(crate) fn read_token(path: &std::path::Path) -> Result<String> {
    Ok(mlp_parity::storage::read_text(path)?.trim().to_owned())
}

/// Creates the candidate that `--implementation` and `--backend` select.
pub(crate) fn selected(name: ImplementationName, options: &BackendOptions) -> Result<Candidate> {
    match (name, options.backend) {
        (ImplementationName::Scratch, None) => scratch(),
        (ImplementationName::Scratch, Some(backend)) => {
            Err(Error::Usage(format!("--backend {backend} requires '--implementation framework'")))
        }
        (ImplementationName::Framework, backend) => framework(backend.unwrap_or(Backend::Flex), &options.remote),
    }
}
