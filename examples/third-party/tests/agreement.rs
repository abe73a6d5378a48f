//! Compares the hand-written gradient and the updates of the white box with the float64 reference.

use mlp_parity::{Activation, MlpConfig};
use mlp_parity_compare::check::Case;
use mlp_parity_compare::diagnosis::assert_agreement;
use third_party::linear::Linear;

#[test]
fn linear_classifier_agrees_with_reference() -> mlp_parity::Result<()> {
    let config = MlpConfig::new(28 * 28, &[], 10, Activation::Relu)?;
    let case = Case::synthetic(&config, 0)?;
    assert_agreement(&mut Linear::new(&config, &case.parameters)?, &case);
    Ok(())
}
