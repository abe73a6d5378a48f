//! The faults that tests inject into [`FaultyMlp`](super::faulty_mlp::FaultyMlp): mistakes that people make when they
//! implement backpropagation by hand.

/// One fault in a [`FaultyMlp`](super::faulty_mlp::FaultyMlp). Layers are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Not a fault: the loss of a batch of fewer than 32 images is infinite, as if it had overflowed, and no update
    /// follows.
    LossOverflows,

    // Parameters
    /// A weight of layer 2 is 1.0001 times what the network was created with.
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
    /// Pixels from 0 to 1 are divided by 255.
    PixelsScaledTwice,
    /// ReLU is `z.max(0.0)`, which maps NaN to 0.
    NanLostInRelu,

    // Loss
    /// The loss is a sum over the batch instead of a mean.
    LossNotAveraged,
    /// The loss is also divided by the number of classes.
    LossAveragedOverClasses,
    /// The loss is in bits.
    BinaryLogarithm,
    /// The loss is −ln(p + 10⁻⁵).
    LogarithmOffset,
    /// Softmax does not subtract the largest logit, so exp overflows.
    MaximumNotSubtracted,

    // Backward pass
    /// δ is not divided by the batch size.
    GradientsNotAveraged,
    /// δ is divided by the batch size less 1.
    BatchSizeOffByOne,
    /// The one-hot label of the last image of the batch is not subtracted.
    LastLabelIgnored,
    /// Labels are smoothed by 0.001.
    LabelSmoothing,
    /// The bias gradient of the layer with this index (from 0) is zero.
    BiasGradientZeroed(usize),
    /// The bias gradient of layer 2 is a mean of δ over the batch instead of a sum.
    BiasGradientAveraged,
    /// Gradients of square weight matrices are transposed.
    WeightGradientTransposed,
    /// δ is multiplied by square weight matrices that are not transposed.
    BackwardWeightNotTransposed,
    /// f′, written in terms of a = f(z), is evaluated with z in place of a.
    DerivativeFromPreActivation,
    /// f′ is evaluated at a instead of z. This is the fault in the report's tanh.
    DerivativeAtActivation,
    /// f′ has a plus in place of its minus: a (1 + a) for sigmoid, 1 + a² for tanh.
    DerivativeSignFlipped,
    /// δ of layer 1 lacks the factor f′.
    DerivativeOmitted,
    /// δ of layer 1 has f′ of layer 2.
    DerivativeOfWrongLayer,
    /// The backward pass uses the activations of layer 1 from the previous pass.
    StaleActivations,
    /// Weight gradients are clipped to ±0.001.
    GradientsClipped,
    /// Weight gradients of layer 2 are rounded to half precision.
    GradientsInHalfPrecision,
    /// Weight gradients are 1.0001 times too large.
    GradientsScaled,
    /// The largest weight gradient of layer 1 is 1.0001 times too large.
    LargestGradientPerturbed,
    /// Each layer's weights are updated before δ of the layer below is computed.
    WeightsUpdatedDuringBackward,

    // Update
    /// The learning rate is 1.0001 times too large.
    LearningRatePerturbed,
    /// Weight decay is not applied to biases.
    DecaySkipsBiases,
    /// Weight decay is negative.
    DecaySignFlipped,
    /// Adam decays the parameters directly, as AdamW does.
    AdamDecayDecoupled,
    /// AdamW adds the decay to the gradient, as Adam does.
    AdamWDecayCoupled,
    /// The gradient enters the velocity with a factor of 0.9 from the second step on.
    MomentumDampened,
    /// The velocity is a moving average, with a factor 1 − µ of the gradient.
    MomentumAveraged,
    /// Nesterov's momentum is computed as classical momentum.
    NesterovIgnored,
    /// β₁ and β₂ of Adam are exchanged.
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
    /// The first image of the second batch is another one of the data set.
    ImageRowReplaced,
    /// The training loop, but not `step`, divides pixels from 0 to 1 by 255.
    TrainingPixelsScaledTwice,
    /// Pixels are multiplied by 1/255 in single precision instead of divided by 255.
    PixelsScaledByReciprocal,
    /// The last, smaller batch of an epoch does not change the parameters.
    LastBatchDropped,
    /// The gradients of the last, smaller batch are divided by the full batch size.
    PartialBatchDividedByFullSize,
    /// Every epoch has the order of the first one.
    EpochOrderNotReshuffled,
    /// `fit` starts with the optimizer state of earlier training.
    OptimizerStateKept,
    /// The learning rate is constant.
    ScheduleIgnored,

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
