//! The names of tensors, by which tensors and metadata of a file are told apart.

/// The tensors of a trace, for messages.
pub(super) const TENSORS: &str = "initial.*, batch.<k>.images, batch.<k>.labels or batch.<k>.targets, batch.<k>.masks.*, \
                                  logits, outputs, loss, gradient.*, step.<k>.*";

/// Returns true for the name of a tensor, whether it is known or not, and false for the name of a metadata key.
pub(super) fn is_tensor(name: &str) -> bool {
    name.contains('.') || ["logits", "outputs", "loss"].contains(&name)
}
