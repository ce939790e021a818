//! What AWS would keep for the functions: objects, tables, keys.

pub mod keys;
pub mod objects;
pub mod tables;
