//! Finds where in a JSON text a value stands, so that a refusal can say line and column as AWS does.

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An item of an array.
    Index(usize),
}

/// Line and column, both from 1, that AWS's parser has reached when it meets the value at `path`: after the opening
/// quote of a string, after the end of anything else. `text` must be valid JSON; a path that is not there ends at the
/// last value that is.
pub(crate) fn locate(text: &str, path: &[Step]) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut at = blank(bytes, 0);
    for step in path {
        match inside(text, at, step) {
            Some(found) => at = found,
            None => break,
        }
    }
    let reached = if bytes.get(at) == Some(&b'"') {
        at + 1
    } else {
        end(bytes, at)
    };
    position(text, reached)
}

/// Line and column of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

fn inside(text: &str, container: usize, step: &Step) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = blank(bytes, container + 1);
    for index in 0.. {
        if matches!(bytes.get(at), None | Some(b'}' | b']')) {
            return None;
        }
        let mut found = matches!(step, Step::Index(wanted) if *wanted == index);
        if bytes.get(container) == Some(&b'{') {
            let after = end(bytes, at);
            let key = serde_json::from_str::<String>(text.get(at..after)?).ok()?;
            found = matches!(step, Step::Key(wanted) if *wanted == key);
            at = blank(bytes, blank(bytes, after) + 1);
        }
        if found {
            return Some(at);
        }
        at = blank(bytes, end(bytes, at));
        if bytes.get(at) == Some(&b',') {
            at = blank(bytes, at + 1);
        }
    }
    None
}

/// The offset behind the value that begins at `at`.
fn end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            _ => {
                while bytes.get(at).is_some_and(|b| !b",:]} \n\r\t".contains(b)) {
                    at += 1;
                }
            }
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string_end(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn blank(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_recorded_answers() {
        let key = |k: &str| Step::Key(k.to_owned());
        for (text, path, expected) in [
            // aws-cdk issue 36904, cloud-custodian issue 6507, lalcebo/json-schema pull request 171
            (
                r#"{"detail-type":[],"source":["example.source"],"account":["123456789012"]}"#,
                vec![key("detail-type")],
                (1, 18),
            ),
            (
                r#"{"source": ["aws.health"], "detail": {}}"#,
                vec![key("detail")],
                (1, 40),
            ),
            (
                r#"{"detail-type":["Object Created"],"source":"aws.s3","detail":{}}"#,
                vec![key("source")],
                (1, 45),
            ),
            (
                "{\n \"a\": {\n  \"b\\\"\": [1, \"x\"]}}",
                vec![key("a"), key("b\""), Step::Index(1)],
                (3, 15),
            ),
            ("[1]", vec![Step::Index(7)], (1, 4)),
        ] {
            assert_eq!(locate(text, &path), expected, "{text}");
        }
    }
}
