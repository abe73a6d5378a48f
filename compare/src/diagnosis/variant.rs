//! A variant of a computation: what a program would compute if it had made a certain mistake, or followed another convention.

use mlp_parity_scratch::reference::Specification;

use crate::check::{Computation, Kind, Results};

/// A computation that may explain the recorded results.
pub(super) struct Variant {
    /// The identifier in the catalogue.
    pub(super) id: &'static str,
    pub(super) kind: Kind,
    /// What the program computes, as the end of a sentence that begins with "the results are those of a program".
    pub(super) sentence: String,
    /// Where to look, or how to declare it.
    pub(super) advice: String,
    /// Bits of the description of its parameters.
    pub(super) bits: f64,
    /// Changes the declared computation, and the recorded results where they stand for something else.
    change: Box<Change>,
}

/// A change of a computation, and of the recorded results where they stand for something else.
type Change = dyn Fn(&mut Computation, &mut Results);

impl Variant {
    /// Creates a variant without parameters that changes the declared computation.
    pub(super) fn new(
        (id, kind): (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Computation) + 'static,
    ) -> Self {
        let change = Box::new(move |computation: &mut Computation, _: &mut Results| change(computation));
        Self { id, kind, sentence: sentence.into(), advice: advice.into(), bits: 0.0, change }
    }

    /// Creates a variant that changes the specification.
    pub(super) fn of_specification(
        name: (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Specification) + 'static,
    ) -> Self {
        Self::new(name, sentence, advice, move |computation| change(&mut computation.specification))
    }

    /// Creates a variant in which recorded results stand for something else.
    pub(super) fn of_results(
        (id, kind): (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Computation, &mut Results) + 'static,
    ) -> Self {
        Self { id, kind, sentence: sentence.into(), advice: advice.into(), bits: 0.0, change: Box::new(change) }
    }

    /// Adds bits to the length of the description, for a choice among parameters.
    pub(super) fn with_bits(mut self, bits: f64) -> Self {
        self.bits += bits;
        self
    }

    /// Returns the computation and the results under this variant.
    pub(super) fn applied(&self, computation: &Computation, results: &Results) -> (Computation, Results) {
        let (mut computation, mut results) = (computation.clone(), results.clone());
        (self.change)(&mut computation, &mut results);
        (computation, results)
    }
}
