//! Patterns for paths of a site: `*` and `?` within a folder, `**` across folders.

/// Whether a path matches. A pattern without `/` is held against the file's name alone, in whatever folder it is.
pub fn matches(pattern: &str, path: &str) -> bool {
    let subject = match pattern.contains('/') {
        true => path,
        false => path.rsplit('/').next().unwrap_or(path),
    };
    let pattern: Vec<char> = pattern.trim_start_matches('/').chars().collect();
    let subject: Vec<char> = subject.chars().collect();
    here(&pattern, &subject)
}

/// Row by row: which ends of the pattern so far are reached after each character. No backtracking, so that no
/// pattern is slow.
fn here(pattern: &[char], subject: &[char]) -> bool {
    let tokens = tokens(pattern);
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_empty(&tokens, &mut reached, true);
    for &c in subject {
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate() {
            if !reached[at] {
                continue;
            }
            match token {
                Token::Deep | Token::Folders => next[at] = true,
                Token::Star if c != '/' => next[at] = true,
                Token::Any if c != '/' => next[at + 1] = true,
                Token::Is(want) if *want == c => next[at + 1] = true,
                _ => {}
            }
        }
        skip_empty(&tokens, &mut next, c == '/');
        reached = next;
    }
    reached[tokens.len()]
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Token {
    /// `**`
    Deep,
    /// `**/`: no folder, or some.
    Folders,
    /// `*`
    Star,
    /// `?`
    Any,
    /// Itself.
    Is(char),
}

fn tokens(mut pattern: &[char]) -> Vec<Token> {
    let mut tokens = Vec::new();
    loop {
        let (token, rest) = match pattern {
            [] => return tokens,
            ['*', '*', '/', rest @ ..] => (Token::Folders, rest),
            ['*', '*', rest @ ..] => (Token::Deep, rest),
            ['*', rest @ ..] => (Token::Star, rest),
            ['?', rest @ ..] => (Token::Any, rest),
            [c, rest @ ..] => (Token::Is(*c), rest),
        };
        tokens.push(token);
        pattern = rest;
    }
}

/// Stars may stand for nothing.
fn skip_empty(tokens: &[Token], reached: &mut [bool], at_folder: bool) {
    for (at, token) in tokens.iter().enumerate() {
        let empty = match token {
            Token::Deep | Token::Star => true,
            Token::Folders => at_folder,
            Token::Any | Token::Is(_) => false,
        };
        if empty && reached[at] {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_written() {
        for (pattern, path, want) in [
            ("*.html", "index.html", true),
            ("*.html", "a/b/index.html", true),
            ("*.html", "a.html.js", false),
            ("a/*.js", "a/x.js", true),
            ("a/*.js", "a/b/x.js", false),
            ("a/**/*.js", "a/b/c/x.js", true),
            ("a/**/*.js", "a/x.js", true),
            ("a/**/x.js", "a/bx.js", false),
            ("**/x.js", "x.js", true),
            ("assets/**", "assets/a/b.css", true),
            ("assets/**", "other/a.css", false),
            ("/assets/*", "assets/a.css", true),
            ("?.txt", "a.txt", true),
            ("?.txt", "ab.txt", false),
            ("*", "anything/at.all", true),
            ("robots.txt", "robots.txt", true),
            ("robots.txt", "robots-txt", false),
        ] {
            assert_eq!(matches(pattern, path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn no_pattern_is_slow() {
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
        assert!(!matches(&"**a".repeat(200), &"b".repeat(900)));
    }
}
