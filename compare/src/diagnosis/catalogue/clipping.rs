//! Variants of gradient clipping: in the recorded gradients and in the update.

use mlp_parity_scratch::reference::{Clipping, Specification};

use super::Facts;
use crate::check::{Computation, GradientForm, Kind};
use crate::diagnosis::variant::Variant;

/// Returns the usual forms of clipping that a computation without it may have, with their descriptions and the metadata that
/// declare them.
fn undeclared(computation: &Computation) -> Vec<(Clipping, String, String)> {
    let mut clippings = Vec::new();
    let limits = [0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];
    for limit in limits.into_iter().filter(|_| computation.specification.clipping.is_none()) {
        for (epsilon, name) in [(1e-6, ""), (0.0, ", with ε = 0")] {
            let declaration = |key: &str| format!("declare `{key}` {limit} and `clip_epsilon` {epsilon:e}");
            clippings.push((
                Clipping::GlobalNorm { limit, epsilon },
                format!("the norm of all gradients together to {limit}{name}"),
                declaration("clip_norm"),
            ));
            clippings.push((
                Clipping::TensorNorm { limit, epsilon },
                format!("the norm of each gradient to {limit}{name}"),
                declaration("clip_norm_per_tensor"),
            ));
        }
        let of_values = format!("every element of the gradients to ±{limit}");
        clippings.push((Clipping::Value { limit }, of_values, format!("declare `clip_value` {limit}")));
    }
    clippings
}

/// Other clipping in the update.
pub(super) fn of_update(facts: &Facts<'_>) -> Vec<Variant> {
    let unused = Variant::of_specification(
        ("clipping-unused", Kind::Fault),
        "does not clip the gradients",
        "check that the clipped gradients reach the update",
        |specification| specification.clipping = None,
    );
    let variants = undeclared(facts.computation).into_iter().map(|(clipping, sentence, advice)| {
        let name = ("undeclared-clipping", Kind::Convention);
        let change = move |specification: &mut Specification| specification.clipping = Some(clipping);
        Variant::of_specification(name, format!("clips {sentence}"), advice, change).with_bits(4.0).harmless()
    });
    variants.chain([unused]).collect()
}

/// Recorded gradients that are clipped.
pub(super) fn of_gradients(facts: &Facts<'_>) -> Vec<Variant> {
    let variants = undeclared(facts.computation).into_iter().map(|(clipping, sentence, advice)| {
        let change = move |computation: &mut Computation| {
            computation.specification.clipping = Some(clipping);
            computation.gradient_form = GradientForm::Clipped;
        };
        let (sentence, advice) =
            (format!("records gradients after clipping {sentence}"), format!("{advice}, and `gradients` clipped"));
        Variant::new(("undeclared-clipping", Kind::Convention), sentence, advice, change).with_bits(4.0).harmless()
    });
    variants.collect()
}
