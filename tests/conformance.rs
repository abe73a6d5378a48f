//! Runs the conformance kit (`mlp_parity::conformance`) on every implementation, and tests that the kit detects each
//! fault of a non-conforming model and reports it with the right message.

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
fn wgpu_conforms_to_contract() {
    if let Some(wgpu) = support::framework::gpu_candidate() {
        check_differentiable(&network(), &|config, parameters| wgpu.create(config, parameters)).unwrap();
    }
}

/// Returns the network configuration that most of these tests use: hidden layers of 20 and 12 ReLU units.
fn network() -> MlpConfig {
    conformance::network(&[20, 12], Activation::Relu).unwrap()
}

/// Runs the check of the conformance kit with the given name.
fn check(name: &str, config: &MlpConfig, create: Create<'_, dyn Differentiable>) -> CheckResult {
    let black_box = CLASSIFIER_CHECKS.iter().find(|(check, _)| *check == name);
    let white_box = DIFFERENTIABLE_CHECKS.iter().find(|(check, _)| *check == name);
    match (black_box, white_box) {
        (Some((_, check)), None) => check(config, &as_classifier(create)),
        (None, Some((_, check))) => check(config, create),
        _ => panic!("expected exactly one check with the name '{name}'"),
    }
}

/// Returns a function that creates models with the given fault of [`FAULTS`], for the parameter of type [`Create`].
fn with_fault(
    fault: &'static str,
) -> impl Fn(&MlpConfig, &Parameters<f32>) -> mlp_parity::Result<Box<dyn Differentiable>> {
    move |config, parameters| Ok(Box::new(NonConforming::new(config, parameters, fault)?))
}

#[test]
fn conformance_checks_detect_and_name_every_fault() {
    let mut missed = Vec::new();
    for (name, faults) in FAULTS {
        // Without a fault the check must pass.
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
fn every_conformance_check_is_triggered_by_some_fault() {
    let names =
        CLASSIFIER_CHECKS.iter().map(|(name, _)| name).chain(DIFFERENTIABLE_CHECKS.iter().map(|(name, _)| name));
    for name in names {
        assert!(FAULTS.iter().any(|(check, faults)| check == name && !faults.is_empty()), "{name}");
    }
}

#[test]
fn conformance_kit_supports_any_number_of_inputs_and_classes() {
    for (inputs, classes) in [(36, 2), (20, 3), (49, 7)] {
        let config = MlpConfig::new(inputs, &[20], classes, Activation::Tanh).unwrap();
        check_differentiable(&config, &with_fault("none")).unwrap_or_else(|violation| panic!("{config}: {violation}"));
    }
}

/// Tests the default methods of the traits, with a model that implements only the required methods.
#[test]
fn default_trait_methods_conform_to_contract() {
    let config = conformance::network(&[], Activation::Relu).unwrap();
    let create = |config: &MlpConfig, parameters: &Parameters<f32>| {
        Ok(Box::new(linear::Linear::new(config, parameters)?) as Box<dyn Differentiable>)
    };
    check_differentiable(&config, &create).unwrap();
}

/// Tests a model that updates its parameters for several batches before it reads their losses, and rolls back if a loss
/// is not finite.
#[test]
fn model_with_deferred_loss_check_conforms_to_contract() {
    check_differentiable(&network(), &|config, parameters| support::deferred_loss_check().create(config, parameters))
        .unwrap();
}
