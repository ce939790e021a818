//! The console at `/_stagewright/`.
