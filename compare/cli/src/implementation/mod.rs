//! Looks up candidates (the implementations to compare) by name, so that the rest of the program does not depend on any
//! particular implementation.

#[cfg(feature = "full")]
mod driver_messages;
#[cfg(feature = "full")]
mod framework;

use mlp_parity::{Differentiable, MlpConfig, Parameters};
use mlp_parity_compare::{Candidate, Identity};
#[cfg(feature = "full")]
use mlp_parity_framework::Backend;

use crate::args::{BackendOptions, FrameworkOptions, ImplementationName};
use crate::error::{Error, Result};
#[cfg(feature = "full")]
pub(crate) use framework::open_local;
#[cfg(feature = "remote")]
pub(crate) use framework::read_token;

/// Creates the candidates of a comparison: first scratch, because the others are compared with it, then the framework
/// on each backend given by `--backend`, if it is part of this build. Repeated backends are ignored.
pub(crate) fn candidates(options: &FrameworkOptions) -> Result<Vec<Candidate>> {
    let mut candidates = vec![scratch()?];
    candidates.extend(of_framework(options)?);
    Ok(candidates)
}

/// Creates the framework's candidates.
#[cfg(feature = "full")]
fn of_framework(options: &FrameworkOptions) -> Result<Vec<Candidate>> {
    let is_first = |(index, backend): &(usize, &Backend)| !options.backends[..*index].contains(backend);
    let backends = options.backends.iter().enumerate().filter(is_first);
    backends.map(|(_, &backend)| framework::candidate(backend, &options.remote)).collect()
}

/// The checker is built without the framework.
#[cfg(not(feature = "full"))]
fn of_framework(FrameworkOptions { .. }: &FrameworkOptions) -> Result<Vec<Candidate>> {
    Ok(Vec::new())
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

/// Creates the candidate that `--implementation` and `--backend` select.
#[cfg(feature = "full")]
pub(crate) fn selected(name: ImplementationName, options: &BackendOptions) -> Result<Candidate> {
    match (name, options.backend) {
        (ImplementationName::Scratch, None) => scratch(),
        (ImplementationName::Scratch, Some(backend)) => {
            Err(Error::Usage(format!("--backend {backend} requires '--implementation framework'")))
        }
        (ImplementationName::Framework, backend) => {
            framework::candidate(backend.unwrap_or(Backend::Flex), &options.remote)
        }
    }
}

/// Creates the candidate that `--implementation` selects.
#[cfg(not(feature = "full"))]
pub(crate) fn selected(name: ImplementationName, _: &BackendOptions) -> Result<Candidate> {
    match name {
        ImplementationName::Scratch => scratch(),
        ImplementationName::Framework => {
            Err(Error::Usage("--implementation framework: the checker is built without Burn".to_owned()))
        }
    }
}
