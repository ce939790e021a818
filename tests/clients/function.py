"""A pipeline action in Python, as its user guide writes them: AWS's own runtime client runs it, boto3 reports."""

import io
import zipfile

import boto3


def handler(event, context):
    job = event["CodePipeline.job"]
    data = job["data"]
    wanted = data["actionConfiguration"]["configuration"]["UserParameters"]
    if wanted == "raise":
        raise RuntimeError("the dice fell badly")
    assert context.function_name == "python-action", context.function_name
    assert context.aws_request_id and context.get_remaining_time_in_millis() > 0
    codepipeline = boto3.client("codepipeline")
    if wanted == "list":
        location = data["inputArtifacts"][0]["location"]["s3Location"]
        keys = data["artifactCredentials"]
        s3 = boto3.client(
            "s3",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        body = s3.get_object(Bucket=location["bucketName"], Key=location["objectKey"])["Body"].read()
        names = ",".join(sorted(zipfile.ZipFile(io.BytesIO(body)).namelist()))
        print("the artifact holds", names)
        codepipeline.put_job_success_result(jobId=job["id"], outputVariables={"Names": names})
    elif wanted == "rule":
        # a rule's job: the same callbacks, and GetJobDetails tells where it was asked
        told = codepipeline.get_job_details(jobId=job["id"])["jobDetails"]["data"]["pipelineContext"]
        print("asked by", told["stage"]["name"], told["action"]["name"], data.get("continuationToken", "first"))
        if "continuationToken" in data:
            codepipeline.put_job_success_result(jobId=job["id"], executionDetails={"summary": "all tables are there"})
        else:
            codepipeline.put_job_success_result(jobId=job["id"], continuationToken="again")
    elif wanted == "got index.html,style.css":
        codepipeline.put_job_success_result(jobId=job["id"])
    else:
        codepipeline.put_job_failure_result(
            jobId=job["id"], failureDetails={"type": "JobFailed", "message": f"unexpected {wanted}"}
        )
    return {"ok": True}
