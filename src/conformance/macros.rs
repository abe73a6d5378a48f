//! The macro that generates the conformance tests of an implementation, and the lists of all conformance checks.

/// Generates one `#[test]` per requirement of the contract. Call it in a module of its own; see the module
/// [`conformance`](crate::conformance) for a description and an example.
///
/// `conformance_tests!(differentiable, [20, 12], Relu, create)` tests a white box with hidden layers of 20 and 12 units
/// and ReLU activation; `classifier` instead of `differentiable` tests a black box. `create` is a function from
/// `(&MlpConfig, &Parameters<f32>)` to `mlp_parity::Result` of the model.
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
        $crate::conformance_tests!(@classifier tests create, $hidden, $activation);
    };
    (differentiable, $hidden:expr, $activation:ident, $create:expr) => {
        fn create(
            config: &$crate::MlpConfig,
            parameters: &$crate::Parameters<f32>,
        ) -> $crate::Result<::std::boxed::Box<dyn $crate::Differentiable>> {
            let create: fn(&$crate::MlpConfig, &$crate::Parameters<f32>) -> $crate::Result<_> = $create;
            Ok(::std::boxed::Box::new(create(config, parameters)?))
        }
        $crate::conformance_tests!(@classifier tests $crate::conformance::as_classifier(&create), $hidden, $activation);
        $crate::conformance_tests!(@differentiable tests create, $hidden, $activation);
    };
    // The lists of checks. With `tests` they expand to test functions, with `table` to a slice of names and functions.
    (@classifier $what:ident $($arguments:tt)*) => {
        $crate::conformance_tests! { @$what [$($arguments)*]
            predict_probabilities_returns_distributions
            predict_and_evaluate_match_probabilities
            prediction_is_independent_of_batch
            prediction_is_independent_of_memory_layout
            predict_probabilities_rejects_invalid_images
            fit_learns
            fit_is_reproducible
            fit_reports_to_observer
            fit_and_evaluate_reject_mismatched_data
        }
    };
    (@differentiable $what:ident $($arguments:tt)*) => {
        $crate::conformance_tests! { @$what [$($arguments)*]
            parameters_round_trip_bit_for_bit
            mismatched_shapes_are_rejected
            nan_parameters_propagate
            non_finite_loss_prevents_update
            probabilities_are_softmax_of_logits
            inference_and_gradients_have_no_side_effects
            step_equals_gradients_then_update
            fit_visits_batches_in_order
            set_optimizer_resets_state
            set_optimizer_rejects_invalid_values
            resumed_fit_equals_uninterrupted_fit
        }
    };
    (@table [] $($check:ident)+) => {
        &[$((stringify!($check), $crate::conformance::$check)),+]
    };
    (@tests [$create:expr, $hidden:expr, $activation:ident] $($check:ident)+) => {
        $(
            #[test]
            #[allow(clippy::panic, reason = "a test fails by panicking")]
            fn $check() {
                let result = $crate::conformance::network(&$hidden, $crate::Activation::$activation)
                    .map_err($crate::conformance::Violation::from)
                    .and_then(|config| $crate::conformance::$check(&config, &$create));
                if let Err(violation) = result {
                    panic!("{violation}");
                }
            }
        )+
    };
}
