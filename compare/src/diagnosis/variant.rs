//! A variant of a computation: what a program would compute if it had made a certain mistake, or followed another convention.

use std::borrow::Cow;

use mlp_parity_scratch::reference::Specification;

use crate::check::{Computation, Kind, OtherExplanation, Results};

/// A computation that may explain the recorded results.
pub(super) struct Variant {
    /// The identifier in the catalogue.
    pub(super) id: &'static str,
    pub(super) kind: Kind,
    /// Description of the program's behaviour, which continues "the results are those of a program that".
    pub(super) sentence: String,
    /// Advice: the code to look at, or the metadata that declare the choice.
    pub(super) advice: String,
    /// Bits of the description of its parameters.
    pub(super) bits: f64,
    /// True if an agreement need not exclude it, because it differs only in what is recorded, or in rare cases.
    pub(super) is_harmless: bool,
    change: Change,
}

/// The change that makes a variant.
enum Change {
    /// Another computation.
    Computation(Box<dyn Fn(&mut Computation) + Send + Sync>),
    /// Recorded results that stand for something else, and what belongs to them in the computation.
    Results(Box<ChangeOfResults>),
}

type ChangeOfResults = dyn Fn(&mut Computation, &mut Results) + Send + Sync;

impl Variant {
    /// Creates a variant without parameters that changes the declared computation.
    pub(super) fn new(
        (id, kind): (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Computation) + Send + Sync + 'static,
    ) -> Self {
        let change = Change::Computation(Box::new(change));
        Self { id, kind, sentence: sentence.into(), advice: advice.into(), bits: 0.0, is_harmless: false, change }
    }

    /// Creates a variant that changes the specification.
    pub(super) fn of_specification(
        name: (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Specification) + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, sentence, advice, move |computation| change(&mut computation.specification))
    }

    /// Creates a variant in which recorded results stand for something else.
    pub(super) fn of_results(
        (id, kind): (&'static str, Kind),
        sentence: impl Into<String>,
        advice: impl Into<String>,
        change: impl Fn(&mut Computation, &mut Results) + Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            kind,
            sentence: sentence.into(),
            advice: advice.into(),
            bits: 0.0,
            is_harmless: false,
            change: Change::Results(Box::new(change)),
        }
    }

    /// Adds bits to the length of the description, for a choice among parameters.
    pub(super) fn with_bits(mut self, bits: f64) -> Self {
        self.bits += bits;
        self
    }

    /// Returns the variant as another explanation.
    pub(super) fn other(&self) -> OtherExplanation {
        OtherExplanation { id: self.id, sentence: self.sentence.clone() }
    }

    /// Marks a variant that an agreement need not exclude.
    pub(super) fn harmless(mut self) -> Self {
        self.is_harmless = true;
        self
    }

    /// Returns the computation and the results under this variant.
    pub(super) fn applied<'a>(
        &self,
        computation: &Computation,
        results: &'a Results,
    ) -> (Computation, Cow<'a, Results>) {
        let mut computation = computation.clone();
        let mut results = Cow::Borrowed(results);
        match &self.change {
            Change::Computation(change) => change(&mut computation),
            Change::Results(change) => change(&mut computation, results.to_mut()),
        }
        (computation, results)
    }
}
