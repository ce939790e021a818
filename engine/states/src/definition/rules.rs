//! `Choices`.

use serde_json::Value;

use super::{Branch, Choice, Io, Kind, Language, branch::Names, fields::Fields, read::Reader};
use crate::choice::{Comparison, Operator, Rule, Term};

impl Reader {
    pub fn choice(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
        names: &Names<'_>,
    ) -> Option<(Io, Kind)> {
        let io = self.choice_io(fields, language);
        fields.require(&["Choices"], &mut self.findings);
        let default = self.target(fields, "Default", names);
        let place = fields.place("Choices");
        let list = fields.list("Choices", &mut self.findings)?;
        if list.is_empty() {
            fields.bad("Choices", "Choices must not be empty", &mut self.findings);
        }
        let mut rules = Vec::with_capacity(list.len());
        for (i, value) in list.iter().enumerate() {
            let Some(mut fields) = Fields::new(value, format!("{place}[{i}]"), &mut self.findings)
            else {
                continue;
            };
            fields.take("Comment");
            fields.require(&["Next"], &mut self.findings);
            let next = self.target(&mut fields, "Next", names);
            let assign = self.assign(&mut fields, language);
            let output = match language {
                Language::Jsonata => self.template(&mut fields, "Output", language),
                Language::JsonPath => None,
            };
            let rule = match language {
                Language::Jsonata => self.condition(&mut fields),
                Language::JsonPath => self.rule(&mut fields, 0),
            };
            fields.finish(&mut self.findings);
            if let (Some(rule), Some(next)) = (rule, next) {
                rules.push(Branch {
                    rule,
                    next,
                    assign,
                    output,
                });
            }
        }
        Some((io, Kind::Choice(Choice { rules, default })))
    }

    fn condition(&mut self, fields: &mut Fields<'_>) -> Option<Rule> {
        fields.require(&["Condition"], &mut self.findings);
        if let Some(Value::Bool(flag)) = fields.map.get("Condition") {
            fields.take("Condition");
            return Some(Rule::Fixed(*flag));
        }
        let text = fields.text("Condition", &mut self.findings)?;
        self.query(fields, "Condition", text).map(Rule::Condition)
    }

    fn rule(&mut self, fields: &mut Fields<'_>, depth: usize) -> Option<Rule> {
        const NESTING: usize = 64;
        if depth > NESTING {
            fields.bad(
                "Not",
                "Choice rules are nested too deeply",
                &mut self.findings,
            );
            return None;
        }
        fields.take("Comment");
        if let Some(value) = fields.take("Not") {
            let mut inner = Fields::new(value, fields.place("Not"), &mut self.findings)?;
            let rule = self.rule(&mut inner, depth + 1);
            inner.finish(&mut self.findings);
            return rule.map(|r| Rule::Not(Box::new(r)));
        }
        for (name, join) in [
            ("And", Rule::And as fn(Vec<Rule>) -> Rule),
            ("Or", Rule::Or),
        ] {
            if !fields.has(name) {
                continue;
            }
            let place = fields.place(name);
            let list = fields.list(name, &mut self.findings)?;
            if list.is_empty() {
                fields.bad(
                    name,
                    format!("{name} must not be empty"),
                    &mut self.findings,
                );
            }
            let mut rules = Vec::with_capacity(list.len());
            for (i, value) in list.iter().enumerate() {
                let mut inner = Fields::new(value, format!("{place}[{i}]"), &mut self.findings)?;
                rules.extend(self.rule(&mut inner, depth + 1));
                inner.finish(&mut self.findings);
            }
            return Some(join(rules));
        }
        self.comparison(fields)
    }

    fn comparison(&mut self, fields: &mut Fields<'_>) -> Option<Rule> {
        fields.require(&["Variable"], &mut self.findings);
        let variable = self.path_field(fields, "Variable", Language::JsonPath);
        let given: Vec<Operator> = Operator::ALL
            .into_iter()
            .filter(|o| fields.has(o.field()) || o.path_field().is_some_and(|f| fields.has(f)))
            .collect();
        let [operator] = given.as_slice() else {
            let at = fields.at.clone();
            let message = "A choice rule needs exactly one comparison operator";
            self.findings.push(crate::diagnostic::Diagnostic::error(
                crate::diagnostic::SCHEMA,
                message,
                at,
            ));
            for operator in given {
                fields.take(operator.field());
                operator.path_field().map(|f| fields.take(f));
            }
            return None;
        };
        let operand = match operator.path_field().filter(|f| fields.has(f)) {
            Some(name) => Term::Path(self.path_field(fields, name, Language::JsonPath)?),
            None => {
                let name = operator.field();
                let value = fields.take(name)?;
                if let Err(wanted) = operator.takes(value) {
                    let message = format!(
                        "Expected value of type {wanted}, but was {}",
                        crate::template::type_name(value)
                    );
                    fields.bad(name, message, &mut self.findings);
                    return None;
                }
                Term::Literal(value.clone())
            }
        };
        Some(Rule::Compare(Comparison {
            variable: variable?,
            operator: *operator,
            operand,
        }))
    }
}
