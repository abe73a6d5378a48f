//! Every implementation keeps the contract, one line each; one that keeps no promise is caught by every test.

use mlp_parity::conformance::{self, Violation};
use mlp_parity::{Activation, Differentiable, MlpConfig, Parameters};
use support::careless::{Careless, ways};

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

/// Every test of the kit, by name, on a network that breaks this promise and on one that breaks none.
macro_rules! each_is_caught {
    (classifier: $($black_box:ident)+; differentiable: $($white_box:ident)+) => {
        /// All of them, for who is there on some machines only.
        #[cfg(feature = "framework")]
        fn every_promise(config: &MlpConfig, create: conformance::Create<'_, dyn Differentiable>) -> conformance::Kept {
            $(conformance::$black_box(config, &conformance::as_classifier(create))?;)+
            $(conformance::$white_box(config, create)?;)+
            Ok(())
        }

        #[test]
        fn whoever_breaks_a_promise_is_caught() {
            $(
                caught(stringify!($black_box), |broken| {
                    let create = careless(broken);
                    conformance::$black_box(&network(), &conformance::as_classifier(&create))
                });
            )+
            $(
                caught(stringify!($white_box), |broken| conformance::$white_box(&network(), &careless(broken)));
            )+
        }
    };
}

each_is_caught!(
    classifier:
        answers_are_probabilities
        predictions_are_the_largest_probabilities
        an_image_alone_is_answered_as_in_company
        training_teaches
        training_repeats_itself
        training_is_reported_and_can_be_stopped
        images_that_cannot_be_are_refused
        data_that_do_not_fit_are_refused;
    differentiable:
        parameters_are_kept_to_the_bit
        other_shapes_are_refused
        not_a_number_shows
        probabilities_are_the_softmax_of_the_logits
        looking_leaves_no_trace
        a_step_is_a_gradient_and_its_update
        fit_takes_the_promised_batches
        an_optimizer_starts_afresh
        parts_of_a_run_are_the_whole
        rules_that_cannot_be_are_refused
);

#[test]
#[cfg(feature = "framework")]
fn the_graphics_card_keeps_every_promise() {
    if let Some(wgpu) = support::framework::on_the_graphics_card() {
        every_promise(&network(), &|config, parameters| wgpu.create(config, parameters)).unwrap();
    }
}

fn network() -> MlpConfig {
    conformance::network(&[20, 12], Activation::Relu).unwrap()
}

type Made<M> = mlp_parity::Result<Box<M>>;

fn careless(broken: &'static str) -> impl Fn(&MlpConfig, &Parameters<f32>) -> Made<dyn Differentiable> {
    move |config, parameters| Ok(Box::new(Careless::new(config, parameters, broken)?))
}

fn caught(promise: &'static str, test: impl Fn(&'static str) -> conformance::Kept) {
    test("nothing").unwrap_or_else(|violation| panic!("{promise}: {violation}"));
    for way in ways(promise) {
        assert!(matches!(test(way), Err(Violation::Broken(_))), "{way}: can be broken unseen");
    }
}
