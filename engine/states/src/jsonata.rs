//! JSONata expressions, with the functions Step Functions adds and without the ones it takes away.

use std::{fmt, str::FromStr};

use jsonata_core::{
    ast::AstNode,
    evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions},
    parser,
    value::JValue,
};
use serde_json::Value;

use crate::{chance::Chance, env::Env, intrinsic::text, limit, trouble::Trouble};

/// A parsed expression, without its `{% %}`.
pub struct Query {
    source: String,
    tree: AstNode,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query").field(&self.source).finish()
    }
}

/// Text that is no JSONata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuery(String);

impl FromStr for Query {
    type Err = BadQuery;

    fn from_str(text: &str) -> Result<Self, BadQuery> {
        let source = text.trim();
        if source.is_empty() {
            return Err(BadQuery("the expression is empty".to_owned()));
        }
        Ok(Self {
            source: source.to_owned(),
            tree: parser::parse(source).map_err(|e| BadQuery(e.to_string()))?,
        })
    }
}

/// The expression inside `{% … %}`, if the text is one.
#[must_use]
pub fn inside(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
}

/// Bounds for one evaluation: calls nested in each other, items of a sequence it builds.
const STACK: usize = 2_000;
const SEQUENCE: usize = 1_000_000;

impl Query {
    /// The expression's text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The expression's value; `field` is where it stands, for the cause of an error.
    pub(crate) fn evaluate(&self, env: &Env<'_>, field: &str) -> Result<Value, Trouble> {
        let fail = |text: String| Trouble::Query {
            cause: format!(
                "The JSONata expression '{}' specified for the field '{field}' {text}",
                self.source
            ),
            field: field.to_owned(),
        };
        let mut evaluator = self.evaluator(env);
        let result = evaluator
            .evaluate(&self.tree, &JValue::Undefined)
            .map_err(|e| fail(format!("threw an error during evaluation. {}", message(&e))))?;
        match result {
            JValue::Undefined => Err(fail("returned nothing (undefined).".to_owned())),
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
                Err(fail("returned an unsupported result type.".to_owned()))
            }
            value => to_json(&value, 0)
                .ok_or_else(|| fail("returned a value nested too deeply.".to_owned())),
        }
    }

    /// Whether the expression can look at the context object.
    fn needs_context(&self) -> bool {
        self.source.match_indices("$states").any(|(at, name)| {
            let rest = &self.source[at + name.len()..];
            ![".input", ".result", ".errorOutput"]
                .iter()
                .any(|known| rest.starts_with(known))
        })
    }

    fn evaluator(&self, env: &Env<'_>) -> Evaluator {
        let mut context = Context::new();
        for (name, value) in env.variables {
            if self.source.contains(name.as_str()) {
                context.bind(name.clone(), JValue::from(Value::clone(value)));
            }
        }
        if self.source.contains("$states") {
            let mut states = vec![("input".to_owned(), JValue::from(env.input.clone()))];
            let optional = [("result", env.result), ("errorOutput", env.error_output)];
            for (name, value) in optional {
                if let Some(value) = value {
                    states.push((name.to_owned(), JValue::from(value.clone())));
                }
            }
            if self.needs_context() {
                states.push((
                    "context".to_owned(),
                    JValue::from(env.context.get().clone()),
                ));
            }
            context.bind(
                "states".to_owned(),
                JValue::object(states.into_iter().collect()),
            );
        }
        let options = EvaluatorOptions {
            max_stack_depth: Some(STACK),
            max_sequence_length: Some(SEQUENCE),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        add_functions(&mut evaluator, env);
        evaluator
    }
}

fn message(error: &EvaluatorError) -> String {
    error.message().to_owned()
}

fn fault(text: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(text.into())
}

type Answer = Result<JValue, EvaluatorError>;

/// Registers a function. The names are either new or not compiled by the library, so it cannot refuse them.
fn add(evaluator: &mut Evaluator, name: &str, function: impl Fn(&[JValue]) -> Answer + 'static) {
    let added = evaluator.register_fn_override(name, function);
    debug_assert!(added.is_ok(), "{name} can be replaced");
}

