//! What the cross-crate tests share: candidates, small data, and a network that can be wrong on purpose.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "for tests alone, which fail by panicking")]

mod ahead;
pub mod fault;
pub mod faulty_mlp;
#[cfg_attr(not(feature = "framework"), path = "without_framework.rs")]
pub mod framework;
pub mod non_conforming;
mod rounded;

use mlp_parity::{Activation, Arithmetic, Dataset, Differentiable, MlpConfig, Parameters};
use mlp_parity_compare::{Candidate, Identity};
use mlp_parity_scratch::{Mlp, ReferenceMlp};

pub fn identity(implementation: &str, backend: Option<&str>) -> Identity {
    let backend = backend.map(str::to_owned);
    Identity { implementation: implementation.to_owned(), backend, device: "cpu".to_owned(), kernels: None }
}

pub fn scratch() -> Candidate {
    Candidate::new(identity("scratch", None), |config, parameters| {
        Ok(Box::new(Mlp::new(config.clone(), parameters)?.with_threads(2)) as Box<dyn Differentiable>)
    })
}

/// The network by hand, where losses are read together.
pub fn ahead() -> Candidate {
    Candidate::new(identity("scratch, ahead", None), |config, parameters| {
        Ok(Box::new(ahead::Ahead(Mlp::new(config.clone(), parameters)?)) as Box<dyn Differentiable>)
    })
}

/// The reference, whose results alone are rounded, and which is judged by this arithmetic.
pub fn rounded(arithmetic: Arithmetic) -> Candidate {
    Candidate::new(identity("rounded", None), move |config, parameters| {
        let network = ReferenceMlp::new(config.clone(), parameters.cast())?;
        Ok(Box::new(rounded::Rounded { network, arithmetic, shaken: None }) as Box<dyn Differentiable>)
    })
}

/// The same in single precision, no two of which round an update alike, as on a device that does not repeat itself.
pub fn shaken() -> Candidate {
    Candidate::new(identity("shaken", None), |config, parameters| {
        let network = ReferenceMlp::new(config.clone(), parameters.cast())?;
        let shaken = Some(0);
        Ok(Box::new(rounded::Rounded { network, arithmetic: Arithmetic::SINGLE, shaken }) as Box<dyn Differentiable>)
    })
}

/// A network that is wrong in one place.
pub fn faulty(fault: fault::Fault) -> Candidate {
    Candidate::new(identity("textbook", None), move |config, parameters| {
        Ok(Box::new(faulty_mlp::FaultyMlp::new(config.clone(), parameters, fault)?) as Box<dyn Differentiable>)
    })
}

/// Everyone who computes on the processor, and so repeats itself to the bit.
pub fn on_the_processor() -> Vec<Candidate> {
    std::iter::once(scratch()).chain(framework::on_the_processor()).collect()
}

/// Everyone whom this machine can run.
pub fn everyone() -> Vec<Candidate> {
    on_the_processor().into_iter().chain(framework::on_the_graphics_card()).collect()
}

/// The images of the conformance kit: 6×6, of ten classes that can be learned.
pub fn dataset(images: usize) -> Dataset {
    mlp_parity::conformance::images(images).unwrap()
}

/// A network for these images, and its initial parameters, biases included.
pub fn network(hidden: &[usize], activation: Activation) -> (MlpConfig, Parameters<f32>) {
    let config = MlpConfig::new(36, hidden, 10, activation).unwrap();
    let parameters = Parameters::glorot_uniform_with_biases(&config, 1);
    (config, parameters)
}
