//! What the cross-crate tests share: participants, small data, and a network that can be wrong on purpose.
#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod fault;
pub(crate) mod textbook;

use mlp_parity::{Activation, Dataset, Differentiable, MlpConfig, Parameters};
use mlp_parity_compare::{Identity, Participant};
use mlp_parity_framework::Backend;

/// Set where a missing graphics adapter must fail the tests instead of skipping them.
const REQUIRE_WGPU: &str = "MLP_PARITY_REQUIRE_WGPU";

fn identity(implementation: &str, backend: Option<&str>) -> Identity {
    let backend = backend.map(str::to_owned);
    Identity { implementation: implementation.to_owned(), backend, device: "cpu".to_owned(), kernels: None }
}

pub(crate) fn scratch() -> Participant {
    Participant::new(identity("scratch", None), |config, parameters| {
        Ok(Box::new(mlp_parity_scratch::Mlp::new(config.clone(), parameters.clone())?) as Box<dyn Differentiable>)
    })
}

/// The framework on a backend, or `None` if this machine has no device for it, which is said.
pub(crate) fn framework(backend: Backend) -> Option<Participant> {
    let device = match backend.open() {
        Ok(device) => device,
        Err(error) if std::env::var_os(REQUIRE_WGPU).is_some() => panic!("{REQUIRE_WGPU} is set, but {error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            return None;
        }
    };
    Some(Participant::new(identity("framework", Some(backend.name())), move |config, parameters| {
        Ok(Box::new(mlp_parity_framework::Mlp::new(config.clone(), parameters, &device)?) as Box<dyn Differentiable>)
    }))
}

/// A network that is wrong in one place.
pub(crate) fn faulty(fault: fault::Fault) -> Participant {
    Participant::new(identity("textbook", None), move |config, parameters| {
        Ok(Box::new(textbook::Textbook::new(config.clone(), parameters, fault)?) as Box<dyn Differentiable>)
    })
}

/// Everyone whom this machine can run.
pub(crate) fn everyone() -> Vec<Participant> {
    let backends = [Backend::Flex, Backend::NdArray, Backend::Wgpu];
    std::iter::once(scratch()).chain(backends.into_iter().filter_map(framework)).collect()
}

/// 6×6 images of ten classes that can be learned: each class lights up its own pixels, over a pattern of noise.
pub(crate) fn dataset(images: usize) -> Dataset {
    let labels: Vec<u8> = (0..images).map(|image| (image * 7 % 10) as u8).collect();
    let pixel = |image: usize, pixel: usize| {
        let noise = (image * 31 + pixel * 17 + image * pixel * 13) % 97;
        let lit = pixel % 10 == usize::from(labels[image]);
        (if lit { 150 + noise } else { noise }) as u8
    };
    let pixels = (0..images).flat_map(|image| (0..36).map(move |index| (image, index)));
    let pixels = pixels.map(|(image, index)| pixel(image, index)).collect();
    Dataset::new(pixels, labels.clone(), [6, 6]).unwrap()
}

/// A network for these images, and its initial parameters, biases included.
pub(crate) fn network(hidden: &[usize], activation: Activation) -> (MlpConfig, Parameters<f32>) {
    let config = MlpConfig::new(36, hidden, 10, activation).unwrap();
    let mut parameters = Parameters::glorot_uniform(&config, 1);
    let noise = Parameters::<f32>::glorot_uniform(&config, 2);
    for (layer, noise) in parameters.layers_mut().iter_mut().zip(noise.layers()) {
        layer.bias.assign(&noise.weight.row(0));
    }
    (config, parameters)
}
