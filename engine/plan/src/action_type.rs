//! The action types CodePipeline knows.
