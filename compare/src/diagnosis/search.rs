//! The search for explanations, and their acceptance.
//!
//! An explanation is accepted if every tensor of the target, and every result before it, agrees with the variant within the
//! variant's own error bounds, and if the evidence exceeds the description of the explanation. The evidence is the sum of
//! log₂(difference / bound) over the elements that the declared computation does not explain: by so many bits does the variant
//! predict them better than chance.

use mlp_parity::{Arithmetic, Result};
use mlp_parity_scratch::reference::UpdateRule;
use ndarray::{ArrayD, Zip};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::catalogue;
use super::made_up::{made_up, simulated};
use super::pattern::{self, Extremes};
use super::program::Program;
use super::screening::screened;
use super::target::{Outcome, Target, outcomes};
use super::values::{Predictions, are_all_same, predicted};
use super::variant::Variant;
use crate::check::{Computation, Diagnosis, Explanation, Kind, OtherExplanation, Precision, Results, Stage};

/// Largest number of explanations of one trace.
const MAX_EXPLANATIONS: usize = 3;

/// Largest number of explanations that the data do not tell apart of which the consequences are compared.
const MAX_ALTERNATIVES: usize = 4;

/// Largest number of searches for one trace.
const MAX_SEARCHES: usize = 8;

/// Bits of evidence beyond the description of an explanation.
const MARGIN: f64 = 30.0;

/// Smallest log₂(difference / bound) of a difference that has the size of rounding errors.
const ROUNDING_SIZED: f64 = -10.0;

/// Ratio of error bounds from which they are much wider.
const MUCH_WIDER: f64 = 1e5;

/// Largest evidence of one element in bits, because the elements are not independent.
const MAX_BITS_PER_ELEMENT: f64 = 36.0;

/// Explains the differences between recorded results and the declared computation.
///
/// # Errors
///
/// Any error of a comparison.
pub(super) fn explain(program: &mut Program<'_>, computation: &Computation, results: &Results) -> Result<Diagnosis> {
    let mut budget = MAX_SEARCHES;
    let (mut diagnosis, _) = explain_after(program, computation, results, 0, &mut budget)?;
    if let Some(unexplained) = diagnosis.unexplained.as_mut().filter(|_| budget == 0) {
        unexplained.push_str("; not every combination of explanations was tried");
    }
    Ok(diagnosis)
}

/// Explains the differences that remain after `count` explanations, and returns the target that remains unexplained. Of
/// explanations that the first difference does not tell apart, it takes one that leaves nothing unexplained. `budget` is the
/// number of searches that may follow.
fn explain_after(
    program: &mut Program<'_>,
    computation: &Computation,
    results: &Results,
    count: usize,
    budget: &mut usize,
) -> Result<(Diagnosis, Option<Target>)> {
    let mut diagnosis = Diagnosis::default();
    let is_last = count == MAX_EXPLANATIONS || *budget == 0;
    *budget = budget.saturating_sub(1);
    let (target, alternatives) = match next(program, computation, results, is_last)? {
        Next::Agrees => return Ok((diagnosis, None)),
        Next::Pattern(explanation) => {
            diagnosis.explanations.push(explanation);
            return Ok((diagnosis, None));
        }
        Next::Found(target, alternatives) => (target, alternatives),
    };
    let has_state = computation.specification.update_rule.state_size() > 0;
    let mut incomplete: Option<(bool, Diagnosis, Target)> = None;
    for Found { explanation, adopted } in alternatives {
        let (mut found, unexplained) = explain_after(program, &adopted.0, &adopted.1, count + 1, budget)?;
        found.explanations.insert(0, explanation);
        let Some(unexplained) = unexplained else { return Ok((found, None)) };
        // What holds in one step, but not in a later one, is no explanation.
        if unexplained.refutes(&target.target, has_state) {
            continue;
        }
        // Of explanations that leave something unexplained, one that says nothing about it.
        let is_silent = are_equal(computation, results, &adopted, &unexplained);
        if incomplete.as_ref().is_none_or(|(was_silent, ..)| is_silent && !was_silent) {
            incomplete = Some((is_silent, found, unexplained));
        }
    }
    Ok(match incomplete {
        Some((_, found, unexplained)) => (found, Some(unexplained)),
        None => {
            diagnosis.unexplained = Some(target.description);
            (diagnosis, Some(target.target))
        }
    })
}

