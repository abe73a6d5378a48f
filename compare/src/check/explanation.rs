//! The results of a diagnosis.

use serde::Serialize;

use super::tensor_check::Stage;

/// The kind of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A mistake: the results are not those of the mathematics that the trace declares, nor of another usual choice.
    Fault,
    /// A sound choice, but not the one that the trace declares.
    Convention,
    /// Inputs or results that are not what their names say.
    Data,
    /// Another precision than the declared one.
    Precision,
}

/// An explanation of results that differ from the declared computation: another computation, which they all follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The identifier in the catalogue.
    pub id: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The stage at which the results first differ from the declared computation.
    pub stage: Stage,
    /// What the program computes, in one sentence.
    pub sentence: String,
    /// Where to look, or how to declare the choice.
    pub advice: String,
    /// The tensors that it explains, and the declared computation does not.
    pub explains: Vec<String>,
    /// Evidence beyond what the choice among all explanations needs, in bits.
    pub evidence_bits: f64,
    /// Identifiers of other explanations that predict the same results on these data.
    pub equivalent: Vec<&'static str>,
}

impl Diagnosis {
    /// Returns the explanations in sentences; `None` if there are none.
    pub fn text(&self) -> Option<String> {
        let sentences = self.explanations.iter().enumerate().map(|(index, explanation)| {
            let Explanation { sentence, advice, .. } = explanation;
            let program = if index == 0 { "the results are those of a program that" } else { "and that" };
            format!("{program} {sentence}: {advice}")
        });
        let sentences: Vec<String> = sentences.collect();
        let rest = self.unexplained.as_ref().map(|rest| format!("; {rest} remain unexplained")).unwrap_or_default();
        (!sentences.is_empty()).then(|| sentences.join("; ") + &rest)
    }
}

/// A diagnosis of results that disagree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The explanations in the order in which they were found, from the forward pass to the update.
    pub explanations: Vec<Explanation>,
    /// A description of what remains unexplained; `None` if nothing does.
    pub unexplained: Option<String>,
}
