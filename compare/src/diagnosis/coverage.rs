//! Coverage of an agreement: the mistakes and conventions that it does not exclude, because they predict the same results on
//! these data.

use std::collections::BTreeSet;

use mlp_parity::Result;
use ndarray::{Array2, s};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::catalogue;
use super::made_up::{made_up, simulated};
use super::values::Predictions;
use crate::check::{Computation, Kind, OtherExplanation, Results};

/// Number of parameters of a large network.
const LARGE_NETWORK: usize = 100_000;

/// Number of images of each batch on which the variants of a large network are compared.
const FEW_IMAGES: usize = 4;

/// Returns the mistakes and conventions with which the same results would agree, although the computation is another one.
///
/// A variant counts only if it differs from the declared computation on made-up data: the square of ReLU's derivative, for
/// example, is the derivative itself.
///
/// # Errors
///
/// [`mlp_parity::Error::Shape`] if the computation is inconsistent.
pub(super) fn not_excluded(computation: &Computation, results: &Results) -> Result<Vec<OtherExplanation>> {
    let computation = &with_few_images(computation);
    let recorded = Predictions::new(computation, results)?;
    let made_up = made_up(computation);
    let simulated = simulated::<f64>(&made_up)?;
    let general = Predictions::new(&made_up, &simulated)?;
    let variants = catalogue::of_compared_stages(computation, results);
    // The constants of a variant depend on the data, for example on the number of images.
    let general_variants = catalogue::of_compared_stages(&made_up, &simulated);
    let candidates = variants.into_par_iter().filter(|variant| {
        let is_judged = !variant.is_harmless && matches!(variant.kind, Kind::Fault | Kind::Convention);
        is_judged
            && recorded.are_those_of(&variant.applied(computation, results).0, results)
            && general_variants
                .iter()
                .filter(|general| general.other() == variant.other())
                .all(|variant| !general.are_those_of(&variant.applied(&made_up, &simulated).0, &simulated))
    });
    let mut found: Vec<OtherExplanation> = candidates.map(|variant| variant.other()).collect();
    // The first variant stands for all with its identifier.
    let mut ids = BTreeSet::new();
    found.retain(|other| ids.insert(other.id));
    Ok(found)
}

/// Returns the computation with the first images of every batch, if the network is large: what they do not tell apart, the others
/// hardly do.
fn with_few_images(computation: &Computation) -> Computation {
    let mut computation = computation.clone();
    let parameters: usize = computation.initial.tensors().map(|(_, values)| values.len()).sum();
    for batch in computation.batches.iter_mut().filter(|_| parameters >= LARGE_NETWORK) {
        let first = |matrix: &Array2<f64>| matrix.slice(s![..matrix.nrows().min(FEW_IMAGES), ..]).to_owned();
        batch.images = first(&batch.images);
        batch.targets = first(&batch.targets);
        batch.masks.iter_mut().flatten().for_each(|mask| *mask = first(mask));
    }
    computation
}