/// Returns true if two computations predict the same values of a target.
fn are_equal(
    computation: &Computation,
    results: &Results,
    (other, other_results): &(Computation, Results),
    target: &Target,
) -> bool {
    let values = predicted(computation, results, target);
    let others = predicted(other, other_results, target);
    values.is_ok_and(|values| others.is_ok_and(|others| are_all_same(&values, &others)))
}

/// Adopts explanations as long as their identifiers are accepted. Returns them, with the computation and the results under them.
///
/// # Errors
///
/// Any error of a comparison.
pub(super) fn accept(
    computation: &Computation,
    results: &Results,
    identifiers: &[String],
) -> Result<(Vec<OtherExplanation>, Computation, Results)> {
    let mut accepted = Vec::new();
    let mut adopted = (computation.clone(), results.clone());
    let is_accepted = |found: &Found| identifiers.iter().any(|identifier| identifier == found.explanation.id);
    while accepted.len() < MAX_EXPLANATIONS
        && let Next::Found(_, alternatives) = next(&mut Program::Recorded, &adopted.0, &adopted.1, false)?
        && let Some(found) = alternatives.into_iter().find(is_accepted)
    {
        accepted.push(OtherExplanation { id: found.explanation.id, sentence: found.explanation.sentence });
        adopted = found.adopted;
    }
    Ok((accepted, adopted.0, adopted.1))
}

/// The explanation of the first difference.
enum Next {
    /// There is none.
    Agrees,
    /// An explanation that predicts no values, so that nothing after it can be explained.
    Pattern(Explanation),
    /// Explanations that these data do not tell apart, the simplest first; none if nothing explains the difference.
    Found(Described, Vec<Found>),
}

/// A target with a description of its differences.
struct Described {
    target: Target,
    description: String,
}

/// Explains the first difference. `is_last` is true if only a pattern may explain it.
fn next(program: &mut Program<'_>, computation: &Computation, results: &Results, is_last: bool) -> Result<Next> {
    let declared = compared(computation, results, None)?;
    let Some(target) = Target::first(&declared) else { return Ok(Next::Agrees) };
    if let Some(explanation) = pattern::not_copied(computation, results, &declared, &target) {
        return Ok(Next::Pattern(explanation));
    }
    let found = match is_last {
        true => Vec::new(),
        false => explain_target(program, computation, results, &declared, &target)?,
    };
    if found.is_empty() {
        let extremes = Extremes::new(computation, results, &target);
        if let Some(explanation) = pattern::explained(&declared, &target, &extremes) {
            return Ok(Next::Pattern(explanation));
        }
    }
    let description = pattern::description(&declared, &target);
    Ok(Next::Found(Described { target, description }, found))
}

/// Compares all results. In single precision, the optimizer may store its hyper-parameters in either precision; the comparison
/// with fewer failures counts.
fn compared(computation: &Computation, results: &Results, until: Option<&Target>) -> Result<Vec<Outcome>> {
    let arithmetic = computation.arithmetic;
    let double = outcomes(computation, results, &arithmetic, until)?;
    let failures = |outcomes: &[Outcome]| outcomes.iter().filter(|outcome| !outcome.passed).count();
    if computation.precision == Precision::Double || failures(&double) == 0 {
        return Ok(double);
    }
    let arithmetic = Arithmetic { single_hyper_parameters: true, ..arithmetic };
    let single = outcomes(computation, results, &arithmetic, until)?;
    Ok(if failures(&single) < failures(&double) { single } else { double })
}

/// An accepted explanation, with the computation and the results under it.
struct Found {
    explanation: Explanation,
    adopted: (Computation, Results),
}

/// A variant whose comparison agrees.
struct Survivor<'a> {
    variant: &'a Variant,
    evidence: f64,
    explains: Vec<String>,
    /// Number of tensors that the declared computation explains, and the variant does not.
    breaks: usize,
}

impl Survivor<'_> {
    /// Returns the number of tensors that the variant explains in addition to the declared computation, and before it, whether
    /// all that was right remains so: two mistakes that cancel each other are rare.
    fn gain(&self) -> (bool, i64) {
        (self.breaks == 0, self.explains.len() as i64 - self.breaks as i64)
    }
}

