//! The tests of an implementation, in one line.

/// One `#[test]` for each promise of the contract: see [`conformance`](crate::conformance).
///
/// `conformance_tests!(differentiable, [20, 12], Relu, create)`, or `classifier` for a black box; `create` takes
/// `(&MlpConfig, &Parameters<f32>)` and returns `mlp_parity::Result` of the network.
#[macro_export]
macro_rules! conformance_tests {
    (classifier, $hidden:expr, $activation:ident, $create:expr) => {
        fn create(
            config: &$crate::MlpConfig,
            parameters: &$crate::Parameters<f32>,
        ) -> $crate::Result<::std::boxed::Box<dyn $crate::Classifier>> {
            let create: fn(&$crate::MlpConfig, &$crate::Parameters<f32>) -> $crate::Result<_> = $create;
            Ok(::std::boxed::Box::new(create(config, parameters)?))
        }
        $crate::conformance_tests!(@classifier create, $hidden, $activation);
    };
    (differentiable, $hidden:expr, $activation:ident, $create:expr) => {
        fn create(
            config: &$crate::MlpConfig,
            parameters: &$crate::Parameters<f32>,
        ) -> $crate::Result<::std::boxed::Box<dyn $crate::Differentiable>> {
            let create: fn(&$crate::MlpConfig, &$crate::Parameters<f32>) -> $crate::Result<_> = $create;
            Ok(::std::boxed::Box::new(create(config, parameters)?))
        }
        $crate::conformance_tests!(@classifier $crate::conformance::as_classifier(&create), $hidden, $activation);
        $crate::conformance_tests!(@tests create, $hidden, $activation:
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
    };
    (@classifier $create:expr, $hidden:expr, $activation:ident) => {
        $crate::conformance_tests!(@tests $create, $hidden, $activation:
            answers_are_probabilities
            predictions_are_the_largest_probabilities
            an_image_alone_is_answered_as_in_company
            training_teaches
            training_repeats_itself
            training_is_reported_and_can_be_stopped
            images_that_cannot_be_are_refused
            data_that_do_not_fit_are_refused
        );
    };
    (@tests $create:expr, $hidden:expr, $activation:ident: $($test:ident)+) => {
        $(
            #[test]
            #[allow(clippy::panic, reason = "a test fails by panicking")]
            fn $test() {
                let kept = $crate::conformance::network(&$hidden, $crate::Activation::$activation)
                    .map_err($crate::conformance::Violation::from)
                    .and_then(|config| $crate::conformance::$test(&config, &$create));
                if let Err(violation) = kept {
                    panic!("{violation}");
                }
            }
        )+
    };
}
