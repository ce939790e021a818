//! An approver's mail address as the name of a role session: what CloudTrail and CodePipeline then show.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Longest name (AWS: RoleSessionName and SourceIdentity, 2 to 64 of `[A-Za-z0-9_+=,.@-]`).
pub const LONGEST: usize = 64;
/// Characters of a digest at the end of a name that was too long.
const DIGEST: usize = 22;

/// The name: letters, digits and `_+,.@-` as they are, every other byte as `=XX`. An address that is then too long keeps
/// its beginning, `==` and 128 bits of its SHA-256: no two addresses share a name.
pub fn name(address: &str) -> String {
    let mut name = String::new();
    let mut ends = Vec::new();
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"_+,.@-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("={byte:02X}"));
        }
        ends.push(name.len());
    }
    if name.len() <= LONGEST {
        return name;
    }
    let room = LONGEST - 2 - DIGEST;
    let cut = ends.into_iter().rfind(|end| *end <= room);
    name.truncate(cut.unwrap_or(0));
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(address)[..16]);
    format!("{name}=={digest}")
}

/// The address of a name; `None`: it was too long, and only [`name`] of the right address gives the same.
pub fn address(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'=' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn threat_49_a_session_is_named_after_one_approver_only() {
        let long = format!("{}@example.com", "a".repeat(100));
        let longer = format!("{}b@example.com", "a".repeat(100));
        let wide = format!("{}@example.com", "ü".repeat(30));
        let addresses = [
            "dana@example.com",
            "dana+x@example.com",
            "d=40na@example.com",
            "d@na@example.com",
            "dana@exämple.com",
            "o'neill@example.com",
            "o=27neill@example.com",
            "x y@example.com",
            "aws:dana@example.com",
            &long,
            &longer,
            &wide,
        ];
        let mut seen = BTreeSet::new();
        for address in addresses {
            let name = name(address);
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            assert!((2..=LONGEST).contains(&name.len()), "{name}");
            assert!(name.chars().all(allowed), "{name}");
            assert!(seen.insert(name.clone()), "{name} stands for two");
            let back = super::address(&name);
            assert_eq!(
                back.as_deref(),
                (address.len() < 60 && !name.contains("==")).then_some(address),
                "{name}"
            );
        }
        assert_eq!(name("dana@example.com"), "dana@example.com");
        assert_eq!(name("o'neill@example.com"), "o=27neill@example.com");
    }
}
