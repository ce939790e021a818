//! `batch` of a buildspec: which builds, in which order, with what of their own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de};

use super::{
    is_variable_name,
    raw::{Refused, yes},
};

/// CodeBuild's bound of builds in a batch.
const MOST: usize = 100;
/// CodeBuild's bound of an identifier's length.
const LONGEST: usize = 128;

/// A checked batch: names are unique, dependencies are there and go in no circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whether the first failure stops the others.
    pub fast_fail: bool,
    /// In the order of the file.
    pub members: Vec<Member>,
}

/// One build of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the batch.
    pub identifier: String,
    /// Another buildspec than the batch's own.
    pub buildspec: Option<String>,
    /// Another image.
    pub image: Option<String>,
    /// Variables of its own.
    pub variables: BTreeMap<String, String>,
    /// Which builds must have ended well before.
    pub depends_on: Vec<String>,
    /// Whether the batch succeeds without it.
    pub ignore_failure: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawBatch {
    fast_fail: Option<String>,
    build_list: Option<Vec<RawMember>>,
    build_graph: Option<Vec<RawMember>>,
    build_matrix: Option<de::IgnoredAny>,
    build_fanout: Option<de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawMember {
    identifier: String,
    buildspec: Option<String>,
    #[serde(rename = "debug-session")]
    _debug_session: Option<String>,
    #[serde(default)]
    depend_on: Vec<String>,
    #[serde(default)]
    env: RawMachine,
    ignore_failure: Option<String>,
}

/// Machines that this one is not have no effect.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawMachine {
    #[serde(rename = "compute-type")]
    _compute_type: Option<String>,
    #[serde(rename = "fleet")]
    _fleet: Option<String>,
    image: Option<String>,
    #[serde(rename = "privileged-mode")]
    _privileged_mode: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    variables: BTreeMap<String, String>,
}

impl RawBatch {
    pub(super) fn checked(self) -> Result<Batch, Refused> {
        let refuse = |key: &'static str, text: String| Err((key, text));
        for (there, key) in [
            (self.build_matrix.is_some(), "build-matrix"),
            (self.build_fanout.is_some(), "build-fanout"),
        ] {
            if there {
                let text = format!("batch.{key} is not supported; use build-list or build-graph");
                return refuse(key, text);
            }
        }
        let (graph, raw) = match (self.build_list, self.build_graph) {
            (Some(list), None) => (false, list),
            (None, Some(graph)) => (true, graph),
            _ => {
                let text = "batch needs either build-list or build-graph";
                return refuse("batch", text.to_owned());
            }
        };
        let key = if graph { "build-graph" } else { "build-list" };
        if raw.is_empty() || raw.len() > MOST {
            return refuse(key, format!("batch.{key} needs 1 to {MOST} builds"));
        }
        let members: Result<Vec<Member>, Refused> =
            raw.into_iter().map(RawMember::checked).collect();
        let batch = Batch {
            fast_fail: yes(self.fast_fail, "fast-fail")?,
            members: members?,
        };
        let mut names = BTreeSet::new();
        for member in &batch.members {
            let name = &member.identifier;
            if !names.insert(name.as_str()) {
                return refuse(
                    "identifier",
                    format!("two builds of the batch are called {name}"),
                );
            }
            if !graph && !member.depends_on.is_empty() {
                let text = format!("depend-on of {name} belongs into a build-graph");
                return refuse("depend-on", text);
            }
        }
        for member in &batch.members {
            let mut wanted = member.depends_on.iter();
            if let Some(other) = wanted.find(|other| !names.contains(other.as_str())) {
                let text = format!(
                    "{} depends on {other}, which is not in the batch",
                    member.identifier
                );
                return refuse("depend-on", text);
            }
        }
        match batch.circle() {
            Some(names) => refuse("depend-on", format!("{names} wait for each other")),
            None => Ok(batch),
        }
    }
}

