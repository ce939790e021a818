//! The vendors of CodePipeline's list whose work functions of this workspace do, and what their configuration keys mean.
//!
//! AWS publishes the keys of Jenkins, Device Farm and Alexa. Those of the other vendors are only seen on the vendors' own
//! pages (`unconfirmed`): the names here are the vendors' words for the same things, and `[connector.X] keys` adds more.

use engine_plan::definition::{ActionTypeId, CUSTOM, THIRD_PARTY};

/// A vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vendor {
    /// Provider in action types.
    pub provider: &'static str,
    /// Owners that its action type has in definitions.
    pub owners: &'static [&'static str],
    /// Its categories.
    pub categories: &'static [&'static str],
    /// The function that does the work.
    pub function: &'static str,
    /// Configuration keys.
    pub keys: &'static [(&'static str, Becomes)],
}

/// What a configuration key becomes. A dot goes into an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// This parameter, as text.
    Text(&'static str),
    /// A number.
    Number(&'static str),
    /// `true` or `false`.
    Flag(&'static str),
    /// A list of one text.
    List(&'static str),
    /// An object written as JSON text.
    Object(&'static str),
    /// A reference to a secret.
    Secret(&'static str),
    /// One of two texts, for `true` and `false`.
    Choice(&'static str, &'static str, &'static str),
    /// An id of Device Farm's, which becomes a project's ARN.
    Project(&'static str),
    /// Files of the devices, whose parameter depends on the kind of app.
    DeviceFiles,
    /// Nothing: AWS itself does not use the value.
    Nothing,
}

use Becomes::{Choice, DeviceFiles, Flag, List, Nothing, Number, Object, Project, Secret, Text};

const GHOST_INSPECTOR: &[(&str, Becomes)] = &[
    ("Suite", Text("suite")),
    ("SuiteId", Text("suite")),
    ("Test", Text("test")),
    ("TestId", Text("test")),
    ("ApiKey", Secret("apiKey")),
    ("StartUrl", Text("startUrl")),
    ("Browser", Text("browser")),
    ("Region", Text("region")),
    ("Viewport", Text("viewport")),
    ("Settings", Object("settings")),
];

const LOADRUNNER_CLOUD: &[(&str, Becomes)] = &[
    ("Tenant", Text("tenant")),
    ("TenantId", Text("tenant")),
    ("Project", Number("project")),
    ("ProjectId", Number("project")),
    ("Test", Number("test")),
    ("TestId", Number("test")),
    ("ClientId", Text("clientId")),
    ("ClientSecret", Secret("clientSecret")),
    ("SendEmail", Flag("sendEmail")),
    ("ServerUrl", Text("baseUrl")),
];

const BLAZEMETER: &[(&str, Becomes)] = &[
    ("TriggerUrl", Secret("trigger")),
    ("Token", Secret("token")),
    ("AccessToken", Secret("token")),
    ("Environment", Text("environment")),
    ("EnvironmentId", Text("environment")),
    ("Bucket", Text("bucket")),
    ("BucketKey", Text("bucket")),
    ("Test", Text("test")),
    ("TestId", Text("test")),
    ("Variables", Object("variables")),
];

const DEVICE_FARM: &[(&str, Becomes)] = &[
    ("ProjectId", Project("projectArn")),
    ("DevicePoolArn", Text("devicePoolArn")),
    ("AppType", Text("appType")),
    ("App", Text("app")),
    ("TestType", Text("testType")),
    ("Test", Text("testPackage")),
    ("AppiumVersion", Nothing),
    ("FuzzEventCount", Text("testParameters.event_count")),
    ("FuzzEventThrottle", Text("testParameters.throttle")),
    ("FuzzRandomizerSeed", Text("testParameters.seed")),
    ("RecordVideo", Flag("recordVideo")),
    (
        "RecordAppPerformanceData",
        Text("testParameters.app_performance_monitoring"),
    ),
    (
        "RadioBluetoothEnabled",
        Flag("configuration.radios.bluetooth"),
    ),
    ("RadioWifiEnabled", Flag("configuration.radios.wifi")),
    ("RadioNfcEnabled", Flag("configuration.radios.nfc")),
    ("RadioGpsEnabled", Flag("configuration.radios.gps")),
    (
        "CustomHostMachineArtifacts",
        List("configuration.customerArtifactPaths.deviceHostPaths"),
    ),
    ("CustomDeviceArtifacts", DeviceFiles),
    (
        "UnmeteredDevicesOnly",
        Choice("configuration.billingMethod", "UNMETERED", "METERED"),
    ),
    ("JobTimeoutMinutes", Number("jobTimeoutMinutes")),
    ("Latitude", Number("configuration.location.latitude")),
    ("Longitude", Number("configuration.location.longitude")),
];

const ALEXA: &[(&str, Becomes)] = &[
    ("ClientId", Text("clientId")),
    ("ClientSecret", Secret("clientSecret")),
    ("RefreshToken", Secret("refreshToken")),
    ("SkillId", Text("skillId")),
];

const fn test(
    provider: &'static str,
    function: &'static str,
    keys: &'static [(&'static str, Becomes)],
) -> Vendor {
    Vendor {
        provider,
        owners: &[THIRD_PARTY, CUSTOM],
        categories: &["Test"],
        function,
        keys,
    }
}

/// All of them. A vendor whose name changed has both names.
pub static VENDORS: &[Vendor] = &[
    Vendor {
        provider: "Jenkins",
        owners: &[CUSTOM],
        categories: &["Build", "Test"],
        function: "action-jenkins",
        keys: &[("ProjectName", Text("ProjectName"))],
    },
    test("GhostInspector", "action-ghost-inspector", GHOST_INSPECTOR),
    test(
        "StormRunnerLoad",
        "action-loadrunner-cloud",
        LOADRUNNER_CLOUD,
    ),
    test(
        "LoadRunnerCloud",
        "action-loadrunner-cloud",
        LOADRUNNER_CLOUD,
    ),
    test("Runscope", "action-blazemeter-monitoring", BLAZEMETER),
    test("BlazeMeter", "action-blazemeter-monitoring", BLAZEMETER),
    Vendor {
        provider: "DeviceFarm",
        owners: &["AWS"],
        categories: &["Test"],
        function: "action-device-farm",
        keys: DEVICE_FARM,
    },
    Vendor {
        provider: "AlexaSkillsKit",
        owners: &[THIRD_PARTY],
        categories: &["Deploy"],
        function: "action-alexa-skill",
        keys: ALEXA,
    },
];

pub(super) fn of_provider(provider: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.provider == provider)
}

/// The vendor of an action type, whether it is configured or not.
pub fn of_type(id: &ActionTypeId) -> Option<&'static Vendor> {
    of_provider(&id.provider)
        .filter(|it| it.owners.contains(&&*id.owner) && it.categories.contains(&&*id.category))
}
