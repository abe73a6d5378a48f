//! Faults of [`NonConforming`](super::NonConforming), and the message that the conformance kit must report for each.

/// For each check of the conformance kit, the faults that it must detect, each with a part of the expected message.
pub const FAULTS: &[(&str, &[(&str, &str)])] = &[
    (
        "predict_probabilities_returns_distributions",
        &[
            ("probabilities doubled", " instead of 1; apply `softmax` to each row"),
            ("logits as probabilities", "is negative; if these are logits, apply `softmax`"),
            ("NaN probabilities", "class 0 is NaN; subtract the largest logit before exponentiation"),
            ("probabilities transposed", "returned shape [10, 1] for 1 images, expected [1, 10]; return one row"),
            ("config of another network", "`config` returned 36-10, relu, but the model was created with 36-20-12-10"),
            (
                "predict_probabilities panics",
                "`predict_probabilities` panicked on 1 valid image (no prediction); return an `Error`",
            ),
            (
                "predict_probabilities fails",
                "`predict_probabilities` on 1 valid image failed: prediction is not implemented",
            ),
            ("constructor fails", "the constructor on parameters that fit 36-20-12-10, relu failed: a network"),
            ("constructor panics", "the constructor panicked on parameters that fit (no network); return a `Result`"),
        ],
    ),
    (
        "predict_and_evaluate_match_probabilities",
        &[
            ("predictions reversed", "for image 0, whose most probable class is"),
            ("prediction missing", "`predict` returned 69 classes for 70 images"),
            (
                "evaluate reorders predictions",
                "`evaluate` and `predict` returned different predictions for the same images",
            ),
            ("wrong accuracy", "`evaluate` returned accuracy"),
            ("wrong evaluation loss", "`evaluate` returned loss"),
        ],
    ),
    (
        "prediction_is_independent_of_batch",
        &[
            ("probabilities depend on batch size", "for image 0 alone, but"),
            ("NaN for a single image", "normalize each row separately, and keep no state between calls"),
        ],
    ),
    (
        "prediction_is_independent_of_memory_layout",
        &[
            (
                "pixels in memory order",
                "the same images in column-major order; read pixels through `as_standard_layout`",
            ),
            (
                "pixels read as slice",
                "`predict_probabilities` panicked on 70 valid images in column-major order (called",
            ),
        ],
    ),
    (
        "predict_probabilities_rejects_invalid_images",
        &[
            (
                "NaN pixel replaced by 0",
                "accepted an image with NaN; return `Error::NonFiniteInput`, as `check_images` does",
            ),
            (
                "infinite pixel replaced by 1",
                "accepted an image with inf; return `Error::NonFiniteInput`, as `check_images` does",
            ),
            (
                "ndarray panics on width",
                "`predict_probabilities` panicked on images of another width (ndarray: inputs 4 × 35 and 36 × 1 are \
                 not compatible for matrix multiplication); return `Error::Shape`, as `check_images` does",
            ),
            ("width reported as data error", "rejected images of another width with the wrong error (images: "),
            ("empty batch accepted", "`predict_probabilities` accepted a matrix without images; return `Error::Shape`"),
        ],
    ),
    (
        "fit_learns",
        &[(
            "fit restores initial parameters",
            "check that each update subtracts the learning rate times the mean gradient",
        )],
    ),
    ("fit_is_reproducible", &[("fit result is random", "derive every random choice from `TrainingConfig::seed`")]),
    (
        "fit_reports_to_observer",
        &[
            (
                "nothing reported to observer",
                "`fit` called `Observer::epoch_ended` for epochs [], but returned epochs [1, 2, 3]",
            ),
            ("epochs reported twice", "for epochs [1, 1, 2, 2, 3], but returned epochs [1, 2, 3]"),
            ("images reported twice", "`fit` reported 420 images to `Observer::batch_ended` in 3 epochs of 70 images"),
            (
                "wrong stopped flag",
                "trained epochs [1, 2, 3] with `stopped: true`; expected [1, 2, 3] with `stopped: false`",
            ),
            ("last epoch missing", "trained epochs [1, 2] with `stopped: false`; expected [1, 2, 3]"),
            ("fit stops after first epoch", "trained epochs [1] with `stopped: true`; expected [1, 2, 3]"),
        ],
    ),
    (
        "fit_and_evaluate_reject_mismatched_data",
        &[
            (
                "fit accepts any data",
                "`fit` accepted images of another width; return `Error::Data`, as `training::fit`",
            ),
            ("fit accepts any label", "`fit` accepted labels out of range; return `Error::Data`"),
            (
                "evaluate accepts any data",
                "`evaluate` accepted images of another width; return `Error::Data`, as `Dataset::check",
            ),
        ],
    ),
    (
        "parameters_round_trip_bit_for_bit",
        &[
            ("constructor perturbs parameters", "what the constructor was given: layer1.weight is"),
            ("set_parameters perturbs parameters", "what `set_parameters` was given: layer1.weight is"),
            (
                "set_parameters replaces NaN",
                "what `set_parameters` was given: output_layer.bias is 0e0 at [0], expected NaN",
            ),
        ],
    ),
    (
        "mismatched_shapes_are_rejected",
        &[
            (
                "constructor accepts any shape",
                "the constructor accepted parameters of another shape; return `Error::Shape`",
            ),
            (
                "set_parameters accepts any shape",
                "`set_parameters` accepted parameters of another shape; return `Error::Shape`",
            ),
            (
                "apply_gradients accepts any shape",
                "`apply_gradients` accepted gradients of another shape; return `Error::Shape`, as \
                 `Parameters::check_fit` does",
            ),
            (
                "apply_gradients panics on shape",
                "`apply_gradients` panicked on gradients of another shape (ndarray: could not broadcast",
            ),
            (
                "logits panics on width",
                "`logits` panicked on images of another width (ndarray: inputs 4 × 35 and 36 × 1 are not",
            ),
            (
                "loss_and_gradients accepts any width",
                "`loss_and_gradients` accepted images of another width; return `Error::Shape`, as `Batch::check_fit` \
                 does",
            ),
            (
                "step accepts any width",
                "`step` accepted images of another width; return `Error::Shape`, as `Batch::check_fit`",
            ),
            (
                "loss_and_gradients accepts any label",
                "`loss_and_gradients` accepted label 10 of a network with 10 classes; return `Error::Data`, as \
                 `Batch::che",
            ),
            ("step accepts any label", "`step` accepted label 10 of a network with 10 classes; return `Error::Data`"),
        ],
    ),
    (
        "nan_parameters_propagate",
        &[
            (
                "logits clamped with max",
                "`logits` hides NaN: every bias of the first layer is NaN, but the logit at [0, 0] is 0; `f32::max` \
                 drops NaN",
            ),
            (
                "logits comparison panics",
                "`logits` panicked on 4 valid images with NaN in every bias of the first layer (called `Option",
            ),
            (
                "NaN probabilities replaced",
                "`predict_probabilities` hides NaN: the logits are NaN, but a probability is 0.1",
            ),
            ("loss clamped with max", "`loss_and_gradients` hides NaN: the logits are NaN, but the loss is 0"),
            ("gradients clipped", "`loss_and_gradients` hides NaN: the loss is NaN, but every gradient is finite"),
            (
                "divergence ignored",
                "`fit` accepted a model with NaN in every bias of the first layer; return `Error::Diverged`, as \
                 `training::fit`",
            ),
        ],
    ),
    (
        "non_finite_loss_prevents_update",
        &[
            (
                "step updates from NaN",
                "`step` updated the parameters from a loss that is not finite: layer1.weight is NaN",
            ),
            ("step hides NaN", "`step` returned loss 0 with NaN in every bias of the first layer"),
            ("train_batches continues after NaN", "; stop after the first loss that is not finite"),
            ("train_batches updates from NaN", "`train_batches` updated the parameters from a loss that is not finite"),
        ],
    ),
    (
        "probabilities_are_softmax_of_logits",
        &[("softmax with another temperature", "from the softmax of `logits`; return `softmax(self.logits(images)?)`")],
    ),
    (
        "inference_and_gradients_have_no_side_effects",
        &[
            ("gradients accumulated", "start from zero gradients, and keep no state between batches"),
            ("loss_and_gradients updates parameters", "changed the parameters: layer1.weight is"),
        ],
    ),
    (
        "step_equals_gradients_then_update",
        &[
            (
                "step doubles learning rate",
                "the update of `step` differs from that of `loss_and_gradients` and `apply_gradients` by",
            ),
            ("step returns loss after update", "return the mean loss before the update"),
        ],
    ),
    (
        "fit_visits_batches_in_order",
        &[
            ("fit uses another image order", "for batch 1 of two epochs, but `step` returned"),
            (
                "wrong losses reported",
                "visit the images in the order of `Dataset::epoch_order`, with the learning rates of `Batches`",
            ),
            ("last batch not reported", "`fit` reported 6 batches, but two epochs have 8"),
            ("fit moves parameters too far", "the updates of `fit` differ from those of `step` on the same batches by"),
        ],
    ),
    (
        "set_optimizer_resets_state",
        &[
            ("set_optimizer keeps state", "`set_optimizer` kept the optimizer state"),
            ("set_optimizer perturbs parameters", "`set_optimizer` changed the parameters: layer1.weight is"),
        ],
    ),
    (
        "set_optimizer_rejects_invalid_values",
        &[
            (
                "set_optimizer accepts anything",
                "`set_optimizer` accepted a momentum of 1; return `Error::Configuration`, as `Optimizer::validate`",
            ),
            (
                "set_optimizer accepts any weight decay",
                "`set_optimizer` accepted a negative weight decay; return `Error::Configuration`",
            ),
        ],
    ),
    (
        "resumed_fit_equals_uninterrupted_fit",
        &[
            ("moments not restored", "resumed after two of three epochs, differs from the uninterrupted run"),
            ("steps not restored", "resumed after two of three epochs, differs from the uninterrupted run"),
            (
                "epoch range starts at 1",
                "`fit` on a range of epochs trained epochs [1] with `stopped: false`, expected epochs [3]",
            ),
            (
                "set_optimizer_state accepts any state",
                "`set_optimizer_state` accepted the state of another optimizer; return `Error::Shape`",
            ),
        ],
    ),
];