impl Batch {
    /// Builds that could never begin.
    fn circle(&self) -> Option<String> {
        let mut left: Vec<&Member> = self.members.iter().collect();
        loop {
            let waits = |member: &&Member| {
                let mut others = left.iter();
                others.any(|other| member.depends_on.contains(&other.identifier))
            };
            let next: Vec<&Member> = left.iter().copied().filter(waits).collect();
            if next.len() == left.len() {
                let names: Vec<&str> = next.iter().map(|it| it.identifier.as_str()).collect();
                return (!names.is_empty()).then(|| names.join(", "));
            }
            left = next;
        }
    }
}

impl RawMember {
    fn checked(self) -> Result<Member, Refused> {
        let name = self.identifier;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
            let text =
                format!("{name:?} is no identifier: letters, digits and _, at most {LONGEST}");
            return Err(("identifier", text));
        }
        if let Some(kind) = self.env.kind.filter(|kind| !kind.starts_with("LINUX")) {
            let text = format!("{name}: env.type {kind} is not supported: builds run on Linux");
            return Err(("type", text));
        }
        if let Some(bad) = self.env.variables.keys().find(|it| !is_variable_name(it)) {
            return Err(("variables", format!("{name}: {bad} is not a variable name")));
        }
        Ok(Member {
            identifier: name,
            buildspec: self.buildspec,
            image: self.env.image,
            variables: self.env.variables,
            depends_on: self.depend_on,
            ignore_failure: yes(self.ignore_failure, "ignore-failure")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn batch(text: &str) -> Result<super::Batch, String> {
        let text =
            format!("version: 0.2\nbatch:\n{text}phases: {{build: {{commands: ['true']}}}}\n");
        let spec = parse("b.yml", &text).map_err(|error| error.to_string())?;
        Ok(spec.batch.expect("a batch"))
    }

    #[test]
    fn a_graph_is_read_with_what_its_builds_have_of_their_own() {
        let text = "  fast-fail: true\n  build-graph:\n    - identifier: one\n      env: {variables: {A: 012}, compute-type: BUILD_GENERAL1_SMALL}\n    - {identifier: two, buildspec: two.yml, depend-on: [one], ignore-failure: true}\n";
        let batch = batch(text).expect("a batch");
        assert!(batch.fast_fail);
        let [one, two] = batch.members.as_slice() else {
            panic!("{batch:?}")
        };
        assert_eq!(one.variables["A"], "012");
        assert_eq!(
            (two.buildspec.as_deref(), two.ignore_failure),
            (Some("two.yml"), true)
        );
        assert_eq!(two.depends_on, ["one"]);
    }

    #[test]
    fn bad_batches_are_refused_with_their_line() {
        for (text, expected) in [
            (
                "  fast-fail: true\n",
                "line 2: batch needs either build-list or build-graph",
            ),
            (
                "  build-matrix: {}\n",
                "line 3: batch.build-matrix is not supported",
            ),
            (
                "  build-list: []\n",
                "batch.build-list needs 1 to 100 builds",
            ),
            (
                "  build-list: [{identifier: a b}]\n",
                "\"a b\" is no identifier",
            ),
            (
                "  build-list: [{identifier: a}, {identifier: a}]\n",
                "two builds of the batch are called a",
            ),
            (
                "  build-list: [{identifier: a, depend-on: [a]}]\n",
                "depend-on of a belongs into a build-graph",
            ),
            (
                "  build-graph: [{identifier: a, depend-on: [b]}]\n",
                "a depends on b, which is not in the batch",
            ),
            (
                "  build-graph: [{identifier: c}, {identifier: a, depend-on: [b]}, {identifier: b, depend-on: [a]}]\n",
                "a, b wait for each other",
            ),
            (
                "  build-list: [{identifier: a, env: {type: WINDOWS_CONTAINER}}]\n",
                "env.type WINDOWS_CONTAINER is not supported",
            ),
            (
                "  build-list: [{identifier: a, phases: {}}]\n",
                "unknown field `phases`",
            ),
        ] {
            let error = batch(text).expect_err(text);
            assert!(
                error.contains(expected),
                "{error}\nshould contain {expected}"
            );
        }
    }
}
