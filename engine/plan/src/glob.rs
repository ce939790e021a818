//! Globs of trigger filters, as Java's file systems read them: `*` and `?` stay within a folder, `**` does not.

use regex_lite::Regex;

/// Whether `**/x` also matches `x` itself. Java says no; CodePipeline's guide excludes `**/README.md` and means every
/// one, so: yes (unconfirmed).
const ANY_FOLDER_IS_ROOT_TOO: bool = true;

/// A compiled glob.
#[derive(Debug, Clone)]
pub struct Glob {
    regex: Regex,
}

impl Glob {
    /// Reads a glob; `None` when it is broken (an open bracket, a group in a group). AWS's answer to such a pattern
    /// is unknown; here it matches nothing.
    pub fn new(glob: &str) -> Option<Self> {
        Regex::new(&translated(glob)?)
            .ok()
            .map(|regex| Self { regex })
    }

    /// Whether all of a text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn translated(glob: &str) -> Option<String> {
    let mut out = "(?s)^".to_owned();
    let mut rest = glob;
    let mut in_group = false;
    let mut at_part = true;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let began_part = std::mem::replace(&mut at_part, false);
        match c {
            '*' if rest.starts_with('*') => {
                rest = rest.trim_start_matches('*');
                match rest.strip_prefix('/') {
                    Some(behind) if began_part && ANY_FOLDER_IS_ROOT_TOO => {
                        out.push_str("(?:.*/)?");
                        rest = behind;
                        at_part = true;
                    }
                    _ => out.push_str(".*"),
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '/' => {
                out.push('/');
                at_part = true;
            }
            '\\' => {
                let escaped = rest.chars().next()?;
                rest = &rest[escaped.len_utf8()..];
                literal(escaped, &mut out);
            }
            '[' => rest = class(rest, &mut out)?,
            '{' if in_group => return None,
            '{' => {
                in_group = true;
                at_part = began_part;
                out.push_str("(?:");
            }
            ',' if in_group => out.push('|'),
            '}' if in_group => {
                in_group = false;
                out.push(')');
            }
            other => literal(other, &mut out),
        }
    }
    (!in_group).then(|| out + "$")
}

/// A bracket expression, without its opening bracket; answers what is behind it. It never matches a slash.
fn class<'g>(glob: &'g str, out: &mut String) -> Option<&'g str> {
    let (negated, glob) = match glob.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, glob),
    };
    let end = glob.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let inside = &glob[..end];
    out.push_str(if negated { "[^/" } else { "[" });
    let last = inside.chars().count() - 1;
    for (at, c) in inside.chars().enumerate() {
        match c {
            '/' => return None,
            '-' if at != 0 && at != last => out.push('-'),
            other => literal(other, out),
        }
    }
    out.push(']');
    Some(&glob[end + 1..])
}

fn literal(c: char, out: &mut String) {
    if r"\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_javas_do() {
        for (glob, text, expected) in [
            ("main", "main", true),
            ("main", "maintenance", false),
            ("main*", "maintenance", true),
            ("main*", "main/x", false),
            ("main**", "main/x", true),
            ("feature/*", "feature/a", true),
            ("feature/*", "feature/a/b", false),
            ("feature/**", "feature/a/b", true),
            ("feature/**", "feature", false),
            ("**", "a/b/c", true),
            ("*.java", "A.java", true),
            ("*.java", "src/A.java", false),
            ("**/*.js", "common/deep/a.js", true),
            ("common/**/*.js", "common/a.js", true),
            ("common/**/*.js", "common/x/y/a.js", true),
            ("common/**/*.js", "uncommon/a.js", false),
            ("**/README.md", "README.md", true),
            ("**/README.md", "docs/README.md", true),
            ("**/README.md", "docs/XREADME.md", false),
            ("*.{java,class}", "A.class", true),
            ("*.{java,class}", "A.rs", false),
            ("foo.?", "foo.c", true),
            ("foo.?", "foo.cc", false),
            ("a?b", "a/b", false),
            ("v[0-9].*", "v1.2", true),
            ("v[0-9].*", "vx.2", false),
            ("v[!0-9]", "vx", true),
            ("v[!0-9]", "v/", false),
            ("[-a]", "-", true),
            ("[*?]", "*", true),
            ("[*?]", "x", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("a.b", "axb", false),
            ("a+(b)|c^$", "a+(b)|c^$", true),
            ("über-*", "über-uns", true),
            ("release, now", "release, now", true),
        ] {
            let compiled = Glob::new(glob).unwrap_or_else(|| panic!("{glob} is no glob"));
            assert_eq!(compiled.matches(text), expected, "{glob} {text}");
        }
        for broken in ["[abc", "{a,b", "{a,{b,c}}", "a\\", "[/]"] {
            assert!(Glob::new(broken).is_none(), "{broken}");
        }
    }
}
