//! A Map's own fields.

use serde_json::Value;

use super::{
    Batch, Distributed, Io, Items, Kind, Language, Map, Reader as ItemReader, Select, Writer,
    fields::{Fields, Findings},
    read::Reader,
};
use crate::{limit, resource::BadResource};

impl Reader {
    pub fn map(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<(Io, Kind)> {
        // Parameters of a Map are its old ItemSelector.
        let mut io = self.calls_io(fields, language);
        let old_selector = io.arguments.take();
        let selector = self
            .payload(fields, "ItemSelector", language)
            .or(old_selector);
        let concurrency = self.amount_or_path(
            fields,
            ("MaxConcurrency", "MaxConcurrencyPath"),
            language,
            (0, u64::from(u32::MAX)),
        );
        let label = self.label(fields);
        let name = if fields.has("ItemProcessor") {
            "ItemProcessor"
        } else {
            "Iterator"
        };
        if !fields.has(name) {
            fields.require(&["ItemProcessor"], &mut self.findings);
            return None;
        }
        let place = fields.place(name);
        let value = if name == "Iterator" {
            fields.take("Iterator")
        } else {
            fields.take("ItemProcessor")
        }?;
        let distributed = self.mode(value, &place);
        let items = self.items(fields, language, distributed)?;
        let tolerated_count = self.amount_or_path(
            fields,
            ("ToleratedFailureCount", "ToleratedFailureCountPath"),
            language,
            (0, limit::TIMEOUT_SECONDS),
        );
        let tolerated_percentage = self.percentage(fields, language);
        let batch = self.batch(fields, language);
        let writer = self.writer(fields, language);
        let distributed = distributed.then_some(Distributed {
            tolerated_count,
            tolerated_percentage,
            batch,
            writer,
        });
        let processor = self.inner(value, place)?;
        let map = Map {
            processor,
            distributed,
            items,
            selector,
            concurrency,
            label,
        };
        Some((io, Kind::Map(Box::new(map))))
    }

    /// `ToleratedFailurePercentage`, which may have a fraction.
    fn percentage(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
    ) -> Option<crate::definition::Amount> {
        const NAME: &str = "ToleratedFailurePercentage";
        if let Some(Value::Number(_)) = fields.map.get(NAME) {
            let number = fields.number(NAME, 0.0, 100.0, &mut self.findings);
            return number.map(crate::definition::Amount::Fixed);
        }
        self.amount_or_path(
            fields,
            (NAME, "ToleratedFailurePercentagePath"),
            language,
            (0, 100),
        )
    }

    fn label(&mut self, fields: &mut Fields<'_>) -> Option<String> {
        let label = fields.text("Label", &mut self.findings)?;
        let length = label.chars().count();
        if length == 0 {
            fields.bad("Label", "Label cannot be empty", &mut self.findings);
        } else if length > limit::LABEL {
            fields.bad(
                "Label",
                format!("Label cannot exceed {} characters", limit::LABEL),
                &mut self.findings,
            );
        }
        Some(label.to_owned())
    }

    /// Whether the map is distributed. Child executions of both types run alike here.
    fn mode(&mut self, processor: &Value, place: &str) -> bool {
        let fields = processor.get("ProcessorConfig").and_then(|config| {
            Fields::new(
                config,
                format!("{place}/ProcessorConfig"),
                &mut self.findings,
            )
        });
        let Some(mut fields) = fields else {
            return false;
        };
        let mode = fields.text("Mode", &mut self.findings);
        let kind = fields.text("ExecutionType", &mut self.findings);
        if let Some(other) = kind.filter(|k| !["STANDARD", "EXPRESS"].contains(k)) {
            let message = format!("Value is not one of [STANDARD, EXPRESS]: {other}");
            fields.bad("ExecutionType", message, &mut self.findings);
        }
        let distributed = match mode {
            Some("DISTRIBUTED") => true,
            None | Some("INLINE") => false,
            Some(other) => {
                let message = format!("Value is not one of [INLINE, DISTRIBUTED]: {other}");
                fields.bad("Mode", message, &mut self.findings);
                false
            }
        };
        if distributed && kind.is_none() {
            fields.require(&["ExecutionType"], &mut self.findings);
        }
        fields.finish(&mut self.findings);
        distributed
    }

    fn items(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
        distributed: bool,
    ) -> Option<Items> {
        if fields.has("ItemReader") {
            if !distributed {
                fields.bad(
                    "ItemReader",
                    "The field 'ItemReader' is only supported in Distributed mode",
                    &mut self.findings,
                );
            }
            let reader = self.reader(fields, language)?;
            // With a reader, ItemsPath says nothing.
            fields.take("ItemsPath");
            return Some(Items::Reader(reader));
        }
        Some(match language {
            Language::JsonPath => Items::Path(self.select(fields, "ItemsPath")),
            Language::Jsonata if fields.has("Items") => {
                Items::Template(self.template(fields, "Items", language)?)
            }
            Language::Jsonata => Items::Path(Select::Whole),
        })
    }

    fn reader(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<ItemReader> {
        let place = fields.place("ItemReader");
        let mut fields = Fields::new(fields.take("ItemReader")?, place, &mut self.findings)?;
        fields.require(&["Resource"], &mut self.findings);
        let resource = fields.text("Resource", &mut self.findings);
        let arguments = match language {
            Language::JsonPath => self.payload(&mut fields, "Parameters", language),
            Language::Jsonata => self.payload(&mut fields, "Arguments", language),
        };
        let config = fields.take("ReaderConfig").cloned().unwrap_or(Value::Null);
        let mut most = None;
        if !config.is_null() {
            let mut inner = Fields::new(&config, fields.place("ReaderConfig"), &mut self.findings)?;
            for (name, values) in READER {
                one_of(&mut inner, name, values, &mut self.findings);
            }
            for name in ["CSVHeaders", "ItemsPointer"] {
                inner.take(name);
            }
            most = self.amount_or_path(
                &mut inner,
                ("MaxItems", "MaxItemsPath"),
                language,
                (0, 100_000_000),
            );
            inner.finish(&mut self.findings);
        }
        let resource = resource?;
        if !["s3:getObject", "s3:listObjectsV2"]
            .map(own)
            .contains(&resource.to_owned())
        {
            let message = BadResource(resource.to_owned()).to_string();
            fields.bad("Resource", message, &mut self.findings);
        }
        fields.finish(&mut self.findings);
        Some(ItemReader {
            resource: resource.to_owned(),
            arguments,
            config,
            most,
        })
    }

    fn batch(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<Batch> {
        let place = fields.place("ItemBatcher");
        let mut fields = Fields::new(fields.take("ItemBatcher")?, place, &mut self.findings)?;
        let items = self.amount_or_path(
            &mut fields,
            ("MaxItemsPerBatch", "MaxItemsPerBatchPath"),
            language,
            (1, limit::TIMEOUT_SECONDS),
        );
        let bytes = self.amount_or_path(
            &mut fields,
            ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"),
            language,
            (1, limit::PAYLOAD_BYTES as u64),
        );
        let input = self.payload(&mut fields, "BatchInput", language);
        fields.finish(&mut self.findings);
        Some(Batch {
            items,
            bytes,
            input,
        })
    }

    fn writer(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<Writer> {
        let place = fields.place("ResultWriter");
        let mut fields = Fields::new(fields.take("ResultWriter")?, place, &mut self.findings)?;
        let resource = fields
            .text("Resource", &mut self.findings)
            .map(str::to_owned);
        let arguments = match language {
            Language::JsonPath => self.payload(&mut fields, "Parameters", language),
            Language::Jsonata => self.payload(&mut fields, "Arguments", language),
        };
        if let Some(other) = resource.as_ref().filter(|r| **r != own("s3:putObject")) {
            let message = BadResource(other.clone()).to_string();
            fields.bad("Resource", message, &mut self.findings);
        }
        let config = fields.take("WriterConfig").cloned().unwrap_or(Value::Null);
        if !config.is_null() {
            let mut inner = Fields::new(&config, fields.place("WriterConfig"), &mut self.findings)?;
            for (name, values) in WRITER {
                one_of(&mut inner, name, values, &mut self.findings);
            }
            inner.finish(&mut self.findings);
        }
        if resource.is_none() && config.is_null() {
            fields.require(&["Resource"], &mut self.findings);
        }
        fields.finish(&mut self.findings);
        Some(Writer {
            resource,
            arguments,
            config,
        })
    }
}

/// Members of a `ReaderConfig` with few values.
const READER: [(&str, &[&str]); 5] = [
    (
        "InputType",
        &["JSON", "JSONL", "CSV", "MANIFEST", "PARQUET"],
    ),
    ("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]),
    (
        "CSVDelimiter",
        &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"],
    ),
    ("ManifestType", &["S3_INVENTORY", "ATHENA_DATA"]),
    ("Transformation", &["NONE", "LOAD_AND_FLATTEN"]),
];
/// Members of a `WriterConfig`.
const WRITER: [(&str, &[&str]); 2] = [
    ("Transformation", &["NONE", "COMPACT", "FLATTEN"]),
    ("OutputType", &["JSON", "JSONL"]),
];

fn own(action: &str) -> String {
    format!("arn:aws:states:::{action}")
}

fn one_of(fields: &mut Fields<'_>, name: &'static str, values: &[&str], findings: &mut Findings) {
    let text = fields.text(name, findings);
    if let Some(other) = text.filter(|t| !values.contains(t)) {
        let message = format!("Value is not one of [{}]: {other}", values.join(", "));
        fields.bad(name, message, findings);
    }
}
