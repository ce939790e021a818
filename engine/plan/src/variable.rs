//! `#{namespace.key}` references: finding, checking, resolving.
