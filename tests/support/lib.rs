//! Support for the tests that cross crates: candidates (implementations under test), small data sets, and networks with
//! injected faults.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "used only by tests, which fail by panicking")]

mod deferred_loss_check;
pub mod fault;
pub mod faulty_mlp;
#[cfg_attr(not(feature = "framework"), path = "without_framework.rs")]
pub mod framework;
pub mod non_conforming;
mod rounded;

use mlp_parity::{Activation, Arithmetic, Dataset, Differentiable, MlpConfig, Parameters};
use mlp_parity_compare::{Candidate, Identity};
use mlp_parity_scratch::{Mlp, ReferenceMlp};

/// Returns the identity of an implementation that runs on the CPU.
pub fn identity(implementation: &str, backend: Option<&str>) -> Identity {
    let backend = backend.map(str::to_owned);
    Identity { implementation: implementation.to_owned(), backend, device: "cpu".to_owned(), kernels: None }
}

/// Returns the hand-written implementation, with two threads.
pub fn scratch() -> Candidate {
    Candidate::new(identity("scratch", None), |config, parameters| {
        Ok(Box::new(Mlp::new(config.clone(), parameters)?.with_threads(2)) as Box<dyn Differentiable>)
    })
}

/// Returns the hand-written implementation, modified to check the losses of several batches together, after it has
/// updated the parameters, as implementations on a GPU do.
pub fn deferred_loss_check() -> Candidate {
    Candidate::new(identity("scratch, deferred loss check", None), |config, parameters| {
        Ok(Box::new(deferred_loss_check::DeferredLossCheck(Mlp::new(config.clone(), parameters)?))
            as Box<dyn Differentiable>)
    })
}

/// Returns a candidate that computes in double precision and rounds only its results to single precision. It declares
/// the given arithmetic, from which its error bounds are derived.
pub fn rounded(arithmetic: Arithmetic) -> Candidate {
    Candidate::new(identity("rounded", None), move |config, parameters| {
        let network = ReferenceMlp::new(config, parameters.cast())?;
        Ok(Box::new(rounded::RoundedReference { config: config.clone(), network, arithmetic, updates: None })
            as Box<dyn Differentiable>)
    })
}

/// Returns a candidate like [`rounded`], in single precision, that moves every parameter up or down by one ulp after
/// every update, at random, to imitate a device whose results are not reproducible.
pub fn nondeterministic() -> Candidate {
    Candidate::new(identity("nondeterministic", None), |config, parameters| {
        let network = ReferenceMlp::new(config, parameters.cast())?;
        let updates = Some(0);
        Ok(Box::new(rounded::RoundedReference {
            config: config.clone(),
            network,
            arithmetic: Arithmetic::SINGLE,
            updates,
        }) as Box<dyn Differentiable>)
    })
}

/// Returns a candidate with one injected fault.
pub fn faulty(fault: fault::Fault) -> Candidate {
    with_faults([fault, fault])
}

/// Returns a candidate with two injected faults, of which the second is one of the update or the step.
pub fn with_faults(faults: [fault::Fault; 2]) -> Candidate {
    Candidate::new(identity("faulty", None), move |config, parameters| {
        Ok(Box::new(faulty_mlp::FaultyMlp::with_faults(config.clone(), parameters, faults)?) as Box<dyn Differentiable>)
    })
}

/// Returns the candidates that run on the CPU, whose results are bit-for-bit reproducible.
pub fn cpu_candidates() -> Vec<Candidate> {
    std::iter::once(scratch()).chain(framework::cpu_candidates()).collect()
}

/// Returns all candidates that this machine can run, on CPU and GPU.
pub fn all_candidates() -> Vec<Candidate> {
    cpu_candidates().into_iter().chain(framework::gpu_candidate()).collect()
}

/// Returns the given number of images from the conformance kit: 6×6 pixels, in ten classes that a network can learn.
pub fn dataset(images: usize) -> Dataset {
    mlp_parity::conformance::images(images).unwrap()
}

/// Returns a network configuration for the images of [`dataset`], and initial parameters with nonzero biases.
pub fn network(hidden: &[usize], activation: Activation) -> (MlpConfig, Parameters<f32>) {
    let config = MlpConfig::new(36, hidden, 10, activation).unwrap();
    let parameters = Parameters::glorot_uniform_with_biases(&config, 1);
    (config, parameters)
}
