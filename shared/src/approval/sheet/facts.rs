//! The facts as rows of a name and lines: the same rows in a mail's two parts and on the page.

use super::Sheet;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What there is to say.
    pub lines: Vec<String>,
    /// An id, to be shown sign by sign.
    pub code: bool,
    /// Something went wrong there; the words say so too.
    pub bad: bool,
}

impl Fact {
    /// The name as wide as every other, for plain text.
    pub fn column(&self) -> String {
        format!("{:<12}", format!("{}:", self.name))
    }
}

impl Sheet {
    /// What is released, and what is there now.
    pub fn release(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if !self.deploys.is_empty() {
            facts.push(row("Deploys", self.deploys.clone()));
        }
        let current = self.current.as_ref();
        facts.extend(current.map(|there| {
            row(
                "There now",
                vec![format!("{there}. A rollback leads here.")],
            )
        }));
        facts.extend(self.last.as_ref().map(|last| Fact {
            bad: !last.good,
            ..row("Last run", vec![last.words.clone()])
        }));
        facts.extend(self.times.iter().map(|now| row("Times", vec![now.clone()])));
        facts
    }

    /// Where, by whom, since when, under which rule, and how far it is.
    pub fn request(&self) -> Vec<Fact> {
        let place = format!("stage {}, {}", self.stage, self.place);
        let mut facts = vec![row("Where", vec![place])];
        facts.extend(
            self.started_by
                .iter()
                .map(|who| row("Started by", vec![who.clone()])),
        );
        facts.push(row(
            "Asked",
            vec![format!("{}, {}", self.asked, self.waiting)],
        ));
        let code = |name, id: &String| Fact {
            code: true,
            ..row(name, vec![id.clone()])
        };
        facts.push(code("Execution", &self.execution));
        facts.push(code("Request", &self.id));
        facts.push(row("Rule", vec![self.rule.clone()]));
        facts.push(row("Votes", vec![self.tally.clone()]));
        facts
    }
}

const fn row(name: &'static str, lines: Vec<String>) -> Fact {
    Fact {
        name,
        lines,
        code: false,
        bad: false,
    }
}