fn add_functions(evaluator: &mut Evaluator, env: &Env<'_>) {
    let now = env.now;
    let chance = std::cell::RefCell::new(Chance::new(u128::from_be_bytes(
        env.chance.borrow_mut().block(),
    )));
    let chance = std::rc::Rc::new(chance);
    let uuids = std::rc::Rc::clone(&chance);
    add(evaluator, "uuid", move |_| {
        Ok(JValue::from(uuids.borrow_mut().uuid()))
    });
    let shuffles = std::rc::Rc::clone(&chance);
    add(evaluator, "shuffle", move |args| {
        let mut items = args
            .first()
            .and_then(JValue::as_array)
            .cloned()
            .unwrap_or_default();
        for last in (1..items.len()).rev() {
            items.swap(last, shuffles.borrow_mut().below(last + 1));
        }
        Ok(JValue::array(items))
    });
    add(evaluator, "random", move |args| {
        match args.first().and_then(JValue::as_f64) {
            Some(seed) => Ok(JValue::from(Chance::new(u128::from(seed.to_bits())).unit())),
            None => Ok(JValue::from(chance.borrow_mut().unit())),
        }
    });
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit a double exactly"
    )]
    let millis = now.as_millisecond() as f64;
    add(evaluator, "millis", move |_| Ok(JValue::from(millis)));
    add(evaluator, "now", move |args| shown(millis, args));
    add(evaluator, "eval", |_| {
        Err(fault("The function $eval is not supported."))
    });
    add(evaluator, "partition", partition);
    add(evaluator, "range", range);
    add(evaluator, "hash", |args| {
        let (Some(data), Some(algorithm)) = (
            args.first().and_then(JValue::as_str),
            args.get(1).and_then(JValue::as_str),
        ) else {
            return Err(fault("$hash takes a string and the name of an algorithm."));
        };
        text::hash(data, algorithm).map(JValue::from).map_err(fault)
    });
    add(evaluator, "parse", |args| {
        let text = args
            .first()
            .and_then(JValue::as_str)
            .ok_or_else(|| fault("$parse takes a string."))?;
        JValue::from_json_str(text).map_err(|e| fault(format!("$parse: {e}")))
    });
}

fn shown(millis: f64, args: &[JValue]) -> Answer {
    let mut arguments = vec![JValue::from(millis)];
    arguments.extend(args.iter().cloned());
    let names = ["millis", "picture", "zone"];
    let mut context = Context::new();
    let used: Vec<String> = names
        .iter()
        .take(arguments.len())
        .map(|n| format!("${n}"))
        .collect();
    for (name, value) in names.iter().zip(arguments) {
        context.bind((*name).to_owned(), value);
    }
    let tree = parser::parse(&format!("$fromMillis({})", used.join(",")))
        .map_err(|e| fault(e.to_string()))?;
    Evaluator::with_context(context).evaluate(&tree, &JValue::Undefined)
}

fn partition(args: &[JValue]) -> Answer {
    let items = args
        .first()
        .ok_or_else(|| fault("$partition takes an array."))?;
    if items.is_undefined() {
        return Ok(JValue::Undefined);
    }
    let one = std::slice::from_ref(items);
    let items = items.as_array().map_or(one, Vec::as_slice);
    let size = args.get(1).and_then(JValue::as_f64).unwrap_or(0.0).trunc();
    if size < 1.0 {
        return Err(fault("$partition needs a chunk size above 0."));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number above 0"
    )]
    let size = size as usize;
    Ok(JValue::array(
        items
            .chunks(size)
            .map(|c| JValue::array(c.to_vec()))
            .collect(),
    ))
}

fn range(args: &[JValue]) -> Answer {
    let number = |i: usize| {
        args.get(i)
            .and_then(JValue::as_f64)
            .ok_or_else(|| fault("$range takes three numbers."))
    };
    let (first, last, step) = (number(0)?, number(1)?, number(2)?);
    let numbers = text::range(first, last, step, limit::ARRAY_RANGE).map_err(fault)?;
    Ok(JValue::sequence(
        numbers.into_iter().map(JValue::from).collect(),
    ))
}

/// JSON of a result: whole numbers without a fraction, functions and nothing left out.
fn to_json(value: &JValue, depth: usize) -> Option<Value> {
    if depth > limit::PAYLOAD_DEPTH {
        return None;
    }
    Some(match value {
        JValue::Bool(flag) => Value::Bool(*flag),
        JValue::Number(number) => text::number(*number),
        JValue::String(text) => Value::String(text.to_string()),
        JValue::Array(items) => items
            .iter()
            .filter(|v| !v.is_function())
            .map(|v| to_json(v, depth + 1))
            .collect::<Option<_>>()?,
        JValue::Object(fields) => fields
            .iter()
            .filter(|(_, v)| !v.is_undefined() && !v.is_function())
            .map(|(k, v)| Some((k.clone(), to_json(v, depth + 1)?)))
            .collect::<Option<_>>()?,
        _ => Value::Null,
    })
}
