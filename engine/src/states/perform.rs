//! Effects: timers, tasks, reads. What is still open of an execution is known from its effects and inputs alone.

use std::collections::BTreeMap;

use engine_states::{
    effect::{Effect, Order},
    event::Event,
};
use jiff::Timestamp;

use super::{Job, Told, items, task};
use crate::app::App;

/// What an execution waits for, as far as somebody has to do something for it.
#[derive(Default)]
pub struct Open {
    tasks: BTreeMap<u64, Order>,
    /// Tasks that somebody has begun and answers by token.
    submitted: Vec<u64>,
    timers: BTreeMap<u64, Timestamp>,
    reads: BTreeMap<u64, Effect>,
    cancelled: Vec<Job>,
    again: bool,
}

impl Open {
    /// Takes note of an effect.
    pub fn asked(&mut self, effect: &Effect) {
        match effect {
            Effect::Schedule(order) => {
                self.tasks.insert(order.task, order.clone());
            }
            Effect::Cancel { task } => {
                self.tasks.remove(task);
                self.reads.remove(task);
                self.cancelled.push(Job::Task(String::new(), *task));
            }
            Effect::SetTimer { timer, at } => {
                self.timers.insert(*timer, *at);
            }
            Effect::ClearTimer { timer } => {
                self.timers.remove(timer);
                self.cancelled.push(Job::Timer(String::new(), *timer));
            }
            Effect::ReadItems { task, .. } | Effect::WriteResults { task, .. } => {
                self.reads.insert(*task, effect.clone());
            }
            Effect::Continue => self.again = true,
            Effect::Record(_)
            | Effect::MapRun(_)
            | Effect::ChildStarted { .. }
            | Effect::ChildFinished { .. }
            | Effect::Finished(_) => {}
        }
    }

    /// Takes note of an input of the past.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::TaskSucceeded { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::ItemsRead { task, .. } => {
                self.tasks.remove(task);
                self.reads.remove(task);
            }
            Event::TaskStarted { task } | Event::TaskSubmitted { task, .. } => {
                self.submitted.push(*task)
            }
            Event::Due { timer } => {
                self.timers.remove(timer);
            }
            Event::Continue => self.again = false,
            Event::Heartbeat { .. } | Event::Stop { .. } | Event::Redrive | Event::UpdateRun(_) => {
            }
        }
    }

    /// The open tasks.
    pub fn tasks(&self) -> impl Iterator<Item = &Order> {
        self.tasks.values()
    }
}

/// Does what is open.
pub fn all(app: &App, arn: &str, open: Open) {
    let workflows = &app.workflows;
    for job in open.cancelled {
        let job = match job {
            Job::Task(_, task) => Job::Task(arn.to_owned(), task),
            Job::Timer(_, timer) => Job::Timer(arn.to_owned(), timer),
        };
        if let Job::Task(_, task) = &job {
            workflows.inner.queue.forget(arn, *task);
        }
        workflows.cancel(&job);
    }
    for (timer, at) in open.timers {
        let stop = workflows.job(Job::Timer(arn.to_owned(), timer));
        let (app, arn) = (app.clone(), arn.to_owned());
        tokio::spawn(async move {
            tokio::select! {
                () = app.clock.sleep_until(at) => {}
                () = stop.cancelled() => return,
            }
            let _busy = app.clock.busy();
            app.workflows.cancel(&Job::Timer(arn.clone(), timer));
            tell(&app, &arn, Event::Due { timer });
        });
    }
    for (number, order) in open.tasks {
        let submitted = open.submitted.contains(&number);
        if !submitted || order.resource.waits_for_end() {
            task::begin(app, arn, order, submitted);
        }
    }
    for (number, effect) in open.reads {
        let stop = workflows.job(Job::Task(arn.to_owned(), number));
        let (app, arn) = (app.clone(), arn.to_owned());
        let busy = app.clock.busy();
        tokio::spawn(async move {
            let event = tokio::select! {
                event = items::answer(&app, number, effect) => event,
                () = stop.cancelled() => return,
            };
            tell(&app, &arn, event);
            drop(busy);
        });
    }
    if open.again {
        let (app, arn) = (app.clone(), arn.to_owned());
        let busy = app.clock.busy();
        tokio::spawn(async move {
            tell(&app, &arn, Event::Continue);
            drop(busy);
        });
    }
}

/// Tells an execution; what it no longer waits for does not matter.
pub fn tell(app: &App, arn: &str, event: Event) {
    match app.workflows.tell(app, arn, event) {
        Ok(()) | Err(Told::Refused(_)) => {}
        Err(error) => app.logs.notice(format!("execution {arn}: {error}")),
    }
}
