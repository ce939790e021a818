//! Test reports of a build: which files, what they say, and what is told of them. A report never fails its build.

use std::{fmt, fs, path::Path};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::Value;
use shared::archive;

use super::artifacts;

/// Larger files are no reports.
const LARGEST: u64 = 32 << 20;

/// One group of `reports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSpec {
    /// Name or ARN of the report group.
    pub name: String,
    /// Globs below the base directory.
    pub files: Vec<String>,
    /// A folder below the source.
    pub base_directory: Option<String>,
    /// How the files are written.
    pub format: Format,
}

/// `file-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `JUNITXML`, the default.
    Junit,
    /// `CUCUMBERJSON`.
    Cucumber,
    /// `VISUALSTUDIOTRX`.
    Trx,
}

impl Format {
    /// As the buildspec says; `None` for one that is not read here.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text.map(str::to_ascii_uppercase).as_deref() {
            None | Some("JUNITXML") => Some(Self::Junit),
            Some("CUCUMBERJSON") => Some(Self::Cucumber),
            Some("VISUALSTUDIOTRX") => Some(Self::Trx),
            Some(_) => None,
        }
    }
}

/// Test cases by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Counts {
    pub fn total(self) -> u32 {
        self.passed + self.failed + self.skipped
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} tests passed", self.passed, self.total())?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Reads all reports; what is to be told goes to `note`. `None`: there was none.
pub fn read(specs: &[ReportSpec], source: &Path, mut note: impl FnMut(String)) -> Option<Counts> {
    let mut all = None;
    for spec in specs {
        match one(spec, source, &mut note) {
            Ok(counts) => {
                note(format!("Report {}: {counts}", spec.name));
                all.get_or_insert_with(Counts::default).add(counts);
            }
            Err(problem) => note(format!("Report {}: {problem}", spec.name)),
        }
    }
    all
}

fn one(spec: &ReportSpec, source: &Path, note: &mut impl FnMut(String)) -> Result<Counts, String> {
    let base = source.join(spec.base_directory.as_deref().unwrap_or("."));
    let wanted = artifacts::globs(&spec.files).map_err(|error| error.to_string())?;
    let files = archive::files_below(&base).map_err(|error| error.to_string())?;
    let mut counts = Counts::default();
    let mut seen = false;
    for file in files.iter().filter(|file| wanted.is_match(file)) {
        seen = true;
        match text(&base.join(file)).and_then(|text| parse(spec.format, &text)) {
            Ok(found) => counts.add(found),
            Err(problem) => note(format!("Report {}: {}{problem}", spec.name, file.display())),
        }
    }
    match seen {
        true => Ok(counts),
        false => Err(format!("no file matches {}", spec.files.join(", "))),
    }
}

fn text(file: &Path) -> Result<String, String> {
    let length = fs::metadata(file)
        .map_err(|error| format!(": {error}"))?
        .len();
    if length > LARGEST {
        return Err(format!(": {length} bytes are no report"));
    }
    fs::read_to_string(file).map_err(|error| format!(": {error}"))
}

/// What one file says.
///
/// # Errors
/// It is not written so; the text begins with the line.
pub fn parse(format: Format, text: &str) -> Result<Counts, String> {
    match format {
        Format::Junit => junit(text),
        Format::Trx => trx(text),
        Format::Cucumber => cucumber(text),
    }
}

