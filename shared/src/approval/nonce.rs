//! The form's nonce: minted when the page is shown, without a write; bound to link and cookie; spent by the POST.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::{approval::id::LinkId, secret::Secret};

/// How long a page may stay open before its form must be shown again.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What a nonce is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The recipient's key.
    pub key: &'a Secret<[u8; 32]>,
    /// The link the page was opened with.
    pub link: &'a LinkId,
    /// The browser's cookie.
    pub cookie: &'a str,
}

/// Why a nonce does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Not minted by us for this link and browser.
    #[error("the form was not shown by this link in this browser")]
    Foreign,
    /// Ours, and too old.
    #[error("the form was open for too long")]
    Old,
}

const FORM: &str = "stagewright nonce v1";

/// The hidden field of a form shown at `now`.
pub fn mint(binding: Binding<'_>, now: Timestamp, random: [u8; 9]) -> String {
    mint_for(FORM, binding, now, random)
}

/// Checks a field that came back; answers what to remember so that it is not used twice.
pub fn check(binding: Binding<'_>, field: &str, now: Timestamp) -> Result<String, NonceError> {
    check_for(FORM, binding, field, now, LIFETIME)
}

/// A value made at `now` that only this use of it will accept.
pub(super) fn mint_for(
    label: &str,
    binding: Binding<'_>,
    now: Timestamp,
    random: [u8; 9],
) -> String {
    let head = format!("{}.{}", now.as_second(), URL_SAFE_NO_PAD.encode(random));
    #[expect(clippy::disallowed_methods, reason = "a tag is made, none is checked")]
    let tag = mac(label, binding, &head).finalize().into_bytes();
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(&tag[..16]))
}

/// Checks what [`mint_for`] made for this use; answers its random part.
pub(super) fn check_for(
    label: &str,
    binding: Binding<'_>,
    field: &str,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<String, NonceError> {
    let (head, tag) = field.rsplit_once('.').ok_or(NonceError::Foreign)?;
    let tag = URL_SAFE_NO_PAD
        .decode(tag)
        .map_err(|_| NonceError::Foreign)?;
    if tag.len() != 16 {
        return Err(NonceError::Foreign);
    }
    mac(label, binding, head)
        .verify_truncated_left(&tag)
        .map_err(|_| NonceError::Foreign)?;
    let (minted, random) = head.split_once('.').ok_or(NonceError::Foreign)?;
    let minted = minted
        .parse()
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .ok_or(NonceError::Foreign)?;
    if now.duration_since(minted) > lifetime {
        return Err(NonceError::Old);
    }
    Ok(random.to_owned())
}

/// HMAC of a text for one use, under one link and browser.
pub(super) fn mac(label: &str, binding: Binding<'_>, head: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(binding.key.reveal())
        .expect("HMAC takes keys of any length");
    for part in [label, binding.link.as_str(), binding.cookie, head] {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_40_a_cut_tag_is_refused_at_every_length() {
        let key = Secret::new([3; 32]);
        let link = LinkId::from_random([1; 12]);
        let mine = Binding {
            key: &key,
            link: &link,
            cookie: "c1",
        };
        let now = Timestamp::UNIX_EPOCH;
        let field = mint(mine, now, [5; 9]);
        let (head, tag) = field.rsplit_once('.').unwrap();
        let tag = URL_SAFE_NO_PAD.decode(tag).unwrap();
        for length in 0..tag.len() {
            let cut = URL_SAFE_NO_PAD.encode(&tag[..length]);
            let cut = format!("{head}.{cut}");
            assert_eq!(check(mine, &cut, now), Err(NonceError::Foreign), "{length}");
        }
        #[expect(clippy::disallowed_methods, reason = "a tag is made, none is checked")]
        let whole = mac(FORM, mine, head).finalize().into_bytes();
        let long = format!("{head}.{}", URL_SAFE_NO_PAD.encode(whole));
        assert_eq!(check(mine, &long, now), Err(NonceError::Foreign));
    }

    #[test]
    fn a_nonce_holds_for_its_link_its_browser_and_a_quarter_of_an_hour() {
        let key = Secret::new([3; 32]);
        let (link, other) = (LinkId::from_random([1; 12]), LinkId::from_random([2; 12]));
        let mine = Binding {
            key: &key,
            link: &link,
            cookie: "c1",
        };
        let now = Timestamp::UNIX_EPOCH;
        let field = mint(mine, now, [5; 9]);
        let late = now + LIFETIME;
        assert!(check(mine, &field, late).is_ok());
        let later = late + SignedDuration::from_secs(1);
        assert_eq!(check(mine, &field, later), Err(NonceError::Old));
        for binding in [
            Binding {
                link: &other,
                ..mine
            },
            Binding {
                cookie: "c2",
                ..mine
            },
            Binding {
                key: &Secret::new([4; 32]),
                ..mine
            },
        ] {
            assert_eq!(check(binding, &field, now), Err(NonceError::Foreign));
        }
        for forged in [
            "",
            ".",
            "0.x.",
            "1.BQUFBQUFBQUF.AAAAAAAAAAAAAAAAAAAAAA",
            &field[1..],
        ] {
            assert_eq!(
                check(mine, forged, now),
                Err(NonceError::Foreign),
                "{forged}"
            );
        }
    }
}
