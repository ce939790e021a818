//! `stagewright audit`: checks the audit chain of approvals offline and turns it into what auditors read.

mod changes;
mod csv;
mod html;
mod table;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, anyhow};
use shared::approval::audit::verify::{Anchors, Checked, verify};

use super::{
    Stop,
    args::{AuditCommand, AuditSource, ExportFormat},
    failed,
    say::{complain, say},
    wrong,
};

/// What the records are, and how far they were vouched for.
struct Chain {
    /// Files or table, for people.
    from: String,
    records: Vec<Checked>,
    anchored: usize,
}

/// Runs the verb. Status 1: the chain is broken.
pub async fn audit(command: AuditCommand) -> Result<ExitCode, Stop> {
    match command {
        AuditCommand::Verify(source) => Ok(match read(&source).await? {
            Ok(chain) => {
                say(&summary(&chain));
                ExitCode::SUCCESS
            }
            Err(why) => broken(&why),
        }),
        AuditCommand::Export { source, format } => {
            let chain = match read(&source).await? {
                Ok(chain) => chain,
                Err(why) => return Ok(broken(&why)),
            };
            let text = match format {
                ExportFormat::Json => lines(&chain),
                ExportFormat::Csv => csv::write(&changes::of(&chain.records)),
                ExportFormat::Html => {
                    let all = changes::of(&chain.records);
                    html::write(&chain, &all).map_err(failed)?
                }
            };
            say(&text);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn broken(why: &str) -> ExitCode {
    complain(&format!("BROKEN: {why}"));
    ExitCode::FAILURE
}

/// The records, or how they are broken.
async fn read(source: &AuditSource) -> Result<Result<Chain, String>, Stop> {
    let mut files = Vec::new();
    for path in &source.files {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"));
        files.push((name, text.map_err(wrong)?));
    }
    if let Some(name) = &source.table {
        let months = &source.months;
        if months.is_empty() {
            let missing = anyhow!("say which months of the table: --month 2026-11");
            return Err(wrong(missing));
        }
        for month in months {
            let text = table::read(&source.at.endpoint_url, name, month).await;
            files.push((format!("{month} of {name}"), text.map_err(failed)?));
        }
    }
    if files.is_empty() {
        let missing = anyhow!("name files of records, or --table and --month");
        return Err(wrong(missing));
    }
    let mut anchors = Anchors::default();
    if let Some(folder) = &source.anchors {
        collect(folder, &mut anchors).map_err(wrong)?;
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let from = names.join(", ");
    Ok(match verify(&files, &anchors) {
        Ok(records) => Ok(Chain {
            from,
            records,
            anchored: anchors.len(),
        }),
        Err(broken) => Err(broken.to_string()),
    })
}

/// Every anchor below a folder, or the one in a file.
fn collect(path: &Path, anchors: &mut Anchors) -> anyhow::Result<()> {
    let name = path.display();
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("{name} cannot be read"))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        return paths.iter().try_for_each(|path| collect(path, anchors));
    }
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    anchors.add(&text).map_err(|why| anyhow!("{name}: {why}"))
}

fn lines(chain: &Chain) -> String {
    let text = |record: &Checked| {
        let text = shared::approval::audit::canonical::text(&record.body);
        format!("{text}\n")
    };
    chain.records.iter().map(text).collect()
}

fn summary(chain: &Chain) -> String {
    let count = chain.records.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut out = format!("{}: {count} record{plural}, unbroken\n", chain.from);
    for (word, record) in [
        ("from", chain.records.first()),
        ("to", chain.records.last()),
    ] {
        if let Some(record) = record {
            let at = record.body["at"].as_str().unwrap_or_default();
            let (seq, month) = (record.seq, &record.month);
            out.push_str(&format!("  {word:<6} record {seq} of {month}, {at}\n"));
        }
    }
    out.push_str(&vouched(chain));
    out.push('\n');
    out
}

/// What the anchors say of it, in a sentence.
fn vouched(chain: &Chain) -> String {
    match chain.anchored {
        0 => "  no anchors: an end that was cut off, or a chain written anew, cannot be told (--anchors)".to_owned(),
        n => format!("  agrees with the {n} hashes in the anchors"),
    }
}
