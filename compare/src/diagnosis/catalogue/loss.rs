//! Variants of the reported loss.

use std::f64::consts::{LN_2, LN_10};

use mlp_parity_scratch::reference::{
    LogarithmGuard, Loss, LossFunction, OutputDelta, OutputFunction, Reduction, ReportedLoss, SoftmaxGroup,
    Specification,
};
use ndarray::{Array2, Axis, concatenate, s};

use super::{Facts, decay};
use crate::check::Kind;
use crate::diagnosis::variant::Variant;

/// Constants ε that programs use to protect logarithms.
const EPSILONS: [f64; 9] = [1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-20];

pub(super) fn variants(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = factors(facts);
    variants.extend(functions(facts));
    variants.extend(smoothings(facts));
    variants.extend(guards(facts));
    if facts.has_loss {
        variants.extend(decay::of_loss(facts));
    }
    variants.extend(softmaxes(facts));
    variants.extend(labels());
    variants.push(
        Variant::new(
            ("loss-after-update", Kind::Convention),
            "computes the loss with the parameters after the update",
            "record the loss of a step before its update",
            |computation| computation.after_update.loss = true,
        )
        .harmless(),
    );
    variants
}

/// Returns a variant that reports another loss than the one that is differentiated.
fn reported(
    name: (&'static str, Kind),
    sentence: String,
    advice: impl Into<String>,
    change: impl Fn(&mut ReportedLoss) + Send + Sync + 'static,
) -> Variant {
    Variant::of_specification(name, sentence, advice, move |specification: &mut Specification| {
        let mut loss = specification.reported_loss();
        change(&mut loss);
        specification.deviations.reported_loss = Some(loss);
    })
}

fn factors(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (reduction, name, sentence) in [
        (Reduction::Mean, "mean", "reports the mean of the loss over the images"),
        (Reduction::Sum, "sum", "reports the sum of the loss over the images, not divided by their number"),
        (Reduction::MeanOverOutputs, "mean-over-outputs", "reports the mean of the loss over images and outputs"),
    ] {
        if facts.computation.specification.loss.reduction != reduction {
            variants.push(Variant::of_specification(
                ("another-reduction", Kind::Convention),
                format!("has the {name} of the loss, and its gradient")
                    .replace("mean-over-outputs", "mean over images and outputs"),
                format!("declare `reduction` {name}"),
                move |specification| specification.loss.reduction = reduction,
            ));
            variants.push(reported(
                ("loss-reduction", Kind::Convention),
                sentence.to_owned(),
                format!("if the gradient is that of this loss, declare `reduction` {name}; else correct or leave out the loss"),
                move |reported| reported.loss.reduction = reduction,
            ));
        }
    }
    for (id, factor, sentence) in [
        ("loss-half", 0.5, "reports half of the loss"),
        ("loss-double", 2.0, "reports twice the loss"),
        ("loss-log2", LN_2.recip(), "uses the logarithm to the base 2"),
        ("loss-log10", LN_10.recip(), "uses the logarithm to the base 10"),
        ("loss-sign", -1.0, "reports the loss with the opposite sign"),
    ] {
        let has_logarithm = !matches!(facts.computation.specification.loss.function, LossFunction::SquaredError { .. });
        if id.starts_with("loss-log") && !has_logarithm {
            continue;
        }
        variants.push(reported(
            (id, Kind::Fault),
            sentence.to_owned(),
            "check the factor of the loss, and its logarithm",
            move |reported| {
                reported.factor *= factor;
            },
        ));
    }
    variants
}

fn functions(facts: &Facts<'_>) -> Vec<Variant> {
    let output = facts.computation.specification.loss.function.output();
    let output_name = match output {
        OutputFunction::Linear => "linear",
        OutputFunction::Sigmoid => "sigmoid",
        OutputFunction::Tanh => "tanh",
        OutputFunction::Softmax | OutputFunction::SoftmaxTwice => "softmax",
    };
    let others = [
        (
            LossFunction::SquaredError { output, factor: 1.0 },
            "the squared error of the outputs",
            "`loss_function` squared-error",
        ),
        (
            LossFunction::SquaredError { output, factor: 0.5 },
            "half the squared error of the outputs",
            "`loss_function` squared-error, `loss_factor` 0.5",
        ),
        (
            LossFunction::CrossEntropy { guard: LogarithmGuard::None, label_smoothing: 0.0 },
            "the cross-entropy of the outputs, −Σ t ln a",
            "`loss_function` cross-entropy",
        ),
        (
            LossFunction::BinaryCrossEntropy { guard: LogarithmGuard::None },
            "the binary cross-entropy of the outputs",
            "`loss_function` binary-cross-entropy",
        ),
    ];
    let mut variants = Vec::new();
    for (function, name, key) in others {
        for (reduction, over, reduction_key) in [
            (Reduction::Mean, "", "mean"),
            (Reduction::MeanOverOutputs, ", averaged over the outputs as well", "mean-over-outputs"),
            (Reduction::Sum, ", summed over the images", "sum"),
        ] {
            let declared = facts.computation.specification.loss;
            // The sum of the declared function is another reduction.
            let is_reduction = reduction == Reduction::Sum && function == declared.function;
            if (Loss { function, reduction }) != declared && !is_reduction {
                // Its derivative is that of the loss, through the declared output function.
                variants.push(Variant::of_specification(
                    ("another-loss", Kind::Convention),
                    format!("has {name}{over} as the loss, and its gradient"),
                    format!("declare {key}, `output` {output_name} and `reduction` {reduction_key}"),
                    move |specification| {
                        specification.deviations.output = Some(output);
                        specification.loss = Loss { function, reduction };
                    },
                ));
                variants.push(reported(
                    ("another-reported-loss", Kind::Convention),
                    format!("reports {name}{over}"),
                    "if the gradient is that of this loss, declare `loss_function`; else leave out the loss",
                    move |reported| reported.loss = Loss { function, reduction },
                ));
            }
        }
    }
    variants
}

/// Smoothed labels.
fn smoothings(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    for smoothing in [0.05, 0.1, 0.2] {
        if let LossFunction::CrossEntropy { guard, .. } = facts.computation.specification.loss.function {
            let function = LossFunction::CrossEntropy { guard, label_smoothing: smoothing };
            variants.push(Variant::of_specification(
                ("label-smoothing", Kind::Convention),
                format!("smooths the labels by {smoothing}"),
                format!("declare `label_smoothing` {smoothing}"),
                move |specification| specification.loss.function = function,
            ));
        }
    }
    variants
}

/// Returns variants with protected logarithms.
fn guards(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (epsilon, in_gradient) in EPSILONS.into_iter().flat_map(|epsilon| [(epsilon, false), (epsilon, true)]) {
        for (guard, key, text) in [
            (
                LogarithmGuard::Added { epsilon, in_gradient },
                "log_epsilon",
                format!("adds {epsilon:e} in the logarithm"),
            ),
            (
                LogarithmGuard::Clipped { epsilon, in_gradient },
                "log_clip",
                format!("clips probabilities to [{epsilon:e}, 1 − {epsilon:e}] in the logarithm"),
            ),
        ] {
            let function = match facts.computation.specification.loss.function {
                LossFunction::CrossEntropy { label_smoothing, .. } => {
                    LossFunction::CrossEntropy { guard, label_smoothing }
                }
                LossFunction::BinaryCrossEntropy { .. } => LossFunction::BinaryCrossEntropy { guard },
                LossFunction::SquaredError { .. } => continue,
            };
            let (and, also) =
                if in_gradient { (", and in its derivative", ", with `log_in_gradient`") } else { ("", "") };
            variants.push(
                Variant::of_specification(
                    ("protected-logarithm", Kind::Convention),
                    format!("{text}{and}"),
                    format!("declare `{key}` {epsilon:e}{also}"),
                    move |specification| specification.loss.function = function,
                )
                .with_bits((2.0 * EPSILONS.len() as f64).log2())
                .harmless(),
            );
        }
    }
    variants
}

/// Returns variants that apply softmax twice, with the gradient through both, or through none, or along another axis.
pub(super) fn softmaxes(facts: &Facts<'_>) -> Vec<Variant> {
    let mut variants = softmax_twice();
    if facts.computation.specification.loss.function.output() != OutputFunction::Softmax {
        return variants;
    }
    for (group, over) in [
        (SoftmaxGroup::Output, "over the images"),
        (SoftmaxGroup::Batch, "over images and outputs together"),
        (SoftmaxGroup::OutputOfShifted, "over the images, of sums minus the largest of each image,"),
    ] {
        for (delta, text) in [(None, ", with a − t as δ"), (Some(OutputDelta::ThroughOutput), ", and its derivative")]
        {
            variants.push(Variant::of_specification(
                ("softmax-over-batch", Kind::Fault),
                format!("normalizes softmax {over} instead of over the outputs of each image{text}"),
                "check the axis of softmax: its outputs add up to 1 for each image",
                move |specification| {
                    specification.deviations.softmax_group = group;
                    specification.deviations.output_delta = delta;
                },
            ));
        }
    }
    variants
}

fn softmax_twice() -> Vec<Variant> {
    [(Some(OutputDelta::ThroughTwoSoftmaxes), ""), (None, ", and p − t of the second as δ")]
        .into_iter()
        .map(|(delta, text)| {
            Variant::of_specification(
                ("softmax-twice", Kind::Fault),
                format!("applies softmax twice{text}"),
                "the loss of the library contains softmax: give it the logits",
                move |specification| {
                    specification.deviations.output = Some(OutputFunction::SoftmaxTwice);
                    specification.deviations.output_delta = delta;
                },
            )
        })
        .collect()
}

/// Changes the targets of every batch.
fn of_labels(
    (id, advice): (&'static str, &'static str),
    sentence: &'static str,
    change: fn(&Array2<f64>) -> Array2<f64>,
) -> Variant {
    Variant::new((id, Kind::Data), sentence, advice, move |computation| {
        computation.batches.iter_mut().for_each(|batch| batch.targets = change(&batch.targets));
    })
}

/// Rotates the rows or the columns of a matrix by one.
fn rotated(matrix: &Array2<f64>, axis: Axis) -> Array2<f64> {
    let length = matrix.len_of(axis);
    let (first, rest) = matrix.view().split_at(axis, length.min(1));
    concatenate(axis, &[rest, first]).unwrap_or_else(|_| matrix.clone())
}

fn labels() -> Vec<Variant> {
    let order = "check which label belongs to which image";
    vec![
        of_labels(
            (
                "labels-shifted-down",
                "check what is subtracted from the labels, and that the recorded ones are those of the images",
            ),
            "has every image in the class below its own, as if the labels were counted from 1",
            |targets| rotated(targets, Axis(1)),
        ),
        of_labels(
            ("labels-shifted-up", "classes are counted from 0: check what is added to the labels"),
            "has every image in the class above its own",
            |targets| {
                let reversed = targets.slice(s![.., ..;-1]).to_owned();
                rotated(&reversed, Axis(1)).slice(s![.., ..;-1]).to_owned()
            },
        ),
        of_labels(("labels-of-next-image", order), "gives each image the label of the next one", |targets| {
            rotated(targets, Axis(0))
        }),
        of_labels(
            ("targets-softened", "record the targets that the program uses as `batch.K.targets`"),
            "has targets of 0.01 and 0.99 instead of 0 and 1",
            |targets| targets.mapv(|target| 0.01 + 0.98 * target),
        ),
        of_labels(("labels-in-reverse", order), "has the labels in the reverse order", |targets| {
            targets.slice(s![..;-1, ..]).to_owned()
        }),
    ]
}
