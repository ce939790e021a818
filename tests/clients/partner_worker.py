"""A partner's job worker: partner_worker.py URL CATEGORY PROVIDER CLIENT_ID CLIENT_TOKEN; ends after one action."""

import sys
import time

import boto3
from botocore.exceptions import ClientError

url, category, provider, client_id, token = sys.argv[1:]
session = boto3.Session("any", "credentials", region_name="eu-west-1")
codepipeline = session.client("codepipeline", endpoint_url=url)
kind = {"category": category, "owner": "ThirdParty", "provider": provider, "version": "1"}
TOKENS = {client_id: token}

until = time.monotonic() + 60
while time.monotonic() < until:
    for job in codepipeline.poll_for_third_party_jobs(actionTypeId=kind, maxBatchSize=1)["jobs"]:
        known = dict(jobId=job["jobId"], clientToken=TOKENS[job["clientId"]])
        try:
            codepipeline.get_third_party_job_details(jobId=job["jobId"], clientToken="guessed")
            sys.exit("a guessed token opened the job")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidClientTokenException", error
        details = codepipeline.get_third_party_job_details(**known)["jobDetails"]
        data = details["data"]
        assert set(data["pipelineContext"]) == {"pipelineName", "stage", "action"}, data["pipelineContext"]
        print("configuration", sorted(data["actionConfiguration"]["configuration"].items()))
        status = codepipeline.acknowledge_third_party_job(nonce=details["nonce"], **known)
        assert status["status"] == "InProgress", status
        codepipeline.put_third_party_job_success_result(
            executionDetails={"externalExecutionId": "suite-7", "summary": "12 passed", "percentComplete": 100}, **known
        )
        print("ok")
        sys.exit(0)
    time.sleep(0.1)
sys.exit("no job came")
