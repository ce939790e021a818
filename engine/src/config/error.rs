//! Why there is no configuration.

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key is unknown, or a value is of the wrong type.
    #[error("{path}: {message}")]
    Parse {
        /// Which file.
        path: String,
        /// The parser's words with line and column.
        message: String,
    },
    /// A value is outside its limits.
    #[error("{path}: {key} {problem}")]
    Value {
        /// Which file.
        path: String,
        /// Which key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}
