//! How many servers are deployed to at once, and how many must stay healthy.

use serde::Deserialize;

/// CodeDeploy's predefined configurations for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Configuration {
    /// One after the other: all but one stay healthy, so only the last one may fail.
    #[default]
    OneAtATime,
    /// Half of them at a time: half, rounded up, stay healthy.
    HalfAtATime,
    /// All; one must succeed.
    AllAtOnce,
}

/// What comes next in a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// So many servers more, at once.
    Batch(usize),
    /// It succeeded.
    Succeeded,
    /// Too few would stay healthy, or are.
    Failed,
}

impl Configuration {
    /// Servers that must be healthy at any time: not being deployed to, and not failed.
    const fn minimum(self, servers: usize) -> usize {
        match self {
            Self::OneAtATime => servers.saturating_sub(1),
            Self::HalfAtATime if servers > 1 => servers.div_ceil(2),
            Self::HalfAtATime | Self::AllAtOnce => 0,
        }
    }

    /// After so many of the servers were deployed to and so many of those failed.
    pub(super) fn next(self, servers: usize, deployed: usize, failed: usize) -> Next {
        let minimum = self.minimum(servers);
        let healthy = servers.saturating_sub(failed);
        let left = servers.saturating_sub(deployed);
        match left.min(healthy.saturating_sub(minimum)) {
            0 if left == 0 && healthy >= minimum.max(1) => Next::Succeeded,
            0 => Next::Failed,
            batch => Next::Batch(batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Configuration::{AllAtOnce, HalfAtATime, OneAtATime},
        Next::{Batch, Failed, Succeeded},
    };

    #[test]
    fn batches_and_minimums_are_codedeploys() {
        for (configuration, servers, deployed, failed, next) in [
            (OneAtATime, 1, 0, 0, Batch(1)),
            (OneAtATime, 1, 1, 1, Failed),
            (OneAtATime, 1, 1, 0, Succeeded),
            (OneAtATime, 3, 0, 0, Batch(1)),
            (OneAtATime, 3, 1, 1, Failed),
            (OneAtATime, 3, 2, 0, Batch(1)),
            (OneAtATime, 3, 3, 1, Succeeded),
            (HalfAtATime, 1, 0, 0, Batch(1)),
            (HalfAtATime, 1, 1, 1, Failed),
            (HalfAtATime, 9, 0, 0, Batch(4)),
            (HalfAtATime, 9, 4, 1, Batch(3)),
            (HalfAtATime, 9, 4, 4, Failed),
            (HalfAtATime, 9, 8, 3, Batch(1)),
            (HalfAtATime, 9, 9, 4, Succeeded),
            (HalfAtATime, 8, 0, 0, Batch(4)),
            (AllAtOnce, 9, 0, 0, Batch(9)),
            (AllAtOnce, 9, 9, 8, Succeeded),
            (AllAtOnce, 9, 9, 9, Failed),
        ] {
            let found = configuration.next(servers, deployed, failed);
            assert_eq!(
                found, next,
                "{configuration:?} {servers} {deployed} {failed}"
            );
        }
    }
}