/// Looks for the variants that explain the target: those that these data do not tell apart, the simplest first.
fn explain_target(
    program: &mut Program<'_>,
    computation: &Computation,
    results: &Results,
    declared: &[Outcome],
    target: &Target,
) -> Result<Vec<Found>> {
    let variants = catalogue::variants(computation, results, declared, target);
    let description = (variants.len() as f64).log2() + MARGIN;
    let candidates = screened(&variants, computation, results, declared, target);
    let survivors = candidates.into_par_iter().map(|variant| {
        let (changed, changed_results) = variant.applied(computation, results);
        let outcomes = compared(&changed, &changed_results, Some(target))?;
        let survivor = survivor(variant, declared, outcomes, target);
        Ok(survivor.filter(|survivor| survivor.evidence >= description + variant.bits))
    });
    let survivors: Vec<Result<Option<Survivor<'_>>>> = survivors.collect();
    let survivors: Vec<Survivor<'_>> = survivors.into_iter().filter_map(Result::transpose).collect::<Result<_>>()?;
    // The variants that explain most, the simplest first; of several, in the order of the catalogue.
    let gain = survivors.iter().map(Survivor::gain).max().filter(|(_, gain)| *gain > 0);
    let mut equals: Vec<Survivor<'_>> =
        survivors.into_iter().filter(|survivor| Some(survivor.gain()) == gain).collect();
    // Adam and its relatives divide by the size of the gradients, so a factor of all gradients acts as another ε does. Where only
    // parameters tell, another ε is the more frequent cause.
    let is_normalized = !matches!(computation.specification.update_rule, UpdateRule::Momentum { .. });
    let changes_rule = |survivor: &Survivor<'_>| {
        let (changed, _) = survivor.variant.applied(computation, results);
        changed.specification.update_rule != computation.specification.update_rule
    };
    let is_of_rule =
        |survivor: &Survivor<'_>| is_normalized && target.stage == Stage::Trajectory && changes_rule(survivor);
    equals.sort_by(|first, second| {
        // The bounds of a coarser precision are wide, so that they hide other differences.
        let is_precision = |survivor: &Survivor<'_>| survivor.variant.kind == Kind::Precision;
        let by_kind = is_precision(first).cmp(&is_precision(second));
        let by_position = position(&variants, first).cmp(&position(&variants, second));
        let by_rule = is_of_rule(second).cmp(&is_of_rule(first));
        by_kind.then(by_rule).then(first.variant.bits.total_cmp(&second.variant.bits)).then(by_position)
    });
    if equals.len() > 1 {
        equals = told_apart(program, computation, (declared, target), equals)?;
    }
    let found = equals.iter().enumerate().take(MAX_ALTERNATIVES).map(|(index, survivor)| {
        let variant = survivor.variant;
        let explanation = Explanation {
            id: variant.id,
            kind: variant.kind,
            stage: target.stage,
            sentence: variant.sentence.clone(),
            advice: variant.advice.clone(),
            explains: survivor.explains.clone(),
            evidence_bits: survivor.evidence - description - variant.bits,
            equivalent: equals[index + 1..].iter().map(|rival| rival.variant.other()).collect(),
        };
        let (computation, results) = variant.applied(computation, results);
        Found { explanation, adopted: (computation, results.into_owned()) }
    });
    Ok(found.collect())
}

