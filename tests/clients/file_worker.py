"""A job worker for a custom action type: file_worker.py ENDPOINT CATEGORY PROVIDER VERSION, until it is ended.

An action of that type succeeds when its input artifact holds the files its `Files` property names.
"""

import io
import sys
import time
import zipfile

import boto3


def check(data):
    """The work: the summary of a success, or an exception whose text becomes the failure."""
    wanted = data["actionConfiguration"]["configuration"]["Files"].split(",")
    place, keys = data["inputArtifacts"][0]["location"]["s3Location"], data["artifactCredentials"]
    session = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"])
    s3 = session.client("s3", endpoint_url=endpoint, region_name=region)
    body = s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"].read()
    missing = sorted(set(wanted) - set(zipfile.ZipFile(io.BytesIO(body)).namelist()))
    if missing:
        raise ValueError(f"not in the artifact: {', '.join(missing)}")
    return f"{len(wanted)} files are there"


endpoint, category, provider, version = sys.argv[1:]
region = "eu-west-1"
codepipeline = boto3.client("codepipeline", endpoint_url=endpoint, region_name=region)
kind = {"category": category, "owner": "Custom", "provider": provider, "version": version}
while True:
    for job in codepipeline.poll_for_jobs(actionTypeId=kind, maxBatchSize=1)["jobs"]:
        if codepipeline.acknowledge_job(jobId=job["id"], nonce=job["nonce"])["status"] != "InProgress":
            continue
        try:
            details = {"summary": check(job["data"]), "externalExecutionId": job["id"]}
            codepipeline.put_job_success_result(jobId=job["id"], executionDetails=details)
        except Exception as error:
            failure = {"type": "JobFailed", "message": str(error)}
            codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=failure)
    time.sleep(0.2)
