//! Limits with their sources.
