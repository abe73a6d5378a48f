//! The implementations by name. The one place that knows which there are.

use mlp_parity::{Activation, Differentiable};
use mlp_parity_compare::{Candidate, Identity};
use mlp_parity_framework::{Backend, OpenDevice};

use crate::args::{BackendOptions, FrameworkOptions, ImplementationName, RemoteOptions};
use crate::error::{Error, Result};

/// The network by hand first: it is what the others are compared with.
pub(crate) fn candidates(options: &FrameworkOptions) -> Result<Vec<Candidate>> {
    let mut candidates = vec![scratch()?];
    for (index, &backend) in options.backends.iter().enumerate() {
        if !options.backends[..index].contains(&backend) {
            candidates.push(framework(backend, &options.remote)?);
        }
    }
    Ok(candidates)
}

/// The network by hand, on as many threads as rayon has where it is made.
pub(crate) fn scratch() -> Result<Candidate> {
    let identity = Identity {
        implementation: "scratch".to_owned(),
        backend: None,
        device: "cpu".to_owned(),
        kernels: Some(mlp_parity_scratch::kernels::instruction_set()?.to_owned()),
    };
    Ok(Candidate::new(identity, |config, parameters| {
        let network = mlp_parity_scratch::Mlp::new(config.clone(), parameters)?;
        Ok(Box::new(network.with_threads(rayon::current_num_threads())) as Box<dyn Differentiable>)
    }))
}

/// The network on a backend of the framework, whose device is opened here.
pub(crate) fn framework(backend: Backend, remote: &RemoteOptions) -> Result<Candidate> {
    let open = open(backend, remote)?;
    let identity = Identity {
        implementation: "framework".to_owned(),
        backend: Some(backend.name().to_owned()),
        device: open.description.clone(),
        kernels: None,
    };
    Ok(Candidate::new(identity, move |config, parameters| {
        Ok(Box::new(mlp_parity_framework::Mlp::new(config.clone(), parameters, &open)?) as Box<dyn Differentiable>)
    }))
}

/// The device of a backend, of this machine or of the one that is named.
pub(crate) fn open(backend: Backend, remote: &RemoteOptions) -> Result<OpenDevice> {
    #[cfg(feature = "remote")]
    if let (Backend::Remote, Some(url)) = (backend, &remote.remote_url) {
        let token = remote.token_file.as_deref().map(token).transpose()?.unwrap_or_default();
        return Ok(OpenDevice::remote(url, &token).map_err(mlp_parity::Error::from)?);
    }
    let RemoteOptions { .. } = remote;
    Ok(backend.open().map_err(mlp_parity::Error::from)?)
}

/// What a file of a token says, without blanks around it.
#[cfg(feature = "remote")]
pub(crate) fn token(path: &std::path::Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(mlp_parity::Error::io("read", path))?.trim().to_owned())
}

/// The implementation that `--implementation` and `--backend` name.
pub(crate) fn named(name: ImplementationName, options: &BackendOptions, activation: Activation) -> Result<Candidate> {
    match (name, options.backend) {
        (ImplementationName::Scratch, None) => scratch(),
        (ImplementationName::Scratch, Some(backend)) => {
            Err(Error::Usage(format!("--backend {backend} belongs to '--implementation framework'")))
        }
        (ImplementationName::Framework, backend) => {
            check_activation(activation)?;
            framework(backend.unwrap_or(Backend::Flex), &options.remote)
        }
    }
}

/// The framework differentiates what it computes, and so has no wrong derivative to offer.
pub(crate) fn check_activation(activation: Activation) -> Result<()> {
    if activation == Activation::TanhAsPrinted {
        return Err(Error::Usage(format!(
            "--activation {activation} exists by hand only: try 'compare train --implementation scratch'"
        )));
    }
    Ok(())
}
