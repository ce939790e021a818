//! The store against the rules of S3, and against being cut off.
