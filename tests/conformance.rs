//! Every implementation keeps the contract, one line each; and the kit finds every fault of a model that breaks it, and says
//! which.

use mlp_parity::conformance::{
    self, CLASSIFIER_CHECKS, CheckResult, Create, DIFFERENTIABLE_CHECKS, as_classifier, check_differentiable,
};
use mlp_parity::{Activation, Differentiable, MlpConfig, Parameters};
use support::non_conforming::{FAULTS, NonConforming};

use crate::linear;

mod scratch {
    mlp_parity::conformance_tests!(differentiable, [20, 12], Relu, |config, parameters| {
        mlp_parity_scratch::Mlp::new(config.clone(), parameters)
    });
}

mod third_party {
    mlp_parity::conformance_tests!(differentiable, [], Relu, super::linear::Linear::new);
}

#[cfg(feature = "framework")]
mod framework {
    use mlp_parity_framework::{Backend, Mlp};

    mod flex {
        mlp_parity::conformance_tests!(differentiable, [20, 12], Relu, |config, parameters| {
            super::Mlp::new(config.clone(), parameters, &super::Backend::Flex.open()?)
        });
    }

    mod ndarray {
        mlp_parity::conformance_tests!(differentiable, [20, 12], Relu, |config, parameters| {
            super::Mlp::new(config.clone(), parameters, &super::Backend::NdArray.open()?)
        });
    }
}

#[test]
#[cfg(feature = "framework")]
fn wgpu_keeps_every_promise() {
    if let Some(wgpu) = support::framework::on_the_graphics_card() {
        check_differentiable(&network(), &|config, parameters| wgpu.create(config, parameters)).unwrap();
    }
}

fn network() -> MlpConfig {
    conformance::network(&[20, 12], Activation::Relu).unwrap()
}

/// Runs the check with this name on the model.
fn check(name: &str, config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let black_box = CLASSIFIER_CHECKS.iter().find(|(check, _)| *check == name);
    let white_box = DIFFERENTIABLE_CHECKS.iter().find(|(check, _)| *check == name);
    match (black_box, white_box) {
        (Some((_, check)), None) => check(config, &as_classifier(create)),
        (None, Some((_, check))) => check(config, create),
        _ => panic!("{name} must be the name of one check"),
    }
}

fn with_fault(
    fault: &'static str,
) -> impl Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> {
    move |config, parameters| Ok(Box::new(NonConforming::new(config, parameters, fault)?))
}

#[test]
fn every_check_finds_its_faults_and_names_them() {
    let mut missed = Vec::new();
    for (name, faults) in FAULTS {
        check(name, &network(), &with_fault("none")).unwrap_or_else(|violation| panic!("{name}: {violation}"));
        for (fault, expected) in *faults {
            let found = check(name, &network(), &with_fault(fault)).err().map(|violation| violation.to_string());
            if !found.as_ref().is_some_and(|found| found.contains(expected)) {
                missed.push(format!("{name}, {fault}: found {found:?}, expected \"{expected}\""));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_check_has_a_fault() {
    let names =
        CLASSIFIER_CHECKS.iter().map(|(name, _)| name).chain(DIFFERENTIABLE_CHECKS.iter().map(|(name, _)| name));
    for name in names {
        assert!(FAULTS.iter().any(|(check, faults)| check == name && !faults.is_empty()), "{name}");
    }
}

#[test]
fn kit_runs_on_any_number_of_classes_and_inputs() {
    for (inputs, classes) in [(36, 2), (20, 3), (49, 7)] {
        let config = MlpConfig::new(inputs, &[20], classes, Activation::Tanh).unwrap();
        check_differentiable(&config, &with_fault("none")).unwrap_or_else(|violation| panic!("{config}: {violation}"));
    }
}

/// The kit on a model that has nothing of its own but what the contract requires.
#[test]
fn provided_methods_keep_every_promise() {
    let config = conformance::network(&[], Activation::Relu).unwrap();
    let create = |config: &MlpConfig, parameters: &Parameters<f32>| {
        Ok(Box::new(linear::Linear::new(config, parameters)?) as Box<dyn Differentiable>)
    };
    check_differentiable(&config, &create).unwrap();
}

/// The kit on a model that trains ahead of its losses, and goes back.
#[test]
fn training_ahead_keeps_every_promise() {
    check_differentiable(&network(), &|config, parameters| support::ahead().create(config, parameters)).unwrap();
}
