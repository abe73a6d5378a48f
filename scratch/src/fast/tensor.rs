//! Storage of parameters, together with the optimizer's moments, in rows of 64 values ([`TileRow`]).

use crate::fast::formulas::optimizer::{OptimizerStep, UpdateFormula};
use crate::fast::kernels::{TileRow, vectorized};

/// Rows of weights or biases and, in the same layout, the optimizer's moments of each parameter.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParameterTensor {
    /// The parameters.
    pub(crate) values: Vec<TileRow>,
    /// Velocity v of momentum, or first moment m of Adam; empty if the optimizer has no such moment.
    first_moments: Vec<TileRow>,
    /// Second moment v of Adam; empty if the optimizer has no such moment.
    second_moments: Vec<TileRow>,
}

impl ParameterTensor {
    /// Creates a tensor with the given parameters and without moments, which suits plain SGD.
    pub(crate) fn new(values: Vec<TileRow>) -> Self {
        Self { values, first_moments: Vec::new(), second_moments: Vec::new() }
    }

    /// Sets the moments that `formula` uses to zero, and removes those that it does not use.
    pub(crate) fn reset_moments(&mut self, formula: UpdateFormula) {
        let zeros = |is_used| if is_used { vec![TileRow::ZERO; self.values.len()] } else { Vec::new() };
        self.first_moments = zeros(formula != UpdateFormula::Sgd);
        self.second_moments = zeros(formula == UpdateFormula::Adam);
    }

    /// Returns the first moments for index 0, the second moments for any other index. The vector is empty if the
    /// optimizer has no such moment.
    pub(crate) fn moments_mut(&mut self, index: usize) -> &mut Vec<TileRow> {
        if index == 0 { &mut self.first_moments } else { &mut self.second_moments }
    }

    /// Updates consecutive rows of parameters by an optimizer step, starting with row `first_row`. `gradients` has one
    /// row for each of them. If `step` is `None`, overwrites the parameters with the gradients instead.
    pub(crate) fn update(&mut self, first_row: usize, gradients: &[TileRow], step: Option<&OptimizerStep<f32>>) {
        vectorized(
            #[inline(always)]
            || {
                for (row, gradient) in (first_row..).zip(gradients) {
                    self.update_row(row, gradient, step);
                }
            },
        );
    }

    /// Updates one row of parameters as [`update`](Self::update) does. Always inlined, so that it is compiled for the
    /// instruction set of its caller.
    #[inline(always)]
    pub(crate) fn update_row(&mut self, row: usize, gradient: &TileRow, step: Option<&OptimizerStep<f32>>) {
        let Some(step) = step else { return self.values[row] = *gradient };
        let TileRow(values) = &mut self.values[row];
        // The formula is selected outside the loops, so that each loop is vectorized.
        match step.formula() {
            UpdateFormula::Sgd => {
                for (parameter, &gradient) in values.iter_mut().zip(&gradient.0) {
                    step.sgd(parameter, gradient);
                }
            }
            UpdateFormula::Momentum { nesterov } => {
                let velocities = &mut self.first_moments[row].0;
                for ((parameter, &gradient), velocity) in values.iter_mut().zip(&gradient.0).zip(velocities) {
                    step.momentum(parameter, gradient, velocity, nesterov);
                }
            }
            UpdateFormula::Adam => {
                let moments = self.first_moments[row].0.iter_mut().zip(&mut self.second_moments[row].0);
                for ((parameter, &gradient), (m, v)) in values.iter_mut().zip(&gradient.0).zip(moments) {
                    step.adam(parameter, gradient, m, v);
                }
            }
        }
    }
}
