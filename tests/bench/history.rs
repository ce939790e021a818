//! 100,000 stored executions of one pipeline, the journal closed in order: the start, memory, pages of lists, reads while they are there.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use harness::process::Server;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{api, executions, median, memory};

const PIPELINE: &str = "bench-history";
const STORED: usize = 100_000;
/// Executions of the pipeline at once: as many as it may have.
const AT_ONCE: usize = 40;
/// Executions that a kill takes before the next snapshot: about as many records as there can be.
const UNSAVED: usize = 1_600;
const STARTS: usize = 12;
const PAGES: usize = 200;

/// Fills a state folder and looks at it with `serve`.
pub async fn measure() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal.db");
    let names = [PIPELINE.to_owned()];
    let rate = executions::fill(&journal, "PARALLEL", &names, STORED, AT_ONCE).await;
    let mut rows = vec![
        (
            format!("journaled executions a second, {STORED} of one PARALLEL pipeline"),
            format!("{rate:.0}/s"),
        ),
        (
            format!("journal with {STORED} executions"),
            megabytes(journal.metadata().map_or(0, |it| it.len())),
        ),
    ];
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let server = Server::start(folder.path(), &[]);
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
        memory.extend(resident(&server));
        server.kill();
    }
    rows.push((
        format!("start of `serve` to listening, {STORED} executions, {STARTS} runs"),
        format!("{:.1} ms", median(starts)),
    ));
    rows.push((
        format!("memory of `serve` with {STORED} executions, resident"),
        format!("{:.1} MB", median(memory)),
    ));
    rows.extend(reads(folder.path()));
    rows.extend(after_a_kill(&journal, &names).await);
    rows
}

/// Starts from what a killed engine leaves: records that no snapshot holds yet, or no snapshot at all.
async fn after_a_kill(journal: &Path, names: &[String]) -> Vec<(String, String)> {
    let killed = tempfile::tempdir().expect("a folder");
    let copy = |ending: &str| {
        let [from, to] = [journal, &killed.path().join("journal.db")]
            .map(|file| format!("{}{ending}", file.display()));
        fs::copy(from, to).expect("copied");
    };
    executions::fill_and(journal, "PARALLEL", names, UNSAVED, AT_ONCE, || {
        copy("");
        copy("-wal");
    })
    .await;
    let file = killed.path().join("journal.db");
    let look = Connection::open(&file).expect("the copy");
    let replayed: i64 = look
        .query_row(
            "SELECT sum(length(body)) FROM input WHERE seq > (SELECT max(seq) FROM snapshot)",
            [],
            |row| row.get(0),
        )
        .expect("a number");
    drop(look);
    let begin = Instant::now();
    Server::start(killed.path(), &[]).kill();
    let start = begin.elapsed().as_secs_f64() * 1e3;

    let file = Connection::open(&file).expect("the copy");
    file.execute_batch("DELETE FROM snapshot").expect("deleted");
    drop(file);
    let begin = Instant::now();
    Server::start(killed.path(), &[]).kill();
    let rebuild = begin.elapsed().as_secs_f64();
    vec![
        (
            format!(
                "start after a kill, {STORED} executions, {:.1} MB of records to replay",
                replayed as f64 / 1e6
            ),
            format!("{start:.0} ms"),
        ),
        (
            format!("start without a snapshot: all records of {STORED} executions again"),
            format!("{rebuild:.1} s"),
        ),
    ]
}

fn reads(state: &Path) -> Vec<(String, String)> {
    let server = Server::start(state, &[]);
    let mut client = api::Client::connect(&server.url);
    let first = client.call("ListPipelineExecutions", &json!({"pipelineName": PIPELINE}));
    let walked = walk(&mut client);
    let id = &walked.last;
    let mut rows = Vec::new();
    let mut row = |what: &str, operation: &str, request: Value| {
        let samples = (0..PAGES).map(|_| {
            let begin = Instant::now();
            client.call(operation, &request);
            begin.elapsed().as_secs_f64() * 1e3
        });
        let mut samples: Vec<f64> = samples.collect();
        samples.sort_by(f64::total_cmp);
        let p99 = samples[samples.len() * 99 / 100];
        rows.push((
            what.to_owned(),
            format!("{:.2} ms, p99 {p99:.2}", median(samples)),
        ));
    };
    assert!(first["nextToken"].is_string());
    let list = |more: Value| {
        let mut request = json!({"pipelineName": PIPELINE});
        for (key, value) in more.as_object().into_iter().flatten() {
            request[key] = value.clone();
        }
        request
    };
    row(
        "page of 100 executions, the newest",
        "ListPipelineExecutions",
        list(json!({})),
    );
    row(
        "page of 100 executions, the 500th page",
        "ListPipelineExecutions",
        list(json!({"nextToken": walked.token})),
    );
    row(
        "the same, of those that succeeded in a stage",
        "ListPipelineExecutions",
        list(
            json!({"nextToken": walked.token, "filter": {"succeededInStage": {"stageName": "Test"}}}),
        ),
    );
    row(
        "page of 100 action executions",
        "ListActionExecutions",
        list(json!({})),
    );
    row(
        "actions of one archived execution",
        "ListActionExecutions",
        list(json!({"filter": {"pipelineExecutionId": id}})),
    );
    row(
        "GetPipelineExecution, archived",
        "GetPipelineExecution",
        list(json!({"pipelineExecutionId": id})),
    );
    for (what, operation, request) in [
        ("ListPipelines", "ListPipelines", json!({})),
        (
            "GetPipelineExecution, archived",
            "GetPipelineExecution",
            list(json!({"pipelineExecutionId": id})),
        ),
    ] {
        let (rate, p99) = api::reads(&server.url, operation, &request, Duration::from_secs(3));
        rows.push((
            format!("{what}, 64 connections, {STORED} executions stored"),
            format!("{rate:.0}/s, p99 {:.2} ms", p99 * 1e3),
        ));
    }
    rows.push((
        "memory of `serve` after these reads, resident".to_owned(),
        resident(&server).map_or_else(String::new, |mb| format!("{mb:.1} MB")),
    ));
    rows
}

struct Walked {
    /// Of the page in the middle.
    token: Value,
    /// An execution of that page.
    last: String,
}

fn walk(client: &mut api::Client) -> Walked {
    let mut walked = Walked {
        token: Value::Null,
        last: String::new(),
    };
    let mut request = json!({"pipelineName": PIPELINE});
    for _ in 0..STORED / 200 {
        let page = client.call("ListPipelineExecutions", &request);
        let last = &page["pipelineExecutionSummaries"][99]["pipelineExecutionId"];
        walked.last = last.as_str().expect("a full page").to_owned();
        walked.token = page["nextToken"].clone();
        request["nextToken"] = walked.token.clone();
    }
    walked
}

/// Megabytes of memory that a process holds.
fn resident(server: &Server) -> Option<f64> {
    memory(&server.id().to_string(), "VmRSS:")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}
