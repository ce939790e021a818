//! A look at YAML before it is used: nesting and what aliases unfold to have bounds, so that no text takes long.

use std::{cell::Cell, fmt, marker::PhantomData, str::FromStr};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// Brackets that may be open at a time. The parser's work grows with size times nesting, and its own bound, 128, is
/// looked at only when all text has been read. More than it allows, because brackets in texts are counted too.
const OPEN: usize = 500;
/// Values in a document, aliases unfolded. A template has at most 1 MB, and values of ten bytes fill that.
const VALUES: usize = 100_000;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// So deep is no document that anybody wrote.
    #[error("more than {OPEN} brackets are open at once on line {line}")]
    Depth {
        /// From 1.
        line: usize,
    },
    /// Mostly aliases of aliases.
    #[error("more than {VALUES} values, with its aliases unfolded")]
    Values,
}

/// The line of the first key of this name (or list item), for people.
pub fn line_of_key(text: &str, key: &str) -> Option<usize> {
    text.lines()
        .position(|line| {
            let line = line.trim_start().trim_start_matches("- ");
            line.strip_prefix(key).is_some_and(|rest| {
                rest.trim_start().is_empty() || rest.trim_start().starts_with(':')
            })
        })
        .map(|at| at + 1)
}

/// A parser's error with its line; one about the whole document has the first.
pub fn told(error: &yaml_serde::Error) -> String {
    let text = error.to_string();
    match text.contains(" at line ") {
        true => text,
        false => format!("{text} at line 1"),
    }
}

/// Reads a scalar as it is written, and checks it there: the error has its line.
///
/// # Errors
/// What the type's `FromStr` says.
pub fn checked<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    from: D,
) -> Result<T, D::Error> {
    from.deserialize_str(Checked(PhantomData))
}

/// As [`checked`], of a member that may be left out.
///
/// # Errors
/// What the type's `FromStr` says.
pub fn checked_option<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    checked(from).map(Some)
}

struct Checked<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Looks at nesting and size; whether it is YAML at all is not told.
///
/// # Errors
/// The text is out of bounds.
pub fn check(text: &str) -> Result<(), Excess> {
    check_depth(text)?;
    let left = Cell::new(VALUES);
    // Other errors are the parser's to tell.
    let _ = Count(&left).deserialize(yaml_serde::Deserializer::from_str(text));
    if left.get() == 0 {
        return Err(Excess::Values);
    }
    Ok(())
}

/// Counts brackets that may begin a list or a map.
fn check_depth(text: &str) -> Result<(), Excess> {
    let mut open = 0_usize;
    let mut line = 1;
    let mut before = b' ';
    for byte in text.bytes() {
        match byte {
            b'\n' => line += 1,
            b'[' | b'{' if before.is_ascii_whitespace() || b"[{,:?\"'".contains(&before) => {
                open += 1;
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > OPEN {
            return Err(Excess::Depth { line });
        }
        before = byte;
    }
    Ok(())
}

/// Walks through a document, keeps nothing, and ends when no value is left to count.
#[derive(Clone, Copy)]
struct Count<'a>(&'a Cell<usize>);

impl Count<'_> {
    fn one<E: Error>(self) -> Result<(), E> {
        self.0.set(self.0.get().saturating_sub(1));
        if self.0.get() == 0 {
            return Err(E::custom("too many values"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.one()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.one()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.one()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.one()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.one()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.one()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.one()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.one()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        self.one()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        self.one()
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (IgnoredAny, value) = tagged.variant()?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_is_too_deep() {
        let deep = |n: usize| format!("a:\n  {}x{}", "[{a: ".repeat(n), "}]".repeat(n));
        assert_eq!(check(&deep(60)), Ok(()));
        assert_eq!(check(&deep(400)), Err(Excess::Depth { line: 2 }));
        let wide = "- {a: [b, c]}\n- printf '\\033[1m%s\\033[0m'\n".repeat(5_000);
        assert_eq!(check(&wide), Ok(()), "escape codes open nothing");
    }

    #[test]
    fn aliases_are_counted_unfolded() {
        let tower = |levels: usize| {
            let mut text = format!("a0: &a0 [{}]\n", "x, ".repeat(100));
            for n in 1..=levels {
                let below = format!("*a{}, ", n - 1);
                text += &format!("a{n}: &a{n} [{}]\n", below.repeat(10));
            }
            text
        };
        assert_eq!(check(&tower(2)), Ok(()));
        assert_eq!(check(&tower(3)), Err(Excess::Values));
        let tagged = format!("{}\nz: !Join [a, !Ref b, *a2]\n", tower(2));
        assert_eq!(check(&tagged), Ok(()));
    }

    #[test]
    fn what_is_no_yaml_is_left_to_the_parser() {
        for text in [
            "",
            "a: [",
            "\t- x",
            "a: *unknown",
            "--- 1\n--- 2\n",
            "{1: !Sub x}",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
