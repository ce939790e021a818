//! Generated histories in two worlds: the planner, and a model that is too simple to be wrong.

use proptest::prelude::*;

use crate::cases::cases;

mod asked;
mod calm;
mod compare;
mod drive;
mod plans;
mod world;

use drive::{Both, Op};
use plans::Shape;
use world::{Again, DAY, HOUR, MINUTE, Mode};

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Superseded),
        Just(Mode::Queued),
        Just(Mode::Parallel)
    ]
}

fn shape(mode: impl Strategy<Value = Mode>) -> impl Strategy<Value = Shape> {
    (mode, any::<bool>(), any::<bool>(), 0u8..3).prop_map(|(mode, wide, gate, temper)| Shape {
        mode,
        wide,
        gate,
        temper,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<usize>;
    let flag = any::<bool>;
    let mostly = || prop::bool::weighted(0.8);
    let again = prop_oneof![Just(Again::Failed), Just(Again::All)];
    let seconds = prop_oneof![
        4 => 0..40i64,
        2 => Just(21 * MINUTE),
        2 => Just(HOUR + 1),
        1 => Just(DAY + 1),
        1 => Just(8 * DAY),
        1 => Just(31 * DAY),
        1 => (0..400i64).prop_map(|it| it * DAY),
    ];
    prop_oneof![
        6 => prop_oneof![300 => 1u8..4, 1 => 40u8..53].prop_map(Op::Start),
        36 => (at(), mostly(), mostly()).prop_map(|(at, well, tells)| Op::Work { at, well, tells }),
        2 => (at(), flag()).prop_map(|(at, well)| Op::Finish { at, well }),
        2 => at().prop_map(Op::Poll),
        2 => (at(), flag()).prop_map(|(at, right)| Op::Acknowledge(at, right)),
        4 => (at(), mostly(), flag()).prop_map(|(at, well, continues)| Op::Report { at, well, continues }),
        2 => (at(), flag()).prop_map(|(at, well)| Op::Answer { at, well }),
        4 => (at(), flag()).prop_map(|(at, abandon)| Op::Stop(at, abandon)),
        8 => (at(), at(), again).prop_map(|(at, stage, again)| Op::Retry(at, stage, again)),
        4 => (at(), at()).prop_map(|(at, stage)| Op::Rollback(at, stage)),
        5 => (at(), flag(), flag()).prop_map(|(at, inbound, on)| Op::Transition(at, inbound, on)),
        1 => shape(mode()).prop_map(Op::Update),
        4 => (seconds, flag()).prop_map(|(seconds, heard)| Op::Pass(seconds, heard)),
        1 => Just(Op::Resume),
    ]
}

fn history(shape: Shape, ops: &[Op]) {
    let mut both = Both::new(shape);
    for op in ops {
        both.apply(op);
    }
    both.end();
}

fn histories(name: &str, mode: Mode) {
    let steps = (shape(Just(mode)), prop::collection::vec(op(), 1..80));
    cases(
        &format!("the planner and the model, {name}"),
        40,
        &steps,
        |(shape, ops)| {
            history(*shape, ops);
        },
    );
}

#[test]
fn superseded_pipelines_do_as_the_model_does() {
    histories("SUPERSEDED", Mode::Superseded);
}

#[test]
fn queued_pipelines_do_as_the_model_does() {
    histories("QUEUED", Mode::Queued);
}

#[test]
fn parallel_pipelines_do_as_the_model_does() {
    histories("PARALLEL", Mode::Parallel);
}
