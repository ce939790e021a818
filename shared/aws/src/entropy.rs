//! Unguessable bytes from the operating system.

use rustls::crypto::{SecureRandom, ring};
use shared::approval::port::Entropy;

/// The operating system's generator, through the TLS library's provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let random: &dyn SecureRandom = ring::default_provider().secure_random;
        random
            .fill(buffer)
            .expect("the operating system's generator does not fail once it is up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let [a, b]: [[u8; 16]; 2] = [SystemEntropy.bytes(), SystemEntropy.bytes()];
        assert_ne!(a, b);
    }
}
