//! CodePipeline over JSON 1.1.
