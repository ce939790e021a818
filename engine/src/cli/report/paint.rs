//! Colour and marks, only where they are wanted.

/// Whether and how text is coloured.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    colour: bool,
}

impl Paint {
    /// Never any colour.
    pub const fn none() -> Self {
        Self { colour: false }
    }

    /// Colour unless `NO_COLOR` is set or the terminal is `dumb`.
    pub fn for_terminal() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Self { colour: !refused }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Success.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Failure.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Waiting for a person.
    pub fn asking(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What matters less.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What matters most.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Links.
    pub fn link(self, text: &str) -> String {
        self.with("36", text)
    }
}
