//! The one loop and the one writer: an input is decided, journaled, applied and performed here.

use engine_plan::{event::Event, refusal::Refusal, state::State, step::Answer};

/// Handle of the loop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Desk;

impl Desk {
    /// Decides, journals and applies one event; answers once it is on disk.
    ///
    /// # Errors
    /// The planner's refusal, which changed nothing.
    pub async fn submit(&self, _event: Event) -> Result<Answer, Refusal> {
        Err(Refusal::new("InternalFailure", "the desk is not there yet"))
    }

    /// Reads the state as of the last applied input.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&State::default())
    }
}
