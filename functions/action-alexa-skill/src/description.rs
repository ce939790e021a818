//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, defaulted, required},
    port::{Artifacts, Ledger, SecretStore, Shelf, Timer},
    provider::Http,
};

use crate::{AlexaSkill, params::LONGEST_MINUTES};

impl<H: Http, T: Timer, S: SecretStore, L: Ledger + Shelf, A: Artifacts> Described
    for AlexaSkill<H, T, S, L, A>
{
    const DESCRIPTION: Description = Description {
        summary: "Imports the package of an Alexa skill and waits until it is built.",
        category: "Deploy",
        provider: "AlexaSkill",
        inputs: (1, 2),
        outputs: (0, 0),
        parameters: &[
            required(
                "skillId",
                Kind::Text,
                "the skill, as amzn1.ask.skill.01234567-…",
            ),
            required("clientId", Kind::Text, "client id of the security profile"),
            required(
                "clientSecret",
                Kind::Secret,
                "client secret of the security profile",
            ),
            required(
                "refreshToken",
                Kind::Secret,
                "refresh token of Login with Amazon that may read and write skills and models",
            ),
            defaulted(
                "overwrite",
                Kind::Boolean,
                "false",
                "whether changes made elsewhere since the last import may be lost",
            ),
            defaulted(
                "certify",
                Kind::Boolean,
                "false",
                "whether the skill is submitted for certification after a good import",
            ),
            defaulted(
                "timeoutMinutes",
                Kind::Number(1, LONGEST_MINUTES),
                "60",
                "how long the import may take, counted from the start of the action",
            ),
            defaulted(
                "baseUrl",
                Kind::Text,
                "\"https://api.amazonalexa.com\"",
                "the API",
            ),
            defaulted(
                "tokenUrl",
                Kind::Text,
                "\"https://api.amazon.com/auth/o2/token\"",
                "where access tokens come from",
            ),
        ],
        variables: &[
            ("SkillId", "the skill"),
            ("ImportId", "the import's id, or unchanged"),
            (
                "ImportStatus",
                "SUCCEEDED, or UNCHANGED when the package is the last import's",
            ),
            ("ETag", "the skill package's eTag afterwards"),
            ("PackageSha256", "SHA-256 of the package as uploaded"),
            ("Warnings", "warnings of the import"),
        ],
        ledger: true,
        permissions: &[],
    };
}
