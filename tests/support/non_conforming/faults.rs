//! The faults of the model, and how the conformance kit must report each.

/// The check of the kit, the fault that it must find, and a part of the message that it must give.
pub const FAULTS: &[(&str, &[(&str, &str)])] = &[
    (
        "predict_probabilities_returns_distributions",
        &[
            ("probabilities doubled", ", not 1; apply `softmax` to each row"),
            ("logits as probabilities", "is negative; are these logits? Apply `softmax`"),
            ("probabilities NaN", "class 0 is NaN; subtract the largest logit before exponentiation"),
            ("probabilities transposed", "returned the shape [10, 1] for 1 images; return one row per image"),
            ("config of another network", "`config` returned 36-10, relu, but the model was created as 36-20-12-10"),
            ("probabilities panic", "`predict_probabilities` panicked on 1 valid image (no answer); return an `Error`"),
            ("probabilities fail", "`predict_probabilities` on 1 valid image failed: an answer is not implemented"),
            ("constructor fails", "the constructor on parameters that fit 36-20-12-10, relu failed: a network"),
            ("constructor panics", "the constructor panicked on parameters that fit (no network); return a `Result`"),
        ],
    ),
    (
        "predict_and_evaluate_follow_from_probabilities",
        &[
            ("predictions reversed", "for image 0, whose most probable class is"),
            ("prediction missing", "`predict` returned 69 classes for 70 images"),
            ("evaluation in another order", "`evaluate` returned other predictions than `predict`"),
            ("another accuracy", "`evaluate` returned the accuracy"),
            ("another loss", "`evaluate` returned the loss"),
        ],
    ),
    (
        "prediction_is_independent_of_batch",
        &[
            ("probabilities of the batch", "for image 0 alone, but"),
            ("NaN for one image", "normalize each row by itself, and keep no state between calls"),
        ],
    ),
    (
        "prediction_is_independent_of_memory_layout",
        &[
            (
                "pixels in memory order",
                "the same images in column-major order; take the values from `as_standard_layout`",
            ),
            ("pixels as a slice", "`predict_probabilities` panicked on 70 valid images in column-major order (called"),
        ],
    ),
    (
        "predict_probabilities_rejects_invalid_images",
        &[
            ("NaN as 0", "accepted an image with NaN; return `Error::NonFiniteInput`, as `check_images` does"),
            ("infinity as 1", "accepted an image with inf; return `Error::NonFiniteInput`, as `check_images` does"),
            (
                "width asserted by ndarray",
                "`predict_probabilities` panicked on images of another width (ndarray: inputs 4 × 35 and 36 × 1 are not \
                 compatible for matrix multiplication); return `Error::Shape`, as `check_images` does",
            ),
            ("width as an error of the data", "rejected images of another width with another error (images: "),
            ("no image", "`predict_probabilities` accepted a matrix without images; return `Error::Shape`"),
        ],
    ),
    (
        "fit_learns",
        &[("training undone", "check that each update subtracts the learning rate times the mean gradient")],
    ),
    ("fit_is_reproducible", &[("random result", "seed every random choice with `TrainingConfig::seed`")]),
    (
        "fit_reports_to_the_observer",
        &[
            (
                "nothing reported",
                "`fit` called `Observer::epoch_ended` for the epochs [], but returned the epochs [1, 2, 3]",
            ),
            ("each epoch twice", "for the epochs [1, 1, 2, 2, 3], but returned the epochs [1, 2, 3]"),
            ("batches twice", "`fit` reported 420 images to `Observer::batch_ended` in 3 epochs of 70 images"),
            (
                "another end",
                "trained the epochs [1, 2, 3] with `stopped: true`; expected [1, 2, 3] with `stopped: false`",
            ),
            ("an epoch fewer", "trained the epochs [1, 2] with `stopped: false`; expected [1, 2, 3]"),
            ("end after the first epoch", "trained the epochs [1] with `stopped: true`; expected [1, 2, 3]"),
        ],
    ),
    (
        "fit_and_evaluate_reject_unsuitable_data",
        &[
            ("fit on anything", "`fit` accepted images of another width; return `Error::Data`, as `training::fit`"),
            ("fit on any label", "`fit` accepted labels out of range; return `Error::Data`"),
            (
                "evaluation of anything",
                "`evaluate` accepted images of another width; return `Error::Data`, as `Dataset::check",
            ),
        ],
    ),
    (
        "parameters_are_kept_bit_for_bit",
        &[
            ("initialization of its own", "what the model was created with: layer1.weight is"),
            ("parameters rounded", "what `set_parameters` was given: layer1.weight is"),
            ("NaN not set", "what `set_parameters` was given: output_layer.bias is 0e0 at value 0, expected NaN"),
        ],
    ),
    (
        "other_shapes_are_rejected",
        &[
            (
                "constructor takes any shape",
                "the constructor accepted parameters of another shape; return `Error::Shape`",
            ),
            (
                "set_parameters takes any shape",
                "`set_parameters` accepted parameters of another shape; return `Error::Shape`",
            ),
            (
                "apply_gradients takes any shape",
                "`apply_gradients` accepted gradients of another shape; return `Error::Shape`, as `Parameters::check_fit` does",
            ),
            (
                "apply_gradients asserts",
                "`apply_gradients` panicked on gradients of another shape (ndarray: could not broadcast",
            ),
            (
                "logits assert",
                "`logits` panicked on images of another width (ndarray: inputs 4 × 35 and 36 × 1 are not",
            ),
            (
                "gradients of any image",
                "`loss_and_gradients` accepted images of another width; return `Error::Shape`, as `Batch::check_fit` does",
            ),
            (
                "step on any image",
                "`step` accepted images of another width; return `Error::Shape`, as `Batch::check_fit`",
            ),
            (
                "gradients of any label",
                "`loss_and_gradients` accepted label 10 of a network with 10 classes; return `Error::Data`, as `Batch::che",
            ),
            ("step on any label", "`step` accepted label 10 of a network with 10 classes; return `Error::Data`"),
        ],
    ),
    (
        "nan_is_not_hidden",
        &[
            (
                "logits max",
                "`logits` replaced NaN by a number: every bias of the first layer is NaN, and the logit at (0, 0) is 0; \
              `f32::max` drops NaN, compare with `<` instead",
            ),
            (
                "logits compared",
                "`logits` panicked on 4 valid images with NaN in every bias of the first layer (called `Option",
            ),
            (
                "probabilities without NaN",
                "`predict_probabilities` replaced NaN by a number: the logits are NaN, and a probability is 0.1",
            ),
            ("loss max", "`loss_and_gradients` replaced NaN by a number: the logits are NaN, and the loss is 0"),
            (
                "gradients clipped",
                "`loss_and_gradients` replaced NaN by numbers: the loss is NaN, and every gradient is finite",
            ),
            (
                "divergence ignored",
                "`fit` accepted a model with NaN in every bias of the first layer; return `Error::Diverged`, as `training::fit`",
            ),
        ],
    ),
    (
        "non_finite_loss_updates_nothing",
        &[
            (
                "step updates always",
                "`step` updated the parameters from a loss that is not finite: layer1.weight is NaN",
            ),
            ("step hides NaN", "`step` returned the loss 0 with NaN in every bias of the first layer"),
            ("batches go on", "of which the first that is not finite must be the last; expected"),
            ("batches update always", "`train_batches` updated the parameters from a loss that is not finite"),
        ],
    ),
    (
        "probabilities_are_softmax_of_logits",
        &[("another temperature", "from the softmax of `logits`; return `softmax(self.logits(images)?)`")],
    ),
    (
        "inference_and_gradients_change_nothing",
        &[
            ("gradients accumulated", "start from zero gradients, and keep nothing of earlier batches"),
            ("gradients update", "changed the parameters: layer1.weight is"),
        ],
    ),
    (
        "step_is_gradients_and_update",
        &[
            ("step twice as far", "otherwise than `apply_gradients` with the gradients of `loss_and_gradients`"),
            ("loss after the update", "return the mean loss before the update"),
        ],
    ),
    (
        "fit_steps_through_the_batches_in_order",
        &[
            ("another order", "for batch 1 of two epochs, but `step` in the promised order has"),
            ("other losses reported", "visit the images in `Dataset::epoch_order`, with the rates of `Batches`"),
            ("last batch not reported", "`fit` reported 6 batches, but two epochs have 8"),
            ("fit farther than step", "otherwise than `step` on the same batches"),
        ],
    ),
    (
        "set_optimizer_resets_state",
        &[
            ("state kept", "`set_optimizer` kept the optimizer state"),
            ("parameters moved", "`set_optimizer` changed the parameters: layer1.weight is"),
        ],
    ),
    (
        "set_optimizer_rejects_invalid_values",
        &[
            (
                "any optimizer",
                "`set_optimizer` accepted a momentum of 1; return `Error::Configuration`, as `Optimizer::validate`",
            ),
            ("any decay", "`set_optimizer` accepted a negative weight decay; return `Error::Configuration`"),
        ],
    ),
    (
        "resumed_fit_equals_uninterrupted_fit",
        &[
            ("moments not restored", "resumed after two of three epochs, ends"),
            ("steps not restored", "resumed after two of three epochs, ends"),
            ("another epoch", "`fit` on a part of a run trained the epochs [1] with `stopped: false`, expected [3]"),
            ("any state", "`set_optimizer_state` accepted the state of another optimizer; return `Error::Shape`"),
        ],
    ),
];