/// Tells variants apart on made-up data: drops those that compute the same as an earlier one with the same identifier, and those
/// that the program refutes, if it can be asked and does not refute all of them.
fn told_apart<'a>(
    program: &mut Program<'_>,
    computation: &Computation,
    (declared, target): (&[Outcome], &Target),
    survivors: Vec<Survivor<'a>>,
) -> Result<Vec<Survivor<'a>>> {
    let query = made_up(computation);
    let simulated = simulated::<f64>(&query)?;
    // The constants of a variant depend on the data, for example on the number of images.
    let variants = catalogue::variants(&query, &simulated, declared, target);
    let mut distinct: Vec<(Survivor<'_>, Option<(&Variant, Predictions)>)> = Vec::new();
    for survivor in survivors {
        let is_same = |variant: &&Variant| variant.other() == survivor.variant.other();
        let Some(variant) = variants.iter().find(is_same) else {
            distinct.push((survivor, None));
            continue;
        };
        let predictions = Predictions::new(&variant.applied(&query, &simulated).0, &simulated)?;
        let earlier = distinct.iter().filter_map(|(_, earlier)| earlier.as_ref());
        let is_special_case =
            |(earlier, others): &(&Variant, Predictions)| earlier.id == variant.id && predictions.are_same(others);
        if !earlier.clone().any(is_special_case) {
            distinct.push((survivor, Some((variant, predictions))));
        }
    }
    if let Some(results) = program.observe(&query)? {
        let confirmed = distinct.iter().map(|(_, variant)| {
            let Some((variant, _)) = variant else { return Ok(false) };
            let (changed, changed_results) = variant.applied(&query, &results);
            let outcomes = compared(&changed, &changed_results, Some(target))?;
            Ok(outcomes.iter().filter(|outcome| target.follows(outcome)).all(|outcome| outcome.passed))
        });
        let confirmed: Vec<bool> = confirmed.collect::<Result<_>>()?;
        if confirmed.contains(&true) {
            let mut confirmed = confirmed.into_iter();
            distinct.retain(|_| confirmed.next().unwrap_or(true));
        }
    }
    Ok(distinct.into_iter().map(|(survivor, ..)| survivor).collect())
}

/// Returns the position of the variant in the catalogue.
fn position(variants: &[Variant], survivor: &Survivor<'_>) -> usize {
    variants.iter().position(|variant| std::ptr::eq(variant, survivor.variant)).unwrap_or(usize::MAX)
}

/// Returns the evidence for a variant if its comparison agrees up to the target.
fn survivor<'a>(
    variant: &'a Variant,
    declared: &[Outcome],
    outcomes: Vec<Outcome>,
    target: &Target,
) -> Option<Survivor<'a>> {
    // Everything before the target, and the target itself.
    let last = outcomes.iter().rposition(|outcome| {
        target.contains(outcome) || outcome.step == target.step && outcome.comparison.stage < target.stage
    })?;
    if outcomes[..=last].iter().any(|outcome| !outcome.passed) {
        return None;
    }
    let mut survivor = Survivor { variant, evidence: 0.0, explains: Vec::new(), breaks: 0 };
    for outcome in outcomes {
        let comparison = outcome.comparison;
        let is_same = |old: &&Outcome| {
            (old.step, &old.comparison.tensor) == (outcome.step, &comparison.tensor)
                && old.comparison.stage == comparison.stage
        };
        // Results that stand for something else keep their values, but not their name.
        let is_same_data = |old: &&Outcome| target.contains(old) && old.comparison.actual == comparison.actual;
        let old = declared.iter().find(is_same).or_else(|| declared.iter().find(is_same_data));
        let Some(old) = old else { continue };
        if old.passed || !outcome.passed {
            survivor.breaks += usize::from(old.passed && !outcome.passed);
            continue;
        }
        let is_precision = variant.kind == Kind::Precision;
        if target.contains(old) && !is_precision && is_much_wider(&comparison.bound, &old.comparison.bound) {
            return None;
        }
        Zip::from(&old.comparison.expected).and(&old.comparison.actual).and(&comparison.bound).for_each(
            |declared, actual, bound| {
                let bits = ((actual - declared).abs() / bound.max(f64::MIN_POSITIVE)).log2();
                // Errors of the size that the precision predicts are evidence too, if the declared one does not explain them.
                if is_precision && bits > ROUNDING_SIZED {
                    survivor.evidence += 1.0;
                } else if bits > 0.0 {
                    survivor.evidence += bits.min(MAX_BITS_PER_ELEMENT);
                }
            },
        );
        survivor.explains.push(comparison.tensor);
    }
    Some(survivor)
}

/// Returns true if most error bounds are so much wider than others that nearly everything would agree with them. A factor whose
/// norm contains undecided units, for example, is hardly known.
fn is_much_wider(bounds: &ArrayD<f64>, others: &ArrayD<f64>) -> bool {
    let wider = bounds.iter().zip(others).filter(|(bound, other)| **bound > MUCH_WIDER * **other && **other > 0.0);
    2 * wider.count() > bounds.len()
}
