//! Restores the state of an optimizer on the device that holds the parameters.
//!
//! Burn itself restores the state on its default device. In builds with `wgpu` that is a GPU, which the machine may not
//! have. Burn's interface has no parameter for the device, so a thread-local variable passes it.

use std::cell::RefCell;

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

thread_local! {
    /// The device on which this thread is currently restoring optimizer state; `None` at other times.
    static DEVICE: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// Calls `restore`, and places every optimizer state that it restores on `device`.
pub(crate) fn restore_on<T>(device: &Device, restore: impl FnOnce() -> T) -> T {
    DEVICE.replace(Some(device.clone()));
    let restored = restore();
    DEVICE.replace(None);
    restored
}

/// Wrapper around a Burn optimizer, whose state is restored on the device that [`restore_on`] selects.
#[derive(Clone)]
pub(crate) struct OnDevice<O>(pub(crate) O);

/// The state of an [`OnDevice`] optimizer for one parameter.
#[derive(Clone)]
pub(crate) struct State<S>(S);

impl<O: Optimizer> Optimizer for OnDevice<O> {
    type State<const D: usize> = State<O::State<D>>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (tensor, state) = self.0.step(learning_rate, tensor, gradient, state.map(|State(state)| state));
        (tensor, state.map(State))
    }

    fn to_device<const D: usize>(State(state): Self::State<D>, device: &Device) -> Self::State<D> {
        State(O::to_device(state, device))
    }
}

impl<S: RecordState> RecordState for State<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, default: &Device) -> Option<Self> {
        let device = DEVICE.with_borrow(Clone::clone);
        S::state_unflatten(prefix, source, device.as_ref().unwrap_or(default)).map(Self)
    }
}
