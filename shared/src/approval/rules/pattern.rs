//! Where a rule holds: patterns over pipeline, stage and action, the most specific first.

use crate::approval::request::Target;

/// Longest pattern: AWS names have at most 100 characters.
const LONGEST: usize = 100;

/// `*` stands for any text, `?` for one character, everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// Patterns of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of the pipeline's name.
    pub pipeline: Pattern,
    /// Of the stage's name.
    pub stage: Pattern,
    /// Of the action's name.
    pub action: Pattern,
}

/// How specific a place is: greater is more so. Pipeline before stage before action; a name without wildcards before
/// any pattern, a pattern with more plain characters before one with fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity([(bool, usize); 3]);

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b".@_-*?".contains(&b);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(fits) {
            return Err(format!(
                "a pattern is 1 to {LONGEST} of A-Z a-z 0-9 . @ _ - and the wildcards * and ?"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether all of a name matches.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&b) if b == b'?' || b == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }

    fn specificity(&self) -> (bool, usize) {
        let plain = self.0.bytes().filter(|b| !b"*?".contains(b)).count();
        (plain == self.0.len(), plain)
    }
}

impl Place {
    /// Whether the action is in this place.
    pub fn matches(&self, target: &Target) -> bool {
        self.pipeline.matches(target.pipeline.as_str())
            && self.stage.matches(target.stage.as_str())
            && self.action.matches(target.action.as_str())
    }

    /// How specific it is.
    pub fn specificity(&self) -> Specificity {
        Specificity([&self.pipeline, &self.stage, &self.action].map(Pattern::specificity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, name, matches) in [
            ("*", "", true),
            ("Prod*", "Prod", true),
            ("Prod*", "Production", true),
            ("Prod*", "PreProd", false),
            ("*Prod", "PreProd", true),
            ("*-*-eu", "a-b-c-eu", true),
            ("*-*-eu", "a-eu", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a**c", "ac", true),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(name),
                matches,
                "{pattern} {name}"
            );
        }
        for wrong in ["", "a b", "a/b", "[a]", "é"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_go_before_patterns_and_long_before_short() {
        let place = |p: &str, s: &str, a: &str| {
            let pattern = |t| Pattern::new(t).unwrap();
            Place {
                pipeline: pattern(p),
                stage: pattern(s),
                action: pattern(a),
            }
            .specificity()
        };
        let rising = [
            place("*", "*", "*"),
            place("*", "*", "Approve"),
            place("*", "Prod*", "*"),
            place("*", "Production", "*"),
            place("p*", "*", "*"),
            place("payments-*", "*", "*"),
            place("pay", "*", "*"),
            place("pay", "Prod*", "*"),
        ];
        assert!(rising.is_sorted_by(|a, b| a < b));
    }
}
