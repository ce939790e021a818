"""What the job sessions share: clients, patience, a source object, pipelines with one stage of work."""

import io
import json
import sys
import zipfile

from session import client, wait

url = sys.argv[1]
codepipeline = client("codepipeline", url)
s3 = client("s3", url)


def source():
    """A versioned bucket with a zip, and a bucket for artifacts."""
    place = {"LocationConstraint": "eu-west-1"}
    for bucket in ["sources", "artifacts"]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_bucket_versioning(Bucket="sources", VersioningConfiguration={"Status": "Enabled"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("recipe.txt", "flour")
    s3.put_object(Bucket="sources", Key="shop.zip", Body=packed.getvalue())


def action(name, category, owner, provider, configuration, inputs=(), outputs=()):
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": owner, "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": name} for name in inputs],
        "outputArtifacts": [{"name": name} for name in outputs],
    }


def pipeline(name, work):
    code = {"S3Bucket": "sources", "S3ObjectKey": "shop.zip", "PollForSourceChanges": "false"}
    return {
        "name": name,
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "stages": [
            {"name": "Source", "actions": [action("Code", "Source", "AWS", "S3", code, outputs=["Code"])]},
            {"name": "Work", "actions": work},
        ],
    }


def custom_type(provider, **more):
    counts = {"minimumCount": 0, "maximumCount": 1}
    return codepipeline.create_custom_action_type(
        category="Build",
        provider=provider,
        version="1",
        inputArtifactDetails=counts,
        outputArtifactDetails=counts,
        **more,
    )


def ended(name):
    """The newest execution once it has ended."""
    def look():
        newest = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][0]
        return newest if newest["status"] not in ("InProgress", "Stopping") else None

    return wait(f"the end of {name}", look)


def expect_success(name):
    execution = ended(name)
    if execution["status"] != "Succeeded":
        details = codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
        sys.exit(json.dumps(details, default=str, indent=1))
