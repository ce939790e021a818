//! Where in a rules file a place such as `rules[0].needs[1].group` is written.

/// The line, from 1, at which the value of this place begins; of a place that is not written, the nearest one around
/// it. The text is JSON.
pub fn line_of(text: &str, place: &str) -> usize {
    let mut scan = Scan {
        text: text.as_bytes(),
        at: 0,
        found: Vec::new(),
    };
    scan.value("");
    let within = |path: &str| {
        let rest = place.strip_prefix(path);
        rest.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let around = scan.found.iter().filter(|(path, _)| within(path));
    let at = around.max_by_key(|(path, _)| path.len());
    let at = at.map_or(0, |(_, at)| (*at).min(text.len()));
    1 + text.as_bytes()[..at]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
}

/// Every value's path and offset, as far as the text is JSON.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    found: Vec<(String, usize)>,
}

impl Scan<'_> {
    fn value(&mut self, path: &str) {
        self.blanks();
        self.found.push((path.to_owned(), self.at));
        match self.text.get(self.at) {
            Some(b'{') => self.members(b'}', |scan, _| {
                let name = scan.string();
                scan.blanks();
                scan.at += 1;
                let dot = if path.is_empty() { "" } else { "." };
                scan.value(&format!("{path}{dot}{name}"));
            }),
            Some(b'[') => self.members(b']', |scan, number| {
                scan.value(&format!("{path}[{number}]"));
            }),
            Some(b'"') => drop(self.string()),
            _ => {
                let plain = |b: &u8| !b",]} \t\r\n".contains(b);
                self.at += self.text[self.at.min(self.text.len())..]
                    .iter()
                    .take_while(|b| plain(b))
                    .count();
            }
        }
    }

    /// What is between the brackets.
    fn members(&mut self, end: u8, mut one: impl FnMut(&mut Self, usize)) {
        self.at += 1;
        for number in 0.. {
            self.blanks();
            match self.text.get(self.at) {
                None => return,
                Some(b) if *b == end => {
                    self.at += 1;
                    return;
                }
                Some(b',') => self.at += 1,
                Some(_) => {}
            }
            self.blanks();
            let before = self.at;
            one(self, number);
            if self.at == before {
                return;
            }
        }
    }

    /// The text of a string, escapes as they are written.
    fn string(&mut self) -> String {
        let begin = self.at + 1;
        self.at = begin;
        while let Some(b) = self.text.get(self.at) {
            match b {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        let end = self.at.min(self.text.len());
        self.at += 1;
        let text = self.text.get(begin..end).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    fn blanks(&mut self) {
        let blank = |b: &&u8| b.is_ascii_whitespace();
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(blank).count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_lines() {
        let text = "{\n \"version\": 1,\n \"people\": {\n  \"a.b\": {\"mail\": \"x\"},\n  \"c\": {\n   \"mail\": \"y\\\" ,\"\n  }\n },\n \"rules\": [\n  {\"needs\": []},\n  {\n   \"needs\": [1,\n    2]\n  }\n ]\n}";
        for (place, line) in [
            ("the file", 1),
            ("version", 2),
            ("people.a.b.mail", 4),
            ("people.c.mail", 6),
            ("people.c.aliases", 5),
            ("rules", 9),
            ("rules[0].name", 10),
            ("rules[1].needs[0]", 12),
            ("rules[1].needs[1].group", 13),
            ("rules[7]", 9),
        ] {
            assert_eq!(line_of(text, place), line, "{place}");
        }
        for broken in ["", "{", "[[[", "{\"a", "{\"a\":", "}", "\"\\"] {
            assert_eq!(line_of(broken, "a"), 1, "{broken}");
        }
    }
}
