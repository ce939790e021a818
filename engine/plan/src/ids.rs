//! New ids from an input's seed: the same input gives the same ids, so replay gives the same state.

use sha2::{Digest, Sha256};

/// A counter over one seed.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u128,
    count: u64,
}

impl Ids {
    pub(crate) const fn new(seed: u128) -> Self {
        Self { seed, count: 0 }
    }

    /// A UUID of version 4's shape.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.next()[..16]);
        // version 4, the variant of RFC 9562
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(bytes));
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        parts.join("-")
    }

    /// `length` (at most 32) letters and digits, for artifact keys.
    pub(crate) fn letters(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        self.next()
            .iter()
            .take(length)
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect()
    }

    fn next(&mut self) -> [u8; 32] {
        self.count += 1;
        Sha256::new()
            .chain_update(self.seed.to_be_bytes())
            .chain_update(self.count.to_be_bytes())
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Ids::new(7), Ids::new(7));
        let first = a.uuid();
        assert_eq!(first, b.uuid());
        assert_ne!(first, a.uuid());
        assert_eq!(first.len(), 36);
        assert_eq!(&first[14..15], "4");
        assert!("89ab".contains(&first[19..20]));
        assert_eq!(a.letters(7).len(), 7);
        assert_ne!(first, Ids::new(8).uuid());
    }
}
