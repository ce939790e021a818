//! Which approval counts for which need, so that as many as possible count and none counts twice.

use super::Need;

/// How many approvals each need still lacks, when approval `a` may count for the needs `edges[a]`, for one of them.
///
/// A largest matching by augmenting paths: in whatever order the approvals come, the same number of needs is met.
pub(super) fn left(needs: &[Need], edges: &[Vec<usize>]) -> Vec<u32> {
    let mut taken: Vec<Vec<usize>> = needs.iter().map(|_| Vec::new()).collect();
    for approval in 0..edges.len() {
        place(
            approval,
            needs,
            edges,
            &mut taken,
            &mut vec![false; needs.len()],
        );
    }
    needs
        .iter()
        .zip(&taken)
        .map(|(need, taken)| {
            let taken = u32::try_from(taken.len()).unwrap_or(u32::MAX);
            need.approvals.saturating_sub(taken)
        })
        .collect()
}

/// Finds a place for an approval, moving others where that helps.
fn place(
    approval: usize,
    needs: &[Need],
    edges: &[Vec<usize>],
    taken: &mut [Vec<usize>],
    tried: &mut [bool],
) -> bool {
    for &need in &edges[approval] {
        if std::mem::replace(&mut tried[need], true) {
            continue;
        }
        if taken[need].len() < needs[need].approvals as usize {
            taken[need].push(approval);
            return true;
        }
        for at in 0..taken[need].len() {
            let other = taken[need][at];
            if place(other, needs, edges, taken, tried) {
                taken[need][at] = approval;
                return true;
            }
        }
    }
    false
}
