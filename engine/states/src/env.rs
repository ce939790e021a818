//! What expressions of a state can see.

use std::{cell::OnceCell, cell::RefCell, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use crate::{chance::Chance, path::Data};

/// The variables in reach of a state.
pub type Variables = BTreeMap<String, Arc<Value>>;

/// The data of one state while it is evaluated.
pub struct Env<'a> {
    /// `$`, and `$states.input`.
    pub input: &'a Value,
    /// `$states.result`
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`
    pub error_output: Option<&'a Value>,
    pub variables: &'a Variables,
    pub context: &'a Lazy<'a>,
    pub chance: &'a RefCell<Chance>,
    pub now: Timestamp,
}

/// The context object, made when first asked for.
pub struct Lazy<'a> {
    make: Box<dyn Fn() -> Value + 'a>,
    made: OnceCell<Value>,
}

impl<'a> Lazy<'a> {
    pub fn new(make: impl Fn() -> Value + 'a) -> Self {
        Self {
            make: Box::new(make),
            made: OnceCell::new(),
        }
    }

    pub fn get(&self) -> &Value {
        self.made.get_or_init(|| (self.make)())
    }
}

impl<'a> Env<'a> {
    /// The same, looking at other data.
    pub fn at(&self, input: &'a Value) -> Self {
        Env { input, ..*self }
    }

    /// The same, with a result.
    pub fn with_result(&self, result: &'a Value) -> Self {
        Env {
            result: Some(result),
            ..*self
        }
    }

    /// The same, with an error.
    pub fn with_error(&self, error: &'a Value) -> Self {
        Env {
            error_output: Some(error),
            ..*self
        }
    }
}

impl Data for Env<'_> {
    fn input(&self) -> &Value {
        self.input
    }

    fn context(&self) -> &Value {
        self.context.get()
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).map(AsRef::as_ref)
    }
}
