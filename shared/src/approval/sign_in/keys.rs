//! The provider's public keys, and signatures by them: RS256 and ES256, nothing else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// How an ID token is signed (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256; keys of 2,048 to 8,192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// Keys by id, out of a JSON Web Key Set (RFC 7517).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<(String, Key)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Algorithm {
    /// The algorithm of this name; none of the others, `none` among them.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

impl Keys {
    /// Reads a set; keys that cannot have signed an ID token for us are left out.
    ///
    /// # Errors
    /// When it is no key set.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let set: Set =
            serde_json::from_slice(json).map_err(|_| "its keys are no key set".to_owned())?;
        Ok(Self(set.keys.into_iter().filter_map(key).collect()))
    }

    /// Whether there is a key of this id.
    pub fn know(&self, kid: &str) -> bool {
        self.0.iter().any(|(have, _)| have == kid)
    }

    /// Whether the key of this id signed the message. A key of another kind than the algorithm's did not.
    pub fn signed(
        &self,
        kid: &str,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let of_id = self.0.iter().filter(|(have, _)| have == kid);
        of_id.into_iter().any(|(_, key)| match (algorithm, key) {
            (Algorithm::Rs256, Key::Rsa { n, e }) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Algorithm::Es256, Key::P256(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            _ => false,
        })
    }
}

fn key(jwk: Jwk) -> Option<(String, Key)> {
    let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
    if jwk.used_for.is_some_and(|used_for| used_for != "sig") {
        return None;
    }
    let fits = |name: &str| jwk.alg.as_deref().is_none_or(|alg| alg == name);
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) if fits("RS256") => Key::Rsa {
            n: bytes(jwk.n)?,
            e: bytes(jwk.e)?,
        },
        ("EC", Some("P-256")) if fits("ES256") => {
            let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
            if (x.len(), y.len()) != (32, 32) {
                return None;
            }
            Key::P256([vec![4], x, y].concat())
        }
        _ => return None,
    };
    Some((jwk.kid?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendixes A.2 and A.3: keys, and the tokens they signed.
    const RSA: &str = r#"{"kty":"RSA","kid":"a2","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const EC: &str = r#"{"kty":"EC","kid":"a3","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const EC_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn set(keys: &[&str]) -> Keys {
        Keys::read(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes()).unwrap()
    }

    fn parts(token: &str) -> (&[u8], Vec<u8>) {
        let (message, signature) = token.rsplit_once('.').unwrap();
        (
            message.as_bytes(),
            URL_SAFE_NO_PAD.decode(signature).unwrap(),
        )
    }

    #[test]
    fn the_published_examples_hold_and_nothing_beside_them() {
        let keys = set(&[RSA, EC]);
        for (kid, algorithm, other, token) in [
            ("a2", Algorithm::Rs256, Algorithm::Es256, RSA_TOKEN),
            ("a3", Algorithm::Es256, Algorithm::Rs256, EC_TOKEN),
        ] {
            let (message, signature) = parts(token);
            assert!(keys.signed(kid, algorithm, message, &signature), "{kid}");
            assert!(!keys.signed(kid, other, message, &signature), "{kid}");
            assert!(!keys.signed("a4", algorithm, message, &signature));
            let mut longer = message.to_vec();
            longer.push(b'x');
            assert!(!keys.signed(kid, algorithm, &longer, &signature));
            for at in 0..signature.len() {
                let mut bent = signature.clone();
                bent[at] ^= 1;
                assert!(!keys.signed(kid, algorithm, message, &bent), "{kid} {at}");
                assert!(!keys.signed(kid, algorithm, message, &signature[..at]));
            }
        }
    }

    #[test]
    fn keys_of_other_uses_are_left_out() {
        let of = |text: &str, from: &str, to: &str| text.replace(from, to);
        for bad in [
            of(RSA, "\"kty\"", "\"use\":\"enc\",\"kty\""),
            of(RSA, "\"kty\"", "\"alg\":\"RS512\",\"kty\""),
            of(RSA, "\"kid\":\"a2\",", ""),
            of(EC, "P-256", "P-384"),
            of(EC, "f83O", "3O"),
            r#"{"kty":"oct","kid":"a1","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}"#.to_owned(),
        ] {
            assert_eq!(set(&[&bad]), Keys::default(), "{bad}");
        }
        assert!(Keys::read(b"<html>").is_err());
        assert!(set(&[RSA]).know("a2") && !set(&[RSA]).know("a3"));
    }
}
