//! Parameters with what the optimizer remembers of each.

use crate::fast::kernels::{Row, vectorized};
use crate::reference::optimizer::{Kind, Step};

/// Some rows of parameters, and of the optimizer's moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tensor {
    pub(crate) values: Vec<Row>,
    /// v of momentum, m of Adam; nothing where the rule remembers nothing.
    first: Vec<Row>,
    /// v of Adam, likewise.
    second: Vec<Row>,
}

impl Tensor {
    /// These values, with moments of zero as a rule of this kind needs them.
    pub(crate) fn new(values: Vec<Row>) -> Self {
        Self { values, first: Vec::new(), second: Vec::new() }
    }

    /// Forgets all moments, and makes room for those that a rule of this kind has.
    pub(crate) fn forget(&mut self, kind: Kind) {
        let rows = |is_needed| if is_needed { vec![Row::ZERO; self.values.len()] } else { Vec::new() };
        self.first = rows(kind != Kind::Sgd);
        self.second = rows(kind == Kind::Adam);
    }

    /// What is remembered of each value: the first moments, or the second. Nothing where the rule has none.
    pub(crate) fn moments(&mut self, index: usize) -> &mut Vec<Row> {
        if index == 0 { &mut self.first } else { &mut self.second }
    }

    /// Updates the rows from `first_row` on from their gradients. Without a step, they become their gradients.
    pub(crate) fn update(&mut self, first_row: usize, gradients: &[Row], step: Option<&Step<f32>>) {
        vectorized(
            #[inline(always)]
            || {
                for (row, gradient) in (first_row..).zip(gradients) {
                    self.update_row(row, gradient, step);
                }
            },
        );
    }

    /// Likewise for one row, as the caller is compiled.
    #[inline(always)]
    pub(crate) fn update_row(&mut self, row: usize, gradient: &Row, step: Option<&Step<f32>>) {
        let Some(step) = step else { return self.values[row] = *gradient };
        let Row(values) = &mut self.values[row];
        match step.kind() {
            Kind::Sgd => {
                for (parameter, &gradient) in values.iter_mut().zip(&gradient.0) {
                    step.sgd(parameter, gradient);
                }
            }
            Kind::Momentum { nesterov } => {
                let velocities = &mut self.first[row].0;
                for ((parameter, &gradient), velocity) in values.iter_mut().zip(&gradient.0).zip(velocities) {
                    step.momentum(parameter, gradient, velocity, nesterov);
                }
            }
            Kind::Adam => {
                let moments = self.first[row].0.iter_mut().zip(&mut self.second[row].0);
                for ((parameter, &gradient), (m, v)) in values.iter_mut().zip(&gradient.0).zip(moments) {
                    step.adam(parameter, gradient, m, v);
                }
            }
        }
    }
}
