//! Model constraints.
