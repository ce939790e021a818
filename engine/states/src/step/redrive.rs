//! RedriveExecution: a standard execution goes on where it failed.

use super::{Refusal, Turn, fields};
use crate::{
    definition::Type,
    history::Details,
    machine::{Phase, ROOT, Status},
};

impl Turn<'_> {
    pub(super) fn redrive(&mut self) -> Result<(), Refusal> {
        if self.machine.kind == Type::Express {
            return Err(Refusal::NotRedrivable("it is express"));
        }
        let stopped: Vec<u32> = self
            .machine
            .frames
            .iter()
            .filter(|(_, f)| matches!(f.phase, Phase::Stopped))
            .map(|(id, _)| *id)
            .collect();
        let maps: Vec<u32> = self
            .machine
            .frames
            .iter()
            .filter(|(_, f)| matches!(&f.phase, Phase::Map(m) if m.run.is_some() && m.running.is_empty()))
            .map(|(id, _)| *id)
            .collect();
        if stopped.is_empty() && maps.is_empty() {
            return Err(Refusal::NotRedrivable("nothing of it can go on"));
        }
        self.machine.status = Status::Running;
        self.machine.redrives += 1;
        self.machine.redriven_at = Some(self.now);
        let last = self.machine.last_event();
        let details = fields([("redriveCount", self.machine.redrives.into())]);
        self.record(
            ROOT,
            last,
            "ExecutionRedriven",
            Details::Other("executionRedrivenEventDetails", details),
        );
        self.set_deadline();
        for id in stopped {
            let frame = self.frame_mut(id);
            frame.phase = Phase::Enter {
                again: frame.entered > 0,
            };
            frame.retries.clear();
            frame.retry_count = 0;
            frame.token = None;
            self.machine.ready.push_back(id);
        }
        for id in maps {
            self.redrive_map_run(id);
        }
        Ok(())
    }
}
