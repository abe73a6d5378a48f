//! Propagation of NaN and infinity through the first layer, whose sparse products skip zeros and could hide them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Activation, Batch, Differentiable, MlpConfig, Parameters};
use mlp_parity_scratch::{Mlp, ReferenceMlp};
use ndarray::Array2;

/// One weight is NaN or infinite. It belongs to a pixel that is zero in all images, so the sparse product skips it.
#[test]
fn sparse_forward_propagates_non_finite_weight() {
    let config = MlpConfig::new(200, &[70], 3, Activation::Sigmoid).unwrap();
    let images = Array2::from_shape_fn([4, 200], |(_, pixel)| f32::from(u8::from(pixel % 20 == 1)));
    for value in [f32::NAN, f32::INFINITY] {
        let mut parameters = Parameters::<f32>::glorot_uniform(&config, 0);
        parameters.layers_mut()[0].weight[[6, 66]] = value;
        let expected = ReferenceMlp::new(&config, parameters.clone()).unwrap().logits(images.view()).unwrap();
        assert!(expected.iter().all(|logit| logit.is_nan()));
        let mut network = Mlp::new(config.clone(), &parameters).unwrap();
        assert!(network.logits(images.view()).unwrap().iter().all(|logit| logit.is_nan()), "{value}");
        let zeros = Parameters::zeros(&config);
        network.set_parameters(&zeros).unwrap();
        assert!(
            network.logits(images.view()).unwrap().iter().all(|&logit| logit == 0.0),
            "the logits still depend on a weight of {value} that has been replaced"
        );
        network.set_parameters(&parameters).unwrap();
        assert!(
            network.logits(images.view()).unwrap().iter().all(|logit| logit.is_nan()),
            "the logits are not NaN although set_parameters set a weight to {value}"
        );
        network.set_parameters(&zeros).unwrap();
        network.apply_gradients(&parameters, 0.1).unwrap();
        assert!(
            network.logits(images.view()).unwrap().iter().all(|logit| logit.is_nan()),
            "the logits are not NaN although a gradient of {value} was applied"
        );
    }
}

/// The weights are so large that δ of the first layer overflows although the loss is finite.
#[test]
fn sparse_gradient_propagates_overflow() {
    let config = MlpConfig::new(200, &[70, 2], 3, Activation::Relu).unwrap();
    let mut parameters = Parameters::<f32>::glorot_uniform(&config, 0);
    let [first, second, last] = parameters.layers_mut() else { panic!("the network must have three layers") };
    first.weight.fill(1e-30);
    second.weight.fill(1e30);
    last.weight.fill(1e30);
    last.weight.column_mut(0).fill(0.0);
    last.weight.column_mut(1).fill(-1e30);
    first.bias.fill(1e-33);
    let images = Array2::from_shape_fn([4, 200], |(_, pixel)| f32::from(u8::from(pixel % 20 == 1)) * 1e-38);
    let batch = Batch::new(images, vec![0; 4]).unwrap();
    let mut reference = ReferenceMlp::new(&config, parameters.clone()).unwrap();
    let mut network = Mlp::new(config, &parameters).unwrap();
    let expected = reference.loss_and_gradients(&batch).unwrap().1;
    let gradients = network.loss_and_gradients(&batch).unwrap().1;
    let not_finite = |parameters: &Parameters<f32>| parameters.layers()[0].weight.map(|value| !value.is_finite());
    assert!(not_finite(&expected).iter().any(|&is_not| is_not), "{expected:?}");
    assert_eq!(not_finite(&gradients), not_finite(&expected));
    // SGD may skip weights whose gradient is zero, but here the gradient of background pixels is 0·∞ = NaN.
    assert!(reference.step(&batch, 0.1).unwrap().is_finite() && network.step(&batch, 0.1).unwrap().is_finite());
    assert_eq!(not_finite(&network.parameters().unwrap()), not_finite(reference.parameters()));
}
