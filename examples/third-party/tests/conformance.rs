//! Runs the conformance kit on both classifiers.

mod linear {
    mlp_parity::conformance_tests!(differentiable, [], Relu, third_party::linear::Linear::new);
}

mod logistic {
    mlp_parity::conformance_tests!(classifier, [], Relu, |config, _| Ok(third_party::logistic::Logistic::new(config)));
}
