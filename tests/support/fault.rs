//! The faults that tests inject into [`FaultyMlp`](super::faulty_mlp::FaultyMlp): typical mistakes in hand-written
//! backpropagation.

/// One fault in a [`FaultyMlp`](super::faulty_mlp::FaultyMlp). Layers are counted from 1. In each layer, z is the input
/// of the activation function f, a = f(z) its output, f′ its derivative, and δ the derivative of the loss with respect
/// to z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Not a fault: the loss of a batch of fewer than 32 images is infinite, as if it had overflowed, and no update
    /// follows.
    LossOverflows,

    // Parameters
    /// A weight of layer 2 is 1.0001 times the value that was passed to the constructor.
    InitialWeightPerturbed,
    ParametersInHalfPrecision,
    /// `set_parameters` sets the weights only.
    BiasesNotSet,

    // Forward pass
    /// Layer 2 has no bias.
    BiasOmitted,
    /// Layer 2 has no activation function.
    ActivationOmitted,
    /// The activation function is also applied to the logits.
    ActivationOnOutputLayer,
    /// Sigmoid is approximated by a piecewise linear function.
    HardSigmoid,
    /// ReLU has a slope of 0.01 below zero.
    LeakyRelu,
    /// Tanh is approximated by a rational function.
    ApproximateTanh,
    /// The weights of layer 2 are rounded to half precision.
    LayerInHalfPrecision,
    ImagesInHalfPrecision,
    /// The forward pass divides pixels by 255, although they are already scaled to the range 0 to 1.
    PixelsScaledTwice,
    /// ReLU is `z.max(0.0)`, which maps NaN to 0.
    NanLostInRelu,

    // Loss
    /// The loss is a sum over the batch instead of a mean.
    LossNotAveraged,
    /// The loss is also divided by the number of classes.
    LossAveragedOverClasses,
    /// The loss uses the logarithm to base 2 instead of the natural logarithm.
    BinaryLogarithm,
    /// The loss is −ln(p + 10⁻⁵) instead of −ln p, where p is the probability of the label.
    LogarithmOffset,
    /// Softmax does not subtract the largest logit, so exp overflows.
    MaximumNotSubtracted,

    // Backward pass
    /// The gradient δ with respect to the logits is not divided by the batch size.
    GradientsNotAveraged,
    /// The gradient δ with respect to the logits is divided by the batch size minus 1.
    BatchSizeOffByOne,
    /// The one-hot label of the last image in the batch is not subtracted from its probabilities.
    LastLabelIgnored,
    /// The one-hot labels are smoothed by 0.001.
    LabelSmoothing,
    /// The bias gradient of the layer with this index, counted from 0, is zero.
    BiasGradientZeroed(usize),
    /// The bias gradient of layer 2 is a mean of δ over the batch instead of a sum.
    BiasGradientAveraged,
    /// Gradients of square weight matrices are transposed.
    WeightGradientTransposed,
    /// The backward pass multiplies δ by square weight matrices without transposing them.
    BackwardWeightNotTransposed,
    /// The formula for f′ in terms of the activation a = f(z) is evaluated with z in place of a.
    DerivativeFromPreActivation,
    /// The derivative f′ is evaluated at a = f(z) instead of z. This is the fault in the report's tanh.
    DerivativeAtActivation,
    /// The derivative f′ has a plus sign in place of a minus sign: a (1 + a) for sigmoid, 1 + a² for tanh.
    DerivativeSignFlipped,
    /// δ of layer 1 is not multiplied by the derivative f′ of the activation function.
    DerivativeOmitted,
    /// δ of layer 1 is multiplied by f′ of layer 2.
    DerivativeOfWrongLayer,
    /// The backward pass uses the activations of layer 1 from the previous pass.
    StaleActivations,
    /// Weight gradients are clipped to ±0.001.
    GradientsClipped,
    /// Weight gradients of layer 2 are rounded to half precision.
    GradientsInHalfPrecision,
    /// Weight gradients are too large by a factor of 1.0001.
    GradientsScaled,
    /// The largest weight gradient of layer 1 is too large by a factor of 1.0001.
    LargestGradientPerturbed,
    /// Each layer's weights are updated before δ of the layer below is computed.
    WeightsUpdatedDuringBackward,

    // Update
    /// The learning rate is too large by a factor of 1.0001.
    LearningRatePerturbed,
    /// Weight decay is not applied to biases.
    DecaySkipsBiases,
    /// Weight decay is negative.
    DecaySignFlipped,
    /// Adam decays the parameters directly, as AdamW does.
    AdamDecayDecoupled,
    /// AdamW adds the decay to the gradient, as Adam does.
    AdamWDecayCoupled,
    /// The gradient is multiplied by 0.9 before it is added to the velocity, from the second step on.
    MomentumDampened,
    /// The velocity is a moving average: the gradient is multiplied by 1 − µ, where µ is the momentum coefficient.
    MomentumAveraged,
    /// Classical momentum is computed instead of Nesterov's momentum.
    NesterovIgnored,
    /// Adam's decay rates β₁ and β₂ are exchanged.
    BetasSwapped,
    /// ε of Adam is 10⁻⁵, Burn's default, instead of the configured one.
    EpsilonIsBurnDefault,
    /// Adam divides by √(v̂ + ε) instead of √v̂ + ε.
    EpsilonInsideRoot,
    /// Adam's bias correction counts the first step as the second.
    StepCountStartsAtTwo,
    BiasCorrectionOmitted,
    /// Adam's second moment averages |g| instead of g².
    SecondMomentNotSquared,
    /// The velocities, or Adam's first moments, of layer 2 and of the layer above it are exchanged.
    LayerMomentsSwapped,

    // Training loop
    /// The labels of the second batch are rotated by one image.
    LabelsShifted,
    /// The first image of the second batch is replaced by another image of the data set.
    ImageRowReplaced,
    /// The training loop, but not `step`, divides pixels by 255, although they are already scaled to the range 0 to 1.
    TrainingPixelsScaledTwice,
    /// Pixels are multiplied by 1/255 in single precision instead of divided by 255.
    PixelsScaledByReciprocal,
    /// The last, smaller batch of an epoch does not change the parameters.
    LastBatchDropped,
    /// The gradients of the last, smaller batch are divided by the full batch size.
    PartialBatchDividedByFullSize,
    /// Every epoch visits the images in the order of the first epoch.
    EpochOrderNotReshuffled,
    /// `fit` continues with the optimizer state of earlier training instead of resetting it.
    OptimizerStateKept,
    /// The learning rate stays constant, even if a schedule is configured.
    ScheduleIgnored,

    // After many updates
    /// Adam's bias correction counts at most 255 steps.
    StepCountSaturates,
    /// The number of steps is kept in single precision, which has no odd numbers above 2²⁴.
    StepCountInSinglePrecision,
    /// `fit` resets the optimizer state even if it continues a run after some of its epochs.
    StateLostBetweenEpochs,
    /// Subnormal moments are set to zero when the optimizer state is restored.
    SubnormalsFlushed,

    // Training step
    /// The gradients of the previous step are added to those of this step.
    GradientsNotZeroed,
    /// `step` applies the gradients of the previous step.
    GradientsOfPreviousStep,
    /// `step` multiplies the learning rate by 1.001.
    StepLearningRatePerturbed,
    /// `step` multiplies a weight of layer 2 by 1.0001 after the update.
    WeightPerturbedAfterStep,
}
