//! How much of a voter's IP address the audit keeps.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// How much of an address is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Addresses {
    /// All of it.
    Full,
    /// The network: 24 bits of IPv4, 48 of IPv6.
    #[default]
    Short,
    /// Nothing.
    None,
}

impl Addresses {
    /// What is kept of this address.
    pub fn kept(self, ip: IpAddr) -> Option<String> {
        match (self, ip.to_canonical()) {
            (Self::None, _) => None,
            (Self::Full, ip) => Some(ip.to_string()),
            (Self::Short, IpAddr::V4(ip)) => {
                let [a, b, c, _] = ip.octets();
                Some(format!("{}/24", Ipv4Addr::new(a, b, c, 0)))
            }
            (Self::Short, IpAddr::V6(ip)) => {
                let [a, b, c, ..] = ip.segments();
                Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
        }
    }
}

impl FromStr for Addresses {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            "short" => Ok(Self::Short),
            "none" => Ok(Self::None),
            _ => Err("write full, short or none".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_kept_as_told() {
        for (kept, ip, text) in [
            ("full", "203.0.113.7", Some("203.0.113.7")),
            ("short", "203.0.113.7", Some("203.0.113.0/24")),
            ("short", "::ffff:203.0.113.7", Some("203.0.113.0/24")),
            ("short", "2001:db8:1:2::3", Some("2001:db8:1::/48")),
            ("none", "203.0.113.7", None),
        ] {
            let addresses: Addresses = kept.parse().unwrap();
            let ip = ip.parse().unwrap();
            assert_eq!(addresses.kept(ip).as_deref(), text, "{kept} {ip}");
        }
    }
}
