"""A job worker for a custom action type of category Build: worker.py URL PROVIDER SECONDS.

Takes each action in two jobs, as a worker that waits for an outside run does, and prints the action execution it
finished. Ends when it was idle for SECONDS.
"""

import io
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

url, provider, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
session = boto3.Session("any", "credentials", region_name="eu-west-1")
codepipeline = session.client("codepipeline", endpoint_url=url)
kind = {"category": "Build", "owner": "Custom", "provider": provider, "version": "1"}


def build(data):
    """Packs a greeting as every output artifact, with the job's own credentials."""
    if not data["outputArtifacts"]:
        return
    keys = data["artifactCredentials"]
    own = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"], region_name="eu-west-1")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("greeting.txt", "baked")
    for output in data["outputArtifacts"]:
        place = output["location"]["s3Location"]
        s3 = own.client("s3", endpoint_url=url)
        s3.put_object(Bucket=place["bucketName"], Key=place["objectKey"], Body=packed.getvalue())


idle_since = time.monotonic()
while time.monotonic() - idle_since < patience:
    for job in codepipeline.poll_for_jobs(actionTypeId=kind, maxBatchSize=2)["jobs"]:
        try:
            codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidNonceException", error
            continue
        action = job["data"]["pipelineContext"]["action"]["actionExecutionId"]
        idle_since = time.monotonic()
        if "continuationToken" not in job["data"]:
            details = {"externalExecutionId": action[:8], "percentComplete": 50, "summary": "mixing"}
            codepipeline.put_job_success_result(jobId=job["id"], continuationToken=action, executionDetails=details)
            continue
        assert job["data"]["continuationToken"] == action, job["data"]["continuationToken"]
        build(job["data"])
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables={"Greeting": "baked"})
        print(action, flush=True)
    time.sleep(0.05)
