//! One state.

use serde_json::Value;

use super::{Io, Kind, Language, Next, State, Wait, branch::Names, fields::Fields, read::Reader};
use crate::{
    diagnostic::{Diagnostic, SCHEMA},
    limit,
};

const WHOLE: [&str; 6] = [
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Arguments",
    "Output",
    "Assign",
];
const CALLS: [&str; 7] = [
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Arguments",
    "ResultSelector",
    "Output",
    "Assign",
];
const THROUGH: [&str; 4] = ["InputPath", "OutputPath", "Output", "Assign"];
const LAST: [&str; 3] = ["InputPath", "OutputPath", "Output"];

impl Reader {
    pub fn state(
        &mut self,
        name: &str,
        value: &Value,
        at: String,
        names: &Names<'_>,
    ) -> Option<State> {
        let mut fields = Fields::new(value, at, &mut self.findings)?;
        fields.take("Comment");
        let language = self.language_of(&mut fields)?;
        if !fields.require(&["Type"], &mut self.findings) {
            return None;
        }
        let kind = fields.text("Type", &mut self.findings)?;
        let outer = self.language;
        let (io, kind) = match kind {
            "Pass" => self.pass(&mut fields, language),
            "Task" => self.task(&mut fields, language)?,
            "Choice" => self.choice(&mut fields, language, names)?,
            "Wait" => self.wait(&mut fields, language)?,
            "Succeed" => (self.io(&mut fields, language, &LAST), Kind::Succeed),
            "Fail" => self.fail(&mut fields, language),
            "Parallel" => self.parallel(&mut fields, language)?,
            "Map" => self.map(&mut fields, language)?,
            other => {
                let message = format!(
                    "Value is not one of [Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map]: {other}"
                );
                fields.bad("Type", message, &mut self.findings);
                return None;
            }
        };
        self.language = outer;
        let next = self.next(&mut fields, &kind, names);
        let calls = kind.calls();
        let (retry, catch) = if calls {
            (
                self.retry(&mut fields),
                self.catch(&mut fields, language, names),
            )
        } else {
            (Vec::new(), Vec::new())
        };
        fields.finish(&mut self.findings);
        Some(State {
            name: name.into(),
            language,
            io,
            next: next?,
            retry,
            catch,
            kind,
        })
    }

    fn language_of(&mut self, fields: &mut Fields<'_>) -> Option<Language> {
        if !fields.has("QueryLanguage") {
            fields.take("QueryLanguage");
            return Some(self.language);
        }
        let own = self.query_language(fields)?;
        if self.language == Language::Jsonata && own == Language::JsonPath {
            let message = "The QueryLanguage 'JSONPath' cannot be used in a state when the state machine's is 'JSONata'";
            fields.bad("QueryLanguage", message, &mut self.findings);
            return None;
        }
        Some(own)
    }

    fn next(&mut self, fields: &mut Fields<'_>, kind: &Kind, names: &Names<'_>) -> Option<Next> {
        if matches!(kind, Kind::Choice(_) | Kind::Succeed | Kind::Fail { .. }) {
            if matches!(kind, Kind::Succeed | Kind::Fail { .. }) && fields.has("End") {
                // AWS takes it there.
                fields.flag("End", &mut self.findings);
            }
            return Some(Next::End);
        }
        let end = fields.flag("End", &mut self.findings) == Some(true);
        let at = fields.at.clone();
        match (fields.has("Next"), end) {
            (true, false) => self.target(fields, "Next", names).map(Next::To),
            (false, true) => Some(Next::End),
            (true, true) => {
                fields.take("Next");
                let message = "Only one of [Next, End] may be given";
                self.findings.push(Diagnostic::error(SCHEMA, message, at));
                None
            }
            (false, false) => {
                let message = "One of these fields is required: [Next, End]";
                self.findings.push(Diagnostic::error(SCHEMA, message, at));
                None
            }
        }
    }

    fn pass(&mut self, fields: &mut Fields<'_>, language: Language) -> (Io, Kind) {
        let io = self.io(fields, language, &WHOLE);
        let result = fields.take("Result").cloned();
        (io, Kind::Pass { result })
    }

    fn fail(&mut self, fields: &mut Fields<'_>, language: Language) -> (Io, Kind) {
        let error = self.text_or_expression(fields, ("Error", "ErrorPath"), language);
        let cause = self.text_or_expression(fields, ("Cause", "CausePath"), language);
        fields.take("ErrorPath");
        fields.take("CausePath");
        (Io::default(), Kind::Fail { error, cause })
    }

    fn wait(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<(Io, Kind)> {
        let io = self.io(fields, language, &THROUGH);
        let given: Vec<&str> = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"]
            .into_iter()
            .filter(|f| fields.has(f))
            .collect();
        if given.len() != 1 {
            let message = "Exactly one of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]";
            let at = fields.at.clone();
            self.findings.push(Diagnostic::error(SCHEMA, message, at));
            for name in ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"] {
                fields.take(name);
            }
            return None;
        }
        let bounds = (0, limit::TIMEOUT_SECONDS);
        let seconds = self.amount_or_path(fields, ("Seconds", "SecondsPath"), language, bounds);
        let wait = match seconds {
            Some(amount) => Wait::Seconds(amount),
            None => Wait::Until(self.moment(fields, language)?),
        };
        Some((io, Kind::Wait(wait)))
    }

    fn parallel(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<(Io, Kind)> {
        let io = self.io(fields, language, &CALLS);
        fields.require(&["Branches"], &mut self.findings);
        let place = fields.place("Branches");
        let list = fields.list("Branches", &mut self.findings)?;
        let mut branches = Vec::with_capacity(list.len());
        for (i, branch) in list.iter().enumerate() {
            branches.extend(self.inner(branch, format!("{place}[{i}]")));
        }
        Some((io, Kind::Parallel { branches }))
    }

    pub fn calls_io(&mut self, fields: &mut Fields<'_>, language: Language) -> Io {
        self.io(fields, language, &CALLS)
    }

    pub fn choice_io(&mut self, fields: &mut Fields<'_>, language: Language) -> Io {
        self.io(fields, language, &THROUGH)
    }
}
