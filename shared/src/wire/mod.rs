//! JSON exactly as AWS sends it, one file per source, and its way into domain types.
