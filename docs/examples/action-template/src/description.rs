//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::PageFetcher,
};

use crate::Template;

impl<P: PageFetcher> Described for Template<P> {
    const DESCRIPTION: Description = Description {
        summary: "Waits until a page says `done`.",
        category: "Test",
        provider: "Template",
        inputs: (0, 1),
        outputs: (0, 0),
        parameters: &[Parameter {
            name: "url",
            kind: Kind::Text,
            required: true,
            default: None,
            meaning: "address of the page",
        }],
        variables: &[],
        ledger: false,
        permissions: &[],
    };
}
