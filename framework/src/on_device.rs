//! Burn restores what an optimizer remembers on its default device: with `wgpu` built in, on a graphics card, which this
//! machine may not have. Here it is restored where the parameters are.

use std::cell::RefCell;

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

thread_local! {
    /// Where states are being restored on this thread.
    static DEVICE: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// Restores on this device whatever states `restore` does.
pub(crate) fn restoring_on<T>(device: &Device, restore: impl FnOnce() -> T) -> T {
    DEVICE.replace(Some(device.clone()));
    let restored = restore();
    DEVICE.replace(None);
    restored
}

/// An optimizer whose state can be restored on any device.
#[derive(Clone)]
pub(crate) struct OnDevice<O>(pub(crate) O);

/// What it remembers.
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
