//! Pages of state machines: all of them, and one execution as a picture with what became of each state.

mod draw;
mod graph;
mod layout;
mod seen;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use engine_states::{definition::Type, history::HistoryEvent};
use serde_json::Value;

use super::{
    Live, missing,
    model::{self, Look, Notice},
    page,
};
use crate::{
    app::App,
    states::{Listed, Told},
};

/// Executions listed under a picture.
const HISTORY: usize = 20;
/// Letters of an input or output on the page; GetExecutionHistory and DescribeExecution give the rest.
const PAYLOAD: usize = 20_000;
/// Letters of an error beside its state; the notice and the history have the rest.
const ERROR: usize = 240;

#[derive(Template)]
#[template(path = "console/machines.html")]
struct Machines {
    live: Live,
    machines: Vec<Card>,
}

struct Card {
    name: String,
    kind: &'static str,
    status: Look,
    executions: usize,
    last: Option<String>,
    /// Its newest executions, the oldest first.
    strip: Vec<Look>,
}

#[derive(Template)]
#[template(path = "console/machine.html")]
struct Machine {
    live: Live,
    name: String,
    status: Look,
    execution: String,
    started: String,
    took: String,
    notices: Vec<Notice>,
    picture: String,
    states: Vec<Row>,
    input: String,
    output: String,
    history: Vec<Past>,
}

struct Row {
    name: String,
    kind: String,
    status: Look,
    word: &'static str,
    times: String,
    error: String,
}

struct Past {
    name: String,
    started: String,
    status: Look,
}

fn look(status: &str) -> Look {
    match status {
        "RUNNING" => Look::Running,
        "SUCCEEDED" => Look::Succeeded,
        "ABORTED" => Look::Other("Aborted"),
        _ => Look::Failed,
    }
}

fn executions(app: &App, machine: &str) -> Vec<Listed> {
    app.workflows.list(machine, None).unwrap_or_else(|error| {
        tracing::error!(%error, "executions cannot be read");
        Vec::new()
    })
}

/// All machines.
pub async fn index(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let found: Vec<(String, String, Type)> = app.workflows.read(|book| {
        let shown = |(name, m): (&String, &crate::states::StateMachine)| {
            (name.clone(), m.arn.clone(), m.kind)
        };
        book.machines.iter().map(shown).collect()
    });
    let machines: Vec<Card> = found
        .into_iter()
        .map(|(name, arn, kind)| {
            let all = executions(&app, &arn);
            Card {
                name,
                kind: match kind {
                    Type::Standard => "standard",
                    Type::Express => "express",
                },
                status: all.first().map_or(Look::Idle, |e| look(e.status())),
                executions: all.len(),
                last: all.first().map(|e| model::time(e.begun.at)),
                strip: all
                    .iter()
                    .take(HISTORY)
                    .rev()
                    .map(|e| look(e.status()))
                    .collect(),
            }
        })
        .collect();
    let live = Live::new(
        machines.iter().any(|m| m.status.is_open()),
        query.as_deref(),
    );
    page(&Machines { live, machines }, live)
}

/// The newest execution of a machine, or its definition alone.
pub async fn newest(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    show(&app, &name, None, query.as_deref())
}

/// One execution.
pub async fn one(
    State(app): State<App>,
    Path((name, execution)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    show(&app, &name, Some(&execution), query.as_deref())
}

fn show(app: &App, name: &str, execution: Option<&str>, query: Option<&str>) -> Response {
    let arn = app.workflows.arn("stateMachine", name);
    let past = executions(app, &arn);
    let kept = app
        .workflows
        .read(|book| book.machines.get(name).map(|m| m.definition.clone()));
    let wanted = match execution {
        Some(execution) => past.iter().find(|e| e.begun.identity.name == execution),
        None => past.first(),
    };
    if (execution.is_some() && wanted.is_none()) || (kept.is_none() && past.is_empty()) {
        return missing("state machine or execution");
    }
    let look = match wanted
        .map(|e| app.workflows.look(&e.begun.identity.arn))
        .transpose()
    {
        Ok(look) => look,
        Err(Told::Unknown(_) | Told::Refused(_)) => return missing("execution"),
        Err(error) => {
            tracing::error!(%error, "an execution cannot be read");
            return missing("execution");
        }
    };
    let definition = look
        .as_ref()
        .map_or(kept, |l| Some(l.begun.definition.clone()));
    let definition: Value = definition
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let graph = graph::Graph::of(&definition);
    let history: &[HistoryEvent] = look.as_ref().map_or(&[], |l| &l.history);
    let seen = seen::all(&graph, history);
    let ended = look.as_ref().and_then(|l| l.ended.as_ref());
    let run = draw::Run {
        seen: &seen,
        over: ended.map(|e| e.status.as_str()),
    };
    let status = match (&look, ended) {
        (None, _) => Look::Idle,
        (Some(_), None) => self::look("RUNNING"),
        (Some(_), Some(ended)) => self::look(&ended.status),
    };
    let states: Vec<Row> = graph
        .all()
        .into_iter()
        .map(|node| row(node, &run))
        .collect();
    let waiting = states
        .iter()
        .find(|s| s.status == Look::Waiting && status.is_open());
    let failed = ended.and_then(|e| {
        let error = e.error.as_ref()?;
        Some(Notice {
            status: Look::Failed,
            title: error.clone(),
            text: cut(e.cause.as_deref().unwrap_or_default(), PAYLOAD),
            link: None,
        })
    });
    let waits = waiting.map(|row| Notice {
        status: Look::Waiting,
        title: format!("{}: {}", row.name, row.word.to_lowercase()),
        text: "SendTaskSuccess or SendTaskFailure with its token answers it.".to_owned(),
        link: None,
    });
    let live = Live::new(status.is_open(), query);
    let begun = look.as_ref().map(|l| &l.begun);
    let text = |value: Option<&Value>| {
        value
            .and_then(|v| serde_json::to_string_pretty(v).ok())
            .map_or_else(String::new, |text| cut(&text, PAYLOAD))
    };
    let shown = Machine {
        live,
        name: name.to_owned(),
        status,
        execution: begun.map(|b| b.identity.name.clone()).unwrap_or_default(),
        started: begun.map(|b| model::time(b.at)).unwrap_or_default(),
        took: begun
            .map(|b| crate::cli::elapsed(b.at, ended.map_or_else(|| app.clock.now(), |e| e.at)))
            .unwrap_or_default(),
        notices: failed.into_iter().chain(waits).collect(),
        picture: draw::draw(&graph, &run, &format!("{name}: {}", status.word())),
        states,
        input: text(begun.map(|b| &b.input)),
        output: text(ended.and_then(|e| e.output.as_ref())),
        history: past
            .iter()
            .take(HISTORY)
            .map(|e| Past {
                name: e.begun.identity.name.clone(),
                started: model::time(e.begun.at),
                status: self::look(e.status()),
            })
            .collect(),
    };
    page(&shown, live)
}

fn row(node: &graph::Node, run: &draw::Run<'_>) -> Row {
    let seen = run.seen.get(&node.name).cloned().unwrap_or_default();
    let (status, word) = seen.look(&node.kind, run.over);
    let error = seen
        .error
        .as_ref()
        .map_or_else(String::new, |(error, cause)| {
            let colon = if cause.is_empty() { "" } else { ": " };
            cut(&format!("{error}{colon}{cause}"), ERROR)
        });
    Row {
        name: node.name.clone(),
        kind: match node.calls.as_str() {
            "" => node.kind.clone(),
            calls => format!("{} · {calls}", node.kind),
        },
        status,
        word,
        times: seen.times(),
        error,
    }
}

fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests;
