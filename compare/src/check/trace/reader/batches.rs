//! Reading of batches: images, labels in any of their forms, targets and dropout masks.

use mlp_parity_scratch::reference::{LossFunction, TrainingBatch};
use ndarray::{Array2, ArrayD};

use super::layout::Layout;
use super::tensors::{RemainingTensors, matrix, unflattened};
use crate::check::trace::model::labels;
use crate::input::ParseResult;

/// Reads all batches: `batch.0.images`, `batch.1.images`, … without a gap.
pub(super) fn take_batches(
    file: &mut RemainingTensors,
    layout: &Layout,
    function: LossFunction,
    assumptions: &mut Vec<String>,
) -> ParseResult<Vec<TrainingBatch<f64>>> {
    let [inputs, outputs] = [layout.sizes[0], layout.sizes[layout.sizes.len() - 1]];
    let mut batches: Vec<TrainingBatch<f64>> = Vec::new();
    let mut classes: Vec<Option<Vec<f64>>> = Vec::new();
    loop {
        let name = format!("batch.{}", batches.len());
        let Some(images) = file.take_input(&format!("{name}.images"))? else { break };
        let rows = images.len() / inputs.max(1);
        let images = matrix(&format!("{name}.images"), unflattened(images, [rows, inputs]))?;
        if images.nrows() == 0 || images.ncols() != inputs {
            return Err(format!(
                "{name}.images has shape {:?}; expected [images, {inputs}] with at least one image",
                images.shape()
            ));
        }
        let shape = [images.nrows(), outputs];
        let masks = layout.hidden_names().zip(&layout.sizes[1..]).map(|(layer, &units)| {
            let name = format!("{name}.masks.{layer}");
            file.take_input(&name)?.map(|mask| matrix(&name, unflattened(mask, [shape[0], units]))).transpose()
        });
        let masks = masks.collect::<ParseResult<Vec<_>>>()?;
        for ((layer, mask), &units) in layout.hidden_names().zip(&masks).zip(&layout.sizes[1..]) {
            if let Some(mask) = mask.as_ref().filter(|mask| mask.dim() != (shape[0], units)) {
                let found = mask.shape();
                return Err(format!("{name}.masks.{layer} has shape {found:?}; expected [{}, {units}]", shape[0]));
            }
        }
        let (targets, batch_classes) = match file.take_input(&format!("{name}.targets"))? {
            Some(targets) => (real_targets(&name, targets, shape, function)?, None),
            None => {
                let name = format!("{name}.labels");
                let labels = file.take_input(&name)?.ok_or_else(|| format!("{name} is missing"))?;
                labels_or_targets(&name, labels, shape)?
            }
        };
        classes.push(batch_classes);
        let masks = if masks.iter().any(Option::is_some) { masks } else { Vec::new() };
        batches.push(TrainingBatch { images, targets, masks });
    }
    if batches.is_empty() {
        return Err("batch.0.images is missing; a trace needs at least one batch".to_owned());
    }
    let first = first_class(&classes, outputs, assumptions);
    for (number, (batch, classes)) in batches.iter_mut().zip(classes).enumerate() {
        if let Some(classes) = classes {
            batch.targets = targets_of_classes(&format!("batch.{number}.labels"), &classes, first, outputs)?;
        }
    }
    Ok(batches)
}

/// Returns targets that may be any numbers, which cross-entropy does not accept.
fn real_targets(
    name: &str,
    targets: ArrayD<f64>,
    shape: [usize; 2],
    function: LossFunction,
) -> ParseResult<Array2<f64>> {
    let name = format!("{name}.targets");
    let targets = matrix(&name, unflattened(targets, shape))?;
    if targets.dim() != (shape[0], shape[1]) {
        return Err(format!("{name} has shape {:?}; expected {shape:?}", targets.shape()));
    }
    if matches!(function, LossFunction::CrossEntropy { .. }) && labels(&targets).is_none() {
        return Err(format!(
            "{name} is not one-hot; cross-entropy needs one target of 1 for each image, squared-error and \
             binary-cross-entropy accept any targets"
        ));
    }
    Ok(targets)
}

/// Returns the targets if the labels are one-hot, or else the class of each image.
fn labels_or_targets(
    name: &str,
    values: ArrayD<f64>,
    [images, outputs]: [usize; 2],
) -> ParseResult<(Array2<f64>, Option<Vec<f64>>)> {
    let values = if outputs > 1 { unflattened(values, [images, outputs]) } else { values };
    let shape = values.shape().to_vec();
    if shape == [images, outputs] && outputs > 1 {
        let targets = matrix(name, values)?;
        return match labels(&targets) {
            Some(_) => Ok((targets, None)),
            None => Err(format!(
                "{name} has shape {shape:?}, but its rows are not one-hot; expected a single 1 in each row"
            )),
        };
    }
    let is_list = [&[images][..], &[images, 1], &[1, images]].contains(&&shape[..]);
    if !is_list {
        return Err(format!("{name} has shape {shape:?}; expected [{images}], one label per image, or one-hot rows"));
    }
    let classes: Vec<f64> = values.iter().copied().collect();
    match classes.iter().find(|class| class.fract() != 0.0) {
        Some(class) => Err(format!("{name} contains {class}; labels must be whole numbers")),
        None => Ok((Array2::zeros([0, 0]), Some(classes))),
    }
}

/// Returns the number of the first class: 1 if the labels of all batches together run from 1 to the number of classes, else 0.
fn first_class(batches: &[Option<Vec<f64>>], outputs: usize, assumptions: &mut Vec<String>) -> f64 {
    let all = || batches.iter().flatten().flatten();
    let from_one = all().all(|&class| class >= 1.0) && all().any(|&class| class == outputs as f64);
    if outputs > 1 && from_one {
        assumptions.push(format!("labels run from 1 to {outputs}"));
        return 1.0;
    }
    0.0
}

/// Returns one-hot targets, or for a single output, the labels themselves.
fn targets_of_classes(name: &str, classes: &[f64], first: f64, outputs: usize) -> ParseResult<Array2<f64>> {
    let count = outputs.max(2) as f64;
    if let Some(class) = classes.iter().find(|&&class| !(first..first + count).contains(&class)) {
        let last = first + count - 1.0;
        return Err(format!("{name} contains {class}, but the network has {count} classes ({first}–{last})"));
    }
    if outputs == 1 {
        return Ok(Array2::from_shape_fn([classes.len(), 1], |(image, _)| classes[image]));
    }
    let one_hot = |(image, class): (usize, usize)| f64::from(u8::from(classes[image] - first == class as f64));
    Ok(Array2::from_shape_fn([classes.len(), outputs], one_hot))
}
