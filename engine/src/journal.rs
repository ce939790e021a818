//! The append-only record (SQLite, WAL).