/// Walks through all elements: their starts, with whether they are closed at once, and their ends.
fn walk(text: &str, mut see: impl FnMut(Option<&BytesStart<'_>>, bool)) -> Result<(), String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut elements = 0_u32;
    loop {
        let event = reader.read_event();
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let line = || 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        match event.map_err(|error| format!(" line {}: {error}", line()))? {
            Event::Start(start) => {
                elements += 1;
                see(Some(&start), false);
            }
            Event::Empty(start) => {
                elements += 1;
                see(Some(&start), true);
            }
            Event::End(_) => see(None, true),
            Event::Eof if elements == 0 => return Err(" line 1: it is not XML".to_owned()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn junit(text: &str) -> Result<Counts, String> {
    #[derive(Clone, Copy)]
    enum Case {
        Passed,
        Failed,
        Skipped,
    }
    let mut counts = Counts::default();
    let mut count = |case: Case| match case {
        Case::Passed => counts.passed += 1,
        Case::Failed => counts.failed += 1,
        Case::Skipped => counts.skipped += 1,
    };
    let (mut open, mut depth): (Option<Case>, u32) = (None, 0);
    walk(text, |start, closed| match (start, &mut open) {
        (Some(start), None) if start.local_name().as_ref() == "testcase" => match closed {
            true => count(Case::Passed),
            false => (open, depth) = (Some(Case::Passed), 0),
        },
        (Some(start), Some(case)) => {
            match start.local_name().as_ref() {
                "failure" | "error" => *case = Case::Failed,
                "skipped" if matches!(case, Case::Passed) => *case = Case::Skipped,
                _ => {}
            }
            depth += u32::from(!closed);
        }
        (None, Some(_)) if depth > 0 => depth -= 1,
        (None, Some(case)) => {
            count(*case);
            open = None;
        }
        _ => {}
    })?;
    Ok(counts)
}

fn trx(text: &str) -> Result<Counts, String> {
    let mut counts = Counts::default();
    walk(text, |start, _| {
        let Some(start) = start.filter(|it| it.local_name().as_ref() == "UnitTestResult") else {
            return;
        };
        let outcome = start.try_get_attribute("outcome").ok().flatten();
        match outcome.as_ref().map(|it| &*it.value) {
            Some("Passed" | "PassedButRunAborted" | "Warning") => counts.passed += 1,
            Some("NotExecuted" | "NotRunnable" | "Inconclusive" | "Pending") => counts.skipped += 1,
            _ => counts.failed += 1,
        }
    })?;
    Ok(counts)
}

fn cucumber(text: &str) -> Result<Counts, String> {
    let features: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| format!(" line {}: {error}", error.line().max(1)))?;
    let mut counts = Counts::default();
    let scenarios = features
        .iter()
        .flat_map(|it| it["elements"].as_array().into_iter().flatten());
    for scenario in scenarios.filter(|it| it["type"] != "background") {
        let steps = || scenario["steps"].as_array().into_iter().flatten();
        let hooks = || {
            let hooks = ["before", "after"].into_iter();
            hooks.flat_map(|key| scenario[key].as_array().into_iter().flatten())
        };
        let any = |status: &str| {
            steps()
                .chain(hooks())
                .any(|it| it["result"]["status"] == status)
        };
        if any("failed") || any("ambiguous") {
            counts.failed += 1;
        } else if any("skipped") || any("pending") || any("undefined") {
            counts.skipped += 1;
        } else {
            counts.passed += 1;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_counted() {
        let junit = "<testsuites><testsuite name='a'><properties><property name='x'/></properties>\n<testcase name='1'/><testcase name='2'><failure message='no'>at <![CDATA[x]]></failure></testcase>\
            <testcase name='3'><system-out>said</system-out><skipped/></testcase><testcase name='4'><error/></testcase><testcase name='5'><system-out>fine</system-out></testcase></testsuite></testsuites>";
        let trx = r#"<?xml version="1.0"?><TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
            <UnitTestResult outcome="Passed"/><UnitTestResult outcome="Failed"><Output/></UnitTestResult><UnitTestResult outcome="NotExecuted"/></Results></TestRun>"#;
        let cucumber = r#"[{"elements": [{"type": "background", "steps": [{"result": {"status": "failed"}}]},
            {"type": "scenario", "steps": [{"result": {"status": "passed"}}]},
            {"type": "scenario", "steps": [{"result": {"status": "failed"}}, {"result": {"status": "skipped"}}]},
            {"type": "scenario", "steps": [{"result": {"status": "undefined"}}]}]}, {"elements": []}]"#;
        for (format, text, expected) in [
            (
                Format::Junit,
                junit,
                "2 of 5 tests passed, 2 failed, 1 skipped",
            ),
            (Format::Trx, trx, "1 of 3 tests passed, 1 failed, 1 skipped"),
            (
                Format::Cucumber,
                cucumber,
                "1 of 3 tests passed, 1 failed, 1 skipped",
            ),
        ] {
            let counts = parse(format, text).map(|it| it.to_string());
            assert_eq!(counts.as_deref(), Ok(expected), "{format:?}");
        }
    }

    #[test]
    fn a_bad_report_names_its_line() {
        for (format, text, expected) in [
            (Format::Junit, "<a>\n<b></c></a>", " line 2: "),
            (Format::Junit, "plain text", " line 1: it is not XML"),
            (Format::Cucumber, "[\n{]", " line 2: "),
        ] {
            let problem = parse(format, text).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }

    #[test]
    fn files_are_found_below_the_base_directory() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("out/a/one.xml", "<testsuite><testcase/></testsuite>");
        put(
            "out/two.xml",
            "<testsuite><testcase><failure/></testcase></testsuite>",
        );
        put("out/bad.xml", "<testsuite");
        let spec = |files: &str| ReportSpec {
            name: "unit".to_owned(),
            files: vec![files.to_owned()],
            base_directory: Some("out".to_owned()),
            format: Format::Junit,
        };
        let mut notes = Vec::new();
        let counts = read(&[spec("**/*.xml")], folder.path(), |note| notes.push(note));
        assert_eq!(counts.unwrap().to_string(), "1 of 2 tests passed, 1 failed");
        assert!(
            notes[0].starts_with("Report unit: bad.xml line 1: "),
            "{notes:?}"
        );
        assert_eq!(notes[1], "Report unit: 1 of 2 tests passed, 1 failed");
        assert_eq!(
            read(&[spec("none")], folder.path(), |note| notes.push(note)),
            None
        );
        assert_eq!(notes[2], "Report unit: no file matches none");
    }
}
