//! Carries out effects: starts and cancels providers, emits events.
