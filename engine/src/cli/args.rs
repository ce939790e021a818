//! The command line: a contract that scripts and tests rely on.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs AWS CodePipeline definitions on this machine, with the same function binaries, speaking AWS's protocols.
#[derive(Debug, Parser)]
#[command(name = "stagewright", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one execution in the foreground
    Run(RunArguments),
    /// Serve the AWS faces, the console and the mail sink on one port
    Serve(ServeArguments),
    /// Validate a definition or an approval rules file; findings carry AWS's own error texts and a hint
    Check(CheckArguments),
    /// Say what an action function takes, gives and needs
    Describe(DescribeArguments),
    /// Show pipelines of a running engine, or the stages of one
    Status(StatusArguments),
    /// Print the output of an execution's actions
    Logs(LogsArguments),
    /// Answer the open approval of a pipeline, past its approval rules: as the AWS console does, found and recorded
    ///
    /// The answer is sent as PutApprovalResult. Nobody's link, code or sign-in is asked for, and no rule is looked at:
    /// whom approvals are asked of, four-eyes and times do not count. Under approval rules this is an out-of-band
    /// approval. approval-sweep finds it within a minute, alerts, and records it in the audit as out-of-band; whoever
    /// was asked is told. To decide within the rules, open the link of your mail.
    Approve(AnswerArguments),
    /// Retry the failed stage of a pipeline
    Retry(RetryArguments),
    /// Stop the newest execution of a pipeline
    Stop(StopArguments),
    /// Roll a stage back to an execution that succeeded in it
    Rollback(RollbackArguments),
    /// Check the audit of approvals, or turn it into what auditors read
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// Where the definition is and what its template needs.
#[derive(Debug, Args)]
pub struct DefinitionArguments {
    /// `aws codepipeline get-pipeline` JSON, the same as YAML, or a CloudFormation template
    pub file: PathBuf,
    /// The pipeline's logical id, when a template holds several
    #[arg(long, value_name = "ID")]
    pub logical_id: Option<String>,
    /// A template parameter; may be repeated
    #[arg(long = "parameter", value_name = "K=V", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
}

/// What every engine needs.
#[derive(Debug, Args)]
pub struct EngineArguments {
    /// What AWS would know of the account; by default `stagewright.toml` beside FILE or in this folder
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where state is kept
    #[arg(long, value_name = "DIR", default_value = ".stagewright")]
    pub state: PathBuf,
    /// Forward services without a face to this URL
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// Endpoint of a service that action providers drive
    #[arg(long = "endpoint", value_name = "SERVICE=URL", value_parser = pair)]
    pub endpoints: Vec<(String, String)>,
    /// Jump to the next due timer as soon as nothing else can happen
    #[arg(long)]
    pub fast_clock: bool,
    /// A function's program (split at spaces); may be repeated
    #[arg(long = "function", value_name = "NAME=COMMAND", value_parser = pair)]
    pub functions: Vec<(String, String)>,
}

/// `stagewright run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The definition; not needed with --resume
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// The pipeline's logical id, when a template holds several
    #[arg(long, value_name = "ID")]
    pub logical_id: Option<String>,
    /// A template parameter; may be repeated
    #[arg(long = "parameter", value_name = "K=V", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// What every engine needs.
    #[command(flatten)]
    pub engine: EngineArguments,
    /// What a source action takes: a folder, a zip, or a git repository; may be repeated
    #[arg(long = "source", value_name = "ACTION=PATH", value_parser = pair)]
    pub sources: Vec<(String, String)>,
    /// A pipeline variable; `{base-url}` stands for the engine's address; may be repeated
    #[arg(long = "variable", value_name = "K=V", value_parser = pair)]
    pub variables: Vec<(String, String)>,
    /// Who answers manual approvals
    #[arg(long, value_enum, default_value_t = Approve::Ask)]
    pub approve: Approve,
    /// Continue the execution that was cut off in this state folder
    #[arg(long)]
    pub resume: bool,
    /// Address to listen at; by default a free port of 127.0.0.1, with --resume the address of the run
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// `stagewright serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4599")]
    pub listen: SocketAddr,
    /// What every engine needs.
    #[command(flatten)]
    pub engine: EngineArguments,
}

/// `stagewright check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The definition.
    #[command(flatten)]
    pub definition: DefinitionArguments,
    /// What AWS would know of the account; by default `stagewright.toml` beside FILE
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The policy of the pipeline's role, as JSON: permissions that are missing are told
    #[arg(long, value_name = "FILE")]
    pub role_policy: Option<PathBuf>,
    /// Findings that refuse nothing count as errors
    #[arg(long)]
    pub strict: bool,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Findings::Human)]
    pub output: Findings,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Findings {
    /// For people
    Human,
    /// One JSON object per line
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

/// `stagewright describe`.
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// The function, as action-http-check
    #[arg(value_name = "ACTION")]
    pub action: String,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub format: Form,
}

