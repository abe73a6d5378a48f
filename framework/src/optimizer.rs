//! Burn's optimizers, configured to behave like PyTorch's, and the transfer of their state.
//!
//! Burn exposes the state of an optimizer only as a serialized record, so the state is read from and restored through
//! such records. A record names a tensor by the identity of the parameter and the field of the state, for example
//! `42.momentum.moment_1`.

use burn::module::ParamId;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::{Bytes, DType, Device};
use burn_pack::{Reader, Scalar, Tensor, Writer};
use mlp_parity::{Layer, Optimizer, OptimizerState, Parameters, Result};
use ndarray::{Array1, Array2};

use crate::on_device::{OnDevice, restore_on};
use crate::{Error, Model};

/// Creates a Burn optimizer for the given configuration, with fresh state. Burn stores the hyper-parameters in single
/// precision.
pub(crate) fn module_optimizer(config: &Optimizer) -> ModuleOptimizer {
    match *config {
        Optimizer::Sgd { weight_decay } => {
            OnDevice(SgdConfig::new().with_weight_decay(decay(weight_decay)).build()).into()
        }
        Optimizer::Momentum { momentum, nesterov, weight_decay } => {
            let momentum = MomentumConfig::new().with_momentum(momentum).with_dampening(0.0).with_nesterov(nesterov);
            let sgd = SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(decay(weight_decay));
            OnDevice(sgd.build()).into()
        }
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => OnDevice(
            AdamConfig::new()
                .with_beta_1(beta1 as f32)
                .with_beta_2(beta2 as f32)
                .with_epsilon(epsilon as f32)
                .with_amsgrad(false)
                .with_weight_decay(decay(weight_decay))
                .build(),
        )
        .into(),
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => OnDevice(
            AdamWConfig::new()
                .with_beta_1(beta1 as f32)
                .with_beta_2(beta2 as f32)
                .with_epsilon(epsilon as f32)
                .with_amsgrad(false)
                .with_cautious_weight_decay(false)
                .with_weight_decay(weight_decay as f32)
                .build(),
        )
        .into(),
    }
}

/// Returns Burn's configuration of L2 weight decay; `None` for a weight decay of zero, for which Burn then skips the
/// computation.
fn decay(weight_decay: f64) -> Option<WeightDecayConfig> {
    (weight_decay != 0.0).then(|| WeightDecayConfig::new(weight_decay as f32))
}

/// Returns Burn's names for the moments that the optimizer stores for each parameter, in the order of
/// [`OptimizerState::moments`].
fn moment_fields(config: &Optimizer) -> &'static [&'static str] {
    match config {
        Optimizer::Sgd { .. } => &[],
        Optimizer::Momentum { .. } => &["momentum.velocity"],
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => &["momentum.moment_1", "momentum.moment_2"],
    }
}

/// Reads the optimizer's moments of every parameter. They are zero before the first update.
pub(crate) fn moments(optimizer: &ModuleOptimizer, config: &Optimizer, model: &Model) -> Result<Vec<Parameters<f32>>> {
    let record = Reader::from_bytes(optimizer.into_bytes().map_err(Error::device)?).map_err(Error::device)?;
    let values = |id: ParamId, field: &str, count: usize| -> Result<Vec<f32>> {
        let name = format!("{}.{field}", id.val());
        // Burn creates the state of a parameter at its first update.
        if !record.tensor_names().contains(&name.as_str()) {
            return Ok(vec![0.0; count]);
        }
        Ok(<f32 as mlp_parity::Scalar>::from_le_bytes(&record.tensor_data(&name).map_err(Error::device)?))
    };
    let parameters = model.parameters()?;
    let moments = |field: &&str| {
        let layer = |(layer, (weight, bias)): (&Layer<f32>, (ParamId, ParamId))| {
            let weight = Array2::from_shape_vec(layer.weight.dim(), values(weight, field, layer.weight.len())?);
            let bias = Array1::from_vec(values(bias, field, layer.bias.len())?);
            Ok(Layer { weight: weight.map_err(Error::device)?, bias })
        };
        Parameters::from_layers(parameters.layers().iter().zip(model.identities()).map(layer).collect::<Result<_>>()?)
    };
    moment_fields(config).iter().map(moments).collect()
}

/// Creates a Burn optimizer with the given state, on `device`, for the parameters of `model`.
pub(crate) fn with_state(
    state: &OptimizerState,
    config: &Optimizer,
    model: &Model,
    device: &Device,
) -> Result<ModuleOptimizer> {
    let fresh = module_optimizer(config);
    // Before the first update, Burn's optimizers have no state.
    if state.steps == 0 {
        return Ok(fresh);
    }
    let mut tensors = Vec::new();
    let mut scalars = Vec::new();
    for (index, (weight, bias)) in model.identities().into_iter().enumerate() {
        for (field, moments) in moment_fields(config).iter().zip(&state.moments) {
            let layer = &moments.layers()[index];
            let mut add = |id: ParamId, shape: &[usize], values: Vec<f32>| {
                tensors.push(Tensor::new(
                    format!("{}.{field}", id.val()),
                    DType::F32,
                    shape.to_vec(),
                    Some(id.val()),
                    Bytes::from_elems(values),
                ));
            };
            add(weight, layer.weight.shape(), layer.weight.iter().copied().collect());
            add(bias, layer.bias.shape(), layer.bias.to_vec());
        }
        // Besides the moments, a record contains the rank of each parameter and its number of updates, as scalars.
        for (id, rank) in [(weight, 2_usize), (bias, 1)] {
            scalars.push((format!("{}.__rank", id.val()), rank));
            scalars.push((format!("{}.momentum.time", id.val()), state.steps));
        }
    }
    let mut writer = Writer::new(tensors);
    for (name, value) in scalars {
        writer = writer.with_scalar(&name, Scalar::from(value));
    }
    let bytes = writer.into_bytes().map_err(Error::device)?;
    restore_on(device, || fresh.from_bytes(bytes)).map_err(Error::device)
}
