//! Burn's optimizers, with PyTorch's meaning.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};
use mlp_parity::Optimizer;

/// The rule with fresh state. Burn keeps these numbers in single precision.
pub(crate) fn module_optimizer(rule: &Optimizer) -> ModuleOptimizer {
    match *rule {
        Optimizer::Sgd { weight_decay } => SgdConfig::new().with_weight_decay(decay(weight_decay)).init(),
        Optimizer::Momentum { momentum, nesterov, weight_decay } => {
            let momentum = MomentumConfig::new().with_momentum(momentum).with_dampening(0.0).with_nesterov(nesterov);
            SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(decay(weight_decay)).init()
        }
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => AdamConfig::new()
            .with_beta_1(beta1 as f32)
            .with_beta_2(beta2 as f32)
            .with_epsilon(epsilon as f32)
            .with_amsgrad(false)
            .with_weight_decay(decay(weight_decay))
            .init(),
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => AdamWConfig::new()
            .with_beta_1(beta1 as f32)
            .with_beta_2(beta2 as f32)
            .with_epsilon(epsilon as f32)
            .with_amsgrad(false)
            .with_cautious_weight_decay(false)
            .with_weight_decay(weight_decay as f32)
            .init(),
    }
}

fn decay(weight_decay: f64) -> Option<WeightDecayConfig> {
    (weight_decay != 0.0).then(|| WeightDecayConfig::new(weight_decay as f32))
}