/// What is printed of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Parameters, output variables, permissions
    Text,
    /// JSON Schema of the parameters
    Schema,
    /// A page of Markdown
    Page,
    /// The custom action type, as a CloudFormation resource
    ActionType,
}

/// Who answers manual approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// A person: here in the terminal, by the link in the mail, or over the API
    Ask,
    /// The engine plays an approver who approves, over HTTP where mail with a link is sent
    Yes,
    /// The engine plays an approver who rejects
    No,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Human,
    /// One JSON object per line
    Json,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Which engine is meant.
#[derive(Debug, Args)]
pub struct EndpointArguments {
    /// Address of a running `serve`
    #[arg(
        long,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL",
        default_value = "http://127.0.0.1:4599"
    )]
    pub endpoint_url: String,
}

/// `stagewright status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// The pipeline; all of them when absent
    pub pipeline: Option<String>,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// `stagewright logs`.
#[derive(Debug, Args)]
pub struct LogsArguments {
    /// The pipeline
    pub pipeline: String,
    /// One action; all of them when absent
    pub action: Option<String>,
    /// The execution; the newest when absent
    #[arg(long, value_name = "ID")]
    pub execution: Option<String>,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
}

/// `stagewright approve`.
#[derive(Debug, Args)]
pub struct AnswerArguments {
    /// The pipeline; lists what waits in all of them when absent
    pub pipeline: Option<String>,
    /// Which approval, when several are open
    #[arg(long)]
    pub action: Option<String>,
    /// Of which execution, when several wait (PARALLEL)
    #[arg(long, value_name = "ID")]
    pub execution: Option<String>,
    /// Shows what is decided, and decides nothing
    #[arg(long, conflicts_with_all = ["reject", "comment"])]
    pub show: bool,
    /// Reject in place of approving
    #[arg(long)]
    pub reject: bool,
    /// Shown in the pipeline; at most 512 characters
    #[arg(long)]
    pub comment: Option<String>,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// `stagewright retry`.
#[derive(Debug, Args)]
pub struct RetryArguments {
    /// The pipeline
    pub pipeline: String,
    /// The stage; the last that failed or was stopped when absent
    pub stage: Option<String>,
    /// All actions of the stage, not only the failed ones
    #[arg(long)]
    pub all: bool,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
}

/// `stagewright stop`.
#[derive(Debug, Args)]
pub struct StopArguments {
    /// The pipeline
    pub pipeline: String,
    /// The execution; the newest when absent
    #[arg(long, value_name = "ID")]
    pub execution: Option<String>,
    /// Do not wait for running actions
    #[arg(long)]
    pub abandon: bool,
    /// At most 200 characters
    #[arg(long)]
    pub reason: Option<String>,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
}

/// `stagewright rollback`.
#[derive(Debug, Args)]
pub struct RollbackArguments {
    /// The pipeline
    pub pipeline: String,
    /// The stage
    pub stage: String,
    /// An execution that succeeded in the stage
    pub execution: String,
    /// Which engine.
    #[command(flatten)]
    pub at: EndpointArguments,
}

/// `stagewright audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Name the first record that is not as it was written; status 1 when there is one
    Verify(AuditSource),
    /// Print the audit; it is verified first
    Export {
        /// What is printed.
        #[command(flatten)]
        source: AuditSource,
        /// json: the records themselves, one a line; csv and html: one row for each approval
        #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
        format: ExportFormat,
    },
}

/// Where an audit chain is.
#[derive(Debug, Args)]
pub struct AuditSource {
    /// Files of records, in the order of their months
    pub files: Vec<PathBuf>,
    /// The anchors of the chain: a file, or a folder copied from the audit bucket
    #[arg(long, value_name = "PATH")]
    pub anchors: Option<PathBuf>,
    /// Read the records from this DynamoDB table at --endpoint-url
    #[arg(long, value_name = "NAME", requires = "months")]
    pub table: Option<String>,
    /// A month of the table, as 2026-11; may be repeated
    #[arg(long = "month", value_name = "MONTH")]
    pub months: Vec<String>,
    /// Which engine or service.
    #[command(flatten)]
    pub at: EndpointArguments,
}

/// How an audit is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Records, one a line.
    Json,
    /// For a spreadsheet.
    Csv,
    /// A page that prints well.
    Html,
}
