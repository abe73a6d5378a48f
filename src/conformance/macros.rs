//! The tests of an implementation, in one line.

/// Makes one `#[test]` for each promise of the contract: see [`conformance`](crate::conformance).
///
/// `conformance_tests!(differentiable, [20, 12], Relu, create)`, or `classifier` for a black box. `create` takes
/// `(&MlpConfig, &Parameters<f32>)` and returns `mlp_parity::Result` of the model.
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
    // The lists of promises, from which `tests` makes functions and `table` a slice.
    (@classifier $what:ident $($arguments:tt)*) => {
        $crate::conformance_tests! { @$what [$($arguments)*]
            predict_probabilities_returns_distributions
            predict_and_evaluate_follow_from_probabilities
            prediction_is_independent_of_batch
            prediction_is_independent_of_memory_layout
            predict_probabilities_rejects_invalid_images
            fit_learns
            fit_is_reproducible
            fit_reports_to_the_observer
            fit_and_evaluate_reject_unsuitable_data
        }
    };
    (@differentiable $what:ident $($arguments:tt)*) => {
        $crate::conformance_tests! { @$what [$($arguments)*]
            parameters_are_kept_bit_for_bit
            other_shapes_are_rejected
            nan_is_not_hidden
            non_finite_loss_updates_nothing
            probabilities_are_softmax_of_logits
            inference_and_gradients_change_nothing
            step_is_gradients_and_update
            fit_steps_through_the_batches_in_order
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
                let kept = $crate::conformance::network(&$hidden, $crate::Activation::$activation)
                    .map_err($crate::conformance::Violation::from)
                    .and_then(|config| $crate::conformance::$check(&config, &$create));
                if let Err(violation) = kept {
                    panic!("{violation}");
                }
            }
        )+
    };
}
