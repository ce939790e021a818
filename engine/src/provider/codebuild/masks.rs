//! Texts that no line of a build's log may show.

use shared::secret::Secret;

/// Shorter lines of a value that has several hide more than they keep.
const SHORTEST_LINE: usize = 4;

/// Texts that no line of a log may show.
#[derive(Debug, Default)]
pub struct Masks(Vec<Secret>);

impl Masks {
    /// Hides these values from now on; of one with several lines also each line.
    pub fn add<'a>(&mut self, values: impl IntoIterator<Item = &'a Secret>) {
        for value in values {
            let whole = value.reveal().trim();
            let lines = whole.lines().map(str::trim);
            let long = lines.filter(|line| *line != whole && line.len() >= SHORTEST_LINE);
            let all = long.chain([whole]).filter(|text| !text.is_empty());
            self.0.extend(all.map(|text| Secret::from(text.to_owned())));
        }
        self.0
            .sort_by_key(|text| std::cmp::Reverse(text.reveal().len()));
        self.0.dedup();
    }

    /// The text with `***`, as CodeBuild writes, in place of each.
    pub fn hide(&self, text: &str) -> String {
        let hide = |text: String, secret: &Secret| match text.contains(secret.reveal()) {
            true => text.replace(secret.reveal(), "***"),
            false => text,
        };
        self.0.iter().fold(text.to_owned(), hide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_secrets_are_hidden_before_their_parts() {
        let mut masks = Masks::default();
        let all = [
            "bread",
            "bread and butter",
            "first line\n-\nsecond line",
            "",
        ];
        masks.add(&all.map(|text| Secret::from(text.to_owned())));
        for (text, shown) in [
            ("bread and butter, bread", "***, ***"),
            ("a second line - here", "a *** - here"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(masks.hide(text), shown);
        }
    }
}
